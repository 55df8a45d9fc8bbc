"""The checks on one gateway, put together: what is probed, and which judgement it is put before."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from spotty_contract.policy import Policy
from spotty_gateway.account_memory import AccountMemoryError
from spotty_gateway.cli.alone import guard_of, player_of
from spotty_gateway.clock import SystemClock
from spotty_gateway.devices import from_json, uses_of
from spotty_gateway.doctor import account, computer, probes, wires
from spotty_gateway.doctor.examination import Check
from spotty_gateway.doctor.finding import Finding
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.errors import PlayerError
from spotty_gateway.local import Answer, LocalError, NobodyAnswersError, ask
from spotty_gateway.ports import SeenDevice
from spotty_gateway.registering.place import private_keys
from spotty_gateway.residents import Residents, read_residents
from spotty_gateway.settings import Settings
from spotty_gateway.store import AccountUnreadableError, account_in, unsound
from spotty_hardware.inputs import InputKind, InputSpec

HEALTH_WITHIN_S, DEVICES_WITHIN_S, DATABASE_WITHIN_S = 3.0, 9.0, 6.0

NUCLEUS = "AWS_GG_NUCLEUS_DOMAIN_SOCKET_FILEPATH_FOR_COMPONENT"
DATABASES = ("state.db", "history.db")


@dataclass(slots=True)
class Checkup:
    """One gateway. `named` is the settings file, None where only its data folder is known."""

    settings: Settings
    named: Path | None
    setting_faults: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _health: Answer | None = None
    _silence: str | None = None
    _residents: Residents = field(default_factory=lambda: Residents((), ()))

    def begin(self) -> dict[str, Check]:
        """Ask the gateway how it is, if it runs; the checks that can be made then, each on any thread."""
        self._residents = read_residents(self.settings.policies)
        try:
            self._health = ask(self.settings.socket, {"do": "health"}, HEALTH_WITHIN_S)
            if self.named is None:
                self.settings = Settings.model_validate(self._health["settings"])
        except NobodyAnswersError:
            self._health = None
        except LocalError as error:
            self._silence = str(error)
        return {
            "settings": self._settings,
            "gateway": lambda: [wires.gateway(self._health is not None, self._silence)],
            "wiring": self._wiring,
            "pins": self._pins,
            "rights": self._rights,
            "clock": self._clock,
            "disk": self._disk,
            "databases": self._databases,
            "greengrass": self._greengrass,
            "network": self._network,
            "spotify": self._spotify,
            "consent": lambda: [account.consent(probes.consent(self.settings.tokens), self._now())],
            "guard": lambda: [account.guard(self._guard(), self._now())],
            "devices": self._devices,
        }

    def _now(self) -> datetime:
        return datetime.now(ZoneInfo(self._zone()))

    def _zone(self) -> str:
        zones = [str(one.rules.zone) for one in self._residents.sensors]
        return zones[0] if zones else "UTC"

    def _settings(self) -> list[Finding]:
        where = "those of the running gateway" if self.named is None and self._health is not None else None
        where = str(self.named) if self.named is not None else where
        return wires.settings(where, self.setting_faults, self.settings.spotify_client_id)

    def _wiring(self) -> list[Finding]:
        return wires.wiring(self._residents.faults, len(self._residents.sensors), len(self._specs()))

    def _specs(self) -> list[InputSpec]:
        return [
            InputSpec(f"{one.wiring.id}/{wire.id}", InputKind(wire.kind), wire.pin, wire.active_high, wire.pull)
            for one in self._residents.sensors
            for wire in one.wiring.inputs
        ]

    def _pins(self) -> list[Finding]:
        kind, specs = self.settings.pin_factory, self._specs()
        if self._health is not None:
            lines = [line.rpartition("; ") for line in self._health["refusedInputs"]]
            refused = [wires.PinTrouble(problem, cure) for problem, _, cure in lines]
            return [wires.factory(kind, None, in_use=True), *wires.inputs(refused, len(specs))]
        denied = wires.chips(probes.denied_chips(), probes.user_name(os.geteuid())) if kind != "mock" else []
        if denied:
            return denied
        trouble, refused = probes.pins(kind, specs)
        found = [wires.factory(kind, trouble, in_use=False)]
        return found if trouble is not None else [*found, *wires.inputs(refused, len(specs))]

    def _rights(self) -> list[Finding]:
        folder = self.settings.data_dir
        return [*computer.folder(probes.folder(folder), folder), *computer.keys(probes.exposed(private_keys()))]

    def _clock(self) -> list[Finding]:
        assumed = self.settings.clock == "assume_trusted"
        own = SystemClock(assume_trusted=assumed).trusted()
        trusted = own if self._health is None else bool(self._health["clockTrusted"])
        has_quiet_hours = any(one.rules.quiet_windows for one in self._residents.sensors)
        return computer.clock(
            self._now(), self._zone(), trusted=trusted, assumed=assumed, has_quiet_hours=has_quiet_hours
        )

    def _disk(self) -> list[Finding]:
        there = next(path for path in (self.settings.data_dir, *self.settings.data_dir.parents) if path.exists())
        free_bytes, read_only = probes.free_bytes(there)
        return [computer.disk(there, free_bytes, read_only=read_only)]

    def _databases(self) -> list[Finding]:
        paths = [path for name in DATABASES if (path := self.settings.data_dir / name).exists()]
        troubles = self._health["disk"] if self._health is not None else []
        return computer.databases({path.name: unsound(path, DATABASE_WITHIN_S) for path in paths}, troubles)

    def _greengrass(self) -> list[Finding]:
        path = self.environment.get(NUCLEUS)
        return [computer.ipc(path, None if path is None else probes.connects(path))]

    def _network(self) -> list[Finding]:
        host, wrong, has_name = probes.network(self.settings.spotify_api_url)
        return [account.network(host, wrong, has_name=has_name)]

    def _spotify(self) -> list[Finding]:
        found, wrong, is_tls = probes.reach(self.settings.spotify_api_url)
        return [account.reach(found, wrong, is_tls=is_tls)]

    def _guard(self) -> account.GuardFacts | None:
        if self._health is not None:
            told: dict[str, Any] = self._health["guard"]
            return account.GuardFacts(told["opensInS"], told["musicInS"], told["calls"], told["limit"])
        if self._silence is not None or not self.settings.data_dir.exists():
            return None
        try:
            seen = guard_of(self.settings)
        except (AccountUnreadableError, AccountMemoryError):
            return None
        return account.GuardFacts(seen.opens_in_us / SECOND, seen.music_in_us / SECOND, seen.calls, seen.limit)

    def _devices(self) -> list[Finding]:
        try:
            seen = self._seen()
        except (LocalError, PlayerError) as error:
            return [account.unlisted(str(error))]
        names = [one.device.name for one in seen if not one.is_restricted]
        return [account.room(use, self._policy(use.sensor_id), names) for use in uses_of(self._residents.sensors, seen)]

    def _seen(self) -> list[SeenDevice]:
        if self._health is not None:
            return from_json(ask(self.settings.socket, {"do": "devices"}, DEVICES_WITHIN_S)["devices"])
        if self.named is None:
            raise NobodyAnswersError("no gateway runs, and its settings were not named with --settings")
        self._check_ledger()
        with player_of(self.settings, "spotty doctor", lambda _: None) as player:
            return player.devices()

    def _check_ledger(self) -> None:
        """A call is made where it can be counted without a file being made, or made anew. Raises LocalError."""
        path = self.settings.data_dir / "state.db"
        if not path.exists():
            raise LocalError("no gateway has run here yet, so the call could not be counted")
        wrong = unsound(path, DATABASE_WITHIN_S)
        try:
            account_in(path)
        except AccountUnreadableError as error:
            wrong = wrong or str(error)
        if wrong is not None:
            raise LocalError(f"state.db is damaged, so the call could not be counted: {wrong}")

    def _policy(self, sensor_id: str) -> Policy:
        try:
            return Policy.from_json(probes.policy_bytes(self.settings.policies / f"sensor-{sensor_id}.json"))
        except ValidationError:  # told under wiring
            return Policy()
