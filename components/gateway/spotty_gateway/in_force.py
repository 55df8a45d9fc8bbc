"""What is in force now: the sensors with their rules, changed while everything runs, all or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from spotty_contract.gateway import SensorWiring
from spotty_gateway.engine.events import Event, RoomConfigured, RoomRemoved
from spotty_gateway.engine.state import House
from spotty_gateway.residents import Resident, Residents

Watch = Callable[[Sequence[SensorWiring]], Mapping[str, str]]
"""Watches exactly these sensors' inputs; those that cannot be watched come back as `sensor/input`, with the reason."""


class RoomNames(Mapping[str, str]):
    """The rooms' names by sensor id, as they are at the moment; each look at them is whole."""

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names` to begin with."""
        self._now = dict(names)

    def __getitem__(self, sensor_id: str) -> str:
        return self._now[sensor_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now)

    def __len__(self) -> int:
        return len(self._now)

    def become(self, names: Mapping[str, str]) -> None:
        """These are the rooms from now on."""
        self._now = dict(names)


class InForce:
    """The one owner of which sensors there are. Read from any thread; `begin` and `change` are for one at a time."""

    def __init__(
        self,
        residents: Residents,
        watch: Watch,
        post: Callable[[Event | Callable[[House], None]], None],
        now: Callable[[], tuple[int, int, bool]],
        say: Callable[[str], None],
    ) -> None:
        """`post` hands an event to the loop, or what is to be done after all before it; `now` is as events have it."""
        self._watch = watch
        self._post = post
        self._now = now
        self._say = say
        self.sensors = residents.sensors
        self.timezone = residents.timezone
        self.version = residents.version
        self.names = RoomNames(_names(residents.sensors))
        self.refused: Mapping[str, str] = {}
        """The inputs that are not watched, and why."""

    def begin(self) -> None:
        """Watch what is known from the disk. An input that cannot be watched is told and changes nothing else."""
        self.refused = self._watch([one.wiring for one in self.sensors])
        for why in self.refused.values():
            self._say(why)
        inputs, rooms = sum(len(one.inputs) for one in self.sensors) - len(self.refused), len(self.sensors)
        self._say(f"watching {inputs} input{_s(inputs)} in {rooms} room{_s(rooms)}")

    def ids(self) -> tuple[str, ...]:
        """Of the sensors that there are."""
        return tuple(one.wiring.id for one in self.sensors)

    def sensor(self, sensor_id: str) -> Resident | None:
        """The sensor of this id."""
        return next((one for one in self.sensors if one.wiring.id == sensor_id), None)

    def settle(self, changed: Resident) -> None:
        """A sensor that is there has other rules."""
        self.sensors = tuple(changed if one.wiring.id == changed.wiring.id else one for one in self.sensors)
        self._configure([changed])

    def change(self, residents: Residents) -> Mapping[str, str]:
        """There are these sensors from now on; or, where an input that is new or changed cannot be watched, nothing is.

        Returns those inputs, as `sensor/input`, with the reason. An input that could not be watched before either and
        has not been changed keeps nothing from happening.
        """
        before, after = self.sensors, residents.sensors
        old = {one.wiring.id: one for one in before}
        self.names.become(_names(before) | _names(after))
        # Before the first level of a new input is told, for an unknown room has none.
        self._configure([one for one in after if _is_changed(one, old.get(one.wiring.id))])
        refused = self._watch([one.wiring for one in after])
        news = {name: why for name, why in refused.items() if name not in self.refused or _is_new(name, before, after)}
        if news:
            self._undo(before, after)
            return news
        for gone in old.keys() - {one.wiring.id for one in after}:
            self._post(RoomRemoved(*self._now(), gone))
        self.sensors, self.timezone, self.version = after, residents.timezone, residents.version
        self.refused = refused
        self._post(lambda _: self.names.become(_names(self.sensors)))  # the end of a session is told with its name
        return {}

    def _undo(self, before: Sequence[Resident], after: Sequence[Resident]) -> None:
        ids = {one.wiring.id for one in before}
        for one in after:
            if one.wiring.id not in ids:
                self._post(RoomRemoved(*self._now(), one.wiring.id))
        new = {one.wiring.id: one for one in after}
        self._configure([one for one in before if _is_changed(one, new.get(one.wiring.id))])
        self.refused = self._watch([one.wiring for one in before])
        self.names.become(_names(before))

    def _configure(self, sensors: Sequence[Resident]) -> None:
        for one in sensors:
            self._post(RoomConfigured(*self._now(), one.wiring.id, one.rules, one.inputs))


def _is_changed(one: Resident, before: Resident | None) -> bool:
    return before is None or (one.rules, one.inputs) != (before.rules, before.inputs)


def _is_new(name: str, before: Sequence[Resident], after: Sequence[Resident]) -> bool:
    """Whether this input is not wired as it was."""
    return _wired(name, before) != _wired(name, after)


def _wired(name: str, sensors: Sequence[Resident]) -> object:
    return next((wire for one in sensors for wire in one.wiring.inputs if f"{one.wiring.id}/{wire.id}" == name), None)


def _names(sensors: Sequence[Resident]) -> dict[str, str]:
    return {one.wiring.id: one.wiring.name for one in sensors}


def _s(number: int) -> str:
    return "" if number == 1 else "s"
