"""What the loop's decisions become outside of it: commands, rows for the store, lines for people, the status of now.

Lives on the loop's thread; nothing here blocks. Commands leave first, and the intent to play with them: what a person
is told, and whatever may go wrong with telling it, comes after.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo

from spotty_gateway.engine.commands import (
    Effect,
    FaultCleared,
    FaultRaised,
    Judged,
    MusicDecided,
    PauseMusic,
    PlayerCommand,
    SaveState,
    SessionFacts,
    SetVolume,
    StartMusic,
)
from spotty_gateway.engine.events import Event, Report
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.reasons import Fault
from spotty_gateway.engine.rules import SECOND, InputKind
from spotty_gateway.engine.state import House
from spotty_gateway.ports import DecisionRow, EdgeRow, Store
from spotty_gateway.words import tell

Told = Judged | SessionFacts | MusicDecided | FaultRaised | FaultCleared
"""What is told; commands and the wish for a snapshot are not."""

SAVE_EVIDENCE_EVERY_US = 30 * SECOND
"""How often a snapshot is written for nothing but newer evidence (design §2)."""


@dataclass(slots=True)
class RoomStory:
    """What is remembered of a room for `status`: its last decision, its faults and a day's suppressed motions."""

    last_decision: str = ""
    last_at: int = 0
    day: str = ""
    suppressed: Counter[str] = field(default_factory=Counter)
    faults: dict[tuple[str, Fault], str] = field(default_factory=dict)
    """What is wrong, by its subject (the input or the room) and kind."""


class Chronicle:
    """A Listener of the loop."""

    def __init__(
        self,
        store: Store,
        boot_id: str,
        names: Mapping[str, str],
        command: Callable[[PlayerCommand], None],
        say: Callable[[str], None],
        record: Callable[[SessionFacts], None],
    ) -> None:
        """`names` are the rooms' names by sensor id; `command` hands on to the player; `say` tells a person.

        `record` gets every session whenever it changes.
        """
        self._store = store
        self._boot_id = boot_id
        self._names = names
        self._command = command
        self._say = say
        self._record = record
        self._saved_at = 0
        self.rooms: defaultdict[str, RoomStory] = defaultdict(RoomStory)

    def __call__(self, house: House, event: Event, effects: Iterable[Effect]) -> None:
        """One step has been made."""
        facts: list[Told] = []
        save = isinstance(event, Report) and self._evidence_is_stale(house, event)
        for effect in effects:
            if isinstance(effect, StartMusic | PauseMusic | SetVolume):
                self._command(effect)
            elif isinstance(effect, SaveState):
                save = True
            else:
                facts.append(effect)
        if save:
            self._saved_at = house.mono
            self._store.save(house, self._boot_id)
        if isinstance(event, Report):
            self._note_edge(house, event)
        for fact in facts:
            self._remember(house, fact)

    def _evidence_is_stale(self, house: House, event: Report) -> bool:
        room = house.rooms.get(event.sensor_id)
        in_session = room is not None and room.session is not None
        return in_session and house.mono - self._saved_at >= SAVE_EVIDENCE_EVERY_US

    def _note_edge(self, house: House, event: Report) -> None:
        room = house.rooms.get(event.sensor_id)
        known = room.presence.inputs.get(event.input_id) if room is not None else None
        kind = InputKind.PIR if known is None else known.kind
        self._store.note_edge(
            EdgeRow(
                event.mono,
                event.wall,
                event.trusted,
                house.run,
                event.sensor_id,
                event.input_id,
                kind,
                event.active,
                event.initial,
            )
        )

    def _remember(self, house: House, fact: Told) -> None:
        story = self.rooms[fact.sensor_id]
        if isinstance(fact, Judged):
            self._count(house, story, fact)
        elif isinstance(fact, SessionFacts):
            self._record(fact)
        elif isinstance(fact, FaultRaised):
            story.faults[fact.subject, fact.fault] = fact.detail or fact.fault
        elif isinstance(fact, FaultCleared):
            story.faults.pop((fact.subject, fact.fault), None)
        note = _note_of(fact, house)
        if note is not None:
            self._store.note_decision(note)
        for line in tell(fact, self._names.get(fact.sensor_id, fact.sensor_id)):
            story.last_decision, story.last_at = line, house.mono + house.offset
            self._say(line)

    def _count(self, house: House, story: RoomStory, judged: Judged) -> None:
        room = house.rooms.get(judged.sensor_id)
        if room is not None and judged.reason is not None:
            today = local_day(judged.at, room.rules.zone)
            if story.day != today:
                story.day, story.suppressed = today, Counter()
            story.suppressed[judged.reason] += 1


def local_day(wall: int, zone: tzinfo) -> str:
    """The date of a wall instant where the room is."""
    return to_local(wall, zone).date().isoformat()


def _note_of(effect: Told, house: House) -> DecisionRow | None:
    match effect:
        case Judged(recorded=True):
            action = "motion_accepted" if effect.reason is None else f"ignored_{effect.reason}"
            return DecisionRow(
                effect.at, house.trusted, effect.sensor_id, effect.session_id, action, effect.reason or ""
            )
        case MusicDecided():
            return DecisionRow(
                effect.at,
                house.trusted,
                effect.sensor_id,
                effect.session_id,
                effect.action,
                effect.reason,
                effect.detail,
            )
        case FaultRaised() | FaultCleared():
            action = "fault" if isinstance(effect, FaultRaised) else "fault_over"
            detail = effect.detail if isinstance(effect, FaultRaised) else ""
            return DecisionRow(effect.at, house.trusted, effect.sensor_id, None, action, effect.fault, detail)
    return None
