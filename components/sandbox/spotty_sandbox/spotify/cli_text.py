"""What `spotty-sandbox spotify` says: its help, its greeting, a line for each request, and the sums at the end."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from . import words
from .deeds import AT_SPEAKERS, AT_THE_ACCOUNT
from .devices import TRAITS
from .kinds import KINDS

if TYPE_CHECKING:
    from .journal import Entry, Tally
    from .simulator import SpotifySimulator
    from .world import SpotifyWorld

HELP = """\
A simulated Spotify on this computer: the Web API's player and the accounts service, with speakers
that play nothing but the clock. Point a client at it and watch the speakers in the browser.

  spotipy    client = spotipy.Spotify(auth=TOKEN); client.prefix = "http://127.0.0.1:8765/v1/"
  sign-in    SpotifyPKCE.OAUTH_AUTHORIZE_URL = "http://127.0.0.1:8765/authorize"
             SpotifyPKCE.OAUTH_TOKEN_URL = "http://127.0.0.1:8765/api/token"
  curl       curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8765/v1/me/player/devices

A ready TOKEN is printed at the start."""
EPILOG = f"""\
speakers   NAME, NAME:TYPE or NAME:TYPE:TRAIT,TRAIT, where a trait is one of
           {", ".join(TRAITS)}
           --devices Bathroom Kitchen:Speaker "Old phone:Smartphone:no-volume,late"
music      a few invented playlists are there; --music adds those that your own settings name.
faults     a JSON file of rules, for example {{"faults": [{{"kind": "rate_limited", "times": 2,
           "on": "PUT /v1/me/player/play", "retry_after_s": 5}}]}}
           --example-faults prints one that uses everything, --list-faults says what can go wrong;
           all fields: python -m pydoc spotty_sandbox.spotify.fault_file
           The page of the speakers lets you make trouble, too.
end        Ctrl-C. Nothing is kept."""


def greeting(simulator: SpotifySimulator, token: str) -> str:
    """What stands on the terminal at the start."""
    return textwrap.dedent(f"""\
        Speakers  {simulator.page_url}
        Web API   {simulator.api_url}
        Accounts  {simulator.accounts_url}
        Token     {token}
        Ctrl-C ends it.""")


def log_line(world: SpotifyWorld, entry: Entry) -> str:
    """A request on one line: when by the simulator's clock (UTC), what was asked, how it went, which fault struck."""
    at = datetime.fromtimestamp(entry.at_ms / 1000, UTC)
    marks = [f"fault: {entry.fault}"] if entry.fault else []
    marks += ["had been told to wait"] if entry.is_rude else []
    said = f"{at:%H:%M:%S}  {entry.status or '---'}  {words.wanted(world, entry)}: {words.outcome(entry)}"
    # What is asked for is the client's own text; a terminal must not obey it.
    said = "".join(each if each.isprintable() else "?" for each in said)
    return f"{said}  ({'; '.join(marks)})" if marks else said


def all_kinds() -> str:
    """Everything that can go wrong or happen, for --list-faults."""
    lines = ["Kinds of trouble, with the requests that each can strike:", ""]
    lines += [f"  {kind:18} {each.on:26} {each.meaning}" for kind, each in KINDS.items()]
    lines += ["", "What can happen at a speaker (events, and the page):", ""]
    lines += [f"  {do:18} {meaning}" for do, meaning in AT_SPEAKERS.items()]
    lines += ["", "What can happen to the account:", ""]
    lines += [f"  {do:18} {meaning}" for do, meaning in AT_THE_ACCOUNT.items()]
    return "\n".join(lines)


def summary(tally: Tally) -> str:
    """How often what was asked, for the end; empty when nothing was."""
    lines = [f"{count:6}  {endpoint}" for endpoint, count in sorted(tally.calls.items())]
    lines += [f"{tally.rude:6}  of them before Retry-After was over"] if tally.rude else []
    return "\n" + "\n".join(lines) if lines else ""
