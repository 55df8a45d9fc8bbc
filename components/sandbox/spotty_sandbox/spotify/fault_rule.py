"""One rule of a file of faults: checked field by field, and made into a fault."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

from .accounts import RefreshStyle
from .errors import SpotifyError
from .faults import Ending, Fault
from .kinds import KINDS, fault_of
from .messages import Answer, error_answer, json_answer, text_answer

if TYPE_CHECKING:
    from .messages import Json

_BODIES = ("error", "json", "text", "html")
_WHOLE = ("skip", "times", "delay_ms", "status", "retry_after_s")
MANY = 1e9
_LIMITS: dict[str, tuple[float, float]] = {
    "skip": (0, MANY),
    "times": (0, MANY),
    "chance": (0, 1),
    "from_s": (0, MANY),
    "until_s": (0, MANY),
    "delay_ms": (0, 3_600_000),
    "status": (200, 599),
    "retry_after_s": (0, MANY),
    "date_off_s": (-MANY, MANY),
}


class FaultFileError(ValueError):
    """A file of faults that cannot be read as one; the text names line, entry and field."""


def read_rule(where: str, rule: object) -> Fault:
    """The fault of one rule; `where` is how the person finds it. Raises FaultFileError with one line."""
    if not isinstance(rule, dict) or not any(isinstance(rule.get(name), str) for name in ("name", "kind")):
        raise FaultFileError(f'{where}: expected an object with a "name" or a "kind"')
    known = {each.name for each in fields(Fault)} - {"answer"} | {"kind", "status", "retry_after_s", *_BODIES}
    if unknown := set(rule) - known:
        raise FaultFileError(f"{where}: unknown field {min(unknown)!r}")
    _check_plain(where, rule)
    _check_objects(where, rule)
    given = ("kind", "status", "headers", "retry_after_s", *_BODIES)
    told = {name: value for name, value in rule.items() if name not in given}
    if "drops" in told:
        told["drops"] = tuple(told["drops"])
    answer = _read_answer(where, rule)
    if answer is not None:
        told["answer"] = answer
    headers = {name.lower(): value for name, value in rule.get("headers", {}).items()}
    if "retry_after_s" in rule:
        headers["retry-after"] = str(rule["retry_after_s"])
    if "kind" not in rule:
        return Fault(**told, headers=headers)
    if rule["kind"] not in KINDS:
        raise FaultFileError(f"{where}: there is no kind {rule['kind']!r}; --list-faults names them")
    return fault_of(rule["kind"], **told, headers={**KINDS[rule["kind"]].fields.get("headers", {}), **headers})


def _check_plain(where: str, rule: Json) -> None:
    for name, (least, most) in _LIMITS.items():
        if name in rule and not is_number(rule[name], least, most, whole=name in _WHOLE):
            kind = "a whole number" if name in _WHOLE else "a number"
            raise FaultFileError(f"{where}: {name} is {rule[name]!r}, expected {kind} from {least:g} to {most:g}")
    on = rule.get("on", "* *")
    if not isinstance(on, str) or " " not in on.strip():
        raise FaultFileError(f'{where}: on is {on!r}, expected "METHOD /path"')
    for name, allowed in (("ending", get_args(Ending)), ("refresh_style", get_args(RefreshStyle))):
        if name in rule and rule[name] not in allowed:
            raise FaultFileError(f"{where}: {name} is {rule[name]!r}, expected one of {', '.join(allowed)}")
    for name in ("name", "kind"):
        if not isinstance(rule.get(name, ""), str):
            raise FaultFileError(f"{where}: {name} is {rule[name]!r}, expected a text")
    if not isinstance(rule.get("performed", True), bool):
        raise FaultFileError(f"{where}: performed is {rule['performed']!r}, expected true or false")


def _check_objects(where: str, rule: Json) -> None:
    headers = rule.get("headers", {})
    if not isinstance(headers, dict) or not all(_is_header(*pair) for pair in headers.items()):
        raise FaultFileError(f"{where}: headers is {headers!r}, expected names with texts")
    drops = rule.get("drops", [])
    if not isinstance(drops, list) or not all(isinstance(each, str) for each in drops):
        raise FaultFileError(f"{where}: drops is {drops!r}, expected a list of fields")
    if not isinstance(rule.get("edits", {}), dict):
        raise FaultFileError(f"{where}: edits is {rule['edits']!r}, expected an object of fields")


def is_number(value: object, least: float, most: float, *, whole: bool) -> bool:
    """Whether a value of JSON is a number (a whole one) from `least` to `most`."""
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
