import logging
import os
import queue
import threading
import time
from itertools import pairwise

import pytest
from gpiozero import DigitalInputDevice
from tests.hardware.edges import PATIENCE_S, Inbox
from tests.hardware.fake_gpiod import CountingPoller, FakeChip

from spotty_hardware.edge_reader import EdgeReader
from spotty_hardware.gpiod_factory import GpiodFactory
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinInputs

PIR = InputSpec("pir", InputKind.PIR, 17)
BUTTON = InputSpec("button", InputKind.BUTTON, 22)


def reader_threads() -> list[threading.Thread]:
    """The factory's threads that are alive."""
    return [thread for thread in threading.enumerate() if thread.name == "spotty-gpio"]


def test_nothing_wakes_the_reader_but_edges(
    factory: GpiodFactory, chip: FakeChip, poller: CountingPoller, inbox: Inbox
) -> None:
    """No idle wake-ups: the poll has no timeout and returns once per edge; coming and going inputs do not wake it."""
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR])
        inputs.watch([PIR, BUTTON])
        inbox.take(2)
        for nth in range(1, 8):
            chip.lines[17].drive(level=nth % 2 == 1)
            inbox.next()
        inputs.watch([BUTTON])
        for level in (True, False):
            chip.lines[22].drive(level)
            inbox.next()
    factory.close()
    assert poller.wakes == 7 + 2 + 1  # the edges, and the word to stop


def test_one_thread_serves_all_inputs_and_ends_on_close(factory: GpiodFactory, inbox: Inbox) -> None:
    """The reader's thread starts with the first input, is the only one, and is gone after close()."""
    assert not reader_threads()
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR, BUTTON])
        (thread,) = reader_threads()
        assert thread.daemon
    factory.close()
    assert not thread.is_alive()
    assert not reader_threads()


def test_a_failing_receiver_does_not_end_the_reader(
    factory: GpiodFactory, chip: FakeChip, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """An exception in on_edge is logged; the next edge, of this input and of others, arrives."""

    def receive(edge: Edge) -> None:
        inbox.put(edge)
        if edge.active:
            raise RuntimeError("inbox broke")

    with PinInputs(factory, receive) as inputs:
        inputs.watch([PIR, BUTTON])
        chip.lines[17].drive(level=True)
        chip.lines[17].drive(level=False)
        inbox.take(4)
    assert "inbox broke" in caplog.text


def test_any_handler_may_fail(factory: GpiodFactory, chip: FakeChip, caplog: pytest.LogCaptureFixture) -> None:
    """The factory guards its thread itself, not only through PinInputs."""
    fell: queue.SimpleQueue[None] = queue.SimpleQueue()

    def fail() -> None:
        raise RuntimeError("handler broke")

    def fall() -> None:
        fell.put(None)

    with DigitalInputDevice(17, pin_factory=factory) as device:
        device.when_activated = fail
        device.when_deactivated = fall
        for _pulse in range(2):
            chip.lines[17].drive(level=True)
            chip.lines[17].drive(level=False)
            fell.get(timeout=PATIENCE_S)
    assert caplog.text.count("an edge of GPIO17 was lost") == 2


def test_a_chip_that_disappears_is_dropped_not_spun_on(
    factory: GpiodFactory, chip: FakeChip, inbox: Inbox, poller: CountingPoller, caplog: pytest.LogCaptureFixture
) -> None:
    """A dead line is logged once and forgotten; the other inputs go on and the reader sleeps again."""
    caplog.set_level(logging.ERROR)
    with PinInputs(factory, inbox.put) as inputs:
        inputs.watch([PIR, BUTTON])
        chip.lines[17].requests[0].unplug()
        for nth in range(1, 4):
            chip.lines[22].drive(level=nth % 2 == 1)
        inbox.take(4)
    assert caplog.text.count("a GPIO line went away") == 1
    factory.close()
    assert poller.wakes <= 6


def test_a_wake_for_a_descriptor_that_changed_hands_does_not_block(factory: GpiodFactory, chip: FakeChip) -> None:
    """Draining a line with nothing to read returns at once: its descriptor does not block."""
    with DigitalInputDevice(17, pin_factory=factory) as device:
        device.pin._drain()
        assert device.value == 0
        device.pin.close()
        device.pin._drain()
    assert chip.lines[17].requests[0].released


def test_on_edge_may_change_what_is_watched_from_the_readers_thread(
    factory: GpiodFactory, chip: FakeChip, inbox: Inbox
) -> None:
    """watch() from inside on_edge, on the reader's own thread, does not deadlock and takes effect."""

    def receive(edge: Edge) -> None:
        inbox.put(edge)
        if edge.active:
            inputs.watch([BUTTON])

    with PinInputs(factory, receive) as inputs:
        inputs.watch([PIR])
        chip.lines[17].drive(level=True)
        inbox.take(2)
        button = inbox.next()
        assert button.input_id == "button"
    assert chip.lines[17].request is None


def test_inputs_come_and_go_while_edges_rain(factory: GpiodFactory, chip: FakeChip) -> None:
    """Under a hail of edges and changes every input's story starts with its level and alternates to the end."""
    edges: list[Edge] = []
    stop = threading.Event()

    def hail() -> None:
        level = False
        while not stop.is_set():
            level = not level
            request = chip.lines[22].request
            chip.lines[22].level = level
            if request is not None:
                request.queue(level, time.monotonic_ns())

    rain = threading.Thread(target=hail)
    rain.start()
    try:
        with PinInputs(factory, edges.append) as inputs:
            for _ in range(200):
                assert not inputs.watch([BUTTON])
                assert not inputs.watch([])
            told = len(edges)
    finally:
        stop.set()
        rain.join()
    assert len(edges) == told
    assert sum(edge.initial for edge in edges) == 200
    for one, other in pairwise(edges):
        assert other.initial or one.active != other.active


def test_a_hung_up_descriptor_is_dropped_even_if_it_drains(
    poller: CountingPoller, caplog: pytest.LogCaptureFixture
) -> None:
    """A descriptor whose other end is gone is always readable: it is dropped, or the thread would spin on it."""
    reader = EdgeReader(lambda: poller)
    drained: queue.SimpleQueue[None] = queue.SimpleQueue()
    read_end, write_end = os.pipe()
    reader.add(read_end, lambda: drained.put(None))
    os.close(write_end)
    drained.get(timeout=PATIENCE_S)
    reader.close()
    os.close(read_end)
    assert drained.empty()
    assert poller.wakes <= 2
    assert "hung up" in caplog.text
