"""`spotty doctor`: what is wrong with a gateway, and how to mend it."""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from spotty_gateway.cli.devices import takes_folder
from spotty_gateway.cli.hand import DATA_VARIABLE

if TYPE_CHECKING:
    from spotty_gateway.doctor.finding import Finding
    from spotty_gateway.settings import Settings

BAD_INPUT = 2
WITHIN_S = 12.0
COLOURS = {"ok": "32", "warning": "33", "fault": "31"}
CLEAR_LINE = "\r\x1b[K"

EPILOG = f"""\
Looks at settings, wiring, pins, rights, clock, disk, Greengrass, network, Spotify, consent, guard and each room's
speaker, in a quarter of a minute at most, without network too. A running gateway is asked for what only it knows.

It changes nothing, with one exception: listing the speakers is a call to Spotify, which the guard counts, and before
which the token may be renewed. Where no gateway runs, the call is made only if there are --settings and a sound
state.db to count it in.

Exit code 0: all well, 1: warnings, 2: faults. Run it as the user that the gateway runs as.

Programs read --json: {{"level": "ok", "warning" or "fault",
"findings": [{{"check", "level", "fact", "cure": text or null}}]}}.
The data folder is --data, the settings' dataDir, or ${DATA_VARIABLE}.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "doctor",
        help="what is wrong, and how to mend it",
        description="Examine the gateway and everything that it needs: a line for each finding, and what to do.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    takes_folder(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it. 0: all well, 1: warnings, 2: faults, or settings that cannot be used."""
    # The gateway's libraries take a third of a second to load: the other commands need not wait for that.
    from spotty_gateway.doctor.checkup import Checkup  # noqa: PLC0415 - see above
    from spotty_gateway.doctor.examination import examine  # noqa: PLC0415 - see above
    from spotty_gateway.doctor.finding import EXIT_CODES, as_json, worst  # noqa: PLC0415 - see above
    from spotty_gateway.settings import BadSettingsError  # noqa: PLC0415 - see above

    try:
        settings, faults = _settings(arguments)
    except BadSettingsError as error:
        print(f"spotty doctor: {error}", file=sys.stderr)
        return BAD_INPUT
    shows = sys.stdout.isatty() and not arguments.json
    checks = Checkup(settings, arguments.settings, faults).begin()
    findings = examine(checks, WITHIN_S, _wait_for if shows else lambda _: None)
    found = list(findings) if arguments.json else _told(findings, shows=shows)
    if arguments.json:
        print(json.dumps(as_json(found), indent=2))
    else:
        print({"ok": "All is well."}.get(worst(found), _count(found)))
    return EXIT_CODES[worst(found)]


def _settings(arguments: argparse.Namespace) -> "tuple[Settings, list[str]]":
    """The settings to go by, and what is wrong with them. Raises BadSettingsError."""
    from spotty_gateway.settings import BadSettingsError, Settings, read_settings  # noqa: PLC0415 - as in `run`

    if arguments.settings is not None:
        return read_settings(arguments.settings)
    folder = arguments.data or os.environ.get(DATA_VARIABLE)
    if folder is None:
        raise BadSettingsError(f"name the gateway with --settings, --data or ${DATA_VARIABLE}")
    return Settings(data_dir=Path(folder)), []


def _wait_for(check: str) -> None:
    """On a terminal: what is being waited for, on a line that the finding then takes."""
    print(f"{CLEAR_LINE}{'...':8} {check}", end="", flush=True)


def _told(findings: "Iterable[Finding]", *, shows: bool) -> "list[Finding]":
    found = []
    for one in findings:
        found.append(one)
        level = f"{one.level:8}"
        coloured = f"{CLEAR_LINE}\x1b[{COLOURS[one.level]}m{level}\x1b[0m" if shows else level
        print(f"{coloured} {one.check}: {one.fact}")
        if one.cure:
            print(f"{'':8} -> {one.cure}", flush=True)
    if shows:
        print(CLEAR_LINE, end="")
    return found


def _count(found: "list[Finding]") -> str:
    faults, warnings = (sum(one.level == level for one in found) for level in ("fault", "warning"))
    parts = [
        f"{number} {word}{'' if number == 1 else 's'}" for number, word in ((faults, "fault"), (warnings, "warning"))
    ]
    return f"{', '.join(part for part in parts if not part.startswith('0 '))}."
