"""`spotty-sandbox nucleus`: the nucleus as a tool of its own."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import socket
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from .broker import Broker
from .configuration import Update
from .errors import ConfigurationError, NucleusError
from .nucleus import Nucleus
from .profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from .core import Status

BAD_INPUT = 2
_HELP = """\
A Greengrass nucleus on this computer: installs and runs one component by its recipe, and answers it
over IPC as nucleus lite or classic does. The unmodified AWS SDKs talk to it. Linux only.

  spotty-sandbox nucleus --recipe recipe.yaml --artifact app.zip
  spotty-sandbox nucleus --recipe recipe.yaml --profile classic --thing gw1 \\
      --broker localhost:8883 --ca ca.pem --cert gw1.pem --key gw1.key

Without --broker the cloud is a simple one of its own: it takes everything, and what the component
has subscribed to comes back."""
_WORDS = """\
While it runs, it takes these words on standard input, one line each:

  publish TOPIC TEXT    a local message; TEXT that is a JSON object goes as JSON, else as binary
  cloud TOPIC TEXT      a message from the cloud
  set JSON              merge into the configuration, as a deployment does
  reset POINTER         back to the recipe's default: /some/key, or / for all
  config                show the configuration
  offline, online       cut the link to the cloud, mend it
  start, stop, restart  the component
  kill                  SIGKILL to the component
  drop                  close its IPC connections
  crash                 close them and forget its token, as when the IPC server restarts
  status, requests      how things are; what was asked lately and how it was answered
  quit                  end (so do Ctrl-C and SIGTERM; the end of standard input does not)

--config FILE holds a deployment's update, JSON or YAML: {"reset": ["/a"], "merge": {"b": 1}}"""


def run(argv: list[str]) -> int:
    """Run the nucleus until `quit`, Ctrl-C or SIGTERM; to be called on the main thread.

    Returns 0 after a clean end, 2 for arguments, a recipe or certificates that cannot be used (said in one line on
    standard error). Raises SystemExit for --help and for arguments that argparse refuses.
    """
    options = _parser().parse_args(argv)
    try:
        if options.root is not None:
            _serve(options, options.root)
        else:
            with tempfile.TemporaryDirectory(prefix="nucleus-") as root:
                _serve(options, Path(root))
    except (NucleusError, OSError) as error:
        _tell(f"spotty-sandbox nucleus: {error}", sys.stderr.write)
        return BAD_INPUT
    return 0


def _serve(options: argparse.Namespace, root: Path) -> None:
    nucleus = Nucleus(
        options.profile,
        root=root,
        recipe=options.recipe,
        thing=options.thing,
        artifacts=options.artifact,
        broker=_broker(options),
        update=_update(options.config),
        interpolates=not options.no_interpolation,
        tell=_tell,
    )
    with _Ended() as ended, nucleus:
        _tell(f"nucleus {options.profile}, thing {options.thing}, root {root}, socket {nucleus.socket_path}")
        _tell(f"[nucleus] {nucleus.recipe.name} {nucleus.recipe.version}; type help for what can be done")
        nucleus.start_component()
        _listen(nucleus, ended)


class _Ended:
    """Ctrl-C and SIGTERM as something that select can wait for, while the block runs."""

    def __enter__(self) -> socket.socket:
        self._heard, self._says = socket.socketpair()

        def end(_number: int, _frame: FrameType | None) -> None:
            self._says.send(b"x")

        self._before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
        return self._heard

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._heard.close()
        self._says.close()


def _listen(nucleus: Nucleus, ended: socket.socket) -> None:
    """Do what standard input says until it says quit or a signal comes. The end of input ends nothing."""
    terminal = sys.stdin.fileno()
    waiting: list[socket.socket | int] = [ended, terminal]
    rest = b""
    while True:
        ready, _, _ = select.select(waiting, [], [])
        if ended in ready:
            return
        piece = os.read(terminal, 65536)  # not sys.stdin: select does not see what that has read ahead
        if not piece:
            waiting.remove(terminal)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").strip()
            if words == "quit":
                return
            if words:
                _obey(nucleus, words)


def _obey(nucleus: Nucleus, line: str) -> None:
    word, _, rest = line.partition(" ")
    words: dict[str, Callable[[], object]] = {
        "publish": lambda: nucleus.publish_locally(*_local(rest)),
        "cloud": lambda: nucleus.publish_from_cloud(*_two(rest)),
        "set": lambda: nucleus.set_configuration(merge=_json(rest)),
        "reset": lambda: nucleus.set_configuration(reset=[rest.strip()]),
        "config": lambda: _tell(json.dumps(nucleus.configuration(), indent=1)),
        "offline": nucleus.go_offline,
        "online": nucleus.go_online,
        "start": nucleus.start_component,
        "stop": nucleus.stop_component,
        "restart": nucleus.restart_component,
        "kill": nucleus.kill_component,
        "drop": nucleus.drop_connections,
        "crash": nucleus.restart_ipc,
        "status": lambda: _tell(_told(nucleus.status())),
        "requests": lambda: _requests(nucleus),
        "help": lambda: _tell(_WORDS),
    }
    if word not in words:
        _tell(f"[nucleus] {word} is none of: {' '.join(words)} quit")
        return
    try:
        words[word]()
    except NucleusError as error:
        _tell(f"[nucleus] {word}: {error}")


def _told(status: Status) -> str:
    ended = "nothing yet" if status.last_exit is None else status.last_exit
    said, link = status.reported or "nothing", "online" if status.is_online else "offline"
    return textwrap.dedent(f"""\
        [nucleus] component {status.state}, pid {status.pid or "none"}, says of itself: {said}
        [nucleus] started {status.starts} times, last run ended with: {ended}
        [nucleus] cloud {link}, {status.spooled} messages spooled, {status.lost} lost
        [nucleus] IPC: {status.connections} connections, {status.open_streams} open streams, \
        {status.subscriptions} subscriptions""")


def _requests(nucleus: Nucleus) -> None:
    for entry in nucleus.requests()[-20:]:
        topic = entry.request.get("topicName") or entry.request.get("topic") or ""
        _tell(f"[nucleus] {entry.operation} {topic} {entry.outcome}")


def _two(rest: str) -> tuple[str, bytes]:
    topic, _, text = rest.strip().partition(" ")
    if not topic:
        raise NucleusError("it needs a topic and a text")
    return topic, text.encode()


def _local(rest: str) -> tuple[str, dict[str, Any] | bytes]:
    topic, text = _two(rest)
    try:
        content = json.loads(text)
    except ValueError:
        return topic, text
    return topic, content if isinstance(content, dict) else text


def _json(rest: str) -> dict[str, Any]:
    try:
        content = json.loads(rest)
    except ValueError as error:
        raise ConfigurationError(f"that is no JSON: {error}") from None
    if not isinstance(content, dict):
        raise ConfigurationError("that is no JSON object")
    return content


def _broker(options: argparse.Namespace) -> Broker | None:
    if options.broker is None:
        return None
    host, _, port = options.broker.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the range of ports
        raise NucleusError(f"--broker: {options.broker} is no HOST:PORT")
    return Broker(host, int(port), options.ca, options.cert, options.key)


def _update(file: Path | None) -> Update | None:
    if file is None:
        return None
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"--config: {file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or content.keys() - {"merge", "reset"}:
        raise ConfigurationError(f'--config: {file} holds no update like {{"reset": ["/a"], "merge": {{"b": 1}}}}')
    merge, reset = content.get("merge") or {}, content.get("reset") or []
    if not isinstance(merge, dict) or not isinstance(reset, list) or not all(isinstance(one, str) for one in reset):
        raise ConfigurationError(f"--config: in {file} merge is no map, or reset no list of pointers")
    return Update(merge, reset)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "spotty-sandbox nucleus", description=_HELP, epilog=_WORDS, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", type=Path, required=True, metavar="FILE", help="the recipe, YAML or JSON")
    parser.add_argument(
        "--artifact", type=Path, action="append", default=[], metavar="FILE", help="a file the recipe lists (repeat)"
    )
    parser.add_argument("--profile", choices=PROFILES, default="lite", help="whose manners it has (default lite)")
    parser.add_argument("--thing", default="laptop", metavar="NAME", help="thing name and client id (default laptop)")
    parser.add_argument("--broker", metavar="HOST:PORT", help="an MQTT broker as the cloud")
    for name in ("ca", "cert", "key"):
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help="for mutual TLS with the broker, PEM")
    parser.add_argument("--config", type=Path, metavar="FILE", help="what a deployment changes in the configuration")
    parser.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        help="where all is kept (default: a folder that is deleted at the end)",
    )
    parser.add_argument(
        "--no-interpolation",
        action="store_true",
        help="leave {iot:thingName} in accessControl as it is, as classic does unless a deployment says otherwise",
    )
    return parser


def _tell(text: str, write: Callable[[str], object] | None = None) -> None:
    (write or sys.stdout.write)(text + "\n")
    sys.stdout.flush()
