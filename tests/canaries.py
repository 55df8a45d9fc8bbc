"""How a token of the simulated Spotify is known when it turns up where none should be."""

import re
from collections.abc import Iterator
from pathlib import Path

TOKEN = re.compile(rb"(?<![\w-])[AB]Q[\w-]{86}(?![\w-])|Q[lV][EF][A-Za-z0-9+/]{112}")
"""The simulator's access and refresh tokens, in a URL too, and as base64."""

MAY_HOLD_TOKENS = re.compile(r"tokens\.json|\.tokens-.*")


def files_with_tokens(folder: Path) -> Iterator[Path]:
    """Every file under the folder that holds a token and is not there to hold it."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and not MAY_HOLD_TOKENS.fullmatch(path.name):
            try:
                content = path.read_bytes()
            except OSError:  # gone, or nobody's to read
                continue
            if TOKEN.search(content):
                yield path
