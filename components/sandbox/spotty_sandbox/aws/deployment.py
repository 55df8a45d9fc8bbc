"""A template to a running stack: code to a bucket, the stack made or changed, every step told."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from . import template as templates
from .clients import refusals
from .errors import LocalAwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

BUCKET = "local-artifacts"
DEPLOYED_WITHIN_S = 300.0
_LOOK_EVERY_S = 0.2
_NEVER_WAS = "does not exist"
_NOTHING_NEW = "No updates are to be performed"


@dataclass(frozen=True, slots=True)
class Stack:
    """What was deployed."""

    name: str
    outputs: Mapping[str, str]

    def output(self, name: str) -> str:
        """One output. Raises LocalAwsError where the template has no such."""
        if name not in self.outputs:
            raise LocalAwsError(f"stack {self.name} has no output {name}, only: {', '.join(sorted(self.outputs))}")
        return self.outputs[name]


class Deployment:
    """One template on its way to one stack."""

    def __init__(self, client: Callable[[str], Any], name: str, tell: Callable[[str], None]) -> None:
        self._s3 = client("s3")
        self._stacks = client("cloudformation")
        self._name = name
        self._tell = tell
        self._told: set[str] = set()
        self._failed: list[str] = []

    def deploy(self, template: Path, parameters: Mapping[str, str], artifacts: Mapping[str, Path]) -> Stack:
        """Upload, make or change the stack, wait for it. Raises LocalAwsError."""
        content = templates.read(template)
        with refusals(f"deploying {self._name}"):
            with contextlib.suppress(self._s3.exceptions.BucketAlreadyOwnedByYou):  # MiniStack's answer after a crash
                self._s3.create_bucket(Bucket=BUCKET)
            uploaded = {path: self._upload(path) for path in set(artifacts.values())}
            keys = {function: uploaded[path] for function, path in artifacts.items()}
            placed = json.dumps(templates.with_code(content, BUCKET, keys))
            key = self._put(placed.encode(), "json")
            url = self._s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}).partition("?")[0]
            if self._request(url, parameters):
                self._wait()
            return self._stack()

    def _upload(self, artifact: Path) -> str:
        """A zip as it is, a folder zipped: always by what is in it, so unchanged code is no change."""
        if not artifact.exists():
            raise LocalAwsError(f"there is no artifact {artifact}")
        return self._put(zipped(artifact) if artifact.is_dir() else artifact.read_bytes(), "zip")

    def _put(self, content: bytes, suffix: str) -> str:
        key = f"{hashlib.sha256(content).hexdigest()}.{suffix}"
        if "Contents" not in self._s3.list_objects_v2(Bucket=BUCKET, Prefix=key):
            self._s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return key

    def _request(self, url: str, parameters: Mapping[str, str]) -> bool:
        """Ask for the stack as the template says; False if it is so already."""
        asked = {
            "StackName": self._name,
            "TemplateURL": url,  # never in the request itself: that ends at 51,200 bytes
            "Parameters": [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        status = self._status()
        if status == "ROLLBACK_COMPLETE":  # of a first try: there is nothing to change
            self._tell(f"{self._name}: the failed first try is removed")
            self._stacks.delete_stack(StackName=self._name)
            self._wait()
            status = None
        if status is None:
            self._stacks.create_stack(**asked)
            return True
        self._told = {event["EventId"] for event in self._events()}
        try:
            self._stacks.update_stack(**asked)
        except ClientError as error:
            if _NOTHING_NEW not in str(error):
                raise
            self._tell(f"{self._name}: nothing has changed")
            return False
        return True

    def _wait(self) -> None:
        until = time.monotonic() + DEPLOYED_WITHIN_S
        while True:
            status = self._status()
            self._tell_events()
            if status is None or status in {"CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"}:
                return
            if not status.endswith("_IN_PROGRESS"):
                why = "; ".join(self._failed[:3]) or "no reason was given"
                raise LocalAwsError(f"stack {self._name} is {status}: {why}")
            if time.monotonic() > until:
                raise LocalAwsError(f"stack {self._name} is still {status} after {DEPLOYED_WITHIN_S:.0f} s")
            time.sleep(_LOOK_EVERY_S)

    def _status(self) -> str | None:
        try:
            found: str = self._stacks.describe_stacks(StackName=self._name)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if _NEVER_WAS not in str(error):
                raise
            return None
        return None if found == "DELETE_COMPLETE" else found

    def _events(self) -> list[dict[str, Any]]:
        """The oldest first."""
        pages = self._stacks.get_paginator("describe_stack_events").paginate(StackName=self._name)
        return [event for page in pages for event in page["StackEvents"]][::-1]

    def _tell_events(self) -> None:
        for event in self._events():
            if event["EventId"] in self._told:
                continue
            self._told.add(event["EventId"])
            status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
            line = f"{event['LogicalResourceId']} ({event['ResourceType']}) {status}"
            if status.endswith("_FAILED"):
                self._failed.append(f"{line}: {reason}")
            if not status.endswith("_IN_PROGRESS"):
                self._tell(f"{self._name}: {line}")

    def _stack(self) -> Stack:
        (found,) = self._stacks.describe_stacks(StackName=self._name)["Stacks"]
        return Stack(self._name, {one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])})


def zipped(folder: Path) -> bytes:
    """The same bytes for the same files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(str(file.relative_to(folder)))
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED, 1)
    return content.getvalue()
