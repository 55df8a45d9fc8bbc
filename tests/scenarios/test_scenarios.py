"""Days as data: each text file beside this one is a few days of a room, and the sessions a person would expect."""

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.engine.oracle import Line, Told, Verdict, World
from tests.engine.telling import verdict_of, walk

from spotty_gateway.engine.reasons import EndedBy, Reason
from spotty_gateway.engine.rules import SECOND, InputKind, Rules, Window

DAYS = sorted(Path(__file__).parent.glob("*.txt"))
ON = {"on": True, "off": False, "open": True, "closed": False}


@dataclass
class Scenario:
    """A few days of one room, read from a file."""

    zone: tzinfo = UTC
    rules: Rules = field(default_factory=lambda: Rules(warm_up_us=0))
    kinds: dict[str, InputKind] = field(default_factory=dict)
    log: list[Line] = field(default_factory=list)
    expected: Verdict = field(default_factory=Verdict)

    def instant(self, date: str, time: str, *, again: bool = False) -> int:
        """A moment of the room's own clock, in microseconds; `again` is the second of two equal ones."""
        local = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=self.zone, fold=int(again))
        return round(local.timestamp()) * SECOND

    def set(self, name: str, value: str) -> None:
        """A line of the policy."""
        if name == "quiet_hours":
            hours = [int(part[:2]) * 60 + int(part[3:]) for part in value.split("-")]
            self.rules = replace(self.rules, quiet_windows=(Window(frozenset(range(7)), *hours),))
        else:
            self.rules = replace(self.rules, **{f"{name.removesuffix('_s')}_us": int(value) * SECOND})  # type: ignore[arg-type] # seconds only

    def report(self, date: str, words: list[str]) -> None:
        """A line of a day: time, input, level."""
        time, *rest = words
        again = rest[0] == "again"
        input_id, level = rest[-2:]
        self.log.append(Line(self.instant(date, time, again=again), input_id, ON[level]))

    def expect(self, words: list[str]) -> None:
        """A session in plain words: DATE TIME until TIME by REASON with N motions."""
        date, start, _, end, _, ended_by, _, motions, _ = words
        told = Told(self.instant(date, start), self.instant(date, end), EndedBy(ended_by), int(motions))
        self.expected.sessions.append(told)


def read(path: Path) -> Scenario:
    """The scenario in this file. Headings stand at the margin, their lines are indented, `#` begins a comment."""
    scenario = Scenario()
    heading = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if not line.startswith(" "):
            heading = words[0]
            if heading == "zone":
                scenario.zone = ZoneInfo(words[1])
            continue
        match heading:
            case "policy":
                scenario.set(*words)
            case "inputs":
                scenario.kinds[words[0]] = InputKind(words[1])
            case "sessions":
                scenario.expect(words)
            case "suppressed":
                scenario.expected.suppressed[Reason(words[0])] = int(words[1])
            case "faults":
                scenario.expected.faults = int(words[1])
            case date:
                scenario.report(date, words)
    scenario.rules = replace(scenario.rules, zone=scenario.zone)
    pirs = {name for name, kind in scenario.kinds.items() if kind is InputKind.PIR}
    scenario.expected.motions = sum(line.active and line.input_id in pirs for line in scenario.log)
    return scenario


@pytest.mark.parametrize("path", DAYS, ids=lambda path: path.stem)
def test_a_day_goes_as_a_person_would_expect(path: Path) -> None:
    """The sessions, refusals and faults of the day are those written beside it in plain words."""
    scenario = read(path)
    world = World(scenario.rules, kinds=scenario.kinds)
    found = verdict_of(walk(scenario.log, world, ticking=True))
    assert found == replace(scenario.expected, suppressed=Counter(scenario.expected.suppressed))


def test_there_are_days_to_go_through() -> None:
    """A folder that was moved would otherwise pass in silence."""
    assert len(DAYS) >= 3
