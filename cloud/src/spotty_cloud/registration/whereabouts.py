"""Where a gateway finds its cloud, and who signs for that."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the stubs are not in the functions' packages
    from types_boto3_iot.client import IoTClient

AUTHORITY = Path(__file__).with_name("amazon_root_ca_1.pem")
"""Amazon Root CA 1, which signs for every endpoint named ...-ats."""
_TLS_PORT = 8883
_PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What a gateway is told beside its certificate."""

    region: str
    root_ca_pem: str
    data_endpoint: str
    data_port: int
    credentials_endpoint: str | None
    """This and the next are None without Greengrass."""
    role_alias: str | None


def whereabouts_of(iot: "IoTClient", environment: Mapping[str, str]) -> Callable[[], Whereabouts]:
    """Looked up when first asked for, then kept for the life of the process: in AWS they never change."""

    @functools.cache
    def found() -> Whereabouts:
        role_alias = environment["ROLE_ALIAS"] or None
        host, port, authority = _local(environment) or (_endpoint(iot, "iot:Data-ATS"), _TLS_PORT, _amazon())
        return Whereabouts(
            region=iot.meta.region_name,
            root_ca_pem=authority,
            data_endpoint=host,
            data_port=port,
            credentials_endpoint=_endpoint(iot, "iot:CredentialProvider") if role_alias else None,
            role_alias=role_alias,
        )

    return found


def _endpoint(iot: "IoTClient", kind: str) -> str:
    return iot.describe_endpoint(endpointType=kind)["endpointAddress"]


def _amazon() -> str:
    return AUTHORITY.read_text(encoding="ascii")


def _local(environment: Mapping[str, str]) -> tuple[str, int, str] | None:
    """The local AWS's broker, whose authority is its own; None in AWS."""
    if not environment["LOCAL_MQTT"]:
        return None
    from urllib.request import ProxyHandler, build_opener  # noqa: PLC0415 - AWS never needs it

    host, _, port = environment["LOCAL_MQTT"].rpartition(":")
    direct = build_opener(ProxyHandler({}))
    with direct.open(environment["LOCAL_AUTHORITY"], timeout=_PATIENCE_S) as answer:
        return host, int(port), answer.read().decode("ascii")
