"""How the home's gateway comes to belong to its owner: the Pi's own half of it, and the owner at the API."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from spotty_contract.registering import ClaimConfirmed, ClaimSeen
from spotty_gateway.registering.claim import Patience, keep, key_for, open_claim, wait_for_owner
from spotty_gateway.registering.desk import Desk
from spotty_gateway.registering.errors import RegistrationError
from spotty_gateway.registering.place import NucleusKind, Place, place_of, prepared

from .api import PATIENCE_S
from .errors import HomeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .api import Api


def place_in(folder: Path) -> Place:
    """Where a gateway of nucleus lite keeps its key, its certificate and who signs for the cloud."""
    return place_of(NucleusKind.LITE, folder)


def register(api: Api, place: Place, name: str) -> str:
    """A new key and claim, confirmed by whoever `api` asks for; the gateway's id. Raises HomeError."""
    # On a busy laptop the function may start longer than a Pi waits: a claim for nothing starts it.
    api.ask("POST", "/devices/claims", {}, headers={})
    with _words_of_the_pi(), prepared(place), Desk(api.url, PATIENCE_S) as desk:
        key = key_for(place, again=False)
        opened = open_claim(desk, key)
        _confirm(api, opened.claim.code, key.fingerprint, name)
        given = wait_for_owner(desk, opened, Patience(time.monotonic, _Wait()))
        keep(place, key, given)
        return given.gateway_id


def _confirm(api: Api, code: str, fingerprint: str, name: str) -> None:
    """Enter the code, compare the fingerprint, say yes."""
    entered = ClaimConfirmed(code=code)
    seen = _seen(api.change("POST", "/devices/claims/confirm", entered.model_dump(exclude_none=True)))
    if seen.fingerprint != fingerprint:
        raise HomeError(f"the code {code} stands for another key than the gateway's: nothing was confirmed")
    agreed = ClaimConfirmed(code=code, fingerprint=fingerprint, name=name)
    api.change("POST", "/devices/claims/confirm", agreed.model_dump(exclude_none=True))


def _seen(body: object) -> ClaimSeen:
    return ClaimSeen.model_validate(body)


class _Wait:
    """The owner has confirmed before the gateway asks first, so that first time it need not wait."""

    def __init__(self) -> None:
        self._is_first = True

    def __call__(self, wait_s: float, left_s: float) -> None:
        if not self._is_first:
            time.sleep(min(wait_s, left_s))
        self._is_first = False


@contextmanager
def _words_of_the_pi() -> Iterator[None]:
    try:
        yield
    except RegistrationError as error:
        raise HomeError(f"the gateway cannot be registered: {error}") from None
