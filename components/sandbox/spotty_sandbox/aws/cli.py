"""`spotty-sandbox aws`: the local AWS by hand."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from . import server
from .errors import LocalAwsError
from .running import Running
from .server import Server
from .setting import REGION

BAD_INPUT = 2
NOT_RUNNING = 1
FOLDER = Path(".cache/aws")


def run(argv: list[str]) -> int:
    """Do one of up, down and status. 0: done, 1: status, and none runs; 2: it cannot be done, said in one line.

    Raises SystemExit for --help and for arguments that argparse refuses.
    """
    options = _parser().parse_args(argv)
    folder = options.folder.resolve()
    try:
        if options.action == "up" and Server.attach(folder) is None:
            if not options.json:
                _tell("the local AWS starts")
            Server.start(folder, detached=True)
        if options.action == "down":
            was_up = server.end(folder)
            told = "it has ended, and its state is kept" if was_up else "none runs"
            _tell(json.dumps({"running": False}) if options.json else f"{told} in {folder}")
            return 0
        running = Running.read(folder / "running.json")
        _tell(_as_json(folder, running) if options.json else _as_text(folder, running))
    except (LocalAwsError, OSError) as error:
        sys.stderr.write(f"spotty-sandbox aws: {error}\n")
        return BAD_INPUT
    return 0 if running is not None else NOT_RUNNING


def _as_text(folder: Path, running: Running | None) -> str:
    if running is None:
        return f"none runs in {folder}"
    whose = f"process {running.owner.pid} ends it" if running.owner else "until spotty-sandbox aws down"
    return (
        f"the local AWS is at {_url(running)}, region {REGION}, MQTT with TLS on port {running.mqtt_port}\n"
        f"process {running.process.pid}, {whose}; its state and its log, ministack.log, are in {folder}\n"
        f"AWS_ENDPOINT_URL={_url(running)} AWS_REGION={REGION} AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
    )


def _as_json(folder: Path, running: Running | None) -> str:
    if running is None:
        return json.dumps({"running": False})
    return json.dumps(
        {
            "running": True,
            "endpointUrl": _url(running),
            "region": REGION,
            "mqttPort": running.mqtt_port,
            "pid": running.process.pid,
            "ownerPid": running.owner.pid if running.owner else None,
            "folder": str(folder),
            "log": str(folder / "ministack.log"),
        }
    )


def _url(running: Running) -> str:
    return f"http://127.0.0.1:{running.http_port}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "spotty-sandbox aws",
        description="An AWS on this computer, on the loopback only, its state kept in a folder. Linux; make local-aws "
        "installs it.",
    )
    parser.add_argument("action", choices=["up", "down", "status"], help="start it, end it, or say how it is")
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help=f"where all is kept ({FOLDER})")
    parser.add_argument("--json", action="store_true", help="answer as one JSON object")
    return parser


def _tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
