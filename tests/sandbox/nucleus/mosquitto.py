"""A real MQTT broker with mutual TLS, certificates for it, and somebody who listens there."""

from __future__ import annotations

import os
import pwd
import queue
import shutil
import signal
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from spotty_sandbox.nucleus import Broker

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 10.0
WHERE = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
MISSING = "{} IS MISSING, SO NOTHING WAS TRIED AGAINST A REAL BROKER. Get it: sudo apt install mosquitto openssl"


def program(name: str) -> str:
    """Where a program is. Skips loudly where it is missing; in CI, where it must be there, fails."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{WHERE}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING.format(name))
        pytest.skip(MISSING.format(name))
    return found


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of its own in a folder, and what it has signed."""

    folder: Path

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / "ca.pem"

    def cert(self, name: str) -> Path:
        """A certificate."""
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        """Its key."""
        return self.folder / f"{name}.key"

    def sign(self, name: str) -> None:
        """Make a key and a certificate for `name`, good for 127.0.0.1 too."""
        self._key(name)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(
            "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
        )
        request = self.folder / f"{name}.csr"
        self._openssl("req", "-new", "-key", self.key(name), "-subj", f"/CN={name}", "-out", request)
        signing = ("-CA", self.ca, "-CAkey", self.key("ca"), "-CAcreateserial", "-days", "2")
        self._openssl("x509", "-req", "-in", request, *signing, "-extfile", extensions, "-out", self.cert(name))

    def make(self, *names: str) -> Self:
        """Make the authority, and sign for each name."""
        self.folder.mkdir(parents=True)
        self._key("ca")
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        self._openssl("req", "-x509", "-new", "-key", self.key("ca"), "-subj", "/CN=ca", *usage, "-out", self.ca)
        for name in names:
            self.sign(name)
        return self

    def _key(self, name: str) -> None:
        self._openssl("ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", self.key(name))

    def _openssl(self, *arguments: object) -> None:
        subprocess.run([program("openssl"), *map(str, arguments)], check=True, capture_output=True)


class Mosquitto:
    """A broker on a port of 127.0.0.1, which it keeps over restarts."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.certificates = certificates
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._program = program("mosquitto")
        self._file = folder / "mosquitto.conf"
        self._file.write_text(
            f"listener {self.port} 127.0.0.1\ncafile {certificates.ca}\n"
            f"certfile {certificates.cert('broker')}\nkeyfile {certificates.key('broker')}\n"
            f"require_certificate true\nallow_anonymous true\nuser {pwd.getpwuid(os.getuid()).pw_name}\n"
            "log_dest stderr\nlog_type all\npersistence false\nset_tcp_nodelay true\n"
        )
        self._process: subprocess.Popen[str] | None = None
        self._said: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None

    def start(self) -> Self:
        """Run until `stop` or `kill`; returns when it takes connections."""
        command = [self._program, "-c", str(self._file)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        self._process, self._said = process, queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(process, self._said), daemon=True)
        self._reader.start()
        self.heard("running")
        return self

    def heard(self, text: str) -> None:
        """Wait for a line of its log with `text` in it."""
        self.said_until(text)

    def said_until(self, text: str) -> list[str]:
        """The lines of its log up to the next one with `text` in it."""
        lines = [self._said.get(timeout=PATIENCE_S)]
        while text not in lines[-1]:
            lines.append(self._said.get(timeout=PATIENCE_S))
        return lines

    def stop(self) -> None:
        """End it politely."""
        self._end(lambda process: process.terminate())

    def freeze(self) -> None:
        """Let it hang: connections stay, nothing is answered any more. Only `kill` helps."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(lambda process: process.kill())

    def broker(self, name: str) -> Broker:
        """How a thing of this name reaches it, quick to try again."""
        own = self.certificates
        return Broker("127.0.0.1", self.port, own.ca, own.cert(name), own.key(name), backoff_s=(0.02, 0.1))

    def _end(self, how: Any) -> None:  # noqa: ANN401 - terminate or kill
        if self._process is None or self._reader is None:
            return
        how(self._process)
        self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        if self._process.stderr is not None:
            self._process.stderr.close()
        self._process = None

    @staticmethod
    def _read(process: subprocess.Popen[str], said: queue.SimpleQueue[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.put(line.rstrip())


class Listener:
    """Another client at the broker, as the cloud would be: hears everything, and speaks."""

    def __init__(self, mosquitto: Mosquitto) -> None:
        self.came: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id="cloud")
        certificates = mosquitto.certificates
        context = ssl.create_default_context(cafile=certificates.ca)
        context.load_cert_chain(certificates.cert("cloud"), certificates.key("cloud"))
        self._client.tls_set_context(context)
        self._client.on_message = lambda _client, _data, message: self.came.put((message.topic, bytes(message.payload)))
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", mosquitto.port)
        self._client.subscribe("sensors/#", qos=1)
        self._client.loop_start()
        assert subscribed.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def next(self) -> tuple[str, bytes]:
        """The next message: topic and payload."""
        return self.came.get(timeout=PATIENCE_S)

    def say(self, topic: str, payload: bytes) -> None:
        """Publish, and wait for the broker's word that it has it."""
        self._client.publish(topic, payload, qos=1).wait_for_publish(PATIENCE_S)
