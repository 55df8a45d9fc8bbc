"""What API Gateway asks about each connection: may it come, it has gone, it has said something."""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.connections import MOST_CONNECTIONS, Connections

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_apigatewaymanagementapi.client import ApiGatewayManagementApiClient

LOG = logging.getLogger(__name__)

_OK, _UNAUTHORIZED = {"statusCode": 200}, {"statusCode": 401}
_LONGEST_PING = 256
_PING = {"action": "ping"}


@dataclass(frozen=True, slots=True)
class Door:
    """Lets in who has a ticket, and as many of one owner as there may be."""

    connections: Connections
    dashboards: "Callable[[], ApiGatewayManagementApiClient]"
    now_ms: Callable[[], int]

    def answer(self, event: Mapping[str, Any]) -> dict[str, int]:
        """What API Gateway is told; only what it is told of `$connect` matters to it."""
        connection_id = event["requestContext"]["connectionId"]
        match event["requestContext"]["eventType"]:
            case "CONNECT":
                return self._comes(connection_id, (event.get("queryStringParameters") or {}).get("ticket", ""))
            case "DISCONNECT":
                self.connections.forget_connection(connection_id)
            case _:
                self._says(connection_id, event.get("body") or "")
        return _OK

    def _comes(self, connection_id: str, ticket: str) -> dict[str, int]:
        user_id = self.connections.redeem(ticket, self.now_ms()) if ticket else None
        if user_id is None:
            LOG.info("a dashboard came without a ticket that is good")
            return _UNAUTHORIZED
        self.connections.add(user_id, connection_id, self.now_ms())
        for older in self.connections.of(user_id, self.now_ms())[:-MOST_CONNECTIONS]:
            self.connections.forget(user_id, older)
            self._end(older)
        return _OK

    def _end(self, connection_id: str) -> None:
        """It is told nothing any more; that it is also closed lets it know."""
        client = self.dashboards()
        try:
            client.delete_connection(ConnectionId=connection_id)
        except client.exceptions.GoneException:
            LOG.debug("the oldest dashboard had left already")
        except (ClientError, BotoCoreError) as error:
            LOG.warning("the oldest dashboard stays connected and is told nothing: %s", error)

    def _says(self, connection_id: str, body: str) -> None:
        """A dashboard pings, since API Gateway ends what is still for ten minutes; there is nothing else to say."""
        if _is_ping(body):
            self._tell(connection_id, {"type": "pong", "at": self.now_ms()})
        else:
            words = f"nothing is read here but {json.dumps(_PING)}; everything else goes through the API"
            self._tell(connection_id, {"type": "error", "at": self.now_ms(), "data": {"message": words}})

    def _tell(self, connection_id: str, message: Mapping[str, object]) -> None:
        client = self.dashboards()
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=json.dumps(message).encode())
        except client.exceptions.GoneException:
            self.connections.forget_connection(connection_id)


def _is_ping(body: str) -> bool:
    if len(body) > _LONGEST_PING:
        return False
    try:
        return bool(json.loads(body) == _PING)
    except ValueError:
        return False
