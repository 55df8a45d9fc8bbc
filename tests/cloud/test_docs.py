import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cloud.before_function import BeforeFunction
from tests.cloud.stack import template
from tests.cloud.world import ADA, World

from spotty_cloud.api.docs import CONTENT_SECURITY_POLICY

FILES = ("swagger-ui.css", "swagger-ui-bundle.js", "start.js")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_QUIETLY = (
    "--headless",
    "--enable-logging=stderr",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


def site_s_policy() -> str:
    """The Content-Security-Policy that the site lays over every answer."""
    headers = template()["Resources"]["SiteHeaders"]["Properties"]["ResponseHeadersPolicyConfig"]
    text, _ = headers["SecurityHeadersConfig"]["ContentSecurityPolicy"]["ContentSecurityPolicy"]["Fn::Sub"]
    return re.sub(r"\$\{[^}]*\}", "name", text)


def raw(world: World, path: str) -> tuple[str, dict[str, str]]:
    """A file as text, and its headers."""
    with BeforeFunction(world, ()) as api:
        told = subprocess.run(["curl", "-sS", "-i", f"{api.url}{path}"], capture_output=True, text=True, check=True)
    head, _, text = told.stdout.replace("\r\n", "\n").partition("\n\n")
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    return text, headers


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: whether the API's page shows itself is not looked at")
@pytest.mark.parametrize(
    "prefix, policy",
    [("/api", site_s_policy()), ("/_aws/execute-api/abc123/api", CONTENT_SECURITY_POLICY)],
    ids=["behind the site", "at a stage of the local AWS"],
)
def test_a_browser_shows_every_operation_and_asks_nobody_else(
    world: World, tmp_path: Path, prefix: str, policy: str
) -> None:
    """Swagger UI under the policy that holds there: drawn from our document, not one request to another host."""
    log = tmp_path / "net.json"
    with BeforeFunction(world, (ADA,), prefix, {"Content-Security-Policy": policy}) as api:
        command = [str(CHROMIUM), *_QUIETLY, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"]
        shown = subprocess.run(
            [*command, "--virtual-time-budget=20000", "--dump-dom", f"{api.url}/docs"],
            capture_output=True,
            text=True,
            check=True,
        )
        document = world.ask("GET", "/openapi.json", user=None).body
    drawn = set(re.findall(r'id="operations-(?!tag-)\w+-(\w+)"', shown.stdout))
    assert drawn == {one["operationId"] for item in document["paths"].values() for one in item.values()}
    assert "Content Security Policy" not in shown.stderr  # it is not that something was kept from it
    # The browser looks after its own affairs too; what the page makes it ask for bears the page's name.
    asked = [line for line in log.read_text().splitlines() if f'"initiator":"{api.url.removesuffix(prefix)}"' in line]
    urls = {url for line in asked for url in re.findall(r'"url":"([^"]*)', line)}
    assert urls == {f"{api.url}/docs/{name}" for name in FILES} | {f"{api.url}/openapi.json"}


def test_the_page_s_files_come_from_here(world: World) -> None:
    """Right types, a strict policy, what never changes kept by the browser, and no file that is not the page's."""
    page, headers = raw(world, "/docs")
    assert (headers["content-type"], headers["cache-control"]) == ("text/html; charset=utf-8", "no-store")
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY.lower()
    for name, kind in re.findall(r'(?:src|href)="docs/([\w.-]+\.(css|js))"', page):
        _, told = raw(world, f"/docs/{name}")
        assert told["content-type"] == f"text/{'javascript' if kind == 'js' else kind}; charset=utf-8"
    assert world.ask("GET", "/docs/..%2fsecrets", user=None).status == 404
    assert world.ask("GET", "/docs/redoc.standalone.js", user=None).status == 404
    assert "://" not in page
