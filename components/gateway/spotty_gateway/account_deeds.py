"""What the cloud may ask about the household's Spotify account: what can play, to connect it, to forget it."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from spotty_contract.commands import ConnectSpotify, DisconnectSpotify, ListDevices, RedirectUri, SpotifyAnswer
from spotty_contract.results import ConnectLink, FoundDevice
from spotty_gateway.consent import Answer, Consent, ConsentError, NotTheAnswerError, PendingConsent, forget
from spotty_gateway.devices import from_json, uses_of
from spotty_gateway.local import Answer as LocalAnswer
from spotty_gateway.local import AskAccount, AskAccountChanged, AskDevices, AskForgetAccount
from spotty_gateway.ports import SeenDevice
from spotty_gateway.residents import Resident
from spotty_gateway.upshot import Upshot, done, failed, refused

AccountCommand = ListDevices | ConnectSpotify | DisconnectSpotify

LONGEST_ID = 64


class AccountDeeds:
    """Carries out commands about the account; each call waits for what comes of it."""

    def __init__(
        self,
        ask: Callable[[AskAccount], LocalAnswer],
        consent: Consent | None,
        tokens: Path,
        now_ms: Callable[[], int],
    ) -> None:
        """`ask` is the account's desk, the same that answers over the control socket; `now_ms` is UTC.

        `consent` is None where the settings name no Spotify app.
        """
        self._ask = ask
        self._consent = consent
        self._tokens = tokens
        self._now_ms = now_ms
        self._pending: PendingConsent | None = None
        self._alone = threading.Lock()

    def do(self, command: AccountCommand, residents: Sequence[Resident]) -> Upshot:
        """Do it."""
        match command:
            case ListDevices():
                return self._devices(residents)
            case DisconnectSpotify():
                return self._disconnect()
            case ConnectSpotify(redirect_uri=str(redirect_uri)):
                return self._question(redirect_uri)
            case ConnectSpotify(answer=answer):
                return self._connect(answer)

    def _devices(self, residents: Sequence[Resident]) -> Upshot:
        found = self._ask(AskDevices(do="devices"))
        if "error" in found:
            return failed("player_unavailable", found["error"])
        seen = from_json(found["devices"])
        why_not = "; ".join(f"{use.room}: {use.fault}" for use in uses_of(residents, seen) if use.fault is not None)
        return Upshot("done", detail=why_not, devices=tuple(_found(one) for one in seen))

    def _question(self, redirect_uri: RedirectUri) -> Upshot:
        if self._consent is None:
            return refused("no_client_id", "the gateway's settings name no spotifyClientId: create a Spotify app first")
        with self._alone:
            self._pending = pending = self._consent.ask(redirect_uri)
        link = ConnectLink(
            link=pending.link, redirect_uri=redirect_uri, expires_at=self._now_ms() + round(pending.left_s() * 1000)
        )
        return Upshot("done", detail="open the link and agree", connect=link, is_lasting=False)

    def _connect(self, answer: SpotifyAnswer | None) -> Upshot:
        with self._alone:
            if self._consent is None or self._pending is None or answer is None:
                return refused("no_question", "no link of this gateway waits for an answer: connect again")
            brought = Answer(answer.state, answer.code or "", answer.error or "")
            try:
                self._consent.finish(self._pending, brought)
            except NotTheAnswerError as error:
                return refused("not_the_answer", str(error))
            except ConsentError as error:
                self._pending = None
                return failed("no_consent", str(error))
            self._pending = None
        self._ask(AskAccountChanged(do="account_changed"))
        return done("Spotify is connected")

    def _disconnect(self) -> Upshot:
        """As `spotty logout` does it: our music first, while it can still be looked up whose it is."""
        found = self._ask(AskForgetAccount(do="forget_account"))
        try:
            had_any = forget(self._tokens)
        except OSError as error:
            return failed("disk", f"the tokens could not be deleted: {error.strerror}")
        self._ask(AskAccountChanged(do="account_changed"))
        if "error" in found:
            return failed("not_all_forgotten", f"the tokens are deleted, but: {found['error']}")
        still = ", ".join(found["stillPlaying"])
        told = "Spotify is disconnected" if had_any else "Spotify was not connected"
        return done(f"{told}; music could not be stopped in {still}" if still else told)


def _found(seen: SeenDevice) -> FoundDevice:
    device = seen.device
    return FoundDevice(
        name=device.name,
        type=device.type,
        id=device.id if device.id is not None and len(device.id) <= LONGEST_ID else None,
        is_active=seen.is_active,
        is_restricted=seen.is_restricted,
        volume_pct=seen.volume_pct,
    )
