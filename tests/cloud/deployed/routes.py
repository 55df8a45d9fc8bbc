"""Every route that is deployed, as one concrete request about somebody's home: from the API's own OpenAPI document."""

from __future__ import annotations

import re
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GATEWAY = "spotty-0123456789ab"
SENSOR = f"{GATEWAY}.bathroom"
CODE = "BCDF-2345"
REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nMIHm...\n-----END CERTIFICATE REQUEST-----\n"
"""What the document's examples say."""


@dataclass(frozen=True)
class Named:
    """The ids that somebody's requests are about."""

    gateway_id: str
    sensor_id: str
    command_id: str
    claim_id: str
    code: str
    """Of that claim, which its owner has confirmed."""
    request: str
    """Of the gateway, for a certificate."""

    def of(self, parameter: str) -> str:
        """What stands for a parameter; KeyError for one that is about nothing we know."""
        return {
            "gatewayid": self.gateway_id,
            "sensorid": self.sensor_id,
            "commandid": self.command_id,
            "claimid": self.claim_id,
        }[parameter.replace("_", "").lower()]

    def instead(self, said: Any) -> Any:  # noqa: ANN401 - JSON
        """The same with these in the place of the document's examples."""
        match said:
            case str():
                known = {SENSOR: self.sensor_id, GATEWAY: self.gateway_id, CODE: self.code, REQUEST: self.request}
                return known.get(said, said)
            case dict():
                return {name: self.instead(inner) for name, inner in said.items()}
        return said


@dataclass(frozen=True)
class Operation:
    """One request."""

    method: str
    route: str
    """With its parameters unfilled."""
    path: str
    body: Any
    is_open: bool
    """To anybody."""
    is_named: bool
    """Whether an id of somebody's stands in it."""
    statuses: frozenset[int]
    """That the document knows of."""

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.method} {self.route}"

    @property
    def successes(self) -> frozenset[int]:
        """Of its statuses."""
        return frozenset(one for one in self.statuses if one < 300)


def operations(document: Mapping[str, Any], named: Named) -> Iterator[Operation]:
    """Each route of the document, asked about what is `named`."""
    for route, methods in document["paths"].items():
        for method, operation in methods.items():
            yield _operation(method.upper(), route, operation, named)


def _operation(method: str, route: str, told: Mapping[str, Any], named: Named) -> Operation:
    path = re.sub(r"\{(\w+)\}", lambda found: named.of(found[1]), route)
    needed = [one["name"] for one in told.get("parameters", ()) if one["in"] == "query" and one["required"]]
    query = urlencode({name: named.of(name) for name in needed})
    body = _example(told, named)
    said = [path, query, *_texts(body)]
    return Operation(
        method,
        route,
        f"{path}?{query}" if query else path,
        body,
        told.get("security") == [],
        any(one in text for one in astuple(named) for text in said),
        frozenset(int(status) for status in told["responses"]),
    )


def _example(told: Mapping[str, Any], named: Named) -> Any:  # noqa: ANN401 - JSON
    """The first example of the body, about what is named, whatever version it is at."""
    if "requestBody" not in told:
        return None
    example = next(iter(told["requestBody"]["content"]["application/json"]["examples"].values()))["value"]
    return {name: named.instead(value) for name, value in example.items() if name != "version"}


def _texts(said: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    match said:
        case str():
            yield said
        case dict():
            for inner in said.values():
                yield from _texts(inner)
