"""What must hold at every step of the engine and at every restart. The first that does not ends the year."""

from collections.abc import Iterable
from dataclasses import fields

from spotty_gateway.engine.commands import Effect, Judged, MusicDecided, SessionFacts
from spotty_gateway.engine.events import Event, Report
from spotty_gateway.engine.rules import SECOND, InputKind
from spotty_gateway.engine.state import House, Room, Starting
from spotty_gateway.engine.step import next_deadline

from .clock import YearClock
from .story import Story
from .trouble import HOUR

STEPS_PER_HOUR = 3_000
NOT_REMEMBERED = {"rules", "quiet", "due_at", "removed"}
"""Of a Room: policies live elsewhere, the rest is reckoned anew."""


class EnginePromises:
    """Told of every step and every restart."""

    def __init__(self, clock: YearClock, story: Story) -> None:
        """Nothing has happened yet."""
        self._clock = clock
        self._story = story
        self._begun: set[str] = set()
        self._ended: set[str] = set()
        self._explained: set[str] = set()
        self._hour = 0
        self._steps = 0

    def stepped(self, before: House, event: Event, house: House, effects: Iterable[Effect]) -> None:
        """The engine has made a step."""
        self._story.count("steps")
        told = list(effects)
        self._every_motion_is_judged(before, event, house, told)
        self._look_at(told, before)
        self._deadlines_do_not_stall(event, house)
        self._steps_are_few()

    def awoken(self, effects: Iterable[Effect]) -> None:
        """The component has come up again, and explains what happened before.

        Ends of sessions may be told twice: it may be killed before it has written down that it has told them.
        """
        self._explained |= {effect.session_id for effect in effects if isinstance(effect, MusicDecided)}

    def _look_at(self, told: list[Effect], before: House) -> None:
        for effect in told:
            if isinstance(effect, MusicDecided):
                self._explained.add(effect.session_id)
                self._story.count(f"music: {effect.action} {effect.reason}")
            elif isinstance(effect, SessionFacts):
                self._sessions_are_told_once(effect)
        for effect in told:
            if isinstance(effect, SessionFacts) and effect.ended_by is not None and not effect.corrected:
                self._every_session_has_its_reason(before, effect)

    def went_wrong(self, event: object, error: Exception) -> None:
        """A step has raised."""
        self._story.breaks("no error escapes", f"{error!r} at {event!r}")

    def restored(self, saved: House, again: House) -> None:
        """A snapshot has been read again: nothing of it is lost or otherwise."""
        for sensor_id, room in saved.rooms.items():
            if _remembered(room) != _remembered(again.rooms[sensor_id]):
                what = f"{sensor_id}: {_remembered(room)} came back as {_remembered(again.rooms[sensor_id])}"
                self._story.breaks("state survives a restart", what)
        if (saved.mono, saved.offset, saved.trusted, saved.token) != (
            again.mono,
            again.offset,
            again.trusted,
            again.token,
        ):
            self._story.breaks("state survives a restart", "its instant or its last token came back otherwise")

    def _every_motion_is_judged(self, before: House, event: Event, house: House, told: list[Effect]) -> None:
        if not isinstance(event, Report) or not event.active or event.initial or event.sensor_id not in before.rooms:
            return
        known = before.rooms[event.sensor_id].presence.inputs.get(event.input_id)
        if known is not None and known.kind is not InputKind.PIR:
            return
        judged = sum(isinstance(one, Judged) and one.sensor_id == event.sensor_id for one in told)
        room = house.rooms[event.sensor_id]
        waits = room.candidate is not None and room.candidate.at == house.mono
        if not judged and not waits:
            self._story.breaks("every motion has its reason", f"{event.sensor_id}/{event.input_id}: nothing was said")

    def _sessions_are_told_once(self, facts: SessionFacts) -> None:
        """Each begins once and ends once; what ended it may be corrected."""
        if facts.session_id not in self._begun:
            self._begun.add(facts.session_id)
            self._story.count("sessions")
        elif facts.session_id in self._ended and not facts.corrected:
            self._story.breaks("a session is told once", f"{facts.session_id} was told after its end")
        if facts.ended_by is not None:
            self._ended.add(facts.session_id)
            self._story.count(f"session: {facts.ended_by}")
            if not facts.playback_started:
                self._story.count(f"silent: {facts.silent_reason or 'left alone or over before'}")

    def _every_session_has_its_reason(self, before: House, facts: SessionFacts) -> None:
        """A session that ends has had its music, or somebody was told why not, or it was still being asked for."""
        room = before.rooms.get(facts.sensor_id)
        asking = room is not None and isinstance(room.music.playback, Starting)
        told = facts.session_id in self._explained
        if not (facts.playback_started or told or asking):
            self._story.breaks("every session has its music or a reason", f"{facts.session_id} had neither")

    def _deadlines_do_not_stall(self, event: Event, house: House) -> None:
        due_at = next_deadline(house)
        if due_at is not None and due_at <= house.mono:
            what = f"after {type(event).__name__} something is still due {(house.mono - due_at) / SECOND:.3f} s ago"
            self._story.breaks("deadlines do not stall", what)

    def _steps_are_few(self) -> None:
        if self._clock.at // HOUR != self._hour:
            self._hour, self._steps = self._clock.at // HOUR, 0
        self._steps += 1
        if self._steps > STEPS_PER_HOUR:
            self._story.breaks("deadlines do not spin", f"{self._steps} steps within an hour")


def _remembered(room: Room) -> dict[str, object]:
    return {one.name: getattr(room, one.name) for one in fields(room) if one.name not in NOT_REMEMBERED}
