"""`spotty register`: a gateway becomes somebody's, and gets what its nucleus needs to connect."""

import argparse
import getpass
import json
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from spotty_contract.registering import Registered
    from spotty_gateway.registering.claim import Patience
    from spotty_gateway.registering.desk import Desk, Opened
    from spotty_gateway.registering.errors import RegistrationError
    from spotty_gateway.registering.place import Place

NOT_CONFIRMED, BAD_INPUT, CLOUD_TROUBLE, STRANGER, INTERRUPTED = 1, 2, 3, 4, 130

DASHBOARD_S_API = re.compile(r"(https://(?:(?!\.execute-api\.)[^/])+)/api")
"""The dashboard has the API beside it; API Gateway's own address does not."""

ID_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
MOST_TOKEN = 8192

LABELS = {"rootCa": "root CA"}
CLEAR_LINE = "\r\x1b[K"
SHOWN_EVERY_S = 1.0

EPILOG = """\
It makes a private key, which never leaves this computer, and shows a code and the key's fingerprint. Whoever the
gateway is to belong to enters the code in the dashboard, compares the fingerprint and confirms, within ten minutes.
Then certificate and configuration are written:

  lite      /var/lib/greengrass/credentials and /etc/greengrass/config.yaml, for the user ggcore
  classic   /greengrass/v2 and /greengrass/v2/config/config.yaml, for root

With --signed-in no code is shown: the ID token of whoever registers it is read from standard input.

Broken off at any time (Ctrl-C too), it goes on when it is run again: the key stays, and the same key gets the same
answer. What is registered is left alone without --again. To begin with a new key, move the old one away.

Exit code 0: registered, 1: not confirmed in time, 2: something on this computer is in the way (arguments, rights, disk,
registered already), 3: the cloud cannot be reached or used, 4: somebody stands in between, 130: stopped by Ctrl-C.

Programs read --json, an object a line: {"state": "waiting", "code", "fingerprint", "expiresInS"}, then
{"state": "registered", "gatewayId", "greengrass": true or false, "files": {...}}. Complaints are on standard error.
"""


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Teach the command line this command."""
    parser = commands.add_parser(
        "register",
        help="make this gateway somebody's, in the cloud",
        description="Register this gateway with the cloud, and write what Greengrass needs to connect.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("api", metavar="URL", help="the API's address, like https://d111.example/api")
    parser.add_argument("--nucleus", choices=("lite", "classic"), default="lite", help="default: %(default)s")
    parser.add_argument("--to", metavar="FOLDER", type=Path, help="write all files there instead, as this user's own")
    parser.add_argument("--again", action="store_true", help="register anew what is registered already")
    parser.add_argument(
        "--signed-in", action="store_true", help="be the owner here: an ID token on standard input, no code to confirm"
    )
    parser.add_argument("--name", help="with --signed-in: what to call the gateway (else its owner says so)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do it; the exit code. Whatever is wrong is told in one line on standard error."""
    try:
        # requests and the shapes take a quarter of a second to load: the other commands need not wait for that.
        from spotty_gateway.registering.errors import RegistrationError  # noqa: PLC0415 - see above

        try:
            return _run(arguments)
        except RegistrationError as error:
            return _complain(str(error), _exit_code(error))
    except KeyboardInterrupt:
        return _complain("stopped; run this again to go on: the key stays", INTERRUPTED)


def _run(arguments: argparse.Namespace) -> int:
    """Raises RegistrationError."""
    from spotty_gateway.registering.claim import at_once, keep, key_for, open_claim  # noqa: PLC0415 - as in `run`
    from spotty_gateway.registering.desk import Desk  # noqa: PLC0415 - as in `run`
    from spotty_gateway.registering.errors import CannotHereError  # noqa: PLC0415 - as in `run`
    from spotty_gateway.registering.place import NucleusKind, check_path, place_of, prepared  # noqa: PLC0415 - as in `run`

    place = place_of(NucleusKind(arguments.nucleus), arguments.to)
    check_path(place)
    id_token = _id_token(arguments)
    with Desk(arguments.api) as desk, prepared(place):
        key = key_for(place, again=arguments.again)
        if id_token is not None:
            given = at_once(desk, key, arguments.name, id_token)
        else:
            opened = open_claim(desk, key)
            if not _told(lambda: _say_waiting(opened, arguments.api, as_json=arguments.json)):
                raise CannotHereError("nobody reads the code on standard output: run this again where somebody does")
            given = _confirmed(desk, opened, shows=sys.stdout.isatty() and not arguments.json)
        keep(place, key, given)
    _told(lambda: _say_registered(place, given, as_json=arguments.json))
    return 0


def _id_token(arguments: argparse.Namespace) -> str | None:
    """The owner's, where they are signed in here. Raises CannotHereError."""
    from spotty_gateway.registering.errors import CannotHereError  # noqa: PLC0415 - as in `run`

    if not arguments.signed_in:
        if arguments.name is not None:
            raise CannotHereError("--name goes with --signed-in: else the owner names the gateway when confirming it")
        return None
    asks = sys.stdin.isatty()
    token = (getpass.getpass("ID token (it is not shown): ") if asks else sys.stdin.readline(MOST_TOKEN)).strip()
    if not ID_TOKEN.fullmatch(token):
        raise CannotHereError("that is no ID token: three parts in base64url, with dots between, in one line")
    return token


def _confirmed(desk: "Desk", opened: "Opened", *, shows: bool) -> "Registered":
    from spotty_gateway.registering.claim import wait_for_owner  # noqa: PLC0415 - as in `run`

    try:
        return wait_for_owner(desk, opened, _patience(shows=shows))
    finally:
        if shows:
            print(CLEAR_LINE, end="", flush=True)


def _exit_code(error: "RegistrationError") -> int:
    from spotty_gateway.registering.errors import CannotHereError, NotConfirmedError, StrangerError  # noqa: PLC0415 - as in `run`

    codes = {NotConfirmedError: NOT_CONFIRMED, CannotHereError: BAD_INPUT, StrangerError: STRANGER}
    return codes.get(type(error), CLOUD_TROUBLE)


def _patience(*, shows: bool) -> "Patience":
    """Waits in real time; on a terminal with a line that says how long there is still."""
    from spotty_gateway.registering.claim import Patience  # noqa: PLC0415 - as in `run`

    if not shows:
        return Patience(time.monotonic, lambda wait_s, _: time.sleep(wait_s))
    trouble = ""

    def hear(heard: str | None) -> None:
        nonlocal trouble
        trouble = "" if heard is None else f"; it is tried again, as {heard.partition(':')[0]}"

    def wait(wait_s: float, left_s: float) -> None:
        until_s = time.monotonic() + wait_s
        while (still_s := until_s - time.monotonic()) > 0:
            minutes, seconds = divmod(max(0, round(left_s - wait_s + still_s)), 60)
            print(f"{CLEAR_LINE}{minutes}:{seconds:02} left{trouble}", end="", flush=True)
            time.sleep(min(SHOWN_EVERY_S, still_s))

    return Patience(time.monotonic, wait, hear)


def _say_waiting(opened: "Opened", api: str, *, as_json: bool) -> None:
    code = opened.claim.code.replace("-", "")
    code, left_s = f"{code[:4]}-{code[4:]}", round(opened.left_s)
    if as_json:
        told = {"state": "waiting", "code": code, "fingerprint": opened.claim.fingerprint, "expiresInS": left_s}
        print(json.dumps(told), flush=True)
        return
    site = DASHBOARD_S_API.fullmatch(api.rstrip("/"))
    where = f"open {site[1]}" if site else "open your dashboard"
    print(
        f"\n    code          {code}\n    fingerprint   {opened.claim.fingerprint}\n\n"
        f"On a phone or computer, {where}, sign in, choose to add a gateway and enter the code.\n"
        "Confirm only if it shows the same fingerprint: then it is this gateway and no other.\n"
        f"There are {max(1, left_s // 60)} minutes for it. Waiting (Ctrl-C to stop; run this again to go on) ...",
        flush=True,
    )


def _say_registered(place: "Place", given: "Registered", *, as_json: bool) -> None:
    from spotty_gateway.cli.register_next import next_steps  # noqa: PLC0415 - as in `run`
    from spotty_gateway.registering.configuration import has_greengrass  # noqa: PLC0415 - as in `run`

    if as_json:
        told = {"state": "registered", "gatewayId": given.gateway_id, "greengrass": has_greengrass(given)}
        print(json.dumps({**told, "files": {name: str(path) for name, path in place.files.items()}}), flush=True)
        return
    print(f"Registered as {given.gateway_id}.\n")
    print("\n".join(f"    {LABELS.get(name, name):13} {path}" for name, path in place.files.items()))
    print("\n".join(("", *next_steps(place, given))), flush=True)


def _told(say: "Callable[[], None]") -> bool:
    """Say it; whether it could be written. What is registered is so, though nobody reads it any more."""
    try:
        say()
    except OSError:
        # What is left in the buffer would be tried again, and complained about, when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _complain(text: str, code: int) -> int:
    print(f"spotty register: {text}", file=sys.stderr, flush=True)
    return code
