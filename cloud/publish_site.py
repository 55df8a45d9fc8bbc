"""Puts a folder where the site's visitors find it: uploaded, what is gone deleted, the copies in between forgotten.

python cloud/publish_site.py [--stack spotty-dev] [--folder cloud/dashboard]

Credentials and region are found as `aws` finds them.
"""

import argparse
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_cloudformation.client import CloudFormationClient
    from types_boto3_cloudfront.client import CloudFrontClient
    from types_boto3_s3.client import S3Client

_FOLDER = Path(__file__).parent / "dashboard"
_FIRST_PAGE = "index.html"
_HASHED = re.compile(r"[.-][0-9a-f]{8,}\.[a-z0-9]+$")
"""`app-3f2a9c1b.js`: what is in such a file is in its name, so it never changes."""
_FOR_EVER, _ASK_EACH_TIME = "public, max-age=31536000, immutable", "no-cache"
_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_DELETED_AT_ONCE = 1000


class _CannotError(Exception):
    """It cannot be done; the message says why, and what to do."""


@dataclass(frozen=True)
class _Site:
    bucket: str
    distribution: str


@dataclass(frozen=True)
class _File:
    path: Path
    key: str

    @property
    def kind(self) -> str:
        return _KINDS[self.path.suffix]

    @property
    def caching(self) -> str:
        return _FOR_EVER if _HASHED.search(self.path.name) else _ASK_EACH_TIME


def main() -> int:
    """0 where it is published, 1 where AWS refused, 2 where there is nothing that could be."""
    parser = argparse.ArgumentParser(description="Publish a folder as the stack's site.")
    parser.add_argument("--stack", default="spotty-dev", help="whose site (%(default)s)")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="what to publish (%(default)s)")
    asked = parser.parse_args()
    try:
        files = _files(asked.folder)
        site = _site(boto3.client("cloudformation"), asked.stack)
        _publish(boto3.client("s3"), site.bucket, files)
        _forget(boto3.client("cloudfront"), site.distribution)
    except _CannotError as error:
        print(f"publish-site: {error}", file=sys.stderr)
        return 2
    except (BotoCoreError, ClientError) as error:
        print(f"publish-site: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


def _files(folder: Path) -> list[_File]:
    """What is to be published; pages last, so that none is there before what it loads."""
    if not folder.is_dir():
        raise _CannotError(f"there is no folder {folder}; name another with --folder")
    found = [_File(path, path.relative_to(folder).as_posix()) for path in sorted(folder.rglob("*")) if path.is_file()]
    shown = [file for file in found if not any(part.startswith(".") for part in Path(file.key).parts)]
    if not any(file.key == _FIRST_PAGE for file in shown):
        raise _CannotError(f"{folder} has no {_FIRST_PAGE}: visitors would find nothing")
    strange = [file.key for file in shown if file.path.suffix not in _KINDS]
    if strange:
        raise _CannotError(f"{strange[0]}: no content type is known for such a file; take it away or add its kind here")
    return sorted(shown, key=lambda file: (file.path.suffix == ".html", file.key))


def _site(stacks: "CloudFormationClient", name: str) -> _Site:
    outputs = {
        one.get("OutputKey", ""): one.get("OutputValue", "")
        for one in stacks.describe_stacks(StackName=name)["Stacks"][0].get("Outputs", [])
    }
    missing = {"SiteBucketName", "SiteDistributionId"} - outputs.keys()
    if missing:
        raise _CannotError(f"stack {name} has no output {', '.join(sorted(missing))}: is it ours, and deployed wholly?")
    return _Site(outputs["SiteBucketName"], outputs["SiteDistributionId"])


def _publish(s3: "S3Client", bucket: str, files: list[_File]) -> None:
    for number, file in enumerate(files, 1):
        print(f"[{number}/{len(files)}] {file.key}  {file.kind}  {file.caching}")
        s3.put_object(
            Bucket=bucket,
            Key=file.key,
            Body=file.path.read_bytes(),
            ContentType=file.kind,
            CacheControl=file.caching,
        )
    kept = {file.key for file in files}
    gone = [key for key in _keys(s3, bucket) if key not in kept]
    for start in range(0, len(gone), _DELETED_AT_ONCE):
        some = gone[start : start + _DELETED_AT_ONCE]
        answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True})
        for error in answer.get("Errors", []):
            raise _CannotError(f"{error.get('Key')} is still there: {error.get('Message')}; publish again")
    for key in gone:
        print(f"deleted {key}")


def _keys(s3: "S3Client", bucket: str) -> Iterator[str]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        yield from (one["Key"] for one in page.get("Contents", []))


def _forget(cloudfront: "CloudFrontClient", distribution: str) -> None:
    """Let CloudFront ask the bucket again: one path is free of charge, whatever it stands for."""
    cloudfront.create_invalidation(
        DistributionId=distribution,
        InvalidationBatch={"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(uuid.uuid4())},
    )
    print("published; CloudFront shows it within a few minutes")


if __name__ == "__main__":
    sys.exit(main())
