"""The household's one Spotify account as the gateway knows it: its guard, its speakers, its consent, and their memory.

The guard and the speakers live on the player's thread and know nothing of a disk; here their memories become one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Literal

from spotty_contract.status import Consent as ConsentNow
from spotty_contract.status import Guard as GuardNow
from spotty_gateway.account_memory import AccountMemory, AccountMemoryError, GuardState, decode
from spotty_gateway.consent import CONSENT_LASTS_S, consent_warning
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import PlayerAuthError
from spotty_gateway.guard import Guard
from spotty_gateway.ports import Clock, Player, RememberedDevice
from spotty_gateway.quarantine import Quarantine
from spotty_gateway.settings import Settings
from spotty_gateway.speakers import Speakers
from spotty_gateway.store import Store
from spotty_gateway.token_file import TokenFile


@dataclass(frozen=True, slots=True)
class _Consent:
    """What the token file says of it. When it was given is None where there is none, or its day is not known."""

    state: Literal["given", "missing", "refused"]
    given_at_s: float | None = None


class Account:
    """Begins with what the store remembers of the account, and keeps it remembered."""

    def __init__(
        self, clock: Clock, boot_id: str, store: Store, settings: Settings, say: Callable[[str], None]
    ) -> None:
        """Where the memory cannot be used, `say` is told and it is begun anew."""
        self._clock = clock
        self._store = store
        self._tokens = settings.tokens
        self._say = say
        self._said: str | None = None
        self._consent = self._consent_found()
        before = self._before()
        self._devices = before.devices if before is not None else ()
        self.guard = Guard(
            clock, boot_id, before.guard if before is not None else None, self._keep, settings.spotify_calls_a_day
        )

    def speakers_of(self, player: Player) -> Speakers:
        """The speakers, with what is remembered of them."""
        return Speakers(player, self._devices, self._keep_devices, lambda: self._clock.mono() / SECOND, self._now_s)

    def look_at_consent(self) -> None:
        """Look at the tokens, and say that the consent lapses, if it does: once for each of its stages."""
        self._consent = self._consent_found()
        consent_at_s = self._consent.given_at_s
        warning = None if consent_at_s is None else consent_warning(consent_at_s, self._now_s())
        if warning is not None and warning != self._said:
            self._say(warning)
        self._said = warning

    def consent_now(self) -> ConsentNow:
        """The consent as it was when it was last looked at, judged now; touches no disk."""
        found = self._consent
        if found.given_at_s is None:
            return ConsentNow(state=found.state)
        ends_at_s = found.given_at_s + CONSENT_LASTS_S
        state = "lapsed" if found.state == "given" and self._now_s() >= ends_at_s else found.state
        return ConsentNow(state=state, given_at=round(found.given_at_s * 1000), ends_at=round(ends_at_s * 1000))

    def guard_now(self) -> GuardNow:
        """Whether Spotify may be asked for music; touches no disk."""
        seen = self.guard.view()
        wait_us = max(seen.opens_in_us, seen.music_in_us)
        if not wait_us:
            return GuardNow(calls_today=seen.calls)
        until = round(self._now_s() * 1000) + wait_us // 1000
        return GuardNow(
            closed_until=until, reason="wait_asked" if seen.opens_in_us else "quota_short", calls_today=seen.calls
        )

    def status(self, zone: tzinfo) -> dict[str, Any]:
        """JSON-ready, with times in `zone`; looks at the disk."""
        seen = self.guard.view()
        wall = round(self._now_s() * SECOND)
        consent_at_s = self._consent_found().given_at_s
        consent = None
        if consent_at_s is not None:
            consent = {
                "givenAt": _iso(round(consent_at_s * SECOND), zone),
                "lapsesAt": _iso(round((consent_at_s + CONSENT_LASTS_S) * SECOND), zone),
                "warning": consent_warning(consent_at_s, self._now_s()),
            }
        return {
            "timezone": str(zone),
            "guard": {
                "opensAt": _iso(wall + seen.opens_in_us, zone) if seen.opens_in_us else None,
                "calls": seen.calls,
                "limit": seen.limit,
                "limitIsLearnt": seen.is_learnt,
                "reserve": seen.reserve,
                "short": seen.is_short,
            },
            "consent": consent,
        }

    def _before(self) -> AccountMemory | None:
        data = self._store.load_account()
        if data is None:
            return None
        try:
            return decode(data)
        except AccountMemoryError as error:
            self._say(
                f"what was known of the Spotify account before the restart is lost ({error}): calls are counted anew, "
                "and a wait that Spotify asked for is learnt again at the next call"
            )
            return None

    def _keep(self, state: GuardState, urgent: bool) -> None:
        self._store.save_account(AccountMemory(state, self._devices), urgent=urgent)

    def _keep_devices(self, devices: tuple[RememberedDevice, ...]) -> None:
        self._devices = devices
        self._keep(self.guard.state, urgent=False)

    def _consent_found(self) -> "_Consent":
        """What the token file says."""
        try:
            found = TokenFile(self._tokens).get_cached_token()
        except PlayerAuthError:
            return _Consent("missing")
        at = found.get("consent_at")
        quarantine = Quarantine.read(found.get("quarantine"))
        is_barred = quarantine is not None and quarantine.left_s(self._now_s()) > 0
        return _Consent("refused" if is_barred else "given", at if isinstance(at, int | float) else None)

    def _now_s(self) -> float:
        return (self._clock.mono() + self._clock.offset()) / SECOND


def _iso(wall: int, zone: tzinfo) -> str:
    return to_local(wall, zone).isoformat(timespec="seconds")
