"""Tells a person's open dashboards at once. What does not get through is lost: they read it when they next look."""

import functools
import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.connections import Connections

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_apigatewaymanagementapi.client import ApiGatewayManagementApiClient

LOG = logging.getLogger(__name__)

MOST_BYTES: Final = 32 * 1024
"""API Gateway counts a message of more as several."""

_CONNECT_S, _READ_S = 1, 2
_BUDGET_S = 3.0


@functools.cache
def dashboards(endpoint: str) -> "ApiGatewayManagementApiClient":
    """The connections of the WebSocket API at this endpoint; made when somebody listens, which is seldom.

    Short of patience, and nothing is tried twice: whoever calls has records to keep.
    """
    patience = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 1})
    made = botocore.session.get_session().create_client(
        "apigatewaymanagementapi", endpoint_url=endpoint, config=patience
    )
    return cast("ApiGatewayManagementApiClient", made)


@dataclass(slots=True)
class LivePush:
    """The pushes of one invocation: it looks once where each person listens, and takes `budget_s` for all of them."""

    client: Callable[[], "ApiGatewayManagementApiClient"]
    connections: Connections
    now_ms: Callable[[], int]
    mono_s: Callable[[], float] = time.monotonic
    budget_s: float = _BUDGET_S
    _spent_s: float = field(default=0.0, init=False)
    _listening: dict[str, list[str]] = field(default_factory=dict, init=False)
    _dropped: int = field(default=0, init=False)

    def push(self, user_id: str, message: Mapping[str, object]) -> None:
        """Send it to all dashboards of this person. Never raises what AWS says, and never takes long."""
        if self._is_late():
            return
        listening = self._where(user_id)
        if not listening:
            return
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()
        if len(data) > MOST_BYTES:
            self._drop(f"a message of {len(data)} bytes is longer than {MOST_BYTES}")
            return
        for connection_id in tuple(listening):
            if self._is_late():
                return
            with self._spending():
                reaches = self._reaches(user_id, connection_id, data)
            if not reaches:
                listening.remove(connection_id)

    def _where(self, user_id: str) -> list[str]:
        if user_id not in self._listening:
            self._listening[user_id] = []
            try:
                with self._spending():
                    self._listening[user_id] = self.connections.of(user_id, self.now_ms())
            except (ClientError, BotoCoreError) as error:
                LOG.warning("it is not known where anybody listens, so nobody is told: %s", error)
        return self._listening[user_id]

    def _reaches(self, user_id: str, connection_id: str, data: bytes) -> bool:
        """Whether to go on with this connection."""
        client = self.client()
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=data)
        except client.exceptions.GoneException:
            return self._gone(user_id, connection_id)
        except (ClientError, BotoCoreError) as error:
            LOG.warning("a dashboard cannot be told just now: %s", error)
            return False
        return True

    def _gone(self, user_id: str, connection_id: str) -> bool:
        try:
            self.connections.forget(user_id, connection_id)
        except (ClientError, BotoCoreError) as error:
            LOG.warning("a connection that is gone stays in the table until its time is over: %s", error)
        return False

    def _is_late(self) -> bool:
        """Looked at before each request: a person may listen in ten places, and each may take its three seconds."""
        if self._spent_s < self.budget_s:
            return False
        self._drop("the time for it is used up")
        return True

    @contextmanager
    def _spending(self) -> Iterator[None]:
        began_s = self.mono_s()
        try:
            yield
        finally:
            self._spent_s += self.mono_s() - began_s

    def _drop(self, why: str) -> None:
        if not self._dropped:  # one line tells it; a batch may hold hundreds
            LOG.warning("dashboards miss something: %s", why)
        self._dropped += 1
