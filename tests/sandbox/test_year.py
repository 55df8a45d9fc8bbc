import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from spotty_gateway.connection import OpenGate
from spotty_gateway.engine.commands import Judged, MusicDecided, PauseMusic, PlayerCommand, SessionFacts, StartMusic
from spotty_gateway.engine.events import Failed, Paused, Report, RoomConfigured, Tick
from spotty_gateway.engine.events import Outcome as CommandOutcome
from spotty_gateway.engine.reasons import EndedBy, SilentReason
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.errors import PlayerError
from spotty_gateway.manners import failed
from spotty_gateway.performer import Performer
from spotty_gateway.ports import Gate, Player
from spotty_gateway.speakers import Speakers
from spotty_sandbox.year import Life, Outcome, command
from spotty_sandbox.year.clock import YearClock
from spotty_sandbox.year.engine_promises import STEPS_PER_HOUR, EnginePromises
from spotty_sandbox.year.gateway import Makers, Run, YearPlayer
from spotty_sandbox.year.life import BEGINS_AT, GatewayPlayer
from spotty_sandbox.year.story import Story
from spotty_sandbox.year.trouble import DAY

ENOUGH_DAYS = 40


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where files cost the least: a year renews thousands of tokens, each durably."""
    with tempfile.TemporaryDirectory(prefix="spotty-year-", dir=command.in_memory()) as made:
        yield Path(made)


def test_a_year_keeps_every_promise(folder: Path) -> None:
    """A year of visits, meddling, faults at each call and restarts breaks no promise, and is no empty one."""
    outcome = Life(1, 365, folder, visits_a_day=1.0).live()
    assert outcome.broken is None, command.told(outcome, 1.0)
    least = {
        "visits": 250,
        "music started": 180,
        "faults": 500,
        "deaths": 100,
        "meddlings": 50,
        "calm: with music": 20,
    }
    assert {name: outcome.counts[name] for name in least if outcome.counts[name] < least[name]} == {}


@pytest.mark.parametrize("seed", range(2, 8))
def test_many_households_keep_every_promise(seed: int, folder: Path) -> None:
    """Ten days of each of several households, rooms and policies drawn anew, break no promise."""
    outcome = Life(seed, 10, folder).live()
    assert outcome.broken is None, command.told(outcome)


def test_a_seed_gives_the_same_life_again(folder: Path) -> None:
    """What a seed has shown it shows again, line by line, however many days are lived in all."""
    lives: list[list[str]] = [[], []]
    for lines, days in zip(lives, (4, 40), strict=True):
        life = Life(5, days, folder, tell=lines.append)
        life.agenda.after(4 * DAY - 1, lambda life=life: setattr(life.agenda, "is_over", True))  # type: ignore[misc]
        life.live()
    assert lives[0] == lives[1]
    assert len(lives[0]) > 100


class Rude(Performer):
    """A performer that does what it likes with some commands, and the others as it should."""

    def __init__(self, life: Life, run: Run, player: Player, speakers: Speakers, deed: "Deed") -> None:
        """`deed` gives an outcome, or None to do it as it should be done."""
        serve = run.account.guard.serve
        super().__init__(player, run.wait, run.await_intent, life.clock.monotonic_s, speakers=speakers, serve=serve)
        self._run, self._rude_player, self._deed = run, player, deed

    def perform(self, command: PlayerCommand) -> CommandOutcome:
        """As the deed has it."""
        self._rude_player.within(20.0)
        try:
            done = self._deed(self._run, self._rude_player, command)
        except PlayerError as error:
            return failed(error)
        return done or super().perform(command)


Deed = Callable[[Run, Player, PlayerCommand], CommandOutcome | None]


def pauses_without_looking(_: Run, player: Player, command: PlayerCommand) -> CommandOutcome | None:
    """Whatever plays."""
    if not isinstance(command, PauseMusic):
        return None
    with contextlib.suppress(PlayerError):
        player.pause(None)
    return Paused(None)


def says_that_it_paused(_: Run, __: Player, command: PlayerCommand) -> CommandOutcome | None:
    """And has not."""
    return Paused(None) if isinstance(command, PauseMusic) else None


def dawdles(run: Run, _: Player, __: PlayerCommand) -> CommandOutcome | None:
    """For a minute."""
    run.wait(60.0)
    return None


def asks_a_hundred_times(_: Run, player: Player, command: PlayerCommand) -> CommandOutcome | None:
    """Before it starts anything."""
    for _number in range(100 if isinstance(command, StartMusic) else 0):
        player.look()
    return None


def starts_nothing(_: Run, __: Player, command: PlayerCommand) -> CommandOutcome | None:
    """And says that Spotify was to blame."""
    return Failed(SilentReason.PLAYER_UNAVAILABLE, "no") if isinstance(command, StartMusic) else None


def has_a_bug(_: Run, __: Player, command: PlayerCommand) -> CommandOutcome | None:
    """As the performer tells of one."""
    return Failed(SilentReason.PLAYER_UNAVAILABLE, "a fault in the gateway: KeyError") if command.token else None


def speaker_of(player: Player, command: PlayerCommand) -> str | None:
    """The id of the speaker that the command is about, while something else plays and nothing allows to take over."""
    look = player.look() if isinstance(command, StartMusic) and not (command.take_over or command.others) else None
    if look is None or look.device is None or not look.is_playing or not isinstance(command, StartMusic):
        return None
    is_it = [one.device.id for one in player.devices() if one.device.is_same_as(command.target.device)]
    return is_it[0] if is_it and not look.device.device.is_same_as(command.target.device) else None


def carries_music_off(_: Run, player: Player, command: PlayerCommand) -> CommandOutcome | None:
    """To the room's own speaker, whoever listens to it."""
    speaker_id = speaker_of(player, command)
    if speaker_id is not None:
        player.transfer(speaker_id)
    return None


def starts_without_asking(_: Run, player: Player, command: PlayerCommand) -> CommandOutcome | None:
    """Whatever plays elsewhere, and whoever listens."""
    speaker_id = speaker_of(player, command)
    if speaker_id is not None and isinstance(command, StartMusic):
        player.set_volume(speaker_id, 0)
        player.play(speaker_id, command.target.context_uri, None)
    return None


class Loud(GatewayPlayer):
    """A player that leaves the volume as it is."""

    def set_volume(self, device_id: str | None, volume_pct: int) -> None:
        """Not done."""


def life_with(
    folder: Path,
    *,
    player: type[GatewayPlayer] = GatewayPlayer,
    deed: Deed = lambda *_: None,
    gate: Gate | None = None,
    is_fair: bool = True,
    seed: int = 3,
) -> Outcome:
    """A household whose gateway has a broken piece in it."""

    def make_player(run: Run, own_gate: Gate) -> YearPlayer:
        return player(life, run, gate or own_gate)

    def make_performer(run: Run, made: Player, speakers: Speakers) -> Performer:
        return Rude(life, run, made, speakers, deed)

    life = Life(seed, ENOUGH_DAYS, folder, is_fair=is_fair, makers=Makers(make_player, make_performer))
    return life.live()


@pytest.mark.parametrize(
    "promise, deed",
    [
        ("never paused what was not ours", pauses_without_looking),
        ("ours never plays on for nobody", says_that_it_paused),
        ("a command has its time", dawdles),
        ("calls are bounded", asks_a_hundred_times),
        ("after faults end, the next visit plays", starts_nothing),
        ("no error escapes", has_a_bug),
        ("never carries somebody's music elsewhere", carries_music_off),
        ("never plays over somebody else's music", starts_without_asking),
    ],
)
def test_a_performer_without_manners_is_found_out(promise: str, deed: Deed, folder: Path) -> None:
    """Each promise about music notices the gateway that does not keep it."""
    broken = life_with(folder, deed=deed).broken
    assert broken is not None
    assert broken.promise == promise


def test_a_client_that_leaves_the_volume_is_found_out(folder: Path) -> None:
    """Music that begins above the cap is noticed."""
    broken = life_with(folder, player=Loud).broken
    assert broken is not None
    assert broken.promise == "never above the cap"


def test_a_guard_that_lets_through_is_found_out(folder: Path) -> None:
    """A request before Spotify's wait is over is noticed."""
    broken = life_with(folder, gate=OpenGate(), is_fair=False, seed=1).broken
    assert broken is not None
    assert broken.promise == "never a call while the guard is closed"


class Watched:
    """The promises about the engine, and a house to break them with."""

    def __init__(self) -> None:
        self.clock = YearClock(BEGINS_AT)
        self.story = Story(self.clock, Rules().zone, None)
        self.promises = EnginePromises(self.clock, self.story)
        configured = RoomConfigured(0, BEGINS_AT, True, "bath", Rules(warm_up_us=0), (("pir", InputKind.PIR),))
        self.house, _ = step(new_house("run", 0, BEGINS_AT, True), configured)

    def broken(self) -> str:
        """The promise that has not held."""
        assert self.story.broken is not None
        return self.story.broken.promise


def report(at: int) -> Report:
    """Somebody moves."""
    return Report(at, BEGINS_AT + at, True, "bath", "pir", True)


def facts(ended_by: EndedBy | None) -> SessionFacts:
    """A session of which nothing was told."""
    return SessionFacts("bath", "s1", 0, 0, 5, 0, 1, ended_by, False, None, None, None, None, True, 1)


def test_a_step_of_the_engine_breaks_no_promise() -> None:
    """What the engine really does is in order."""
    watched = Watched()
    house, effects = step(watched.house, report(SECOND))
    watched.promises.stepped(watched.house, report(SECOND), house, effects)
    watched.promises.restored(house, house)
    assert watched.story.broken is None


def test_a_motion_without_a_word_is_found_out() -> None:
    """An engine that says nothing to a motion is noticed."""
    watched = Watched()
    house, effects = step(watched.house, report(SECOND))
    silent = [one for one in effects if not isinstance(one, Judged)]
    watched.promises.stepped(watched.house, report(SECOND), house, silent)
    assert watched.broken() == "every motion has its reason"


def test_a_session_told_after_its_end_is_found_out() -> None:
    """A session that ends twice is noticed."""
    watched = Watched()
    tick = Tick(1, BEGINS_AT + 1, True)
    told = replace(facts(EndedBy.TIMEOUT), playback_started=True)
    watched.promises.stepped(watched.house, tick, watched.house, [told])
    watched.promises.stepped(watched.house, tick, watched.house, [told])
    assert watched.broken() == "a session is told once"


def test_a_session_without_music_or_reason_is_found_out() -> None:
    """A session that ends in silence is noticed where nobody was told why, be it in its record or not."""
    watched = Watched()
    told = replace(facts(EndedBy.TIMEOUT), silent_reason="no_device")
    watched.promises.stepped(watched.house, Tick(1, BEGINS_AT + 1, True), watched.house, [told])
    assert watched.broken() == "every session has its music or a reason"


def test_what_is_explained_at_a_restart_counts() -> None:
    """A reason that the next run of the component tells is one."""
    watched = Watched()
    watched.promises.awoken([MusicDecided("bath", "s1", 0, "silent", "player_unavailable")])
    told = facts(EndedBy.TIMEOUT)
    watched.promises.stepped(watched.house, Tick(1, BEGINS_AT + 1, True), watched.house, [told])
    assert watched.story.broken is None


def test_a_deadline_that_stays_due_is_found_out() -> None:
    """A house that would be woken for ever is noticed."""
    watched = Watched()
    house, effects = step(watched.house, report(SECOND))
    stalled = replace(house, mono=house.mono + 10**13)
    watched.promises.stepped(house, Tick(1, BEGINS_AT + 1, True), stalled, effects)
    assert watched.broken() == "deadlines do not stall"


def test_an_engine_that_spins_is_found_out() -> None:
    """Thousands of steps within an hour are noticed."""
    watched = Watched()
    for _ in range(STEPS_PER_HOUR + 1):
        watched.promises.stepped(watched.house, Tick(1, BEGINS_AT + 1, True), watched.house, [])
    assert watched.broken() == "deadlines do not spin"


def test_an_error_of_the_engine_is_found_out() -> None:
    """A step that raises is noticed."""
    watched = Watched()
    watched.promises.went_wrong(report(1), ZeroDivisionError())
    assert watched.broken() == "no error escapes"


def forgetful(house: House) -> House:
    """Without the session that was running."""
    rooms = {name: replace(room, session=None) for name, room in house.rooms.items()}
    return replace(house, rooms=rooms)


@pytest.mark.parametrize("change", [forgetful, lambda house: replace(house, token=house.token + 1)])
def test_a_snapshot_that_forgets_is_found_out(change: Callable[[House], House]) -> None:
    """State that comes back otherwise than it was written is noticed."""
    watched = Watched()
    house, _ = step(watched.house, report(SECOND))
    watched.promises.restored(house, change(house))
    assert watched.broken() == "state survives a restart"


def test_the_command_tells_a_year_in_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A life without a broken promise is told in short, and ends with 0."""
    assert command.run(["--seed", "4", "--days", "2"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("seed 4: 2.0 days")
    assert "visits" in told


def test_the_command_speaks_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Several seeds become a list."""
    assert command.run(["--seed", "4", "--seeds", "2", "--days", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["seed"] for one in found] == [4, 5]
    assert found[0]["broken"] is None


def test_the_command_can_tell_everything_from_a_time_on(capsys: pytest.CaptureFixture[str]) -> None:
    """With --verbose every happening is a line, from the time that was asked for."""
    assert command.run(["--seed", "4", "--days", "2", "--verbose", "--from", "2026-01-02T12:00"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("2026")]
    assert lines
    assert min(lines) >= "2026-01-02 "


@pytest.mark.parametrize("words", [["--days", "0"], ["--seeds", "0"], ["--visits", "0"], ["--from", "noon"]])
def test_bad_input_is_one_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be lived is refused with 2 and a line."""
    assert command.run(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_broken_promise_is_told_with_the_line_that_replays_it(folder: Path) -> None:
    """Seed, day, what happened before, and how to see it again."""
    outcome = life_with(folder, deed=says_that_it_paused)
    told = command.told(outcome).splitlines()
    assert outcome.broken is not None
    assert any(line == f"BROKEN: {outcome.broken.promise}" for line in told)
    assert told[-1].startswith("Again: spotty-sandbox year --seed 3 --days ")
    assert len(outcome.broken.happenings) > 20
