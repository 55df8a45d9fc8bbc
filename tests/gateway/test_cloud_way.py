import threading

import pytest
from tests.gateway.cloud import FakeCloud, away
from tests.gateway.flat import PATIENCE_S
from tests.gateway.hand_clock import HandClock

from spotty_gateway.cloud_way import LITE_UNANSWERED, TOLD_EVERY_US, CloudWay
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import CloudNotNowError, CloudRefusedError

TOPIC, PAYLOAD = "sensors/gw1/bath/session", b"{}"


class Told:
    """A way, and what it tells of itself."""

    def __init__(self, *, classic: bool = True) -> None:
        self.cloud, self.clock = FakeCloud(classic), HandClock()
        self.lines: list[str] = []
        self.way = CloudWay(
            self.cloud, self.clock, lambda: self.lines.append("opened"), lambda: self.lines.append("stood again")
        )

    def fails(self) -> None:
        """One message does not get through."""
        self.cloud.answer = away
        with pytest.raises(CloudNotNowError):
            self.way.publish(TOPIC, PAYLOAD)
        self.cloud.answer = lambda _: None

    def succeeds(self) -> None:
        """One does."""
        self.way.publish(TOPIC, PAYLOAD)


@pytest.fixture
def told() -> Told:
    """Through nucleus classic."""
    return Told()


def test_the_first_success_after_failures_is_told_once(told: Told) -> None:
    """Nothing says that the cloud is there again but that a message gets through."""
    told.succeeds()
    told.fails()
    told.fails()
    assert told.lines == []
    told.succeeds()
    told.succeeds()
    assert told.lines == ["opened"]


def test_a_way_that_flickers_is_told_of_at_most_twice_a_minute(told: Told) -> None:
    """Each telling costs a message for every sensor; what was not told is told by a later success."""
    for _ in range(5):
        told.fails()
        told.succeeds()
    assert told.lines == ["opened"]
    told.clock.now += TOLD_EVERY_US
    told.succeeds()
    assert told.lines == ["opened", "opened"]


def test_a_refusal_says_nothing_of_the_way(told: Told) -> None:
    """Whoever refuses a message is there: what follows is no return."""
    told.cloud.answer = lambda _: CloudRefusedError("no")
    with pytest.raises(CloudRefusedError):
        told.way.publish(TOPIC, PAYLOAD)
    told.cloud.answer = lambda _: None
    told.succeeds()
    assert told.lines == []


def test_a_subscription_that_stands_anew_is_told(told: Told) -> None:
    """The first time it stands is none; and whoever subscribed hears of each."""
    stood: list[str] = []
    begun: list[object] = []
    told.cloud.subscribe = lambda *given: begun.extend(given)  # type: ignore[method-assign]  # the test is its nucleus
    told.way.subscribe("a/+", lambda *_: None, lambda: stood.append("stands"))
    stands = begun[2]
    assert callable(stands)
    stands()
    assert told.lines == []
    stands()
    assert (told.lines, stood) == (["stood again"], ["stands", "stands"])


def test_lite_is_given_no_more_than_it_can_hold() -> None:
    """Ten messages in a second; the eleventh waits for the first one's second to be over, and classic for nothing."""
    told = Told(classic=False)
    for _ in range(LITE_UNANSWERED):
        told.succeeds()
    assert told.clock.patience == []

    def one_too_many() -> None:
        with pytest.raises(CloudNotNowError):
            told.succeeds()

    waiting = threading.Thread(target=one_too_many)
    waiting.start()
    told.way.close()  # else it would wait for an hour: this clock stands still
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert told.clock.patience == [SECOND]
    assert len(told.cloud.arrived) == LITE_UNANSWERED
    told.clock.now += 2 * SECOND
    told.succeeds()
    classic = Told()
    for _ in range(2 * LITE_UNANSWERED):
        classic.succeeds()
    assert classic.clock.patience == []
