"""Consents to Spotify that run out, or that Spotify refuses: their owners are told, each stage once.

Every run looks at all days on which a consent may be near its end, so one that failed is made up for by the next.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.consent import day_of
from spotty_cloud.scheduled.letters import ended_letter, ending_letter, refused_letter
from spotty_cloud.scheduled.mail import Letter, Mail
from spotty_cloud.scheduled.run import Run
from spotty_cloud.store import Store
from spotty_cloud.tables import Item, Query

LOG = logging.getLogger(__name__)

STAGES_DAYS = (0, 1, 7, 30)
"""How long before the end people are told."""

_BEHIND_DAYS = 7
"""Runs that may fail before a consent that has ended is forgotten; a gateway that lives says so daily."""
_AT_ONCE = 100
_MOST = 1_000_000
"""No bound of its own: the time is."""


@dataclass(frozen=True, slots=True)
class Due:
    """What an owner has to hear, and the mark that it leaves."""

    mark: tuple[str, str]
    letter: Callable[[ZoneInfo], Letter]


@dataclass(frozen=True, slots=True)
class TokenHealth:
    """One run at `now_ms`, the most urgent first."""

    store: Store
    mail: Mail
    now_ms: int
    has_time: Callable[[], bool]

    def run(self) -> Run:
        """Tell while there is time. What AWS refuses for one gateway keeps no other one waiting."""
        done = Run()
        today = datetime.fromtimestamp(self.now_ms / 1000, UTC).date()
        for left_days in range(-_BEHIND_DAYS, STAGES_DAYS[-1] + 1):
            query = _due_on((today + timedelta(days=left_days)).isoformat())
            for some in _hundreds(one["gatewayId"] for one in self.store.gateways.all(query, _MOST)):
                self._see_to(some, done)
                if not done.complete:
                    return done
        return done

    def _see_to(self, gateway_ids: list[str], done: Run) -> None:
        due: list[tuple[Item, Due]] = []
        for gateway in self.store.gateways.get_many(gateway_ids):
            found = due_of(gateway, self.now_ms)
            if found is not None and "userId" in gateway:
                due.append((gateway, found))
        readers = self.mail.readers(gateway["userId"] for gateway, _ in due)
        for gateway, found in due:
            reader = readers.get(gateway["userId"])
            if not self.has_time():
                done.complete = False
                return
            done.gateways += 1
            if reader is None:
                continue
            try:
                done.told += self.mail.tell_once(gateway, found.mark, reader, found.letter(reader.zone))
            except (ClientError, BotoCoreError):
                LOG.exception("an owner could not be told of a consent", extra={"gateway": gateway["gatewayId"]})
                done.failed += 1


def due_of(gateway: Item, now_ms: int) -> Due | None:
    """What is to be told of its consent, if it was not told already. Pure.

    A stage is told once a consent, a refusal too: the gateway asks again now and then, and is refused again.
    """
    consent = gateway.get("status", {}).get("consent", {})
    if consent.get("state") == "refused":
        found = Due(("refusalTold", str(consent.get("givenAt"))), lambda _zone: refused_letter(gateway))
    elif consent.get("state") in {"given", "lapsed"} and "endsAt" in consent:
        stage = _ending(gateway, consent["endsAt"], now_ms)
        if stage is None:
            return None
        found = stage
    else:
        return None
    name, mark = found.mark
    return None if gateway.get(name) == mark else found


def _ending(gateway: Item, ends_at: int, now_ms: int) -> Due | None:
    last_day = day_of(ends_at)
    left_days = (datetime.fromisoformat(last_day) - datetime.fromisoformat(day_of(now_ms))).days
    stage = next((days for days in STAGES_DAYS if left_days <= days), None)
    match stage:
        case None:
            return None
        case 0:
            return Due(("consentTold", f"{last_day}#0"), lambda zone: ended_letter(gateway, ends_at, now_ms, zone))
    mark = ("consentTold", f"{last_day}#{stage}")
    return Due(mark, lambda zone: ending_letter(gateway, ends_at, left_days, zone))


def _due_on(day: str) -> Query:
    return Query("ConsentIndex", ("consentDueDay", day), "gatewayId")


def _hundreds(ids: Iterable[str]) -> Iterator[list[str]]:
    left = iter(ids)
    while some := list(islice(left, _AT_ONCE)):
        yield some
