"""What a nucleus is configured with, as YAML. Every value is written as JSON writes text, which YAML reads alike."""

import json
import re

from spotty_contract.registering import Registered
from spotty_gateway.registering.errors import CloudTroubleError
from spotty_gateway.registering.place import NucleusKind, Place

MQTT_PORT = 8883
"""Where both nuclei connect; lite nowhere else."""

_HEAD = "# Made by spotty register, which will not overwrite it unless it is told to.\n"
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
_ROLE_ALIAS = re.compile(r"[\w=,@-]{1,128}", re.ASCII)


def check(given: Registered) -> None:
    """Whether its words are such as may stand in a configuration. Raises CloudTroubleError."""
    for name, value, form in (
        ("dataEndpoint", given.data_endpoint, _HOST),
        ("credentialsEndpoint", given.credentials_endpoint, _HOST),
        ("region", given.region, _REGION),
        ("roleAlias", given.role_alias, _ROLE_ALIAS),
    ):
        if value is not None and not form.fullmatch(value):
            raise CloudTroubleError(f"{name} in the cloud's answer is none: the stack behind that address is damaged")


def has_greengrass(given: Registered) -> bool:
    """Whether the cloud has what a nucleus needs to fetch components."""
    return given.role_alias is not None and given.credentials_endpoint is not None


def configuration_of(place: Place, given: Registered) -> str:
    """The file that the nucleus of this place starts from."""
    return _lite(place, given) if place.nucleus is NucleusKind.LITE else _classic(place, given)


def _lite(place: Place, given: Registered) -> str:
    return f"""{_HEAD}{_system(place, given, "rootPath")}
  aws.greengrass.NucleusLite:
    componentType: "NUCLEUS"
    configuration:
      awsRegion: {_text(given.region)}{_greengrass(given)}
      iotDataEndpoint: {_text(given.data_endpoint)}
      runWithDefault:
        posixUser: "gg_component:gg_component"
      greengrassDataPlanePort: "8443"
"""


def _classic(place: Place, given: Registered) -> str:
    port = f"\n      mqtt:\n        port: {given.data_port}" if given.data_port != MQTT_PORT else ""
    return f"""{_HEAD}{_system(place, given, "rootpath")}
  aws.greengrass.Nucleus:
    componentType: "NUCLEUS"
    configuration:
      awsRegion: {_text(given.region)}{_greengrass(given)}
      iotDataEndpoint: {_text(given.data_endpoint)}{port}
      interpolateComponentConfiguration: true
"""


def _system(place: Place, given: Registered, root: str) -> str:
    return f"""system:
  privateKeyPath: {_text(place.key)}
  certificateFilePath: {_text(place.certificate)}
  rootCaPath: {_text(place.root_ca)}
  {root}: {_text(place.root)}
  thingName: {_text(given.gateway_id)}
services:"""


def _greengrass(given: Registered) -> str:
    if not has_greengrass(given):
        return ""
    return f"""
      iotCredEndpoint: {_text(given.credentials_endpoint)}
      iotRoleAlias: {_text(given.role_alias)}"""


def _text(value: object) -> str:
    return json.dumps(str(value), ensure_ascii=False)
