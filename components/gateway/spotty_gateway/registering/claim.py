"""One registration from key to files: opened, waited for, kept.

It can be broken off anywhere and begun again: the same key gets the same answer.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from spotty_contract.registering import ClaimOpened, ClaimStanding, Registered, RegistrationAsked
from spotty_contract.wire import faults_of
from spotty_gateway.durable_file import replace_durably
from spotty_gateway.registering.configuration import check, configuration_of
from spotty_gateway.registering.desk import Desk, Opened
from spotty_gateway.registering.errors import (
    AwayError,
    CannotHereError,
    CloudTroubleError,
    NotConfirmedError,
    StrangerError,
)
from spotty_gateway.registering.key import Key, own_key
from spotty_gateway.registering.own_file import settle
from spotty_gateway.registering.place import Place, cannot_write

READABLE = 0o644
LONGEST_WAIT_S = 30.0
"""Between two questions, while no answer counts."""


class Asks(Protocol):
    """The cloud's desk, as far as waiting needs it."""

    def ask(self, claim: ClaimOpened) -> ClaimStanding:
        """How far the claim has come."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How time passes, and who is told."""

    mono_s: Callable[[], float]
    wait: Callable[[float, float], None]
    """So long; the second is how much is left of the claim."""
    trouble: Callable[[str | None], None] = lambda _: None
    """Why the last question had no answer that counts; None where it had one."""


def key_for(place: Place, *, again: bool) -> Key:
    """The key to register with, made if there is none. What is registered stays, unless it is to be done `again`.

    Raises CannotHereError. The configuration is written last, so where there is none, no registration was finished.
    """
    try:
        known = place.gateway_id()
        if known is not None and not again:
            raise CannotHereError(
                f"this is registered already, as {known} ({place.configuration}): nothing was changed; "
                "with --again it is registered anew"
            )
        key = own_key(place.key, place.owner)
        if place.certificate.exists() and not again and not key.has(place.certificate.read_text(errors="replace")):
            raise CannotHereError(
                f"{place.certificate} belongs to another key: nothing was changed; with --again it is replaced"
            )
    except OSError as error:
        raise cannot_write(error, place.key) from error
    return key


def open_claim(desk: Desk, key: Key) -> Opened:
    """A claim whose code may be shown: the cloud means our key. Raises RegistrationError."""
    opened = desk.open(key.signing_request())
    if opened.claim.fingerprint != key.fingerprint:
        raise StrangerError(
            f"the cloud names another key ({opened.claim.fingerprint}) than this gateway's ({key.fingerprint}): "
            "somebody stands in between, or the address is another's. Confirm nothing; check address and network"
        )
    return opened


def at_once(desk: Desk, key: Key, name: str | None, id_token: str) -> Registered:
    """Registered by an owner who is signed in here. Raises RegistrationError."""
    try:
        asked = RegistrationAsked(csr=key.signing_request(), name=name)
    except ValidationError as error:
        raise CannotHereError("; ".join(faults_of(error, "name"))) from None
    return desk.register(asked, id_token)


def wait_for_owner(desk: Asks, opened: Opened, patience: Patience) -> Registered:
    """Ask until the owner has confirmed: no oftener than the cloud wants, through every trouble that may pass.

    Raises NotConfirmedError, CloudTroubleError.
    """
    claim = opened.claim
    until_s = patience.mono_s() + opened.left_s
    wait_s = not_before_s = float(claim.poll_after_s)
    trouble = ""
    while (left_s := until_s - patience.mono_s()) > 0 and (not trouble or not_before_s <= left_s):
        patience.wait(max(not_before_s, min(wait_s, left_s)), left_s)
        try:
            standing = desk.ask(claim)
        except AwayError as error:
            trouble, wait_s = str(error), min(wait_s * 2, LONGEST_WAIT_S)
            not_before_s = max(error.retry_after_s, claim.poll_after_s)
        else:
            if standing.state == "registered":
                return _given(standing)
            trouble, wait_s, not_before_s = "", claim.poll_after_s, claim.poll_after_s
        patience.trouble(trouble or None)
    if trouble:
        raise CloudTroubleError(f"the code's time is over, and the cloud could not be asked at last: {trouble}")
    raise NotConfirmedError("nobody has confirmed in time: run this again for a new code")


def keep(place: Place, key: Key, given: Registered) -> None:
    """Write what was given; the files, the configuration last. Raises RegistrationError; nothing is written then.

    Only a disk that refuses may leave a part, which the next run completes.
    """
    if not key.has(given.certificate_pem):
        raise StrangerError("the cloud's certificate is for another key: nothing was kept; check address and network")
    _check_authorities(given.root_ca_pem)
    check(given)
    files = {
        place.root_ca: (given.root_ca_pem, place.owner),
        place.certificate: (given.certificate_pem, place.owner),
        place.configuration: (configuration_of(place, given), "root" if place.owner is not None else None),
    }
    for path, (content, owner) in files.items():
        try:
            replace_durably(path, _with_end(content).encode(), READABLE)
            # One that was there keeps its mode, which the nucleus may not be able to read.
            settle(path, READABLE, owner)
        except OSError as error:
            raise cannot_write(error, path) from error


def _given(standing: ClaimStanding) -> Registered:
    if standing.registered is None:
        raise CloudTroubleError("the cloud says registered and gives nothing: are gateway and cloud of one version?")
    return standing.registered


def _check_authorities(pem: str) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem.encode("ascii").decode())
    except (ssl.SSLError, ValueError):  # UnicodeError is one: PEM is ASCII
        raise CloudTroubleError(
            "rootCaPem in the cloud's answer is no certificate: the stack behind that address is damaged"
        ) from None


def _with_end(text: str) -> str:
    """Lite wants a line's end at the end of a certificate file."""
    return text if text.endswith("\n") else f"{text}\n"
