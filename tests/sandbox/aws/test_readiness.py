import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from spotty_sandbox.aws import LocalAwsError
from spotty_sandbox.aws.readiness import broker_authority, is_ready

PATIENCE_S = 10.0


@contextmanager
def answering(status: int, broker: str) -> Iterator[int]:
    """A server that says this of itself to one who asks, at this port."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "completed", "iot_mtls": broker}).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield server.server_address[1]
        thread.join()


@pytest.mark.parametrize("status, broker, ready", [(503, "starting", False), (200, "listening", True)])
def test_it_is_ready_when_http_and_mqtt_are(status: int, broker: str, *, ready: bool) -> None:
    """MiniStack answers before its broker listens, and says so."""
    with answering(status, broker) as port:
        assert is_ready(port, PATIENCE_S) is ready


def test_without_a_broker_it_never_is() -> None:
    """Waiting longer would not help."""
    with answering(200, "degraded") as port, pytest.raises(LocalAwsError, match="no MQTT: its broker is degraded"):
        is_ready(port, PATIENCE_S)


def test_nobody_there_is_not_ready() -> None:
    """One that has ended is no error here, and a clear one to who needs its certificate."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    assert not is_ready(port, PATIENCE_S)
    with pytest.raises(LocalAwsError, match="the local AWS does not answer"):
        broker_authority(port, PATIENCE_S)
    with answering(503, "starting") as port, pytest.raises(LocalAwsError, match="has no broker: it answers 503"):
        broker_authority(port, PATIENCE_S)
