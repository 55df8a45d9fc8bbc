"""Policies from the cloud, through named shadows: taken once, in order, all or nothing, and answered.

Nothing is trusted to come in order, once, or at all: `get` brings what was missed, and shows whether our answer has
arrived. What becomes of a version that is news is policy_taking.py's.

For one thread, which must not be the loop's: disk and network are waited for here.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import inf

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.shadow import (
    Desired,
    Reported,
    ShadowError,
    encode_get,
    encode_reported,
    read_delta,
    read_desired,
    read_rejected,
    read_reported,
)
from spotty_contract.topics import ShadowAction, ShadowTopic
from spotty_gateway.errors import CloudError, CloudRefusedError
from spotty_gateway.policy_taking import PolicyTaker
from spotty_gateway.ports import Cloud

ASK_EVERY_S = 3_600.0
JITTER_SHARE = 0.1
"""So much earlier or later, by chance: many gateways come up together after an outage."""

SETTLE_S = 1.0
"""A subscription may be told as made before the broker has it."""

ANSWERED_WITHIN_S = (5.0, 20.0, 60.0)
"""How long an answer is waited for before a `get` is repeated; after the last one, until the hour is over."""

MISSED_EVERY_S = 30.0
"""Whatever may have been missed, and however often: nothing is asked for again sooner after it was."""

OFFLINE_S = (15.0, 60.0, 300.0)
"""Waits after failures one upon the other, where nobody tells us sooner that the cloud is there again."""

NO_SUCH_SHADOW = 404
MOST_TOLD = 100
"""Troubles that are remembered as told."""


@dataclass(slots=True)
class _Talk:
    """What is to be said about one shadow."""

    ask_at: float
    tries: int = 0
    asked_at: float = -inf
    """When a `get` left last."""
    is_asked: bool = False
    """A `get` is on its way, and no version has been answered since: its answer is not from before that."""
    report: Reported | None = None


class PolicySync:
    """Call `hear` with what comes, and `look` whenever `due_at` is over."""

    def __init__(
        self,
        gateway_id: str,
        cloud: Cloud,
        taker: PolicyTaker,
        sensors: Callable[[], Iterable[str]],
        say: Callable[[str], None],
        now_s: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        """`sensors` are the ids in force, `now_s` is monotonic, `chance` a number from 0 to 1.

        `say` is told what a person would want to know.
        """
        self._gateway_id = gateway_id
        self._cloud = cloud
        self._taker = taker
        self._sensors = sensors
        self._say = say
        self._now_s = now_s
        self._chance = chance
        self._failures = 0
        self._not_before = -inf
        self._told: set[str] = set()
        first_at = now_s() + SETTLE_S
        self._talks = {of: _Talk(first_at) for of in (RESERVED_SENSOR_ID, *sensors())}

    def due_at(self) -> float:
        """When to `look` next."""
        return max(self._not_before, min(-inf if one.report else one.ask_at for one in self._talks.values()))

    def ask_all(self) -> None:
        """Something may have been missed: the subscriptions stand anew, or the cloud is there again."""
        self._not_before = -inf
        for talk in self._talks.values():
            soon = max(self._now_s() + SETTLE_S, talk.asked_at + MISSED_EVERY_S)
            talk.ask_at, talk.tries = min(talk.ask_at, soon), 0

    def look(self) -> None:
        """Send what is due: answers first, then questions. Where one does not get through, none does."""
        if self._now_s() < self._not_before:
            return
        for of, talk in self._talks.items():
            if talk.report is not None and not self._report(of, talk, talk.report):
                return
        for of, talk in self._talks.items():
            if talk.ask_at <= self._now_s() and not self._ask(of, talk):
                return

    def hear(self, topic: ShadowTopic, payload: bytes) -> None:
        """A message about a shadow has come."""
        talk = self._talks.get(topic.sensor_id)
        if talk is None:
            return  # of a sensor that we do not have, or not yet: when we have it, we ask
        try:
            match topic.action:
                case ShadowAction.UPDATE_DELTA:
                    self._consider(topic.sensor_id, talk, read_delta(payload))
                case ShadowAction.GET_ACCEPTED:
                    self._document(topic.sensor_id, talk, payload)
                case ShadowAction.GET_REJECTED:
                    self._not_given(topic.sensor_id, talk, payload)
                case ShadowAction.UPDATE_REJECTED:
                    refused = read_rejected(payload)
                    self._say_once(f"the cloud did not take what we report on {topic.sensor_id}: {refused.message}")
        except ShadowError as error:
            self._unreadable(topic.sensor_id, talk, error)

    # What comes.

    def _document(self, of: str, talk: _Talk, payload: bytes) -> None:
        is_current, talk.is_asked = talk.is_asked, False
        self._heard(talk)
        desired = read_desired(payload)
        self._consider(of, talk, desired)
        answered = self._taker.answered(of)
        if is_current and desired is not None and answered is not None and desired.v == answered.v:
            talk.report = talk.report or _lost(payload, answered)

    def _not_given(self, of: str, talk: _Talk, payload: bytes) -> None:
        is_current, talk.is_asked = talk.is_asked, False
        refused = read_rejected(payload)
        if refused.code != NO_SUCH_SHADOW:
            self._say_once(f"the cloud did not give us the policy of {of}: {refused.message}")
            return
        self._heard(talk)
        if is_current:  # whatever is made anew may count from one
            self._taker.forget(of)

    def _heard(self, talk: _Talk) -> None:
        talk.tries = 0
        talk.ask_at = self._now_s() + ASK_EVERY_S * (1 + JITTER_SHARE * (2 * self._chance() - 1))

    def _unreadable(self, of: str, talk: _Talk, error: ShadowError) -> None:
        reported = self._taker.refuse(of, error)
        if reported is None:
            self._say_once(f"what the cloud says of {of} cannot be read: {error}")
        self._answer(of, talk, reported)

    def _consider(self, of: str, talk: _Talk, desired: Desired | None) -> None:
        if desired is not None:
            self._answer(of, talk, self._taker.take(of, desired))

    def _answer(self, of: str, talk: _Talk, reported: Reported | None) -> None:
        if reported is None:
            return
        talk.report, talk.is_asked = reported, False
        if of == RESERVED_SENSOR_ID:
            ids = (RESERVED_SENSOR_ID, *self._sensors())
            self._talks = {one: self._talks.get(one) or _Talk(self._now_s()) for one in ids}

    # What we say.

    def _report(self, of: str, talk: _Talk, report: Reported) -> bool:
        if not self._publish(of, ShadowAction.UPDATE, encode_reported(report)):
            return False
        talk.report = None
        return True

    def _ask(self, of: str, talk: _Talk) -> bool:
        if not self._publish(of, ShadowAction.GET, encode_get()):
            return False
        talk.is_asked, talk.asked_at = True, self._now_s()
        wait_s = ANSWERED_WITHIN_S[talk.tries] if talk.tries < len(ANSWERED_WITHIN_S) else ASK_EVERY_S
        talk.tries += 1
        talk.ask_at = self._now_s() + wait_s * (1 + JITTER_SHARE * self._chance())
        return True

    def _publish(self, of: str, action: ShadowAction, payload: bytes) -> bool:
        """Whether it is worth to go on: not where nothing gets through."""
        try:
            self._cloud.publish(str(ShadowTopic(self._gateway_id, of, action)), payload)
        except CloudRefusedError as error:
            self._say_once(f"{error}")
        except CloudError:
            wait_s = OFFLINE_S[min(self._failures, len(OFFLINE_S) - 1)]
            self._failures += 1
            self._not_before = self._now_s() + wait_s * (1 + JITTER_SHARE * self._chance())
            return False
        if self._failures:
            self._failures = 0
            self.ask_all()
        return True

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            if len(self._told) == MOST_TOLD:
                self._told.clear()
            self._told.add(line)
            self._say(line)


def _lost(payload: bytes, answered: Reported) -> Reported | None:
    """Our answer, where the cloud has another one."""
    try:
        found = read_reported(payload)
    except ShadowError:
        found = None
    has_arrived = found is not None and (found.v, found.outcome) == (answered.v, answered.outcome)
    return None if has_arrived else answered
