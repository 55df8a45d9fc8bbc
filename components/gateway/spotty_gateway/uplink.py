"""Drains the outbox: takes what waits, puts it into messages, and says what has become of each record.

Its own thread; a message under way has one too, for as long as it takes. At most one message a sensor, five in all, so
that the order within a sensor and kind is kept and a nucleus is not flooded. While nothing gets through, one message is
tried at a time, ever more rarely, never twice in a second; the first that gets through opens the way again. Between,
it sleeps: until a record is on the disk, a wait is over, or the nucleus is said to be back.

A topic that does not get through while others do stops only itself: it rests, up to an hour, and is told (see lanes).

What has been taken is not always there yet. Nucleus classic may take a message into memory: its records stay for a day
as sent. Nucleus lite answers when a message has been sent, not when the broker has acknowledged it; it holds so many
that are not, and they die with the link. So the records of that many messages stay until later ones have been taken,
and after a break they go out again, once: a consumer knows a record that it has.

What is refused for good is set aside and told, and holds up nobody. Nobody can say whether it was the record or the
topic that was refused: first a record is tried alone, and after a few such refusals the whole topic is taken for it.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from spotty_contract.messages import Batch, RecordError, encode_batch
from spotty_contract.topics import SensorTopic, TopicError
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import CloudError, CloudGoneError, CloudRefusedError
from spotty_gateway.lanes import Lanes
from spotty_gateway.ports import Clock, Cloud, Fate, Lane, Outbox, Outgoing, Refused
from spotty_gateway.unproven import Unproven

log = logging.getLogger(__name__)

IN_FLIGHT = 5
LEAST_WAIT_US = SECOND
"""Between two attempts while nothing gets through, and between two refusals of a sensor's."""
LONGEST_WAIT_US = 60 * SECOND
REFUSALS_OF_A_TOPIC = 3
"""So many in a row, at least two of them of records on their own, and it is the topic."""

Work = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Post:
    """A message under way; they are numbered as they leave."""

    number: int
    lane: Lane
    topic: str
    payload: bytes
    ids: tuple[int, ...]


class Uplink:
    """`start` it, `wake` it when a record is durable, `stop` it. What is under way then stays in the outbox."""

    def __init__(
        self,
        gateway_id: str,
        outbox: Outbox,
        cloud: Cloud,
        clock: Clock,
        report: Callable[[Refused], None],
        *,
        unproven: int = 0,
        chance: random.Random | None = None,
        begin: Callable[[Work], None] | None = None,
    ) -> None:
        """`report` is told what was set aside or is stuck, on the uplink's thread. `begin` gets each publish to do.

        `unproven`: of so many messages, the last that were taken, nobody knows yet whether they have arrived.
        """
        self._gateway_id = gateway_id
        self._outbox = outbox
        self._cloud = cloud
        self._clock = clock
        self._report = report
        self._unproven = Unproven(outbox, unproven)
        self._chance = chance or random.Random()  # noqa: S311 - spreads attempts, guards no secret
        self._begin = begin or _on_a_thread
        self._inbox: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self._stopping = False
        self._in_flight: dict[str, _Post] = {}
        self._fetching = False
        self._woken = False
        self._behind: set[str] = set()
        """Sensors with more to send than is under way."""
        self._stirred: set[str] = set()
        """Sensors that had something under way when records came, which may be theirs."""
        self._failures = 0
        """Attempts in a row that failed; what left before it was known that nothing gets through counts once."""
        self._failed_up_to = 0
        self._posts = 0
        self._not_before = 0
        self._gone = False
        self._lanes = Lanes()
        self._lane_rests: dict[Lane, int] = {}
        """Of which lanes nothing was asked for last, and until when not."""
        self._refusals: dict[Lane, int] = {}
        self._rests: dict[str, int] = {}
        """Until when a sensor whose message was refused is left alone."""

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something new in the outbox; from any thread."""
        self._inbox.put(self._wake_up)

    def cloud_is_back(self) -> None:
        """The connection to the nucleus stands again after it had ended: try soon; from any thread.

        What a nucleus had only in its memory may have gone with it, so that is sent again.
        """
        self._inbox.put(self._hope)

    def stop(self, timeout_s: float) -> bool:
        """Send nothing more, and wait a while for what is under way; False if it was not waited for to the end."""
        self._inbox.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def turn(self) -> None:
        """Take in what has happened, then send what may be sent. The thread does nothing else."""
        while not self._inbox.empty():
            self._take(self._inbox.get())
        self._go_on()

    def _run(self) -> None:
        self.wake()
        while not (self._stopping and not self._in_flight):
            try:
                self._await_news()
                self.turn()
            except Exception as error:  # a defect here must not silence the house for ever: said, and tried on
                log.critical("a fault in the uplink, please report it", exc_info=error)
                self._woken, self._not_before = True, self._clock.mono() + LONGEST_WAIT_US

    def _await_news(self) -> None:
        try:
            self._take(self._inbox.get(timeout=self._patience_s()))
        except Empty:
            return  # a wait is over

    def _take(self, item: Work | None) -> None:
        if item is None:
            self._stopping = True
        else:
            item()

    def _patience_s(self) -> float | None:
        due_at = self._due_at()
        return None if due_at is None else max(0.0, self._clock.real_s(due_at - self._clock.mono()))

    def _due_at(self) -> int | None:
        """When something is to be sent; None where only somebody else can bring news."""
        if self._stopping or self._fetching or len(self._in_flight) >= self._at_most():
            return None
        if self._woken:
            return self._not_before
        waits = [self._rests.get(one, 0) for one in self._behind if one not in self._in_flight]
        waits += [until for lane, until in self._lane_rests.items() if lane.sensor_id not in self._in_flight]
        return max(self._not_before, min(waits)) if waits else None

    def _at_most(self) -> int:
        return 1 if self._lanes.failed_since else IN_FLIGHT

    def _may_send(self) -> bool:
        has_room = len(self._in_flight) < self._at_most()
        return not self._stopping and has_room and self._clock.mono() >= self._not_before

    def _go_on(self) -> None:
        now, due_at = self._clock.mono(), self._due_at()
        if due_at is None or now < due_at:
            return
        free = self._at_most() - len(self._in_flight)
        self._rests = {sensor_id: until for sensor_id, until in self._rests.items() if until > now}
        self._fetching, self._woken = True, False
        busy = frozenset(self._in_flight) | frozenset(self._rests)

        def hand_over(found: Sequence[Outgoing], waiting: Mapping[str, int]) -> None:
            self._inbox.put(lambda: self._send_all(found, waiting, busy, all_of_it=len(found) < free))

        self._lane_rests = self._lanes.rests(now)
        self._outbox.fetch(busy, free, hand_over, resting=frozenset(self._lane_rests), failed=self._lanes.failed_since)

    def _send_all(
        self, found: Sequence[Outgoing], waiting: Mapping[str, int], busy: frozenset[str], *, all_of_it: bool
    ) -> None:
        """`all_of_it`: who was not busy and has nothing in `found` has nothing that could go now."""
        self._fetching = False
        for out in found:
            if self._may_send():  # what was asked for before something failed may have to wait now
                self._send(out)
        self._behind = {
            sensor_id
            for sensor_id, number in waiting.items()
            if number > self._number_in_flight(sensor_id)
            and (not all_of_it or sensor_id in busy or any(out.sensor_id == sensor_id for out in found))
        }

    def _number_in_flight(self, sensor_id: str) -> int:
        post = self._in_flight.get(sensor_id)
        return 0 if post is None else len(post.ids)

    def _send(self, out: Outgoing) -> None:
        lane = Lane(out.sensor_id, out.kind)
        try:
            topic = str(SensorTopic(self._gateway_id, *lane))
        except TopicError as error:
            self._set_aside_damaged(out.ids, error)
            return
        alone = 0 < self._refusals.get(lane, 0) < REFUSALS_OF_A_TOPIC
        ids, lines = out.ids[: 1 if alone else None], out.lines[: 1 if alone else None]
        while ids:
            try:
                batch = encode_batch(lines)
            except RecordError as error:
                self._set_aside(topic, ids[:1], str(error))
                ids, lines = ids[1:], lines[1:]
                continue
            self._publish(lane, topic, batch, ids[: batch.count])
            return

    def _publish(self, lane: Lane, topic: str, batch: Batch, ids: tuple[int, ...]) -> None:
        self._posts += 1
        post = _Post(self._posts, lane, topic, batch.payload, ids)
        self._in_flight[lane[0]] = post

        def work() -> None:
            error: Exception | None = None
            try:
                self._cloud.publish(post.topic, post.payload)
            except CloudError as found:
                error = found
            except Exception as found:  # the adapter's defect: told, and the record is tried again like any other
                log.critical("a fault in the way to the cloud, please report it", exc_info=found)
                error = found
            self._inbox.put(lambda: self._came_back(post, error))

        self._begin(work)

    def _came_back(self, post: _Post, error: Exception | None) -> None:
        sensor_id = post.lane[0]
        del self._in_flight[sensor_id]
        if sensor_id in self._stirred:
            self._stirred.discard(sensor_id)
            self._behind.add(sensor_id)
        if error is None:
            self._got_through(post)
        elif isinstance(error, CloudRefusedError):
            self._was_refused(post, error)
        else:
            self._failed(post, error)

    def _got_through(self, post: _Post) -> None:
        self._gone = False
        if self._cloud.keeps_acknowledged:
            self._outbox.settle(post.ids, Fate.KEPT)
        else:
            self._unproven.taken(post.ids)
        self._refusals.pop(post.lane, None)
        for lane, why in self._lanes.got_through(post.lane, self._clock.mono()):
            self._tell_stuck(lane, why)
        if self._failures:
            log.info("records get through to the cloud again")
        self._failures = self._failed_up_to = self._not_before = 0

    def _tell_stuck(self, lane: Lane, why: str) -> None:
        topic = str(SensorTopic(self._gateway_id, *lane))
        log.warning("%s does not get through while others do, and waits: %s", topic, why)
        self._report(Refused(topic, f"does not get through while others do, and waits: {why}", 1))

    def _failed(self, post: _Post, error: Exception) -> None:
        if isinstance(error, CloudGoneError) and not self._gone:
            self._gone = True
            self._outbox.send_again()  # before anything newer: what it had only in memory went with it
        self._unproven.broken()
        self._behind.add(post.lane[0])
        why = (
            str(error) if isinstance(error, CloudError) else f"a fault ({type(error).__name__})"
        )  # it may say anything
        was_expected = self._lanes.failed(post.lane, why, self._clock.mono())
        if post.number <= self._failed_up_to or (was_expected and not self._failures):
            self._not_before = max(self._not_before, self._clock.mono() + LEAST_WAIT_US)
            return
        if not self._failures:
            log.info("records do not get through to the cloud and wait: %s", error)
        self._failures, self._failed_up_to = self._failures + 1, self._posts
        longest = min(LONGEST_WAIT_US, LEAST_WAIT_US << min(self._failures, 10))
        self._not_before = self._clock.mono() + self._chance.randint(longest // 2, longest)

    def _was_refused(self, post: _Post, error: CloudRefusedError) -> None:
        """Whoever says no says it of this topic: that proves nothing about the way to the cloud."""
        number = self._refusals.get(post.lane, 0) + 1
        self._refusals[post.lane] = number
        if len(post.ids) == 1 or number > REFUSALS_OF_A_TOPIC:
            self._set_aside(post.topic, post.ids, str(error))
        self._rests[post.lane[0]] = self._clock.mono() + LEAST_WAIT_US
        if self._failures:
            self._not_before = self._clock.mono() + LEAST_WAIT_US
        self._behind.add(post.lane[0])

    def _set_aside(self, topic: str, ids: tuple[int, ...], why: str) -> None:
        self._outbox.settle(ids, Fate.ASIDE)
        self._report(Refused(topic, why, len(ids)))

    def _set_aside_damaged(self, ids: tuple[int, ...], error: TopicError) -> None:
        """Every name was good when it was put: the disk has changed it since."""
        why = f"{len(ids)} damaged records on the disk: {error}"
        log.warning("%s; they are set aside, all others go on", why)
        self._outbox.settle(ids, Fate.ASIDE)
        self._report(Refused(f"sensors/{self._gateway_id}", why, len(ids), "check the disk or card"))

    def _wake_up(self) -> None:
        self._woken = True
        self._stirred.update(self._in_flight)

    def _hope(self) -> None:
        self._woken = True
        if self._cloud.keeps_acknowledged:
            self._outbox.send_again()
        self._unproven.broken()
        soon = self._clock.mono() + LEAST_WAIT_US
        self._lanes.hope(soon)
        if self._failures:
            self._not_before = min(self._not_before, soon)


def _on_a_thread(work: Work) -> None:
    threading.Thread(target=work, name="uplink message", daemon=True).start()
