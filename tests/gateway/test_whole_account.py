"""The account's limits through the whole gateway: pins, engine, executor, guard, store and a simulated Spotify."""

import json
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from tests.gateway.flat import PATIENCE_S, POLICY, START_AT, Flat, is_silent, plays

from spotty_gateway.app import Gateway
from spotty_gateway.consent import CONSENT_LASTS_S, DAY_S
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.local import ask
from spotty_gateway.ports import Player
from spotty_gateway.settings import Settings
from spotty_gateway.status import as_table
from spotty_hardware.inputs import PinInputs, pin_factory
from spotty_sandbox.rig import Rig
from spotty_sandbox.spotify import refused

LONG = {**POLICY, "vacancyDelayS": 3600}
WAIT_S = 120


@pytest.fixture
def flat(tmp_path: Path) -> Flat:
    """One room where a session lasts as long as these tests."""
    made = Flat(tmp_path)
    made.policies = {"bath": LONG}
    return made


def shut(flat: Flat, on: str = "* /v1/*", wait_s: int = WAIT_S) -> None:
    """Spotify answers the next such call with 429."""
    flat.simulator.inject(refused(on, 429, "API rate limit exceeded", retry_after_s=wait_s))


def asked_s(flat: Flat) -> list[float]:
    """When each request came, in seconds since the flat was moved into."""
    return [(entry.at_ms * 1000 - START_AT) / SECOND for entry in flat.simulator.requests()]


def use_up(gateway: Gateway, calls: int) -> None:
    """So many calls are made, on the player's thread as all are."""

    def enter(_: Player) -> None:
        for _number in range(calls):
            gateway._account.guard.enter()

    gateway._executor.ask(enter, 5)


def test_no_request_leaves_before_retry_after_is_over(flat: Flat) -> None:
    """429 with two minutes: the session is silent as `guard_closed`, Spotify hears nothing, then the music plays."""
    with flat.rig() as rig:
        shut(flat)
        flat.motion(rig)
        assert "(guard_closed)" in flat.heard.wait_for("no music for now")
        for _ in range(7):
            flat.pass_s(rig, 17)
            flat.motion(rig)
        room = ask(flat.folder / "spotty.sock", {"do": "status"})["rooms"][0]
        assert (room["state"], room["why"]) == ("silent", "guard_closed")
        flat.pass_s(rig, 9)
        flat.heard.wait_for("music started")
    assert [at for at in asked_s(flat) if 0 < at < WAIT_S] == []
    assert not flat.heard.with_words("fault")


def test_a_restart_of_the_gateway_is_no_way_round_it(flat: Flat) -> None:
    """Stopped and started again in the wait: nothing is asked before it is over, not even for a token."""
    with flat.rig() as rig:
        shut(flat)
        flat.motion(rig)
        flat.heard.wait_for("(guard_closed)")
        flat.pass_s(rig, 20)
    flat.simulator.forget_requests()
    with flat.rig() as rig:
        flat.motion(rig)
        flat.pass_s(rig, 90)
        flat.motion(rig)
        guard = ask(flat.folder / "spotty.sock", {"do": "status"})["account"]["guard"]
        assert guard["opensAt"] == "2026-02-02T03:42:00+01:00"
        assert asked_s(flat) == []
        flat.pass_s(rig, 19)
        flat.heard.wait_for("music started")
    assert min(asked_s(flat)) >= WAIT_S


def test_music_that_may_not_be_stopped_yet_is_a_fault_and_stops_first(flat: Flat) -> None:
    """A closed guard at the session's end: said, and mended as soon as it opens."""
    flat.policies = {"bath": POLICY}
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        shut(flat)
        flat.pass_s(rig, 61)
        flat.heard.wait_for("fault: Spotify asks to wait 120 s")
        assert flat.simulator.call(plays)
        flat.pass_s(rig, WAIT_S + 5)
        flat.simulator.wait_until(is_silent)
        flat.heard.wait_for("fault over (music_cannot_be_stopped)")


def test_few_calls_left_are_not_spent_on_fades(flat: Flat) -> None:
    """A household that has used up most of its day is told so, and its music starts at its volume at once."""
    playback = {**POLICY["playback"], "volumePct": 60, "fadeInS": 30}
    flat.policies = {"bath": {**LONG, "playback": playback}}
    flat.settings = {"spotifyCallsADay": 100}
    with flat.rig() as rig:
        use_up(rig.gateway, 46)
        flat.heard.wait_for("music does without fades")
        flat.motion(rig)
        flat.heard.wait_for("music started")
        assert flat.simulator.call(lambda world: world.device("Bathroom").volume_pct) == 60
        assert "so music does without fades" in as_table(ask(flat.folder / "spotty.sock", {"do": "status"}))


def test_without_the_player_s_thread_the_gateway_gives_up(flat: Flat) -> None:
    """No room would ever hear of its end: whoever has started us is to do it again."""
    given_up = threading.Event()

    def say(line: str) -> None:
        if "without fades" in line:
            raise ZeroDivisionError

    nowhere = {"spotifyApiUrl": "http://127.0.0.1:1", "spotifyAccountsUrl": "http://127.0.0.1:1"}
    given = {"dataDir": str(flat.folder), "pinFactory": "mock", "spotifyCallsADay": 100, **nowhere}
    with pin_factory("mock") as factory:
        gateway = Gateway(
            Settings.model_validate(given),
            flat.clock,
            lambda on_edge: PinInputs(factory, on_edge),
            say,
            give_up=given_up.set,
        )
        gateway.start()
        use_up(gateway, 60)
        assert given_up.wait(PATIENCE_S)
        assert gateway.stop()


def test_the_last_calls_are_kept_for_stopping(flat: Flat) -> None:
    """What we allow ourselves is used up: no start, with a line that says until when; the ledger outlives a restart."""
    flat.settings = {"spotifyCallsADay": 100}
    with flat.rig() as rig:
        use_up(rig.gateway, 70)
    with flat.rig() as rig:
        flat.motion(rig)
        line = flat.heard.wait_for("no music for now")
        assert "of 100 calls to Spotify have been made in 24 h; the rest is kept for stopping music" in line
    assert flat.plays_asked() == 0


def test_a_damaged_memory_of_the_account_is_told(flat: Flat) -> None:
    """One line says what is lost and what follows; the music plays."""
    with flat.rig():
        pass
    _spoil(flat.folder / "state.db")
    with flat.rig() as rig:
        assert "calls are counted anew" in flat.heard.wait_for("what was known of the Spotify account")
        flat.motion(rig)
        flat.heard.wait_for("music started")


def _spoil(path: Path) -> None:
    """Make the stored memory one that nobody can read, as a defect of ours would."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO account VALUES (1, x'00') ON CONFLICT (only) DO UPDATE SET data = x'00'")


class Dated(Rig):
    """A rig whose consent was given some time ago."""

    ago_days = 0.0

    def _connect(self) -> None:
        super()._connect()
        path = self.folder / "tokens.json"
        tokens = json.loads(path.read_text())
        now_s = (self._clock.mono() + self._clock.offset()) // SECOND
        path.write_text(json.dumps({**tokens, "consent_at": round(now_s - self.ago_days * DAY_S)}))


@pytest.mark.parametrize(
    "left_days, line",
    [(31, None), (29.9, "within 30 days"), (6.9, "within 7 days"), (0.9, "within a day"), (-1, "consent lapsed")],
)
def test_a_consent_that_lapses_is_said_once(flat: Flat, left_days: float, line: str | None) -> None:
    """When the gateway starts, in its stage, and not again each time the player gets ready; status tells it too."""
    flat.rig_type = type("Given", (Dated,), {"ago_days": CONSENT_LASTS_S / DAY_S - left_days})
    with flat.rig() as rig:
        flat.motion(rig)
        flat.heard.wait_for("music started")
        rig.gateway._executor.ask(lambda _: None, 5)  # the player has got ready again since
        status = ask(flat.folder / "spotty.sock", {"do": "status"})
        assert status["account"]["consent"]["warning"] == (flat.heard.with_words(line)[0] if line else None)
        assert len([one for one in flat.heard.lines if "consent" in one]) == (line is not None)
        assert "consent lapse" in as_table(status)


def test_consent_given_again_brings_the_music(flat: Flat) -> None:
    """`spotty login` while somebody is there: what failed for want of it is tried at once."""
    with flat.rig() as rig:
        kept = (flat.folder / "tokens.json").read_text()
        (flat.folder / "tokens.json").unlink()
        flat.motion(rig)
        flat.heard.wait_for("(consent_needed)")
        (flat.folder / "tokens.json").write_text(kept)
        ask(flat.folder / "spotty.sock", {"do": "account_changed"})
        flat.heard.wait_for("music started")
