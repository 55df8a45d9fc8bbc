"""The function `api`: API Gateway's events into the app. Clients are made once a process."""

import os
import time

import boto3
from mangum import Mangum
from mangum.types import LambdaContext, LambdaEvent

from spotty_cloud.api.app import create_app
from spotty_cloud.api.asking import Parts
from spotty_cloud.cursors import Cursors
from spotty_cloud.in_step import Shadows
from spotty_cloud.orders import Orders
from spotty_cloud.rooms import Rooms
from spotty_cloud.store import store_of


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _parts() -> Parts:
    store = store_of(boto3.client("dynamodb"), os.environ)
    iot = boto3.client("iot-data", endpoint_url=os.environ.get("IOT_DATA_ENDPOINT"))
    return Parts(
        store=store,
        rooms=Rooms(store, Shadows(iot), _now_ms),
        orders=Orders(store, iot, _now_ms),
        cursors=Cursors(os.environ["CURSOR_KEY"].encode()),
        now_ms=_now_ms,
    )


_ANSWER = Mangum(create_app(_parts()), lifespan="off")


def handler(event: LambdaEvent, context: LambdaContext) -> dict[str, object]:
    """What Lambda calls."""
    return _ANSWER(event, context)
