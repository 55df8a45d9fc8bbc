"""The function `ingest`: batches of RecordsQueue. Clients are made once a process, as little of botocore as will do."""

import functools
import os
import time
from typing import Any, Final, Protocol

from botocore.config import Config
from botocore.credentials import EnvProvider
from botocore.loaders import Loader
from botocore.session import Session

from spotty_cloud.connections import Connections
from spotty_cloud.ingest.collect import Collector
from spotty_cloud.ingest.dead_letters import DeadLetters
from spotty_cloud.ingest.keeping import AT_ONCE, Keeper
from spotty_cloud.live_push import LivePush, dashboards
from spotty_cloud.logs import keep_libraries_quiet

_DAY_S = 86_400
PATIENCE: Final = Config(
    connect_timeout=1,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 2},
    max_pool_connections=AT_ONCE,
    parameter_validation=False,
)
"""For what answers in milliseconds, on a busy laptop in seconds. Twice in an invocation; then it is SQS that tries."""


class Context(Protocol):
    """As much of Lambda's as we use."""

    def get_remaining_time_in_millis(self) -> int:
        """Until Lambda ends the invocation."""


class _Models(Loader):
    """botocore looks through four hundred services' folders for each client, which takes as long as all else in it."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002  # one list for all
        """Those that are asked for here."""
        return ["dynamodb", "sqs"]


def _session() -> Session:
    """With the credentials that Lambda gives; to make ready the other places to look for them takes its time, too."""
    session = Session()
    session.register_component("data_loader", _Models())
    given = EnvProvider().load()
    if given is not None:
        session.set_credentials(given.access_key, given.secret_key, given.token)
    return session


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _collector() -> Collector:
    session, environment = _session(), os.environ
    dynamo: Any = session.create_client("dynamodb", config=PATIENCE)

    @functools.cache
    def sqs() -> Any:  # noqa: ANN401  # botocore makes clients at run time
        return session.create_client("sqs", config=PATIENCE)

    connections = Connections(dynamo, environment["CONNECTIONS_TABLE"])
    return Collector(
        keeper=Keeper(
            dynamo,
            {
                "sensors": environment["SENSORS_TABLE"],
                "sessions": environment["SESSIONS_TABLE"],
                "events": environment["MOTION_EVENTS_TABLE"],
                "gateways": environment["GATEWAYS_TABLE"],
                "commands": environment["COMMANDS_TABLE"],
            },
        ),
        letters=DeadLetters(sqs, environment["DEAD_LETTER_QUEUE"]),
        push=lambda: LivePush(lambda: dashboards(environment["LIVE_ENDPOINT"]), connections, _now_ms),
        retention_s=int(environment["RETENTION_DAYS"]) * _DAY_S,
        now_ms=_now_ms,
    )


keep_libraries_quiet()
_COLLECTOR = _collector()


def handler(event: dict[str, Any], context: Context) -> dict[str, list[dict[str, str]]]:
    """What Lambda calls."""
    texts = {one["messageId"]: one["body"] for one in event["Records"]}
    again = _COLLECTOR.collect(texts, context.get_remaining_time_in_millis)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in again]}
