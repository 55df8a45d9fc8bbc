"""A flat whose gateway takes commands from the cloud: real loop, engine, player, store and simulated Spotify."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.gateway.flat import PATIENCE_S, Flat

from spotty_contract.commands import AUDIBLE_LASTS_MS
from spotty_contract.gateway import SensorWiring
from spotty_contract.records import ErrorRecord
from spotty_contract.results import CommandResult
from spotty_contract.topics import Kind
from spotty_gateway.account_deeds import AccountDeeds
from spotty_gateway.command_memory import CommandMemory
from spotty_gateway.consent import Consent
from spotty_gateway.in_force import InForce
from spotty_gateway.lookout import Lookout
from spotty_gateway.orders import Hands, Moment, Orders
from spotty_gateway.ports import Stamp
from spotty_gateway.replay.what_if import WhatIf
from spotty_gateway.room_deeds import RoomDeeds
from spotty_sandbox.rig import CLIENT_ID, Rig

THING = "spotty-home"


class Answers:
    """What is put to be sent, and a way to wait for it."""

    def __init__(self) -> None:
        self.results: list[CommandResult] = []
        self.errors: list[ErrorRecord] = []
        self._changed = threading.Condition()

    def put(self, kind: Kind, record: CommandResult | ErrorRecord, stamp: Stamp) -> None:
        """As the outbox does."""
        assert stamp.boot_id == "boot"
        with self._changed:
            if isinstance(record, CommandResult):
                assert kind is Kind.RESULTS
                self.results.append(CommandResult.from_json(record.to_json().encode()))
            else:
                assert kind is Kind.ERRORS
                self.errors.append(record)
            self._changed.notify_all()

    def wait_for(self, command_id: str, times: int = 1) -> CommandResult:
        """The last result of this command, when there are so many."""

        def found() -> list[CommandResult]:
            return [one for one in self.results if one.command_id == command_id]

        with self._changed:
            if not self._changed.wait_for(lambda: len(found()) >= times, PATIENCE_S):
                raise TimeoutError(f"{command_id} was not answered {times} times; there was: {self.results}")
            return found()[-1]


class Commanded:
    """Orders on a running rig. Another one on the same folder is the gateway started anew, as far as commands go."""

    def __init__(self, flat: Flat, rig: Rig, *, trusted: bool = True, up_s: float = 3_600.0) -> None:
        """`up_s` is how long the component has been up."""
        self.flat, self.rig = flat, rig
        self.trusted, self.up_s = trusted, up_s
        self.answers = Answers()
        self.restarts: list[str] = []
        self.number = 0
        gateway = rig.gateway
        loop = gateway._loop
        assert loop is not None
        self.in_force = InForce(gateway._residents, self._watch, loop.post, gateway._now, flat.heard.say)
        lookout = Lookout(loop.post)
        listen = loop._listener

        def both(*step: Any) -> None:  # noqa: ANN401 - a listener's own arguments
            listen(*step)
            lookout(*step)

        loop._listener = both
        tokens = flat.folder / "tokens.json"
        consent = Consent(CLIENT_ID, flat.simulator.accounts_url, tokens, now_s=lambda: self.now_ms() / 1000)
        self.what_if = WhatIf()
        self.memory = CommandMemory(flat.folder / "commands.json")
        hands = Hands(
            RoomDeeds(gateway._now, lookout),
            AccountDeeds(gateway._account_desk.answer, consent, tokens, self.now_ms),
            self.what_if,
            flat.folder / "history.db",
            gateway._store.flush,
            self._restart,
        )
        self.orders = Orders(THING, self.in_force, self.memory, self.answers, self._moment, hands)

    def now_ms(self) -> int:
        """UTC."""
        return self.flat.clock.now_ms()

    def order(self, command: str, sensor_id: str = "bath", *, age_s: float = 0, **fields: Any) -> CommandResult:  # noqa: ANN401 - JSON
        """Send it, `age_s` after it was issued, and wait for the result."""
        return self.answers.wait_for(self.send(command, sensor_id, age_s=age_s, **fields))

    def send(self, command: str, sensor_id: str = "bath", *, age_s: float = 0, **fields: Any) -> str:  # noqa: ANN401 - JSON
        """Send it; its id."""
        self.number += 1
        given = {"commandId": f"c{self.number}", **self.written(command, age_s), **fields}
        self.hear(given, sensor_id)
        return str(given["commandId"])

    def written(self, command: str, age_s: float = 0) -> dict[str, object]:
        """A command as the cloud writes it, without an id."""
        issued_at = self.now_ms() - round(age_s * 1000)
        return {"command": command, "issuedAt": issued_at, "expiresAt": issued_at + AUDIBLE_LASTS_MS}

    def hear(self, given: Mapping[str, object] | bytes, sensor_id: str = "bath") -> None:
        """What comes on `commands`."""
        self.orders.hear(sensor_id, given if isinstance(given, bytes) else json.dumps(given).encode())

    def close(self) -> None:
        """Stop what may be under way."""
        self.orders.close(PATIENCE_S)

    def _moment(self) -> Moment:
        return Moment(self.now_ms(), self.trusted, Stamp("boot", 0), self.up_s)

    def _restart(self) -> None:
        self.restarts.append((self.flat.folder / "commands.json").read_text())

    def _watch(self, sensors: Sequence[SensorWiring]) -> Mapping[str, str]:
        del sensors
        return {}


def kept_in(folder: Path) -> str:
    """All that is on the disk about commands."""
    path = folder / "commands.json"
    return path.read_text() if path.exists() else ""
