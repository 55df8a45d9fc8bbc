"""The household's Spotify account at work, put together: guard, tokens, speakers, and the thread that they live on."""

import secrets
from collections.abc import Callable

from spotty_gateway.account import Account
from spotty_gateway.engine.events import CallsShort, Event
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.executor import Executor
from spotty_gateway.ports import Clock
from spotty_gateway.settings import Settings
from spotty_gateway.spotify import SpotifyPlayer
from spotty_gateway.store import Store

BACK_WITHIN_US = 3 * SECOND
"""After the guard has opened we come back within this: one outage shuts out many gateways, and it ends for all at once.
"""

INTENT_WITHIN_S = 0.5
"""A disk that takes longer than this for a snapshot must not keep the music waiting; most are done before the look."""


class AccountSide:
    """Made before the store starts; whoever made it starts and closes the executor, and closes the player."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        boot_id: str,
        store: Store,
        say: Callable[[str], None],
        post: Callable[[Event], None],
        give_up: Callable[[], None],
    ) -> None:
        """`post` hands to the loop what comes from the player's thread."""
        self._say = say
        self._post = post
        self.account = Account(clock, boot_id, store, settings, say)
        self.player = SpotifyPlayer(
            settings.spotify_client_id,
            settings.tokens,
            settings.spotify_api_url,
            settings.spotify_accounts_url,
            lambda: (clock.mono() + clock.offset()) / SECOND,
            gate=self.account.guard,
            wait=lambda seconds: self.executor.wait(seconds),  # noqa: PLW0108 - the executor is made after it
        )
        self.speakers = self.account.speakers_of(self.player)
        chance = secrets.SystemRandom()
        self.executor = Executor(
            self.player,
            clock,
            self._hear,
            self.account.guard,
            await_intent=lambda: store.flush(INTENT_WITHIN_S),
            speakers=self.speakers,
            after_getting_ready=self.account.look_at_consent,
            spread_us=lambda: chance.randrange(BACK_WITHIN_US),
            give_up=give_up,
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, CallsShort) and event.short:
            seen = self.account.guard.view()
            self._say(f"{seen.calls} of {seen.limit} calls to Spotify in 24 h have been made: music does without fades")
        self._post(event)
