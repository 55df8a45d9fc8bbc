"""Run by test_consent.py in a process of its own: saves tokens, and kills itself before its n-th step to disk."""

import os
import signal
import sys
from pathlib import Path

from spotty_gateway.token_file import TokenFile

TO_DISK = ("open", "tempfile.mkstemp", "os.rename", "os.remove")


def main(path: Path, last: int) -> None:
    """Save NEW over what stands at `path`."""
    seen = 0

    def watch(event: str, _: tuple[object, ...]) -> None:
        nonlocal seen
        if event in TO_DISK:  # a kill is an event too
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)

    token_file = TokenFile(path)
    sys.addaudithook(watch)
    token_file.save_token_to_cache({"access_token": "new", "refresh_token": "new", "consent_at": 2})


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
