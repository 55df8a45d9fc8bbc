"""What stands in the functions' logs: our own words."""

import logging
from typing import Final

_LIBRARIES: Final = ("botocore", "boto3", "urllib3")


def keep_libraries_quiet() -> None:
    """Also where LOG_LEVEL is DEBUG: they would print whole requests, Spotify's code and AWS's tokens in them."""
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.INFO)
