"""`spotty devices`: what can play, why something cannot, and the choice of a room's speaker."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spotty_gateway.cli.hand import DATA_VARIABLE
from spotty_gateway.local import LocalError, NobodyAnswersError, ask

if TYPE_CHECKING:
    from collections.abc import Sequence

    from spotty_gateway.devices import Use
    from spotty_gateway.ports import SeenDevice
    from spotty_gateway.residents import Residents
    from spotty_gateway.settings import Settings

NOT_DONE, BAD_INPUT = 1, 2

EPILOG = f"""\
A speaker is listed while it is switched on and the account has used it not long ago. If one is missing, play anything
on it once from the Spotify app. A device that "takes no commands from apps" can never be used.

  spotty devices                                         # what can play, and which room plays where
  spotty devices --for bathroom --device "Bathroom"      # choose a room's speaker
  spotty devices --for bathroom --device TV --type TV    # where two things have one name

A choice is written to policies/sensor-SENSOR.json in the data folder, everything else in it stays. A running gateway
takes it up at its next start. While none runs, the account is asked directly; that needs --settings.

Programs read --json: {{"devices": [{{"name", "type", "id", "isActive", "isRestricted", "volumePct"}}],
"rooms": [{{"sensorId", "name", "device": {{"name", "type"}} or null, "fault": text or null}}]}}. id is null for a
device that is asleep, volumePct where apps cannot set it.
Exit code 0: done, 1: it could not be, 2: not as it was asked for.
The data folder is --data, the settings' dataDir, or ${DATA_VARIABLE}.
"""


class CannotAskError(Exception):
    """Nobody could be asked what can play; one line says why."""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "devices",
        help="what can play, and where each room plays",
        description="List what can play on the household's Spotify account, or choose a room's speaker.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    takes_folder(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--for", dest="sensor", metavar="SENSOR", help="choose a speaker for this sensor's room")
    parser.add_argument("--device", metavar="NAME", help="the speaker, by the name that is listed")
    parser.add_argument("--type", metavar="TYPE", help="its type, where several things have that name")
    parser.set_defaults(run=run)


def takes_folder(parser: argparse.ArgumentParser) -> None:
    """--settings or --data: which gateway is meant."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--settings", metavar="FILE.json", type=Path, help="the gateway's settings")
    which.add_argument(
        "--data", metavar="DIR", type=Path, help=f"the gateway's data folder (default: ${DATA_VARIABLE})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it. 0: done, 1: it could not be, 2: not as it was asked for (one line says why)."""
    # pydantic and requests take a third of a second to load: the other commands need not wait for that.
    from spotty_gateway.devices import ChoiceError, PolicyFileError  # noqa: PLC0415 - see above
    from spotty_gateway.residents import read_residents  # noqa: PLC0415 - see above
    from spotty_gateway.settings import BadSettingsError, read_settings  # noqa: PLC0415 - see above

    try:
        if (arguments.sensor is None) is not (arguments.device is None):
            return _complain("--for and --device belong together: name the room's sensor and its speaker", BAD_INPUT)
        settings = None if arguments.settings is None else read_settings(arguments.settings)[0]
        folder = settings.data_dir if settings is not None else arguments.data or os.environ.get(DATA_VARIABLE)
        if folder is None:
            return _complain(f"name the gateway with --settings, --data or ${DATA_VARIABLE}", BAD_INPUT)
        residents = read_residents(Path(folder) / "policies")
        _check_sensor(arguments.sensor, residents)
        seen = devices_of(Path(folder), settings)
        if arguments.sensor is not None:
            return _choose(arguments, Path(folder) / "policies", seen)
        _show(arguments, residents, seen)
    except (BadSettingsError, ChoiceError) as error:
        return _complain(str(error), BAD_INPUT)
    except (LocalError, CannotAskError, PolicyFileError) as error:
        return _complain(str(error), NOT_DONE)
    return 0


def devices_of(folder: Path, settings: "Settings | None") -> "list[SeenDevice]":
    """What can play: asked of the running gateway, or of Spotify where none runs. Raises LocalError, CannotAskError."""
    from spotty_gateway.devices import from_json  # noqa: PLC0415 - as in `run`

    try:
        return from_json(ask(folder / "spotty.sock", {"do": "devices"})["devices"])
    except NobodyAnswersError:
        if settings is None:
            raise CannotAskError(
                f"no gateway runs with the data folder {folder}: start it, or name its settings with --settings, "
                "so that Spotify can be asked without it"
            ) from None
    from spotty_gateway.cli.alone import player_of  # noqa: PLC0415 - as in `run`
    from spotty_gateway.errors import PlayerError  # noqa: PLC0415 - as in `run`

    with player_of(
        settings, "spotty devices", lambda text: print(f"spotty devices: {text}", file=sys.stderr)
    ) as player:
        try:
            return player.devices()
        except PlayerError as error:
            raise CannotAskError(str(error)) from error


def _check_sensor(sensor: str | None, residents: "Residents") -> None:
    from spotty_gateway.devices import ChoiceError  # noqa: PLC0415 - as in `run`

    known = [one.wiring.id for one in residents.sensors]
    if sensor is not None and sensor not in known:
        because = f" ({residents.faults[0]})" if residents.faults and not known else ""
        raise ChoiceError(f"there is no sensor {sensor!r}; there are: {', '.join(known) or 'none'}{because}")


def _choose(arguments: argparse.Namespace, policies: Path, seen: "Sequence[SeenDevice]") -> int:
    from spotty_gateway.devices import choice, remarks_on, write_target  # noqa: PLC0415 - as in `run`

    chosen = choice(seen, arguments.device, arguments.type)
    path = policies / f"sensor-{arguments.sensor}.json"
    remarks = remarks_on(write_target(path, chosen.device), chosen)
    if arguments.json:
        print(json.dumps({"file": str(path), "device": {"name": chosen.device.name, "type": chosen.device.type}}))
    else:
        print(f"{arguments.sensor} plays on {chosen.device.name} ({chosen.device.type}): written to {path}")
        print("\n".join([*(f"But {one}." for one in remarks), "A running gateway takes it up at its next start."]))
    return 0


def _show(arguments: argparse.Namespace, residents: "Residents", seen: "Sequence[SeenDevice]") -> None:
    from spotty_gateway.devices import as_json, as_table, uses_of  # noqa: PLC0415 - as in `run`

    uses = uses_of(residents.sensors, seen)
    for fault in residents.faults:
        print(f"spotty devices: {fault}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"devices": as_json(seen), "rooms": [_room(use) for use in uses]}, indent=2))
    else:
        print(as_table(seen, uses))


def _room(use: "Use") -> dict[str, object]:
    wanted = None if use.wanted is None else {"name": use.wanted.name, "type": use.wanted.type}
    return {"sensorId": use.sensor_id, "name": use.room, "device": wanted, "fault": use.fault}


def _complain(text: str, code: int) -> int:
    print(f"spotty devices: {text}", file=sys.stderr)
    return code
