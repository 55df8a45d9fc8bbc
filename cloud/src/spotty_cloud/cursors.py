"""Where a list goes on: opaque to the caller, and good for nothing but the list that it was given for."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from spotty_cloud.errors import MalformedError

_MAC_BYTES = 16
_LONGEST = 1024

Position = Mapping[str, str | int]
"""The key of the last thing that was shown."""


@dataclass(frozen=True, slots=True)
class Cursors:
    """Cursors of one deployment, sealed with its key."""

    key: bytes = field(repr=False)

    def seal(self, position: Position, tenant: str, route: str, filters: Mapping[str, object]) -> str:
        """A cursor that goes on behind `position`, for this tenant, route and these filters only."""
        body = _compact(position)
        return base64.urlsafe_b64encode(self._mac(body, tenant, route, filters) + body).rstrip(b"=").decode()

    def open(self, cursor: str, tenant: str, route: str, filters: Mapping[str, object]) -> dict[str, str | int]:
        """The position in it. Raises MalformedError for a cursor that was not sealed for just this."""
        try:
            sealed = base64.b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise _foreign() from error
        mac, body = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
        if len(cursor) > _LONGEST or not hmac.compare_digest(mac, self._mac(body, tenant, route, filters)):
            raise _foreign()
        position: dict[str, str | int] = json.loads(body)
        return position

    def _mac(self, body: bytes, tenant: str, route: str, filters: Mapping[str, object]) -> bytes:
        told = _compact([tenant, route, dict(filters)])
        message = len(told).to_bytes(4) + told + body
        return hmac.new(self.key, message, hashlib.sha256).digest()[:_MAC_BYTES]


def _compact(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _foreign() -> MalformedError:
    return MalformedError("cursor: it does not belong to this list with these filters; begin without one")
