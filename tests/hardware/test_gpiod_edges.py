import threading
import time
from itertools import pairwise

from tests.hardware.edges import PATIENCE_S, Inbox
from tests.hardware.fake_gpiod import FakeChip

from spotty_hardware.gpiod_factory import GpiodFactory
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinInputs

PIR = InputSpec("pir", InputKind.PIR, 17)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def test_edges_arrive_with_the_kernels_own_time(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """An edge's mono_us is the event's timestamp, not the moment at which it was read."""
    with PinInputs(factory, inbox.put) as inputs:
        assert not inputs.watch([PIR])
        found = inbox.next()
        at_ns = time.monotonic_ns() - 123_456_789
        chip.lines[17].drive(level=True, at_ns=at_ns)
        assert found[:2] == ("pir", False)
        assert found.initial
        assert inbox.next() == Edge("pir", active=True, mono_us=round(at_ns / 1000), initial=False)


def test_a_level_already_high_is_found(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """A line that is high before the start gives one initial active Edge, then its edges."""
    chip.lines[17].drive(level=True)
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        chip.lines[17].drive(level=False)
        assert inbox.take(2) == [(True, True), (False, False)]


def test_a_rise_between_arming_and_looking_is_told_once(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """A line that rises after it was armed and before its level is read is active from the start, and only once."""
    line = chip.lines[17]
    line.before_read = lambda: line.drive(level=True)
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        line.before_read = lambda: None
        line.drive(level=False)
        assert inbox.take(2) == [(True, True), (False, False)]


def test_a_pulse_between_arming_and_looking_is_not_lost(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """A whole pulse that passes before the level is read is still told after it."""
    line = chip.lines[17]

    def pulse() -> None:
        line.before_read = lambda: None
        line.drive(level=True)
        line.drive(level=False)

    line.before_read = pulse
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        assert inbox.take(3) == [(False, True), (True, False), (False, False)]


def test_a_gap_makes_the_level_be_read_again(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """When a sequence number is missing, the level of the wire is told as it is now."""
    line = chip.lines[17]
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        line.drive(level=True)
        assert inbox.take(2) == [(False, True), (True, False)]
        request = line.requests[0]
        request.lose(1)
        line.level = False
        request.queue(level=True, at_ns=time.monotonic_ns())
        assert inbox.take(1) == [(False, False)]


def test_without_a_gap_the_level_is_not_read_again(factory: GpiodFactory, chip: FakeChip, inbox: Inbox) -> None:
    """In order, the events are the truth: no look at the wire per edge."""
    looks: list[None] = []
    line = chip.lines[17]
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        line.before_read = lambda: looks.append(None)
        for nth in range(1, 16):
            line.drive(level=nth % 2 == 1)
        inbox.take(16)
    assert not looks


def test_an_overflow_ends_at_the_true_level(factory: GpiodFactory, chip: FakeChip) -> None:
    """More edges than the kernel keeps, while the receiver is busy: what is told last is the level of the wire."""
    told: list[bool] = []
    go, done = threading.Event(), threading.Event()

    def receive(edge: Edge) -> None:
        if not edge.initial:
            assert go.wait(PATIENCE_S)
        told.append(edge.active)
        if edge.mono_us == 3:
            done.set()

    with PinInputs(factory, receive) as inputs:
        inputs.watch([PIR])
        for nth in range(1, 100):
            chip.lines[17].drive(level=nth % 2 == 1, at_ns=1000)
        chip.lines[17].drive(level=False, at_ns=2000)
        chip.lines[17].drive(level=True, at_ns=3000)
        go.set()
        assert done.wait(PATIENCE_S)
    assert told[-1] is True
    assert all(one != other for one, other in pairwise(told))
