"""The function `scheduled`: what EventBridge Scheduler asks for. Clients are made once a process."""

import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Protocol

from botocore.config import Config
from botocore.session import Session

from spotty_cloud.logs import keep_libraries_quiet
from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.run import UnfinishedError
from spotty_cloud.scheduled.sweep import Sweep
from spotty_cloud.scheduled.token_health import TokenHealth
from spotty_cloud.store import store_of

LOG = logging.getLogger(__name__)
logging.getLogger().setLevel(os.environ.get("LOG_LEVEL", "INFO"))
keep_libraries_quiet()

_LEFT_MS = 10_000
"""What is begun with less than this left may be cut off in the middle."""
_PATIENCE = Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 2})
_TASKS: Mapping[str, type[Sweep | TokenHealth]] = {"sweep": Sweep, "token_health": TokenHealth}


class Context(Protocol):
    """What Lambda gives along, as much of it as is asked."""

    def get_remaining_time_in_millis(self) -> int:
        """Until it is ended."""


_SESSION = Session()
_DYNAMO: Any = _SESSION.create_client("dynamodb", config=_PATIENCE)
_SNS: Any = _SESSION.create_client("sns", config=_PATIENCE)
_STORE = store_of(_DYNAMO, os.environ)
_MAIL = Mail(_SNS, os.environ["NOTIFICATIONS_TOPIC"], _STORE.users, _STORE.gateways)


def handler(event: Mapping[str, str], context: Context) -> dict[str, int | bool]:
    """What Lambda calls. Raises UnfinishedError where a part was refused, and KeyError for a task that is none."""
    task = _TASKS[event["task"]]
    done = task(_STORE, _MAIL, time.time_ns() // 1_000_000, _has_time(context)).run()
    counts = asdict(done)
    LOG.log(logging.INFO if done.complete else logging.WARNING, "%s is done", event["task"], extra=counts)
    if done.failed:
        raise UnfinishedError(f"{event['task']}: {done.failed} could not be seen to; the next run tries again")
    return counts


def _has_time(context: Context) -> Callable[[], bool]:
    return lambda: context.get_remaining_time_in_millis() > _LEFT_MS
