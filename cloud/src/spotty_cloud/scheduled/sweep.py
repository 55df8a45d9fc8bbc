"""Gateways that have gone silent: what they left open is closed, and their owners are told.

A gateway stays in SilentIndex until all of that is done, so a run that breaks off is taken up by the next one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from spotty_cloud.scheduled.letters import silence_letter
from spotty_cloud.scheduled.mail import Mail
from spotty_cloud.scheduled.run import Run
from spotty_cloud.store import Store
from spotty_cloud.tables import Change, Item, Query, StaleError, apply

LOG = logging.getLogger(__name__)

SILENT_AFTER_MS = 900_000
"""A gateway speaks every five minutes: three times it has said nothing."""
PARTITIONS = tuple(f"online#{number}" for number in range(8))

_MOST_OPEN = 200
"""Sessions of one gateway that one run closes. It has 16 rooms, each with one at a time: one that has left thousands
open, whatever it is, is seen to bit by bit, and keeps no other one waiting."""
_MINUTE_MS = 60_000
_MOST = 1_000_000
"""No bound of its own: the time is."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """One run over what is silent at `now_ms`, the longest silent first."""

    store: Store
    mail: Mail
    now_ms: int
    has_time: Callable[[], bool]

    def run(self) -> Run:
        """See to them while there is time. What AWS refuses for one gateway keeps no other one waiting."""
        done = Run()
        first = self.now_ms // _MINUTE_MS % len(PARTITIONS)  # each has its turn at being first
        for partition in PARTITIONS[first:] + PARTITIONS[:first]:
            for found in self.store.gateways.all(_silent(partition, self.now_ms - SILENT_AFTER_MS), _MOST):
                if not self.has_time():
                    done.complete = False
                    return done
                try:
                    self._see_to(found, done)
                except (ClientError, BotoCoreError):
                    LOG.exception("a silent gateway could not be seen to", extra={"gateway": found["gatewayId"]})
                    done.failed += 1
        return done

    def _see_to(self, found: Item, done: Run) -> None:
        """The index lags behind: what counts is the gateway as it is."""
        gateway = self.store.gateways.get(found["gatewayId"])
        if gateway is None or "online" not in gateway or gateway["lastSeenAt"] > self.now_ms - SILENT_AFTER_MS:
            return
        try:
            if not self._close_sessions(gateway, done):
                done.complete = False
                return
            done.told += self._tell(gateway)
            apply(Change(self.store.gateways, gateway["gatewayId"], {"online": None}, _same_silence(gateway)))
        except StaleError:
            LOG.info("a gateway came back while it was looked after", extra={"gateway": gateway["gatewayId"]})
            return
        done.gateways += 1

    def _close_sessions(self, gateway: Item, done: Run) -> bool:
        """Close what is open, each only while the gateway is still silent. False where more may be left.

        Raises StaleError where the gateway is back.
        """
        for number, found in enumerate(self.store.sessions.all(_open(gateway["gatewayId"]), _MOST_OPEN + 1)):
            if number == _MOST_OPEN or not self.has_time():
                return False
            session = self.store.sessions.get(found["sessionId"])
            if session is not None and _is_open(session, gateway["gatewayId"]):
                done.sessions += self._close(gateway, session)
        return True

    def _close(self, gateway: Item, session: Item) -> bool:
        """Its number stays, so whatever the gateway says of it later holds. False where it has just ended by itself."""
        gateway_id = gateway["gatewayId"]
        ended_at = max(gateway["lastSeenAt"], session["startTime"], session.get("lastMotionTime", 0))
        lost = {"endedBy": "gateway_lost", "endTime": ended_at, "status": "ended", "openGatewayId": None}
        try:
            apply(
                Change(self.store.sessions, session["sessionId"], lost, {"openGatewayId": gateway_id}),
                Change(self.store.gateways, gateway_id, {}, _same_silence(gateway)),
            )
        except StaleError:
            if _is_open(self.store.sessions.get(session["sessionId"]), gateway_id):
                raise  # so it is the gateway, or somebody writes just now
            return False
        return True

    def _tell(self, gateway: Item) -> bool:
        user_id, seen_at = gateway.get("userId"), gateway["lastSeenAt"]
        if seen_at < gateway.get("silenceToldAt", -SILENT_AFTER_MS) + SILENT_AFTER_MS:
            return False  # a word from before that came late: the silence is the one that was told
        reader = self.mail.readers([user_id]).get(user_id) if user_id is not None else None
        if reader is None:
            return False
        letter = silence_letter(gateway, seen_at, reader.zone)
        return self.mail.tell_once(gateway, ("silenceToldAt", seen_at), reader, letter, still=("lastSeenAt",))


def _silent(partition: str, until_ms: int) -> Query:
    return Query("SilentIndex", ("online", partition), "lastSeenAt", until=until_ms)


def _open(gateway_id: str) -> Query:
    return Query("OpenIndex", ("openGatewayId", gateway_id), "startTime")


def _is_open(session: Item | None, gateway_id: str) -> bool:
    return session is not None and session.get("openGatewayId") == gateway_id


def _same_silence(gateway: Item) -> dict[str, object]:
    return {name: gateway.get(name) for name in ("online", "lastSeenAt")}
