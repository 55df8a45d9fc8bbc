"""Asks MiniStack itself, over plain HTTP."""

from __future__ import annotations

import http.client
import json
from http import HTTPStatus

from .errors import LocalAwsError


def is_ready(port: int, patience_s: float) -> bool:
    """Whether it serves HTTP and MQTT. A server that is just starting lets this wait; one that has ended says no.

    Raises LocalAwsError if MQTT is not to be had.
    """
    try:
        status, body = _get(port, "/_ministack/ready", patience_s)
    except (OSError, http.client.HTTPException):
        return False
    if status != HTTPStatus.OK:
        return False
    broker = json.loads(body)["iot_mtls"]
    if broker != "listening":
        raise LocalAwsError(f"the local AWS has no MQTT: its broker is {broker}")
    return True


def broker_authority(port: int, patience_s: float) -> bytes:
    """The certificate, PEM, that signs the broker's. Raises LocalAwsError."""
    try:
        status, body = _get(port, "/_ministack/iot/ca.pem", patience_s)
    except (OSError, http.client.HTTPException) as error:
        raise LocalAwsError(f"the local AWS does not answer ({error})") from None
    if status != HTTPStatus.OK:
        raise LocalAwsError(f"the local AWS has no broker: it answers {status}")
    return body


def _get(port: int, path: str, patience_s: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience_s)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
