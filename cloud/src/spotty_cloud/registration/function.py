"""The function `registration`: API Gateway's events into the app. Clients are made once a process."""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from mangum import Mangum
from mangum.types import LambdaContext, LambdaEvent

from spotty_cloud.logs import keep_libraries_quiet
from spotty_cloud.registration.app import create_app
from spotty_cloud.registration.claims import Claims
from spotty_cloud.registration.cores import GreengrassCores
from spotty_cloud.registration.desk import Desk
from spotty_cloud.registration.joining import Joining, kind_of
from spotty_cloud.registration.leaving import Leaving, shadow_names_of
from spotty_cloud.registration.whereabouts import whereabouts_of
from spotty_cloud.registration.wrong_codes import WrongCodes
from spotty_cloud.store import store_of
from spotty_cloud.tables import Table

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot_data.client import IoTDataPlaneClient


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _desk() -> Desk:
    dynamo, iot = boto3.client("dynamodb"), boto3.client("iot")
    shadows = boto3.client("iot-data", endpoint_url=os.environ.get("IOT_DATA_ENDPOINT"))
    store = store_of(dynamo, os.environ)
    table = Table(dynamo, os.environ["CLAIMS_TABLE"], "claimId")
    cores = GreengrassCores(lambda: boto3.client("greengrassv2")) if os.environ["ROLE_ALIAS"] else None
    return Desk(
        claims=Claims(table, _now_ms),
        wrong_codes=WrongCodes(table, _now_ms),
        joining=Joining(store.gateways, iot, kind_of(os.environ), _now_ms),
        leaving=Leaving(store, iot, shadows, _shadow_names(shadows), cores, _now_ms, time.sleep),
        whereabouts=whereabouts_of(iot, os.environ),
    )


def _shadow_names(client: "IoTDataPlaneClient") -> Callable[[str], list[str]]:
    """The local AWS has no list of shadows."""
    return (lambda _: []) if os.environ["LOCAL_MQTT"] else shadow_names_of(client)


keep_libraries_quiet()
_ANSWER = Mangum(create_app(_desk(), os.environ.get("ALLOWED_ORIGIN", "")), lifespan="off")


def handler(event: LambdaEvent, context: LambdaContext) -> dict[str, object]:
    """What Lambda calls."""
    return _ANSWER(event, context)
