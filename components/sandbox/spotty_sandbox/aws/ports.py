"""Two ports of the loopback, the same for a folder's whole life: what is deployed there knows them."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

from .errors import LocalAwsError

if TYPE_CHECKING:
    from pathlib import Path

LOOPBACK = "127.0.0.1"


def bind(folder: Path) -> tuple[socket.socket, socket.socket]:
    """Listening sockets for HTTP and MQTT. Raises LocalAwsError if a port of this folder is taken by somebody else."""
    file = folder / "ports.json"
    wanted = json.loads(file.read_text()) if file.exists() else [0, 0]
    http = _listening(wanted[0], folder)
    try:
        mqtt = _listening(wanted[1], folder)
    except LocalAwsError:
        http.close()
        raise
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([http.getsockname()[1], mqtt.getsockname()[1]]))
    partial.replace(file)
    return http, mqtt


def _listening(port: int, folder: Path) -> socket.socket:
    """It takes connections from now on, so whoever connects while MiniStack is still starting just waits."""
    try:
        made = socket.create_server((LOOPBACK, port), backlog=128)
    except OSError as error:
        raise LocalAwsError(
            f"port {port}, which the local AWS in {folder} has always had, cannot be used ({error.strerror}); "
            "end what holds it, or begin with an empty folder"
        ) from None
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
