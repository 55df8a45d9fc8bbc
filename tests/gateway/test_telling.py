from tests.gateway.hand_clock import WALL

from spotty_gateway.chronicle import Chronicle, Told
from spotty_gateway.engine.commands import (
    SAVE_STATE,
    Claim,
    FaultCleared,
    FaultRaised,
    Judged,
    PlayerCommand,
    SetVolume,
)
from spotty_gateway.engine.events import Report, RoomConfigured, Tick
from spotty_gateway.engine.reasons import Fault, Reason
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules
from spotty_gateway.engine.state import House, new_house
from spotty_gateway.engine.step import step
from spotty_gateway.ports import DecisionRow, EdgeRow
from spotty_gateway.status import as_table, status_of

DAY = 86_400 * SECOND
LOUDER = SetVolume("bath", 1, Claim(Device("Bathroom", "Speaker"), "spotify:album:1", True), 10, only_if_ours=False)


class Book:
    """A store that keeps everything, and a chronicle that writes in it; `order` is what happened, in order."""

    def __init__(self) -> None:
        house = new_house("run", 0, WALL, trusted=True)
        inputs = (("pir", InputKind.PIR), ("door", InputKind.CONTACT))
        configured = RoomConfigured(0, WALL, True, "bath", Rules(), inputs)
        self.house, _ = step(house, configured)
        self.order: list[str] = []
        self.edges: list[EdgeRow] = []
        self.decisions: list[DecisionRow] = []
        self.saved_at: list[int] = []
        self.chronicle = Chronicle(self, "boot", {"bath": "Bathroom"}, self._command, self._say, lambda _: None)

    def _command(self, command: PlayerCommand) -> None:
        self.order.append(type(command).__name__)

    def _say(self, line: str) -> None:
        self.order.append(line)

    def save(self, house: House, boot_id: str) -> None:
        """The store's."""
        assert boot_id == "boot"
        self.saved_at.append(house.mono)
        self.order.append("save")

    def note_edge(self, edge: EdgeRow) -> None:
        """The store's."""
        self.edges.append(edge)

    def note_decision(self, decision: DecisionRow) -> None:
        """The store's."""
        self.decisions.append(decision)

    def tell(self, *facts: Told) -> None:
        """As if a step had decided these."""
        self.chronicle(self.house, Tick(0, WALL, True), facts)

    def live(self, *reports: Report) -> None:
        """These come in."""
        for report in reports:
            self.house, effects = step(self.house, report)
            self.chronicle(self.house, report, effects)

    def faults(self) -> list[str]:
        """What `status` shows as wrong."""
        found: list[str] = status_of(self.house, {}, self.chronicle.rooms)["rooms"][0]["faults"]
        return found


def report(at: int, input_id: str = "pir", *, active: bool = True) -> Report:
    """An input's level."""
    return Report(at, at + WALL, True, "bath", input_id, active)


def test_a_command_leaves_before_anything_is_told() -> None:
    """Command, snapshot, words: a terminal that stalls delays neither the music nor the memory of it."""
    book = Book()
    stuck = FaultRaised("bath", "pir", Fault.INPUT_STUCK, "it does not let go", WALL)
    book.chronicle(book.house, Tick(0, WALL, True), [stuck, SAVE_STATE, LOUDER])
    assert book.order == ["SetVolume", "save", "Bathroom: fault: it does not let go (input_stuck)"]


def test_every_edge_is_kept_with_its_kind_and_instant() -> None:
    """What the ring needs for a replay, for a motion that starts nothing too."""
    book = Book()
    book.live(report(5), report(6, "door", active=False))
    assert [(one.mono_us, one.wall_us, one.kind, one.active) for one in book.edges] == [
        (5, 5 + WALL, InputKind.PIR, True),
        (6, 6 + WALL, InputKind.CONTACT, False),
    ]
    assert [(one.action, one.reason) for one in book.decisions] == [("ignored_warming_up", "warming_up")]


def test_evidence_alone_is_saved_every_thirty_seconds() -> None:
    """Start and end are saved at once; what merely goes on, at most every half minute."""
    book = Book()
    book.live(*(report((60 + at) * SECOND) for at in range(65)))
    assert [at // SECOND for at in book.saved_at] == [60, 90, 120]


def test_two_faults_of_one_room_are_two() -> None:
    """The player's fault going away does not hide that the music cannot be stopped."""
    book = Book()
    for fault in (Fault.PLAYER, Fault.MUSIC_CANNOT_BE_STOPPED):
        book.tell(FaultRaised("bath", "bath", fault, f"the {fault}", WALL))
    book.tell(FaultCleared("bath", "bath", Fault.PLAYER, WALL))
    assert book.faults() == ["bath: the music_cannot_be_stopped"]


def test_yesterday_s_counts_are_not_today_s() -> None:
    """`suppressedToday` is about today, also before today's first motion."""
    book = Book()
    book.tell(Judged("bath", WALL, Reason.QUIET_HOURS, recorded=True, session_id=None))
    assert status_of(book.house, {}, book.chronicle.rooms)["rooms"][0]["suppressedToday"] == {"quiet_hours": 1}
    book.house, _ = step(book.house, Tick(DAY, DAY + WALL, True))
    assert status_of(book.house, {}, book.chronicle.rooms)["rooms"][0]["suppressedToday"] == {}


def test_the_table_says_what_a_person_asks() -> None:
    """Room, state, next deadline, last decision and why there was no music."""
    book = Book()
    book.live(report(5), report(61 * SECOND))
    table = as_table(status_of(book.house, {"bath": "Bathroom"}, book.chronicle.rooms))
    assert "Bathroom [bath]: silent (no_target)" in table
    assert "next: " in table
    assert "last: Bathroom: no music for now: no speaker or no music has been chosen (no_target)" in table
    assert "motion without a start today: 1 warming_up" in table
