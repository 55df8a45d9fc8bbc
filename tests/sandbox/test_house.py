"""People walking through the house, felt by mock pins."""

from spotty_gateway.engine.rules import SECOND
from spotty_hardware.inputs import Edge, InputKind, InputSpec, PinInputs, pin_factory
from spotty_sandbox.house import PIR_PULSE_US, STEP_US, PinEdge, Visit, edges_of, walk
from spotty_sandbox.house_clock import AT_ONCE, HouseClock

START = 1_770_000_000 * SECOND


def test_a_visit_is_a_pulse_at_its_beginning_and_one_for_every_move() -> None:
    """Somebody who stays a minute is felt every twenty seconds, and each pulse ends by itself."""
    edges = edges_of([Visit("pir", START, START + 60 * SECOND)])
    assert [edge.at for edge in edges if edge.high] == [START, START + STEP_US, START + 2 * STEP_US]
    assert [edge.at for edge in edges if not edge.high] == [edge.at + PIR_PULSE_US for edge in edges if edge.high]


def test_the_edges_of_several_people_come_in_order_of_time() -> None:
    """Two visits that overlap are felt as they happen."""
    edges = edges_of([Visit("b", START + SECOND, START + 30 * SECOND), Visit("a", START, START + 30 * SECOND)])
    assert [edge.at for edge in edges] == sorted(edge.at for edge in edges)
    assert edges[0].input_id == "a"


def test_walking_drives_real_pin_callbacks_at_the_exact_instants() -> None:
    """Each edge reaches whoever watches the pin while the clock shows its instant; repeats are felt as reports too."""
    clock = HouseClock(START, AT_ONCE)
    felt: list[tuple[int, bool]] = []

    def note(edge: Edge) -> None:
        if not edge.initial:
            felt.append((clock.mono(), edge.active))

    with pin_factory("mock") as factory, PinInputs(factory, note) as inputs:
        assert not inputs.watch([InputSpec("pir", InputKind.PIR, 17)])
        edges = [PinEdge(START + at * SECOND, "pir", high) for at, high in ((1, True), (5, True), (9, False))]
        assert walk(edges, {"pir": factory.pin(17)}, clock)
    assert felt == [
        (START + SECOND, True),
        (START + 5 * SECOND, False),
        (START + 5 * SECOND, True),
        (START + 9 * SECOND, False),
    ]


def test_a_stopped_house_is_left_at_once() -> None:
    """Ctrl-C in the middle of a day ends the walk."""
    clock = HouseClock(START, speed=1)
    clock.stop()
    with pin_factory("mock") as factory:
        assert not walk([PinEdge(START + 60 * SECOND, "pir", True)], {"pir": factory.pin(17)}, clock)
