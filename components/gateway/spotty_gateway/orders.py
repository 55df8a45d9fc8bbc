"""Commands from the cloud: each is read, judged, carried out once and answered, whatever happens to it.

`hear` returns at once; every command has a thread of its own for the seconds that it takes.
"""

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from spotty_contract.commands import (
    Command,
    ConnectSpotify,
    DisconnectSpotify,
    ListDevices,
    Refusal,
    Restart,
    WhatIf,
    read_command,
    why_not_now,
)
from spotty_contract.records import ErrorRecord
from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind
from spotty_gateway.account_deeds import AccountDeeds
from spotty_gateway.command_memory import Answer, CommandMemory
from spotty_gateway.in_force import InForce
from spotty_gateway.ports import Stamp
from spotty_gateway.replay.what_if import Question, WhatIfBusyError, WhatIfError
from spotty_gateway.replay.what_if import WhatIf as WhatIfDesk
from spotty_gateway.residents import Resident
from spotty_gateway.room_deeds import RoomDeeds
from spotty_gateway.upshot import Upshot, done, failed, refused

log = logging.getLogger(__name__)

MOST_AT_ONCE = 8
"""So many commands may be under way: more than a house full of people asks for, and no load."""

RESTART_AFTER_S = 1_200.0
"""Nucleus lite starts a component three times an hour and then lets it be."""

ERROR_EVERY_S = 60.0
"""What cannot be read at all is told at most so often, with its number."""

FLUSH_S = 2.0
DAY_MS = 86_400_000

REMEMBERED_MS = 3_600_000
"""A broker keeps nothing longer for us. What claims to last until another century must not be remembered as long."""

FROM_THE_FUTURE = "the clock of whoever sent it is ahead of the gateway's: set one of the two right"
WORDS = {
    "expired": "it came too late to be carried out",
    "clock_untrusted": "the gateway does not know the time yet, so it cannot know whether this is still wanted",
}


class Results(Protocol):
    """Where records are put to be sent (ports.Records)."""

    def put(self, kind: Kind, record: CommandResult | ErrorRecord, stamp: Stamp) -> None:
        """Send it some time; returns at once."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The gateway's clock at one instant."""

    now_ms: int
    trusted: bool
    stamp: Stamp
    up_s: float
    """Since the component was started."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who carries out what."""

    rooms: RoomDeeds
    account: AccountDeeds
    what_if: WhatIfDesk
    history: Path
    """Where the store keeps the inputs' reports."""
    flush: Callable[[float], bool]
    """Makes durable what waits to be."""
    restart: Callable[[], None]
    """Ends the component in order, so that it is started anew. Returns at once."""


class Orders:
    """Takes commands from one thread, carries them out on others."""

    def __init__(
        self,
        gateway_id: str,
        in_force: InForce,
        memory: CommandMemory,
        results: Results,
        clock: Callable[[], Moment],
        hands: Hands,
    ) -> None:
        """`memory` knows the commands of the last run too."""
        self._gateway_id = gateway_id
        self._in_force = in_force
        self._memory = memory
        self._results = results
        self._clock = clock
        self._hands = hands
        self._lock = threading.Lock()
        self._under_way: dict[str, threading.Thread] = {}
        self._is_closed = False
        self._error_at_s: float | None = None
        self._errors = 0

    def hear(self, sensor_id: str, payload: bytes) -> None:
        """A command has come for this sensor, or for `gateway`."""
        found = read_command(payload, sensor_id)
        if found.command_id is None:
            self._tell_unreadable(sensor_id, found.detail)
            return
        with self._lock:
            before = self._memory.result_of(found.command_id)
            is_under_way = found.command_id in self._under_way
            if self._is_closed or (before is None and is_under_way):
                return  # it comes again; or its answer is still to come
        if before is not None:
            self._put(CommandResult.from_json(before.encode()))
        elif isinstance(found, Refusal):
            self._put(self._result(found, sensor_id, refused(found.reason, found.detail)))
        else:
            self._consider(found, sensor_id)

    def close(self, timeout_s: float) -> None:
        """Begin nothing more; what hangs is left behind."""
        with self._lock:
            self._is_closed = True
        self._hands.what_if.close()
        with self._lock:
            threads = list(self._under_way.values())
        for thread in threads:
            thread.join(timeout_s / len(threads))

    def _consider(self, command: Command, sensor_id: str) -> None:
        """Begin it, or refuse it. What is refused alike each time is not remembered: it would crowd out the rest."""
        now = self._clock()
        reason = why_not_now(command, now.now_ms, clock_trusted=now.trusted)
        if reason == "expired" and now.now_ms >= command.expires_at:
            self._put(self._result(command, sensor_id, refused(reason, WORDS[reason])))
        elif reason is not None:
            words = FROM_THE_FUTURE if reason == "expired" else WORDS[reason]
            self._finish(command, sensor_id, refused(reason, words))
        elif not self._has_room():
            forgets = "more commands came than can be remembered: try again in ten minutes"
            self._put(self._result(command, sensor_id, refused("busy", forgets)))
        elif (no := self._why_not(command, now)) is not None:
            self._finish(command, sensor_id, no)
        else:
            self._begin(command, sensor_id)

    def _has_room(self) -> bool:
        with self._lock:
            return self._memory.has_room(self._known_ms())

    def _known_ms(self) -> int | None:
        now = self._clock()
        return now.now_ms if now.trusted else None

    def _why_not(self, command: Command, now: Moment) -> Upshot | None:
        with self._lock:
            if len(self._under_way) >= MOST_AT_ONCE:
                return refused("busy", f"{MOST_AT_ONCE} commands are being carried out: try again in a moment")
        if isinstance(command, Restart) and now.up_s < RESTART_AFTER_S:
            minutes = round((RESTART_AFTER_S - now.up_s) / 60) + 1
            return refused("restarted_lately", f"it was started not long ago: try again in {minutes} min")
        return None

    def _begin(self, command: Command, sensor_id: str) -> None:
        thread = threading.Thread(
            target=self._carry_out, args=(command, sensor_id), name=f"order-{command.command}", daemon=True
        )
        with self._lock:
            if self._is_closed:
                return
            self._under_way[command.command_id] = thread
            thread.start()  # before anybody may want to wait for its end

    def _carry_out(self, command: Command, sensor_id: str) -> None:
        try:
            upshot = self._do(command, sensor_id)
        except Exception as error:  # whoever has asked waits for an answer
            log.critical("a fault in the gateway itself, please report it", exc_info=error)
            upshot = failed("fault", f"a fault in the gateway: {type(error).__name__}")
        is_durable = self._finish(command, sensor_id, upshot)
        if isinstance(command, Restart) and is_durable:
            self._hands.flush(FLUSH_S)  # the answer is to be sent, now or after the start
            self._hands.restart()
        with self._lock:
            del self._under_way[command.command_id]

    def _do(self, command: Command, sensor_id: str) -> Upshot:
        hands, resident = self._hands, self._in_force.sensor(sensor_id)
        match command:
            case ListDevices() | ConnectSpotify() | DisconnectSpotify():
                return hands.account.do(command, self._in_force.sensors)
            case Restart():
                return done("it is started anew")
        if resident is None:
            there = ", ".join(self._in_force.ids()) or "none"
            return refused("no_such_sensor", f"there is no such sensor; there are: {there}")
        if isinstance(command, WhatIf):
            return self._what_if(command, resident)
        return hands.rooms.do(command, resident, self._in_force.timezone)

    def _what_if(self, command: WhatIf, resident: Resident) -> Upshot:
        until = self._clock().now_ms
        question = Question(
            self._hands.history,
            resident.wiring.id,
            self._in_force.timezone,
            max(0, until - command.days * DAY_MS),
            until,
            resident.policy,
            command.policy,
        )
        try:
            return Upshot("done", what_if=self._hands.what_if.answer(question))
        except WhatIfBusyError as error:
            return refused("busy", str(error))
        except WhatIfError as error:
            return failed("not_reckoned", str(error))

    def _finish(self, command: Command, sensor_id: str, upshot: Upshot) -> bool:
        """Remember the answer, then give it. False where it would be forgotten by a restart."""
        result = self._result(command, sensor_id, upshot)
        after = None
        if not upshot.is_lasting:
            gone = failed("restarted", "the gateway was restarted since: ask again with a new command")
            after = self._result(command, sensor_id, gone).to_json()
        now_ms = self._known_ms()
        until_ms = command.expires_at if now_ms is None else min(command.expires_at, now_ms + REMEMBERED_MS)
        is_durable = True
        with self._lock:
            try:
                self._memory.remember(result.command_id, Answer(result.to_json(), until_ms, after), now_ms)
            except OSError as error:
                log.warning("that a command was answered cannot be kept: %s", error.strerror)
                is_durable = False
        if isinstance(command, Restart) and upshot.outcome == "done" and not is_durable:
            # Begun anew without that memory, it would be asked to again.
            result = self._result(command, sensor_id, failed("disk", "the disk takes nothing: make room on it first"))
        self._put(result)
        return is_durable

    def _result(self, found: Command | Refusal, sensor_id: str, upshot: Upshot) -> CommandResult:
        now = self._clock()
        return CommandResult(
            gateway_id=self._gateway_id,
            sensor_id=sensor_id,
            clock_trusted=now.trusted,
            command_id=found.command_id or "",
            command=found.command or "unknown",
            timestamp=now.now_ms,
            outcome=upshot.outcome,
            reason=upshot.reason,
            detail=upshot.detail,
            devices=upshot.devices,
            connect=upshot.connect,
            what_if=upshot.what_if,
        )

    def _put(self, result: CommandResult) -> None:
        self._results.put(Kind.RESULTS, result, self._clock().stamp)

    def _tell_unreadable(self, sensor_id: str, detail: str) -> None:
        now = self._clock()
        self._errors += 1
        if self._error_at_s is not None and now.up_s < self._error_at_s + ERROR_EVERY_S:
            return
        self._error_at_s, count, self._errors = now.up_s, self._errors, 0
        record = ErrorRecord(
            gateway_id=self._gateway_id,
            sensor_id=sensor_id,
            clock_trusted=now.trusted,
            event_id=f"{sensor_id}-command-{secrets.token_hex(8)}",
            timestamp=now.now_ms,
            fault="unreadable_command",
            subject="commands",
            detail=detail,
            cure="look at what sends commands to this gateway",
            count=count,
        )
        self._results.put(Kind.ERRORS, record, now.stamp)
