"""What the demo can play: the ordinary day, one visit, or a recorded log."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from shutil import copyfileobj
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from spotty_contract.policy import Policy
from spotty_contract.wire import faults_of
from spotty_gateway.engine.quiet_hours import EPOCH, MICROSECOND
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.replay.judge import Past
from spotty_gateway.replay.log import BadLogError, Edge, Tally, open_text, read_csv
from spotty_gateway.replay.rewindable import STDIN, rewindable
from spotty_gateway.replay.source import replay
from spotty_gateway.rules_of import rules_of
from spotty_sandbox import ordinary_day
from spotty_sandbox.house import PinEdge, Visit, edges_of
from spotty_sandbox.rig import ignore
from spotty_sandbox.spotify import SpotifyWorld

FREE_PINS = range(4, 28)
"""BCM numbers without a pull-up of the board's own (GPIO2 and 3 have one: they are the I2C bus)."""

TAIL_US = 900 * SECOND
"""The ordinary day ends so long after its last edge: by then its last session is over."""

LOG_ROOM = "room"
MAX_INPUTS = 8
LONGEST_NAME = 40
"""Characters of an input's name that are shown."""

LOG_TAIL_US = 120 * SECOND
"""A log's demo ends so long after its last session: the music is to fade and stop in sight."""


class BadPolicyError(Exception):
    """The policy file cannot be used."""


@dataclass(frozen=True, slots=True)
class Play:
    """What is to be shown."""

    title: str
    wiring: dict[str, Any]
    policies: dict[str, dict[str, Any]]
    edges: list[PinEdge]
    meddlings: list[tuple[int, Callable[[SpotifyWorld], None]]]
    speed: float
    zone: tzinfo
    replayed: list[Past] | None = None
    """A log's sessions as the replay has them: the pins must give the same ones."""

    must_be_heard: bool = False

    @property
    def end_at(self) -> int:
        """When nothing is open any more: an input that stays high holds its session long beyond the last edge."""
        if self.replayed is None:
            return self.edges[-1].at + TAIL_US
        return max([self.edges[-1].at, *(one.end_at for one in self.replayed)]) + LOG_TAIL_US


def _at(hhmm: str) -> int:
    hour, minute = hhmm.split(":")
    local = datetime(*ordinary_day.DATE, int(hour), int(minute), tzinfo=ZoneInfo(ordinary_day.TIMEZONE))
    return (local - EPOCH) // MICROSECOND


def a_day(speed: float) -> Play:
    """The ordinary day of two people."""
    visits = [Visit(f"{stay.room}/pir", _at(stay.start), _at(stay.end)) for stay in ordinary_day.STAYS]
    meddlings = [(_at(one.at), _meddler(one.speaker, one.does)) for one in ordinary_day.MEDDLINGS]
    return Play(
        title="An ordinary day of two people, a bathroom and a kitchen.",
        wiring=ordinary_day.WIRING,
        policies={room: ordinary_day.policy(room) for room in ordinary_day.SPEAKERS},
        edges=edges_of(visits),
        meddlings=meddlings,
        speed=speed,
        zone=ZoneInfo(ordinary_day.TIMEZONE),
    )


def a_visit(speed: float) -> Play:
    """One visit to the bathroom, from which music must be heard."""
    room = ordinary_day.BATHROOM
    return Play(
        title="Somebody goes to the bathroom.",
        wiring=ordinary_day.WIRING,
        policies={room: ordinary_day.policy(room)},
        edges=edges_of([Visit(f"{room}/pir", _at("07:00"), _at("07:02"))]),
        meddlings=[],
        speed=speed,
        zone=ZoneInfo(ordinary_day.TIMEZONE),
        must_be_heard=True,
    )


def _meddler(speaker: str, does: str) -> Callable[[SpotifyWorld], None]:
    def meddle(world: SpotifyWorld) -> None:
        hand, device = world.hand(), world.device(speaker)
        if does == "pause":
            hand.pause(device)
        else:
            hand.play(device, next(iter(world.catalogue)))

    return meddle


def a_log(log: str, folder: Path, policy_path: str | None, speed: float) -> Play:
    """A recorded log, all its inputs one room. Raises BadLogError or BadPolicyError with one line."""
    path = _file_of(log, folder)
    recorded = _edges_in(path, log)
    names = sorted({edge.input_id for edge in recorded})
    if len(names) > MAX_INPUTS:
        raise BadLogError(f"{log}: {len(names)} inputs; one room has at most {MAX_INPUTS}")
    ids = {name: f"input-{number}" for number, name in enumerate(names, start=1)}
    policy = {**_policy(policy_path), "warmUpS": 0}
    playback = policy.get("playback") or ordinary_day.policy(ordinary_day.BATHROOM)["playback"]
    rules = rules_of(Policy.model_validate(policy))
    inputs = [{"id": ids[name], "kind": "pir", "pin": pin} for pin, name in zip(FREE_PINS, names, strict=False)]
    legend = ", ".join(f"{ids[name]} is {_shortened(name)}" for name in names)
    return Play(
        title=f"{log}: {len(recorded):,} edges of {len(names)} inputs, at {speed:g} times their speed.\n"
        f"The inputs, in the order of their names: {legend}.",
        wiring={"sensors": [{"id": LOG_ROOM, "name": "The room", "inputs": inputs}]},
        policies={LOG_ROOM: {**policy, "playback": playback}},
        edges=[PinEdge(edge.at, f"{LOG_ROOM}/{ids[edge.input_id]}", edge.active) for edge in recorded],
        meddlings=[],
        speed=speed,
        zone=rules.zone,
        replayed=replay(path, [rules], skip_bad_lines=False, progress=ignore).verdicts[0].sessions,
    )


def _file_of(log: str, folder: Path) -> str:
    """A path that can be read twice, by the demo and by the replay: what flows by is kept in `folder` first."""
    if log != STDIN and not Path(log).is_fifo():
        return log
    copy = folder / "log.csv"
    with rewindable(log) as flow, copy.open("wb") as kept:
        flow.seek(0)
        copyfileobj(flow, kept)
    return str(copy)


def _edges_in(path: str, log: str) -> list[Edge]:
    """The edges in order, at least one and none left out; `log` is what the person called it."""
    tally = Tally()
    try:
        with Path(path).open("rb") as raw, open_text(raw) as text:
            edges = sorted(read_csv(text, tally, skip_bad_lines=True), key=lambda edge: edge.at)
    except OSError as error:
        raise BadLogError(f"{log}: {error.strerror}; name a CSV log (spotty-sandbox import makes one)") from error
    if tally.skipped:
        raise BadLogError(f"{log}: {tally.first_skipped}; correct it or take it out")
    if not edges:
        raise BadLogError(f"{log}: there is nothing to play, no line follows its header")
    return edges


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _policy(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        policy = Policy.from_json(Path(path).read_bytes())
    except OSError as error:
        raise BadPolicyError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise BadPolicyError(f"{path}: {'; '.join(faults_of(error, 'policy'))}") from error
    return policy.model_dump(exclude_defaults=True)
