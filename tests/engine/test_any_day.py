from hypothesis import settings
from hypothesis.stateful import invariant
from tests.engine.any_house import AnyHouse, claimed, claims
from tests.engine.days import MAX_SESSION_US
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
from spotty_gateway.engine.events import Event, Failed, PlayerAnswered, Report, Started, TrialAsked, VolumeAsked
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.engine.rules import NEVER, InputKind
from spotty_gateway.engine.state import Hold, House, Idle, Playing, Silent, Starting
from spotty_gateway.engine.step import next_deadline, step

CORRECTIONS = (EndedBy.MANUAL_STOP, EndedBy.TAKEN_OVER, EndedBy.FINISHED)


class AnyDay(AnyHouse):
    """Whatever happens, and in any order, these hold."""

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
        if isinstance(command, SetVolume) and isinstance(event, VolumeAsked):
            targets = (self.house.rooms[one].rules.target for one in (event.sensor_id, command.sensor_id))
            caps = [target.volume_cap_pct for target in targets if target is not None]
            assert all(command.volume_pct <= cap_pct for cap_pct in caps), "nobody makes it louder than allowed"
        if isinstance(command, StartMusic) and isinstance(event, TrialAsked):
            assert not any(claims(room.music) for other, room in self.house.rooms.items() if other != command.sensor_id)
            assert not self.house.rooms[command.sensor_id].removed
            rules = self.policies[command.sensor_id]
            assert self.trusted or not rules.quiet_windows, "an unknown time means silence"
            assert not World(rules, offset=self.offset).is_quiet(event.mono), "quiet hours are quiet"
        elif isinstance(command, StartMusic):
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
    def owed_volumes_sleep_only_beside_a_start(self) -> None:
        """A volume that is owed is under way, due, or waits for the answer of a start on its speaker."""
        rooms = [room.music for room in self.house.rooms.values()]
        starts = [one.playback for one in rooms if isinstance(one.playback, Starting)]
        awaited = [one for music in rooms for one in music.awaited]
        starting = [one.claim.device for one in starts] + [one.claim.device for one in awaited]
        for volume in (music.owed_volume for music in rooms):
            if volume is not None and not volume.token and volume.due_at >= NEVER:
                assert any(volume.claim.device.is_same_as(device) for device in starting)

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


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(patient, max_examples=100, stateful_step_count=40)
