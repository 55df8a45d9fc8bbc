from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.days import (
    ANY_OUTCOME,
    GAPS,
    INPUTS,
    MAX_SESSION_US,
    PAUSES,
    ROOMS,
    STARTS,
    TROUBLE,
    VOLUMES,
    obeyed,
    policies,
)
from tests.engine.oracle import World
from tests.engine.patience import patient

from spotty_gateway.engine.commands import (
    Effect,
    Judged,
    MusicDecided,
    PauseMusic,
    PlayerCommand,
    SessionFacts,
    SetVolume,
    StartMusic,
)
from spotty_gateway.engine.events import (
    CallsShort,
    Event,
    Failed,
    Outcome,
    PauseAsked,
    PlayerAnswered,
    PlayerReady,
    Report,
    ResumeAsked,
    RoomConfigured,
    RoomRemoved,
    SnoozeAsked,
    Started,
    Stopping,
    Tick,
)
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.restart import Restart, begin, is_decidable, rejoin, resume
from spotty_gateway.engine.rules import SECOND, InputKind, Rules
from spotty_gateway.engine.state import (
    LONG_AGO,
    AwaitedStart,
    Hold,
    House,
    Idle,
    Music,
    OwedPause,
    Playing,
    Room,
    Silent,
    Starting,
    new_house,
)
from spotty_gateway.engine.step import next_deadline, step

CORRECTIONS = (EndedBy.MANUAL_STOP, EndedBy.TAKEN_OVER, EndedBy.FINISHED)
Claimed = tuple[str, str]
Claims = Playing | Starting | OwedPause | AwaitedStart | PauseMusic


class AnyDay(RuleBasedStateMachine):
    """A house of three rooms, two of them with one speaker, through anything that can happen."""

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
        self.happens(Report(*self.after(gap), sensor_id, input_id, active, initial and kind is not InputKind.BUTTON))

    @rule(sensor_id=ROOMS, gap=GAPS)
    def motion(self, sensor_id: str, gap: int) -> None:
        """Somebody moves."""
        self.happens(Report(*self.after(gap), sensor_id, INPUTS[sensor_id][0][0], active=True))

    @rule(gap=GAPS)
    def time_passes(self, gap: int) -> None:
        """Nothing happens for a while, and the loop wakes late."""
        self.happens(Tick(*self.after(gap)))

    @rule(times=st.integers(1, 5))
    def deadlines_pass(self, times: int) -> None:
        """The loop wakes exactly when it is to."""
        for _ in range(times):
            due_at = next_deadline(self.house)
            if due_at is not None:
                self.happens(Tick(*self.after(due_at - self.house.mono)))

    @rule(sensor_id=ROOMS, data=st.data())
    def configure(self, sensor_id: str, data: st.DataObject) -> None:
        """A person saves other settings, or a room comes back."""
        self.policies[sensor_id] = data.draw(policies(sensor_id))
        self.happens(RoomConfigured(*self.after(0), sensor_id, self.policies[sensor_id], INPUTS[sensor_id]))

    @rule(sensor_id=ROOMS)
    def remove(self, sensor_id: str) -> None:
        """A room goes."""
        self.policies.pop(sensor_id, None)
        self.happens(RoomRemoved(*self.after(0), sensor_id))

    @rule(sensor_id=ROOMS, asked=st.sampled_from([PauseAsked, ResumeAsked]))
    def by_hand(self, sensor_id: str, asked: type[PauseAsked | ResumeAsked]) -> None:
        """A person wants silence, or music."""
        session = self.session_id(sensor_id)
        if asked is ResumeAsked and session is not None:
            self.muted.discard(session)
        self.happens(asked(*self.after(0), sensor_id))

    @rule(sensor_id=ROOMS, hours=st.integers(-1, 3))
    def snooze(self, sensor_id: str, hours: int) -> None:
        """A person wants silence until an hour."""
        now = self.after(0)
        self.happens(SnoozeAsked(*now, sensor_id, now[1] + hours * 3600 * SECOND))

    @rule(step_s=st.sampled_from([-7200, -2, 1, 3600]), trusted=st.booleans())
    def clock_is_set(self, step_s: int, trusted: bool) -> None:
        """The wall clock jumps; once it is trusted it stays so until a boot."""
        self.offset += step_s * SECOND
        self.trusted = self.trusted or trusted
        self.happens(Tick(*self.after(0)))

    @rule(pause=st.booleans())
    def stop(self, pause: bool) -> None:
        """The component is told to stop, but does not get to it."""
        self.happens(Stopping(*self.after(0), pause))

    @rule()
    def player_is_ready(self) -> None:
        """What kept the player from answering is gone."""
        self.happens(PlayerReady(*self.after(0)))

    @rule(short=st.booleans())
    def calls_are_short(self, short: bool) -> None:
        """Few calls are left for today, or enough again."""
        self.happens(CallsShort(*self.after(0), short))

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
        self.happens(PlayerAnswered(*self.after(gap), command.sensor_id, token, outcome))

    @rule(sensor_id=ROOMS, back=st.integers(0, 5), outcome=ANY_OUTCOME)
    def absurd_answer(self, sensor_id: str, back: int, outcome: Outcome) -> None:
        """Something answers what was never asked, or not so."""
        token = self.tokens - back
        command = self.pending.get(token)
        self.happens(PlayerAnswered(*self.after(0), command.sensor_id if command else sensor_id, token, outcome))

    @rule(by=st.integers(1, 10**9), sensor_id=ROOMS)
    def too_late(self, by: int, sensor_id: str) -> None:
        """An event from the past changes nothing."""
        mono, wall, trusted = self.house.mono - by, self.house.mono - by + self.offset, self.trusted
        for event in (Report(mono, wall, trusted, sensor_id, "pir", active=True), Tick(mono, wall, not trusted)):
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
        self.check(effects, Tick(mono, wall, self.trusted))
        self.motions = self.judged = 0  # what was judged between the snapshot and the end is told twice or never
        for sensor_id, policy in self.policies.items():
            self.happens(RoomConfigured(*self.after(0), sensor_id, policy, INPUTS[sensor_id]))

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
        self.check(effects, Tick(mono, wall, is_trusted))

    # How it is done -------------------------------------------------------------------------------------------------

    def after(self, gap: int) -> tuple[int, int, bool]:
        """The instant `gap` from now, as events have it."""
        mono = self.house.mono + gap
        return mono, mono + self.offset, self.trusted

    def session_id(self, sensor_id: str) -> str | None:
        """The session that runs in a room."""
        room = self.house.rooms.get(sensor_id)
        return room.session.id if room is not None and room.session is not None else None

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

    def happens(self, event: Event) -> None:
        """Step, twice for the same answer, and look at everything that must hold."""
        before = self.house
        self.house, effects = step(before, event)
        assert step(before, event) == (self.house, effects), "a step is a function"
        if isinstance(event, PlayerAnswered):
            command = self.pending.pop(event.token, None)
            if isinstance(event.outcome, Started):
                self.may_play.add((event.outcome.device.name, event.outcome.context_uri))
            if isinstance(event.outcome, Failed) and isinstance(command, StartMusic):
                self.may_play.add((command.target.device.name, command.target.context_uri))
        self.check(effects, event)
        self.debts_are_kept(before, event)
        is_motion = isinstance(event, Report) and event.active and not event.initial
        if is_motion and isinstance(event, Report) and event.sensor_id in before.rooms:
            kinds = {key: one.kind for key, one in before.rooms[event.sensor_id].presence.inputs.items()}
            self.motions += kinds.get(event.input_id, InputKind.PIR) is InputKind.PIR
        open_now = sum(room.candidate is not None for room in self.house.rooms.values())
        assert self.motions == self.judged + open_now, "motions = accepted + suppressed"

    def check(self, effects: list[Effect], event: Event) -> None:
        """Every effect by itself."""
        for effect in effects:
            match effect:
                case StartMusic() | PauseMusic() | SetVolume():
                    assert effect.token > self.tokens, "a token is never used twice"
                    self.tokens = effect.token
                    self.pending[effect.token] = effect
                    self.asked(effect, event)
                case Judged():
                    self.judged += 1
                case MusicDecided(action="muted"):
                    self.muted.add(effect.session_id)
                case SessionFacts():
                    self.told(effect)
                case _:
                    pass
        if any(type(effect).__name__ == "SaveState" for effect in effects):
            self.saved = self.house

    def asked(self, command: PlayerCommand, event: Event) -> None:
        """A command: nothing is paused that we did not start, nothing started that must be silent."""
        if isinstance(command, StartMusic) and self.house.calls_short:
            assert not command.target.fade_in_us, "no fades while calls are short"
        if isinstance(command, PauseMusic):
            assert claimed(command) in self.may_play, "only what was started is paused"
        if isinstance(command, StartMusic):
            facts = self.open[command.sensor_id]
            assert facts.session_id not in self.muted, "what a person stopped stays silent"
            rules = self.policies[command.sensor_id]
            assert rules.enabled, "a disabled room stays silent"
            assert self.trusted or not rules.quiet_windows, "an unknown time means silence"
            world = World(rules, offset=self.offset)
            assert not world.is_quiet(event.mono), "quiet hours are quiet"

    def told(self, facts: SessionFacts) -> None:
        """A session: starts and ends alternate, and an end is only ever corrected by what had muted the music."""
        sensor_id, running = facts.sensor_id, self.open.get(facts.sensor_id)
        if facts.ended_by is None:
            assert facts.session_id not in self.closed, "what is over does not go on"
            waiting = self.waits is not None  # for the clock, and so does the session from before
            assert waiting or running is None or running.session_id == facts.session_id, "one session at a time"
            self.open[sensor_id] = facts
        elif facts.session_id in self.closed:
            assert self.closed[facts.session_id].ended_by is EndedBy.TIMEOUT, "only a timeout is corrected"
            assert facts.ended_by in CORRECTIONS
        else:
            self.closed[facts.session_id] = facts
            if running is not None and running.session_id == facts.session_id:
                del self.open[sensor_id]
            if facts.session_id not in self.crossed_a_boot:
                assert facts.duration_us <= MAX_SESSION_US, "every session ends by its deadline"
            assert facts.duration_us >= 0

    def debts_are_kept(self, before: House, event: Event) -> None:
        """A pause that was owed is only forgotten where a look, a transfer or another room has settled it."""
        after_claims = {claimed(one) for room in self.house.rooms.values() for one in claims(room.music)}
        for room in before.rooms.values():
            owed = room.music.owed_pause
            if owed is not None and not isinstance(event, PlayerAnswered):
                speakers = {device for device, _ in after_claims}
                kept = claimed(owed) in after_claims or owed.claim.device.name in speakers
                assert kept, "an owed pause is never forgotten"

    # What always holds ----------------------------------------------------------------------------------------------

    @invariant()
    def deadlines_lie_ahead(self) -> None:
        """Whatever is due has been done: the loop never wakes twice for one deadline."""
        due_at = next_deadline(self.house)
        assert due_at is None or due_at > self.house.mono

    @invariant()
    def short_calls_are_not_spent_on_fades(self) -> None:
        """While calls are short no fade has a step to come."""
        for room in self.house.rooms.values() if self.house.calls_short else ():
            playback, owed = room.music.playback, room.music.owed_pause
            assert not (isinstance(playback, Playing) and playback.fade)
            assert owed is None or not owed.fade

    @invariant()
    def every_command_under_way_is_waited_for(self) -> None:
        """The state never waits for an answer that cannot come."""
        for room in self.house.rooms.values():
            playback, owed, volume = room.music.playback, room.music.owed_pause, room.music.owed_volume
            waits_for = {awaited.token for awaited in room.music.awaited}
            waits_for |= {playback.token} if isinstance(playback, Starting) else set()
            waits_for |= {owed.token} if owed is not None else set()
            waits_for |= {volume.token} if volume is not None else set()
            assert waits_for - {0} <= self.pending.keys()

    @invariant()
    def music_belongs_to_somebody(self) -> None:
        """Where nobody is there is no music state; a speaker has one owner; who shares, shares with somebody."""
        owners = []
        for room in self.house.rooms.values():
            playback = room.music.playback
            assert (room.session is None) == isinstance(playback, Idle)
            if isinstance(playback, Playing) and playback.hold is Hold.OURS:
                owners.append(playback.claim.device.name)
        assert len(owners) == len(set(owners))
        for room in self.house.rooms.values():
            playback = room.music.playback
            if isinstance(playback, Playing) and playback.hold is Hold.SHARED:
                assert playback.claim.device.name in owners

    @invariant()
    def debts_sleep_only_beside_somebody(self) -> None:
        """A dormant debt has a start that may take it over or wakes it, or a session that waits for the clock."""
        for sensor_id, room in self.house.rooms.items():
            owed, playback = room.music.owed_pause, room.music.playback
            waiting = self.waits.rooms.get(sensor_id) if self.waits is not None else None
            if owed is not None and owed.dormant and (waiting is None or waiting.session is None):
                assert isinstance(playback, Starting | Silent) or room.music.awaited
            if owed is not None and not owed.dormant:
                assert owed.token or owed.due_at < 2**61, "an owed pause is under way or due"


def claims(music: Music) -> list[Claims]:
    """Everything in a room that holds a claim."""
    playing = [music.playback] if isinstance(music.playback, Playing | Starting) else []
    return [*playing, *([music.owed_pause] if music.owed_pause else []), *music.awaited]


def claimed(one: Claims) -> Claimed:
    """Speaker and music of whatever holds a claim."""
    return one.claim.device.name, one.claim.context_uri


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(patient, max_examples=100, stateful_step_count=40)
