import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cloud.stack import ROOT

from spotty_sandbox.aws import LocalAws

PROGRAM = ROOT / "cloud/publish_site.py"
STACK = "site-of-the-tests"
TEMPLATE = {
    "Resources": {
        "SiteBucket": {"Type": "AWS::S3::Bucket"},
        "Site": {
            "Type": "AWS::CloudFront::Distribution",
            "Properties": {
                "DistributionConfig": {
                    "Enabled": True,
                    "Origins": [{"Id": "site", "DomainName": {"Fn::GetAtt": ["SiteBucket", "RegionalDomainName"]}}],
                    "DefaultCacheBehavior": {"TargetOriginId": "site", "ViewerProtocolPolicy": "https-only"},
                }
            },
        },
    },
    "Outputs": {
        "SiteBucketName": {"Value": {"Ref": "SiteBucket"}},
        "SiteDistributionId": {"Value": {"Ref": "Site"}},
    },
}
Publish = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def site(local_aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A stack with no more than a site, and what it says of itself."""
    file = tmp_path_factory.mktemp("site") / "template.json"
    file.write_text(json.dumps(TEMPLATE))
    return dict(local_aws.deploy(file, {}, {}, stack=STACK).outputs)


@pytest.fixture
def publish(local_aws: LocalAws, site: dict[str, str]) -> Publish:  # noqa: ARG001  # it is there
    """The command, as make runs it."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
    }

    def run(folder: Path, stack: str = STACK) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(PROGRAM), "--stack", stack, "--folder", str(folder)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


def written(folder: Path, **files: str) -> Path:
    """A folder with these files; `_` stands for a dot."""
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def shown(aws: LocalAws, site: dict[str, str]) -> dict[str, Any]:
    """What is in the bucket."""
    s3 = aws.client("s3")
    listed = s3.list_objects_v2(Bucket=site["SiteBucketName"]).get("Contents", [])
    return {one["Key"]: s3.get_object(Bucket=site["SiteBucketName"], Key=one["Key"]) for one in listed}


def test_what_is_in_the_folder_is_what_visitors_find(
    local_aws: LocalAws, site: dict[str, str], publish: Publish, tmp_path: Path
) -> None:
    """Types and caching by name; what is gone is deleted, hidden files stay here, and CloudFront is told each time."""
    first = written(tmp_path / "first", index_html="1", old_css="", **{"app-3f2a9c1b_js": "2", "_hidden": "3"})
    assert publish(first).returncode == 0
    second = written(tmp_path / "second", index_html="4")
    (second / "assets").mkdir()
    (second / "assets/app.0123456789abcdef.css").write_text("5")
    (second / "long-named-picture.svg").write_text("<svg/>")
    told = publish(second)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.splitlines()[2].startswith("[3/3] index.html")  # the page after what it loads
    found = shown(local_aws, site)
    assert {key: (one["ContentType"], one["CacheControl"]) for key, one in found.items()} == {
        "index.html": ("text/html; charset=utf-8", "no-cache"),
        "assets/app.0123456789abcdef.css": ("text/css; charset=utf-8", "public, max-age=31536000, immutable"),
        "long-named-picture.svg": ("image/svg+xml", "no-cache"),
    }
    assert found["index.html"]["Body"].read() == b"4"
    forgotten = local_aws.client("cloudfront").list_invalidations(DistributionId=site["SiteDistributionId"])
    assert forgotten["InvalidationList"]["Quantity"] == 2


def test_our_own_page_can_be_published(local_aws: LocalAws, site: dict[str, str], publish: Publish) -> None:
    """It loads nothing that is not published with it, and says where the API is."""
    assert publish(ROOT / "cloud/dashboard").returncode == 0
    found = shown(local_aws, site)
    page = found["index.html"]["Body"].read().decode()
    assert 'href="style.css"' in page
    assert "style.css" in found
    assert 'href="api/docs"' in page


@pytest.mark.parametrize(
    "files, words",
    [
        (None, "there is no folder"),
        ({}, "has no index.html"),
        ({"index_html": "", "notes_odt": ""}, "notes.odt: no content type is known"),
    ],
)
def test_what_cannot_be_published_is_said_in_a_line(
    local_aws: LocalAws,
    site: dict[str, str],
    publish: Publish,
    tmp_path: Path,
    files: dict[str, str] | None,
    words: str,
) -> None:
    """Nothing is changed then: a site with the last version is better than an empty one."""
    before = set(shown(local_aws, site))
    told = publish(tmp_path / "none" if files is None else written(tmp_path / "some", **files))
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (2, "", 1)
    assert words in told.stderr
    assert set(shown(local_aws, site)) == before


def test_a_stack_that_there_is_not_is_named(publish: Publish) -> None:
    """As AWS puts it, in one line."""
    told = publish(ROOT / "cloud/dashboard", "nobody-s-stack")
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (1, "", 1)
    assert "nobody-s-stack" in told.stderr
