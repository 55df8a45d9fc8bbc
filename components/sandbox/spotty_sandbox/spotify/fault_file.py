"""Trouble from a file: what one can write in it, and one clear line for what one cannot.

A file of faults is a JSON object; every part may be left out:

    {
      "seed": 7,
      "faults": [
        {"kind": "rate_limited", "on": "PUT /v1/me/player/play", "times": 2, "retry_after_s": 30},
        {"name": "slow house", "on": "* /v1/*", "chance": 0.2, "delay_ms": 800},
        {"name": "gateway timeout that worked", "on": "PUT *", "skip": 3, "times": 1,
         "status": 502, "html": "<h1>Bad gateway</h1>", "performed": true},
        {"name": "another context", "on": "GET /v1/me/player", "from_s": 60, "until_s": 120,
         "edits": {"context": null, "device.id": null}}
      ],
      "random": {"PUT /v1/me/player/*": {"unavailable": 0.02, "reset_obeyed": 0.01}},
      "events": [
        {"at_s": 30, "do": "unplug", "speaker": "Kitchen"},
        {"at_s": 60, "every_s": 3600, "do": "pause", "speaker": "Bathroom"},
        {"at_s": 90, "do": "revoke"}
      ],
      "limits": {"calls_a_window": 30, "calls_a_day": 1000}
    }

`faults`: the first rule that strikes a request counts. A rule has a `kind` or a `name`, and any of:

    kind          a kind of trouble (`--list-faults`); what follows replaces what it brings
    name          what the log calls it (left out: the kind)
    on            "METHOD /path", * stands for anything (also within a path)
    skip          let this many matching requests pass first
    times         strike at most this often (left out: for ever)
    chance        strike with this probability, 0..1; drawn from `seed`, so a run repeats
    from_s        strike only from so many seconds after the start, and
    until_s       before so many seconds (by the simulator's clock)
    status        answer with this HTTP status instead of the true one, with one of
    error           {"message", "reason"?} in Spotify's shape,
    json            any JSON, text: plain text, html: a page; none of them: an empty body
    headers       further headers (on the true answer too)
    retry_after_s the header Retry-After, in seconds
    delay_ms      wait so many real milliseconds before anything happens
    ending        "complete", "hang" (no answer until the client gives up), "reset" (the connection breaks),
                  "truncate" (half of the body, then the connection breaks)
    performed     whether the request takes effect; left out: only if its true answer is sent
    drops         fields that are missing from the answer, a dot leads into an object: ["device.id"]
    edits         fields of the answer that say something else: {"expires_in": 36000}
    date_off_s    a Date header that is wrong by so many seconds
    refresh_style what this refresh does with the refresh token: "omit", "same", "rotate"

`random`: how likely each kind is, by "METHOD /path"; it strikes only where the kind belongs.
`events`: what people, speakers and the account do (`--list-faults` again), `at_s` seconds after the start, then
`every_s`.
`limits`: how many calls an app may make in 30 s and in 24 h; they also enforce every Retry-After.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .deeds import AT_SPEAKERS, AT_THE_ACCOUNT, DeedError, deed
from .fault_rule import MANY, FaultFileError, is_number, read_rule
from .faults import FaultPlan
from .limits import Limits
from .random_faults import RandomFaults

if TYPE_CHECKING:
    from collections.abc import Callable

    from .faults import Fault
    from .messages import Json
    from .world import SpotifyWorld

EXAMPLE = Path(__file__).with_name("example_faults.json")
"""A file that uses every part of the format."""

_PARTS = ("seed", "faults", "random", "events", "limits")


@dataclass(frozen=True, slots=True)
class Trouble:
    """All that a file says: faults by rule and by chance, what happens when (orders with `at_s`), and limits."""

    faults: FaultPlan = field(default_factory=FaultPlan)
    events: tuple[tuple[str, Json], ...] = ()
    limits: Limits | None = None

    def plan_on(self, world: SpotifyWorld) -> None:
        """Plan the events on a world, counted from now. Raises FaultFileError for a speaker or value it has not."""
        start_ms = world.clock.now_ms()
        for where, order in self.events:
            try:
                do = deed(world, order)
            except DeedError as error:
                raise FaultFileError(f"{where}: {error}") from None
            every_ms = round(order["every_s"] * 1000) if "every_s" in order else None
            world.at(start_ms + round(order["at_s"] * 1000), partial(_without_the_world, do), every_ms=every_ms)


def _without_the_world(do: Callable[[], object], _: SpotifyWorld) -> None:
    do()


def read_faults(text: str) -> FaultPlan:
    """The faults of a file, without its events and limits. Raises FaultFileError with one line."""
    return read_trouble(text).faults


def read_trouble(text: str) -> Trouble:
    """All that a file says. Raises FaultFileError with one line that says what to mend."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FaultFileError(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise FaultFileError(f"expected an object with any of {', '.join(_PARTS)}")
    if unknown := set(content) - set(_PARTS):
        raise FaultFileError(f"unknown field {min(unknown)!r}; there are {', '.join(_PARTS)}")
    seed = content.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FaultFileError(f"seed: expected a whole number, not {seed!r}")
    rules = [read_rule(where, rule) for where, rule in _entries(text, content, "faults", "fault")]
    events = tuple((where, _read_event(where, event)) for where, event in _entries(text, content, "events", "event"))
    return Trouble(_plan(content.get("random"), rules, seed), events, _read_limits(content.get("limits")))


def _entries(text: str, content: Json, part: str, word: str) -> list[tuple[str, Any]]:
    """The entries of a list with where each stands: 'line 4, fault 2 (busy evening)'."""
    entries = content.get(part, [])
    if not isinstance(entries, list):
        raise FaultFileError(f"{part}: expected a list, not {entries!r}")
    lines = _lines_of(text, part)
    told = []
    for number, (line, entry) in enumerate(zip(lines, entries, strict=True), start=1):
        name = entry.get("name") or entry.get("kind") or entry.get("do") if isinstance(entry, dict) else None
        told.append((f"line {line}, {word} {number}" + (f" ({name})" if isinstance(name, str) else ""), entry))
    return told


def _lines_of(text: str, part: str) -> list[int]:
    """The line on which each entry of a part's list begins, in valid JSON whose top is an object."""
    decoder = json.JSONDecoder()
    at, lines = _beyond(text, text.index("{") + 1), list[int]()
    while text[at] != "}":
        name, at = decoder.raw_decode(text, at)
        at = _beyond(text, at)
        if name != part or text[at] != "[":
            _, at = decoder.raw_decode(text, at)
            at = _beyond(text, at)
            continue
        lines, at = [], _beyond(text, at + 1)
        while text[at] != "]":
            lines.append(text.count("\n", 0, at) + 1)
            _, at = decoder.raw_decode(text, at)
            at = _beyond(text, at)
        at = _beyond(text, at + 1)
    return lines


def _beyond(text: str, at: int) -> int:
    """The place of the next token that is neither space, comma nor colon."""
    while text[at] in " \t\r\n,:":
        at += 1
    return at


def _plan(rates: object, rules: list[Fault], seed: int) -> FaultPlan:
    if rates is None:
        return FaultPlan(rules, seed=seed)
    if not isinstance(rates, dict):
        raise FaultFileError(f'random: expected an object of "METHOD /path", not {rates!r}')
    for on, kinds in rates.items():
        if " " not in on.strip() or not isinstance(kinds, dict):
            raise FaultFileError(f'random: {on!r}: expected "METHOD /path" and an object of kinds with their chances')
        for kind, chance in kinds.items():
            if not is_number(chance, 0, 1, whole=False):
                raise FaultFileError(f"random: {on!r}: {kind} is {chance!r}, expected a number from 0 to 1")
    try:
        return RandomFaults(rates, seed=seed, faults=rules)
    except ValueError as error:
        raise FaultFileError(f"random: {error}; --list-faults names the kinds") from None


def _read_limits(told: object) -> Limits | None:
    if told is None:
        return None
    known = [each.name for each in fields(Limits)]
    if not isinstance(told, dict) or set(told) - set(known):
        raise FaultFileError(f"limits: expected an object with any of {', '.join(known)}, not {told!r}")
    for name, limit in told.items():
        if not is_number(limit, 1, MANY, whole=True):
            raise FaultFileError(f"limits: {name} is {limit!r}, expected a whole number from 1 to {MANY:g}")
    return Limits(**told)


def _read_event(where: str, event: object) -> Json:
    if not isinstance(event, dict) or not isinstance(event.get("do"), str):
        raise FaultFileError(f'{where}: expected an object with "at_s" and "do"')
    if unknown := set(event) - {"at_s", "every_s", "do", "speaker", "value", "account"}:
        raise FaultFileError(f"{where}: unknown field {min(unknown)!r}")
    if event["do"] not in {**AT_SPEAKERS, **AT_THE_ACCOUNT}:
        raise FaultFileError(f"{where}: do is {event['do']!r}, there are {', '.join((*AT_SPEAKERS, *AT_THE_ACCOUNT))}")
    for name, least in (("at_s", 0.0), ("every_s", 0.001)):
        if (name == "at_s" or name in event) and not is_number(event.get(name), least, MANY, whole=False):
            given = event.get(name)
            raise FaultFileError(f"{where}: {name} is {given!r}, expected a number from {least:g} to {MANY:g}")
    return event
