"""The function `live`: API Gateway's WebSocket events to the door. The table's client is made once a process."""

import functools
import logging
import os
import time
from collections.abc import Mapping
from typing import Any

from botocore.session import Session

from spotty_cloud.connections import Connections
from spotty_cloud.live.door import Door
from spotty_cloud.live_push import dashboards
from spotty_cloud.logs import keep_libraries_quiet

logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "INFO"))
keep_libraries_quiet()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


_DYNAMO: Any = Session().create_client("dynamodb")  # boto3 has the same, and takes a fifth of a second to import
_DOOR = Door(
    Connections(_DYNAMO, os.environ["CONNECTIONS_TABLE"]),
    functools.partial(dashboards, os.environ["LIVE_ENDPOINT"]),
    _now_ms,
)


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    """What Lambda calls."""
    return _DOOR.answer(event)
