"""A template as data: CloudFormation's short tags read, and each function's code put where it was uploaded."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import yaml

from .errors import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CODE = {
    "AWS::Serverless::Function": ("CodeUri", "Bucket", "Key"),
    "AWS::Lambda::Function": ("Code", "S3Bucket", "S3Key"),
}
_BUILD_ONLY = "Metadata"  # how sam builds a function: of no use once it is built


class _Loader(yaml.CSafeLoader):
    """Knows `!Ref`, `!GetAtt a.b` and the other short forms of intrinsic functions."""


def _intrinsic(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)  # noqa: S101 - YAML has no fourth kind
    return {name: loader.construct_mapping(node, deep=True)}


def _date(loader: _Loader, node: yaml.ScalarNode) -> Any:  # noqa: ANN401 - a string
    """`Version: 2012-10-17` is a word, not a day."""
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _intrinsic)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def parsed(text: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The text as data: `!Ref x` is `{"Ref": "x"}`. Raises yaml.YAMLError."""
    return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader with more tags


def read(file: Path) -> dict[str, Any]:
    """The template in this file, YAML or JSON. Raises LocalAwsError."""
    try:
        content = parsed(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LocalAwsError(f"{file} cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("Resources"), dict):
        raise LocalAwsError(f"{file} is no template: it has no Resources")
    return content


def with_code(template: Mapping[str, Any], bucket: str, keys: Mapping[str, str]) -> dict[str, Any]:
    """The same template, with the code of each function (by logical id) at its key in the bucket.

    Raises LocalAwsError for a key of no function, and for a function that has neither a key nor its code inline.
    """
    placed: dict[str, Any] = copy.deepcopy(dict(template))
    functions = {name: one for name, one in placed["Resources"].items() if one.get("Type") in _CODE}
    if strangers := keys.keys() - functions.keys():
        raise LocalAwsError(f"the template has no function {', '.join(sorted(strangers))}")
    for name, function in functions.items():
        where, bucket_field, key_field = _CODE[function["Type"]]
        properties = function.setdefault("Properties", {})
        if name in keys:
            properties[where] = {bucket_field: bucket, key_field: keys[name]}
            function.pop(_BUILD_ONLY, None)
        elif "InlineCode" not in properties and "ZipFile" not in (properties.get(where) or {}):
            raise LocalAwsError(f"function {name} has no artifact")
    return placed
