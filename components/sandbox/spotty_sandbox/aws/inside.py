"""MiniStack on sockets that are bound already: run by its own environment's Python, as a program.

    python inside.py HTTP_FD MQTT_FD LIFELINE_FD

Its own start would take any port for HTTP and every address of the computer for MQTT. The lifeline is the reading end
of a pipe whose other end its owner holds: when that closes, the end has come. -1 is none.
"""

import asyncio
import ipaddress
import os
import signal
import socket
import ssl
import sys
import threading
from typing import Any

LOOPBACK = "127.0.0.1"


class LoopbackLoop(asyncio.SelectorEventLoop):
    """Listens for MQTT on the socket it was given, and for anything else on the loopback only."""

    mqtt: socket.socket | None = None

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:  # noqa: ANN401 - asyncio's own signature
        """As asyncio does, whatever address was asked for."""
        if self.mqtt is not None and port == self.mqtt.getsockname()[1]:
            given, self.mqtt = self.mqtt, None  # closed by a reset of MiniStack, which then binds the port anew
            return await super().create_server(protocol_factory, sock=given, **options)
        return await super().create_server(protocol_factory, LOOPBACK if host is not None else None, port, **options)


def refuse_other_addresses(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: nothing in this process binds an address that others can reach."""
    if event != "socket.bind":
        return
    bound, address = arguments
    if bound.family in (socket.AF_INET, socket.AF_INET6) and not ipaddress.ip_address(address[0] or "::").is_loopback:
        raise PermissionError(f"the local AWS listens on {LOOPBACK} only, not on {address[0] or 'every address'}")


def demand_certificates() -> None:
    """Let nobody on the broker without a certificate, as on AWS: MiniStack would, and with every right."""
    from ministack.services import iot  # type: ignore[import-not-found]  # noqa: PLC0415 - as in main

    build = iot._mtls_build_ssl_context  # noqa: SLF001 - there is no setting, and its version is pinned

    def strict() -> ssl.SSLContext:
        context: ssl.SSLContext = build()
        context.verify_mode = ssl.CERT_REQUIRED
        return context

    iot._mtls_build_ssl_context = strict  # noqa: SLF001


def ask_for_rights_that_exist() -> None:
    """Ask for the right to send where a batch is sent, and so on, as AWS does: SQS has no rights of batches."""
    from ministack.core import iam_actions  # type: ignore[import-not-found]  # noqa: PLC0415 - as in main

    found = iam_actions.extract_iam_action

    def existing(service: str, *request: Any) -> str | None:  # noqa: ANN401 - MiniStack's own signature
        action: str | None = found(service, *request)
        return action.removesuffix("Batch") if action is not None and service == "sqs" else action

    iam_actions.extract_iam_action = existing


def end_functions() -> None:
    """End what still runs here for a function; it would otherwise go on until it is done."""
    if os.getpgrp() == os.getpid():  # a group of our own
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


def end_with(lifeline: int) -> None:
    """Wait until the owner is gone, then end as if told to, so that the state is kept."""
    os.read(lifeline, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def main(http: int, mqtt: int, lifeline: int) -> None:
    """Serve until SIGTERM, which keeps the state."""
    sys.addaudithook(refuse_other_addresses)
    if lifeline >= 0:
        threading.Thread(target=end_with, args=(lifeline,), daemon=True).start()
    # Not at the top: they exist in this environment only, and read their settings when they are imported.
    from hypercorn.asyncio import serve  # type: ignore[import-not-found]  # noqa: PLC0415
    from hypercorn.config import Config  # type: ignore[import-not-found]  # noqa: PLC0415
    from ministack.app import app  # type: ignore[import-not-found]  # noqa: PLC0415

    demand_certificates()
    ask_for_rights_that_exist()
    config = Config()
    config.bind = [f"fd://{http}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 0.5
    with asyncio.Runner(loop_factory=LoopbackLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, LoopbackLoop)  # noqa: S101 - made one line above
        loop.mqtt = socket.socket(fileno=mqtt)
        runner.run(serve(app, config))
        end_functions()


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
