"""The household's Spotify account: its consent, kept in the gateway's token file, and given anew when it has ended."""

import json
from collections.abc import Callable
from pathlib import Path

from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.rig import CLIENT_ID
from spotty_sandbox.spotify import SpotifyWorld
from spotty_sandbox.spotify.accounts import CONSENT_LIFETIME_MS

from .agenda import Agenda
from .story import Story
from .trouble import HOUR


class HouseholdAccount:
    """Consent given at the start, withdrawn now and then, and given anew some hours after it has ended."""

    def __init__(self, world: SpotifyWorld, tokens: Path, agenda: Agenda, story: Story) -> None:
        """`tokens` is the gateway's token file."""
        self._world = world
        self._tokens = tokens
        self._agenda = agenda
        self._story = story
        self._given_at = 0
        self._has_ended = False
        self.is_changed: Callable[[], None] = lambda: None
        """Told when somebody has connected the account again."""
        self.log_in()

    @property
    def hindrance(self) -> str:
        """No consent."""
        if self._has_ended or self._agenda.clock.at >= self._given_at + CONSENT_LIFETIME_MS * 1000:
            return "nobody has consented"
        return ""

    def log_in(self) -> None:
        """As `spotty login` leaves it. Consent lapses by itself after half a year, and is given again hours later."""
        granted = self._world.auth.grant(client_id=CLIENT_ID)
        now_s = self._agenda.clock.at // SECOND
        found = {
            "access_token": granted.access_token,
            "refresh_token": granted.refresh_token,
            "scope": granted.scope,
            "token_type": "Bearer",
            "expires_at": now_s + granted.expires_in,
            "consent_at": now_s,
        }
        self._tokens.write_text(json.dumps(found))
        self._given_at, self._has_ended = self._agenda.clock.at, False
        self._agenda.after(CONSENT_LIFETIME_MS * 1000 + 5 * HOUR, self._log_in_again(self._given_at))
        self._story.note("person", "connects the account")
        self.is_changed()

    def withdraw(self, again_after_us: int) -> None:
        """A person removes the app, and somebody else connects it again later."""
        self._story.note("person", "removes the app from the account")
        self._story.count("consents withdrawn")
        self._world.auth.revoke()
        self._has_ended = True
        self._agenda.after(again_after_us, self.log_in)

    def _log_in_again(self, given_at: int) -> Callable[[], None]:
        def log_in() -> None:
            if given_at == self._given_at:
                self.log_in()

        return log_in
