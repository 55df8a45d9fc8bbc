"""The function `api`: API Gateway's events into the app. Clients are made once a process."""

import functools
import os
import time
from collections.abc import Callable
from typing import Any

from botocore.config import Config
from botocore.session import Session
from mangum import Mangum
from mangum.types import LambdaContext, LambdaEvent

from spotty_cloud.api.app import create_app
from spotty_cloud.api.asking import Parts
from spotty_cloud.connections import Connections
from spotty_cloud.cursors import Cursors
from spotty_cloud.in_step import Shadows
from spotty_cloud.logs import keep_libraries_quiet
from spotty_cloud.orders import Orders
from spotty_cloud.rooms import Rooms
from spotty_cloud.store import store_of
from spotty_cloud.subscriptions import Subscriptions

_PATIENCE = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
"""A person waits: what AWS cannot do within seconds is a 503, long before the function is out of time."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _parts() -> Parts:
    session = Session()  # boto3 has the same clients, and takes a fifth of a second to import
    dynamo: Any = session.create_client("dynamodb", config=_PATIENCE)
    store = store_of(dynamo, os.environ)
    iot: Any = session.create_client("iot-data", endpoint_url=os.environ.get("IOT_DATA_ENDPOINT"), config=_PATIENCE)
    sns: Callable[[], Any] = functools.cache(lambda: session.create_client("sns", config=_PATIENCE))
    return Parts(
        store=store,
        rooms=Rooms(store, Shadows(iot), _now_ms),
        orders=Orders(store, iot, _now_ms),
        cursors=Cursors(os.environ["CURSOR_KEY"].encode()),
        connections=Connections(dynamo, os.environ["CONNECTIONS_TABLE"]),
        live_endpoint=os.environ["LIVE_ENDPOINT"],
        subscriptions=Subscriptions(sns, os.environ["NOTIFICATIONS_TOPIC"]),
        now_ms=_now_ms,
    )


keep_libraries_quiet()
_ANSWER = Mangum(create_app(_parts(), os.environ.get("ALLOWED_ORIGIN", "")), lifespan="off")


def handler(event: LambdaEvent, context: LambdaContext) -> dict[str, object]:
    """What Lambda calls."""
    return _ANSWER(event, context)
