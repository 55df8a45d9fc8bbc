"""Judgements on the way to Spotify and on the household's account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

from spotty_contract.policy import Policy
from spotty_gateway.consent import CONSENT_LASTS_S, WARN_BEFORE_DAYS
from spotty_gateway.devices import NO_VOLUME, Use, limits_of, plain
from spotty_gateway.doctor.finding import Finding, Level, fault, ok, told, warning
from spotty_gateway.engine.rules import Device
from spotty_gateway.guard import in_words

LONG_WAIT_S = 60.0
"""Beyond this, music that plays cannot be stopped for a while."""

LOGIN = "connect the account again: spotty login --settings FILE.json"


@dataclass(frozen=True, slots=True)
class Reached:
    """What came back from Spotify's address, without a token."""

    status: int
    content_type: str
    leads_elsewhere: bool


@dataclass(frozen=True, slots=True)
class ConsentFacts:
    """The token file. `wrong` where it is of no use; instants in seconds since 1970."""

    wrong: str | None = None
    consent_at_s: float | None = None
    barred_until_s: float | None = None


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """How the guard stands."""

    opens_in_s: float
    music_in_s: float
    calls: int
    limit: int


def network(host: str, wrong: str | None, *, has_name: bool) -> Finding:
    """Whether the host has an address, and takes a connection."""
    if not has_name:
        return fault("network", f"{host} has no address ({wrong})", "check the network and its name server (DNS)")
    if wrong is not None:
        return fault("network", f"{host} takes no connection ({wrong})", "check the router and its firewall")
    return ok("network", f"{host} takes connections")


def reach(found: Reached | None, wrong: str | None, *, is_tls: bool) -> Finding:
    """Whether it is Spotify that answers. `is_tls` where the connection could not be made safe."""
    if found is None:
        if is_tls:
            return fault(
                "spotify",
                f"somebody else answers in Spotify's place ({wrong})",
                "check the computer's date, and whether this network has a login page or inspects traffic",
            )
        return fault("spotify", f"no answer ({wrong})", "check the network")
    if (
        found.leads_elsewhere
        or "html" in found.content_type
        or found.status == HTTPStatus.NETWORK_AUTHENTICATION_REQUIRED
    ):
        return fault(
            "spotify",
            f"something answers in Spotify's place ({found.status}), perhaps the login page of this network",
            "open a web page on this network and sign in there",
        )
    if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return warning("spotify", f"it is in trouble itself ({found.status})", "wait; the gateway tries again")
    return ok("spotify", "it answers")


def consent(facts: ConsentFacts, now: datetime) -> Finding:
    """How old the household's consent is. `now` is in the zone that instants are told in."""
    if facts.wrong is not None:
        return fault("consent", facts.wrong, LOGIN)
    if facts.barred_until_s is not None and facts.barred_until_s > now.timestamp():
        until = _at(facts.barred_until_s, now)
        return fault("consent", f"Spotify refuses the token; it is not used before {until}", f"wait, or {LOGIN}")
    if facts.consent_at_s is None:
        return warning("consent", "nobody knows when it was given, so nobody can say when it lapses", LOGIN)
    given, ends = _at(facts.consent_at_s, now), _at(facts.consent_at_s + CONSENT_LASTS_S, now)
    left = timedelta(seconds=facts.consent_at_s + CONSENT_LASTS_S - now.timestamp())
    if left <= timedelta(0):
        return fault("consent", f"it lapsed at {ends}", LOGIN)
    within = next((days for days in WARN_BEFORE_DAYS if left <= timedelta(days=days)), None)
    if within is not None:
        return warning("consent", f"it lapses at {ends}, within {'a day' if within == 1 else f'{within} days'}", LOGIN)
    return ok("consent", f"given at {given}, lapses at {ends}")


def guard(facts: GuardFacts | None, now: datetime) -> Finding:
    """Whether Spotify may be asked."""
    if facts is None:
        return warning("guard", "unknown: the gateway's memory cannot be read now", "run this again in a moment")
    counted = f"{facts.calls} of {facts.limit} calls in 24 h"
    if facts.opens_in_s > 0:
        until, wait = _at(now.timestamp() + facts.opens_in_s, now), in_words(round(facts.opens_in_s * 1e6))
        make = fault if facts.opens_in_s > LONG_WAIT_S else warning
        return make(
            "guard",
            f"Spotify wants no request before {until} ({wait}); {counted}",
            "wait: nothing else helps, and a restart neither. Stop music by hand meanwhile",
        )
    if facts.music_in_s > 0:
        until = _at(now.timestamp() + facts.music_in_s, now)
        return warning(
            "guard",
            f"{counted}: the rest is kept for stopping music, so none starts before {until}",
            "wait, or find out what calls so often: shorter fades and longer vacancyDelayS save calls",
        )
    return ok("guard", f"open; {counted}")


def unlisted(why: str) -> Finding:
    """Nobody could be asked what can play."""
    return warning("devices", f"it could not be asked what can play ({plain(why)})", "mend what is said above first")


def room(use: Use, policy: Policy, names: Sequence[str]) -> Finding:
    """Whether a room's speaker is there and does what the policy wants. `names` are what can play."""
    check = f"room {use.sensor_id}"
    choose = f"choose another: spotty devices --for {use.sensor_id} --device NAME"
    playback = policy.playback
    if playback.device is None:
        there = ", ".join(map(plain, names)) or "nothing now"
        return warning(check, f"no speaker is chosen; there is {there}", choose.replace("another", "one"))
    if playback.context_uri is None:
        return warning(check, "no music is chosen", f"set playback.contextUri in sensor-{use.sensor_id}.json")
    if use.seen is None:
        line = plain(use.fault or "")
        level = Level.FAULT if "restricted" in line or "are called" in line else Level.WARNING
        return told(level, check, line)
    name = plain(use.seen.device.name)
    if Device(playback.device.name, use.seen.device.type).called != use.seen.device.called:
        return warning(check, f"{playback.device.name} is called {name} now", choose)
    limits = limits_of(policy)
    if use.seen.volume_pct is None and limits:
        return warning(check, f"{name} is there, but {NO_VOLUME}: {', '.join(limits)} cannot be kept", choose)
    return ok(check, f"{name} is there")


def _at(at_s: float, like: datetime) -> str:
    return f"{datetime.fromtimestamp(at_s, like.tzinfo):%Y-%m-%d %H:%M %Z}"
