from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.engine.days import (
    ANY_OUTCOME,
    GAPS,
    INPUTS,
    PAUSES,
    ROOMS,
    STARTS,
    TROUBLE,
    VOLUMES,
    obeyed,
    policies,
    targets,
)

from spotty_gateway.engine import events
from spotty_gateway.engine.commands import Effect, PauseMusic, PlayerCommand, SessionFacts, SetVolume, StartMusic
from spotty_gateway.engine.restart import Restart, begin, is_decidable, rejoin, resume
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import (
    LONG_AGO,
    AwaitedStart,
    House,
    Music,
    OwedPause,
    Playing,
    Room,
    Starting,
    new_house,
)
from spotty_gateway.engine.step import next_deadline, step

Claimed = tuple[str, str]
Claims = Playing | Starting | OwedPause | AwaitedStart | PauseMusic


class AnyHouse(RuleBasedStateMachine):
    """Three rooms, two of them with one speaker, and all that can happen. What must hold is for who inherits."""

    @initialize(trusted=st.booleans(), wall=st.integers(1_775_000_000, 1_776_000_000), data=st.data())
    def move_in(self, trusted: bool, wall: int, data: st.DataObject) -> None:
        """Begin with every room configured."""
        self.trusted, self.offset, self.boots = trusted, wall * SECOND, 0
        seed = data.draw(st.integers(0, 3))
        self.house: House = new_house("run0", 10**9, 10**9 + self.offset, trusted, seed)
        self.waits: House | None = None
        self.saved = self.house
        self.pending: dict[int, PlayerCommand] = {}
        self.tokens = 0
        self.may_play: set[Claimed] = set()
        self.muted: set[str] = set()
        self.open: dict[str, SessionFacts] = {}
        self.closed: dict[str, SessionFacts] = {}
        self.crossed_a_boot: set[str] = set()
        self.motions = self.judged = 0
        self.policies: dict[str, Rules] = {}
        for sensor_id in INPUTS:
            self.configure(sensor_id, data)

    # What can happen ------------------------------------------------------------------------------------------------

    @rule(sensor_id=ROOMS, which=st.integers(0, 2), active=st.booleans(), initial=st.booleans(), gap=GAPS)
    def report(self, sensor_id: str, which: int, active: bool, initial: bool, gap: int) -> None:
        """An input reports."""
        input_id, kind = INPUTS[sensor_id][which % len(INPUTS[sensor_id])]
        if kind is InputKind.BUTTON and not active:  # a press may ask for music again, as `ResumeAsked` does
            self.muted.discard(self.session_id(sensor_id) or "")
        self.happens(
            events.Report(*self.after(gap), sensor_id, input_id, active, initial and kind is not InputKind.BUTTON)
        )

    @rule(sensor_id=ROOMS, gap=GAPS)
    def motion(self, sensor_id: str, gap: int) -> None:
        """Somebody moves."""
        self.happens(events.Report(*self.after(gap), sensor_id, INPUTS[sensor_id][0][0], active=True))

    @rule(gap=GAPS)
    def time_passes(self, gap: int) -> None:
        """Nothing happens for a while, and the loop wakes late."""
        self.happens(events.Tick(*self.after(gap)))

    @rule(times=st.integers(1, 5))
    def deadlines_pass(self, times: int) -> None:
        """The loop wakes exactly when it is to."""
        for _ in range(times):
            due_at = next_deadline(self.house)
            if due_at is not None:
                self.happens(events.Tick(*self.after(due_at - self.house.mono)))

    @rule(sensor_id=ROOMS, data=st.data())
    def configure(self, sensor_id: str, data: st.DataObject) -> None:
        """A person saves other settings, or a room comes back."""
        self.policies[sensor_id] = data.draw(policies(sensor_id))
        self.happens(events.RoomConfigured(*self.after(0), sensor_id, self.policies[sensor_id], INPUTS[sensor_id]))

    @rule(sensor_id=ROOMS)
    def remove(self, sensor_id: str) -> None:
        """A room goes."""
        self.policies.pop(sensor_id, None)
        self.happens(events.RoomRemoved(*self.after(0), sensor_id))

    @rule(sensor_id=ROOMS, asked=st.sampled_from([events.PauseAsked, events.ResumeAsked]))
    def by_hand(self, sensor_id: str, asked: type[events.PauseAsked | events.ResumeAsked]) -> None:
        """A person wants silence, or music."""
        session = self.session_id(sensor_id)
        if asked is events.ResumeAsked and session is not None:
            self.muted.discard(session)
        self.happens(asked(*self.after(0), sensor_id))

    @rule(sensor_id=ROOMS, hours=st.integers(-1, 3))
    def snooze(self, sensor_id: str, hours: int) -> None:
        """A person wants silence until an hour."""
        now = self.after(0)
        self.happens(events.SnoozeAsked(*now, sensor_id, now[1] + hours * 3600 * SECOND))

    @precondition(lambda self: self.plays())
    @rule(data=st.data(), volume_pct=st.integers(0, 100))
    def volume(self, data: st.DataObject, volume_pct: int) -> None:
        """A person wants what plays louder or softer."""
        sensor_id = data.draw(st.sampled_from(self.plays()))
        self.happens(events.VolumeAsked(*self.after(0), sensor_id, volume_pct))

    @rule(sensor_id=ROOMS, data=st.data(), for_s=st.integers(5, 60))
    def trial(self, sensor_id: str, data: st.DataObject, for_s: int) -> None:
        """A person wants to hear the speaker."""
        target = data.draw(targets(sensor_id))
        if target is not None:
            self.happens(events.TrialAsked(*self.after(0), sensor_id, target, for_s * SECOND))

    @rule(step_s=st.sampled_from([-7200, -2, 1, 3600]), trusted=st.booleans())
    def clock_is_set(self, step_s: int, trusted: bool) -> None:
        """The wall clock jumps; once it is trusted it stays so until a boot."""
        self.offset += step_s * SECOND
        self.trusted = self.trusted or trusted
        self.happens(events.Tick(*self.after(0)))

    @rule(pause=st.booleans())
    def stop(self, pause: bool) -> None:
        """The component is told to stop, but does not get to it."""
        self.happens(events.Stopping(*self.after(0), pause))

    @rule()
    def player_is_ready(self) -> None:
        """What kept the player from answering is gone."""
        self.happens(events.PlayerReady(*self.after(0)))

    @rule(short=st.booleans())
    def calls_are_short(self, short: bool) -> None:
        """Few calls are left for today, or enough again."""
        self.happens(events.CallsShort(*self.after(0), short))

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), gap=st.sampled_from([0, 1, SECOND, 40 * SECOND]))
    def answer(self, data: st.DataObject, gap: int) -> None:
        """The player answers one of its commands, sensibly."""
        token = data.draw(st.sampled_from(sorted(self.pending)))
        command = self.pending[token]
        sensible = {StartMusic: STARTS, PauseMusic: PAUSES, SetVolume: VOLUMES}[type(command)]
        outcome = data.draw(st.one_of(sensible, sensible, TROUBLE))
        if isinstance(command, StartMusic):
            outcome = obeyed(outcome, command.target)
        self.happens(events.PlayerAnswered(*self.after(gap), command.sensor_id, token, outcome))

    @rule(sensor_id=ROOMS, back=st.integers(0, 5), outcome=ANY_OUTCOME)
    def absurd_answer(self, sensor_id: str, back: int, outcome: events.Outcome) -> None:
        """Something answers what was never asked, or not so."""
        token = self.tokens - back
        command = self.pending.get(token)
        self.happens(events.PlayerAnswered(*self.after(0), command.sensor_id if command else sensor_id, token, outcome))

    @rule(by=st.integers(1, 10**9), sensor_id=ROOMS)
    def too_late(self, by: int, sensor_id: str) -> None:
        """An event from the past changes nothing."""
        mono, wall, trusted = self.house.mono - by, self.house.mono - by + self.offset, self.trusted
        for event in (
            events.Report(mono, wall, trusted, sensor_id, "pir", active=True),
            events.Tick(mono, wall, not trusted),
        ):
            assert step(self.house, event) == (self.house, [])

    @precondition(lambda self: self.waits is None)
    @rule(gap=GAPS, exact=st.booleans(), boots=st.booleans(), trusted=st.booleans(), drift=st.sampled_from([0, -5, 5]))
    def restart(self, gap: int, exact: bool, boots: bool, trusted: bool, drift: int) -> None:
        """The component comes up again: from an exact snapshot or the last one, after a boot or not."""
        saved = self.under_rules_of_today(self.house if exact else self.saved)
        wall = self.house.mono + self.offset + gap + drift * SECOND
        self.boots += 1
        mono = 5 * SECOND if boots else self.house.mono + gap
        self.trusted = trusted or (self.trusted and not boots)
        self.offset = wall - mono
        now = Restart(f"run{self.boots}", mono, wall, self.trusted, same_boot=not boots)
        self.forget_the_process(saved, boots=boots)
        if is_decidable(saved, now):
            self.house, effects = resume(saved, now)
        else:
            self.house, effects = begin(saved, now)
            self.waits = saved
        self.check(effects, events.Tick(mono, wall, self.trusted))
        self.motions = self.judged = 0  # what was judged between the snapshot and the end is told twice or never
        for sensor_id, policy in self.policies.items():
            self.happens(events.RoomConfigured(*self.after(0), sensor_id, policy, INPUTS[sensor_id]))

    @precondition(lambda self: self.waits is not None)
    @rule(gap=st.integers(0, 120 * SECOND), trusted=st.booleans(), ahead=st.integers(0, 3600))
    def wait_is_over(self, gap: int, trusted: bool, ahead: int) -> None:
        """The clock is trusted now, or has been waited for long enough."""
        if self.waits is None:
            return
        self.trusted = self.trusted or trusted
        self.offset += ahead * SECOND * trusted
        mono, wall, is_trusted = self.after(gap)
        waits, self.waits = self.under_rules_of_today(self.waits), None
        now = Restart(self.house.run, mono, wall, is_trusted, same_boot=False)
        self.house, effects = rejoin(self.house, waits, now)
        self.check(effects, events.Tick(mono, wall, is_trusted))

    # How it is done -------------------------------------------------------------------------------------------------

    def after(self, gap: int) -> tuple[int, int, bool]:
        """The instant `gap` from now, as events have it."""
        mono = self.house.mono + gap
        return mono, mono + self.offset, self.trusted

    def session_id(self, sensor_id: str) -> str | None:
        """The session that runs in a room."""
        room = self.house.rooms.get(sensor_id)
        return room.session.id if room is not None and room.session is not None else None

    def plays(self) -> list[str]:
        """The rooms in which music is heard."""
        return [sensor_id for sensor_id, room in self.house.rooms.items() if isinstance(room.music.playback, Playing)]

    def under_rules_of_today(self, house: House) -> House:
        """A snapshot as it is read again: without rules of its own."""

        def now(sensor_id: str, room: Room) -> Room:
            policy = self.policies.get(sensor_id)
            removed = policy is None or room.removed
            return replace(room, rules=policy or Rules(enabled=False), removed=removed, quiet=None, due_at=LONG_AGO)

        rooms = {sensor_id: now(sensor_id, room) for sensor_id, room in house.rooms.items()}
        return replace(house, rooms=rooms, due_at=LONG_AGO)

    def forget_the_process(self, saved: House, *, boots: bool) -> None:
        """What only the process knew is gone; what the snapshot says is all there is."""
        self.pending.clear()
        self.tokens = saved.token
        running = {room.session.id for room in saved.rooms.values() if room.session is not None}
        self.open = {facts.sensor_id: facts for facts in self.open.values() if facts.session_id in running}
        self.closed = {session_id: facts for session_id, facts in self.closed.items() if session_id not in running}
        for room in saved.rooms.values():
            if isinstance(room.music.playback, Starting):
                self.may_play.add(claimed(room.music.playback))
            self.may_play |= {claimed(awaited) for awaited in room.music.awaited}
        if boots:
            self.crossed_a_boot |= running
        self.saved = saved

    def happens(self, event: events.Event) -> None:
        """Step, and look at what came of it: each machine its own way."""
        raise NotImplementedError

    def check(self, effects: list[Effect], event: events.Event) -> None:
        """Look at each effect by itself: each machine its own way."""
        raise NotImplementedError


def claims(music: Music) -> list[Claims]:
    """Everything in a room that holds a claim."""
    playing = [music.playback] if isinstance(music.playback, Playing | Starting) else []
    return [*playing, *([music.owed_pause] if music.owed_pause else []), *music.awaited]


def claimed(one: Claims) -> Claimed:
    """Speaker and music of whatever holds a claim."""
    return one.claim.device.name, one.claim.context_uri
