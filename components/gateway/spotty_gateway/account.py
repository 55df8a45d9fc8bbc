"""The household's one Spotify account as the gateway knows it: its guard, its speakers, its consent, and their memory.

The guard and the speakers live on the player's thread and know nothing of a disk; here their memories become one.
"""

from collections.abc import Callable
from datetime import tzinfo
from typing import Any

from spotty_gateway.account_memory import AccountMemory, AccountMemoryError, GuardState, decode
from spotty_gateway.consent import CONSENT_LASTS_S, consent_warning
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import PlayerAuthError
from spotty_gateway.guard import Guard
from spotty_gateway.ports import Clock, Player, RememberedDevice
from spotty_gateway.settings import Settings
from spotty_gateway.speakers import Speakers
from spotty_gateway.store import Store
from spotty_gateway.token_file import TokenFile


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
        before = self._before()
        self._devices = before.devices if before is not None else ()
        self.guard = Guard(
            clock, boot_id, before.guard if before is not None else None, self._keep, settings.spotify_calls_a_day
        )

    def speakers_of(self, player: Player) -> Speakers:
        """The speakers, with what is remembered of them."""
        return Speakers(player, self._devices, self._keep_devices)

    def look_at_consent(self) -> None:
        """Say that the consent lapses, if it does: once for each of its stages."""
        consent_at_s = self._consent_at_s()
        warning = None if consent_at_s is None else consent_warning(consent_at_s, self._now_s())
        if warning is not None and warning != self._said:
            self._say(warning)
        self._said = warning

    def status(self, zone: tzinfo) -> dict[str, Any]:
        """JSON-ready, with times in `zone`; from any thread."""
        seen = self.guard.view()
        wall = round(self._now_s() * SECOND)
        consent_at_s = self._consent_at_s()
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

    def _consent_at_s(self) -> float | None:
        """When consent was given, in seconds since 1970; None where there is none, or its day is not known."""
        try:
            found = TokenFile(self._tokens).get_cached_token().get("consent_at")
        except PlayerAuthError:
            return None
        return found if isinstance(found, int | float) else None

    def _now_s(self) -> float:
        return (self._clock.mono() + self._clock.offset()) / SECOND


def _iso(wall: int, zone: tzinfo) -> str:
    return to_local(wall, zone).isoformat(timespec="seconds")
