"""Faults from a file: what one can write in it, and one clear line for what one cannot.

A file of faults is JSON:

    {
      "seed": 7,
      "faults": [
        {"name": "busy evening", "on": "PUT /v1/me/player/play", "times": 2,
         "status": 429, "headers": {"Retry-After": "5"}, "error": {"message": "API rate limit exceeded"}},
        {"name": "slow house", "on": "* /v1/*", "chance": 0.2, "delay_ms": 800},
        {"name": "gateway timeout that worked", "on": "PUT *", "skip": 3, "times": 1,
         "status": 502, "html": "<h1>Bad gateway</h1>", "performed": true},
        {"name": "gone quiet", "on": "GET /v1/me/player", "from_s": 60, "until_s": 120, "ending": "hang"}
      ]
    }

The first rule that strikes a request counts. Every field but `name` and `on` may be left out:

    on          "METHOD /path", * stands for anything (also within a path)
    skip        let this many matching requests pass first
    times       strike at most this often (left out: for ever)
    chance      strike with this probability, 0..1; drawn from `seed`, so a run repeats
    from_s      strike only from so many seconds after the start, and
    until_s     before so many seconds (by the simulator's clock)
    status      answer with this HTTP status instead of the true one, with one of
    error         {"message", "reason"?} in Spotify's shape,
    json          any JSON, text: plain text, html: a page; none of them: an empty body
    headers     further headers (on the true answer too)
    delay_ms    wait so many real milliseconds before anything happens
    ending      "complete", "hang" (no answer until the client gives up), "reset" (the connection breaks),
                "truncate" (half of the body, then the connection breaks)
    performed   whether the request takes effect; left out: only if its true answer is sent
"""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, get_args

from .errors import SpotifyError
from .faults import Ending, Fault, FaultPlan
from .messages import Answer, error_answer, json_answer, text_answer

_BODIES = ("error", "json", "text", "html")


class FaultFileError(ValueError):
    """A file of faults that cannot be read as one; the text names the rule and the field."""


def read_faults(text: str) -> FaultPlan:
    """A plan from the text of a file of faults. Raises FaultFileError with one line that says what to mend."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise FaultFileError(f"not JSON: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("faults"), list):
        raise FaultFileError('expected an object with a list "faults"')
    if unknown := set(content) - {"seed", "faults"}:
        raise FaultFileError(f"unknown field {min(unknown)!r}; there are seed and faults")
    seed = content.get("seed", 0)
    if not isinstance(seed, int):
        raise FaultFileError(f"seed: expected a whole number, not {seed!r}")
    return FaultPlan([_read_rule(n, rule) for n, rule in enumerate(content["faults"], start=1)], seed=seed)


_WHOLE = ("skip", "times", "delay_ms", "status")
_LIMITS: dict[str, tuple[float, float]] = {
    "skip": (0, 1e9),
    "times": (0, 1e9),
    "chance": (0, 1),
    "from_s": (0, 1e9),
    "until_s": (0, 1e9),
    "delay_ms": (0, 3_600_000),
    "status": (200, 599),
}


def _read_rule(number: int, rule: object) -> Fault:
    if not isinstance(rule, dict) or not isinstance(rule.get("name"), str):
        raise FaultFileError(f'fault {number}: expected an object with a "name"')
    where = f"fault {number} ({rule['name']})"
    known = {each.name for each in fields(Fault)} - {"answer"} | {"status", *_BODIES}
    if unknown := set(rule) - known:
        raise FaultFileError(f"{where}: unknown field {min(unknown)!r}")
    for name, (least, most) in _LIMITS.items():
        if name in rule and not _is_number(rule[name], least, most, whole=name in _WHOLE):
            kind = "a whole number" if name in _WHOLE else "a number"
            raise FaultFileError(f"{where}: {name} is {rule[name]!r}, expected {kind} from {least:g} to {most:g}")
    on = rule.get("on", "* *")
    if not isinstance(on, str) or " " not in on.strip():
        raise FaultFileError(f'{where}: on is {on!r}, expected "METHOD /path"')
    if rule.get("ending", "complete") not in get_args(Ending):
        raise FaultFileError(f"{where}: ending is {rule['ending']!r}, expected one of {', '.join(get_args(Ending))}")
    if not isinstance(rule.get("performed", True), bool):
        raise FaultFileError(f"{where}: performed is {rule['performed']!r}, expected true or false")
    headers = rule.get("headers", {})
    if not isinstance(headers, dict) or not all(_is_header(*pair) for pair in headers.items()):
        raise FaultFileError(f"{where}: headers is {headers!r}, expected names with texts")
    told = {name: rule[name] for name in rule if name not in ("status", "headers", *_BODIES)}
    return Fault(**told, answer=_read_answer(where, rule), headers={k.lower(): v for k, v in headers.items()})


def _is_number(value: object, least: float, most: float, *, whole: bool) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float) or (whole and isinstance(value, float)):
        return False
    return least <= value <= most


def _is_header(name: str, value: object) -> bool:
    return name.isascii() and name.replace("-", "").isalnum() and isinstance(value, str) and value.isprintable()


def _read_answer(where: str, rule: dict[str, Any]) -> Answer | None:
    bodies = [name for name in _BODIES if name in rule]
    status = rule.get("status")
    if status is None:
        if bodies:
            raise FaultFileError(f"{where}: {bodies[0]} needs a status")
        return None
    match bodies:
        case []:
            return Answer(status)
        case ["error"]:
            told = rule["error"]
            if not isinstance(told, dict) or not isinstance(told.get("message"), str):
                raise FaultFileError(f'{where}: error is {told!r}, expected {{"message", "reason"?}}')
            return error_answer(SpotifyError(status, told["message"], told.get("reason")))
        case ["json"]:
            return json_answer(rule["json"], status)
        case [kind]:
            return text_answer(str(rule[kind]), "text/html" if kind == "html" else "text/plain", status)
        case _:
            raise FaultFileError(f"{where}: only one of {', '.join(bodies)} can be the body")
