"""What other people's linters say of the template, all of them offline. Run by their own environment (`make lint`).

python cloud/lint.py [TEMPLATE]
"""

import json
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

_HERE = Path(__file__).parent
_TOOLS = Path(sys.executable).parent
_OFFLINE = {**os.environ, "AWS_DEFAULT_REGION": "eu-central-1", "SAM_CLI_TELEMETRY": "0"}

_CODE = "s3://somewhere/functions.zip"
"""SAM takes code that has been uploaded, and looks at its address only."""
_ADDED = {"AWS::ApiGateway::Deployment", "AWS::ApiGateway::Stage", "AWS::Lambda::EventSourceMapping"}
"""What SAM may make of its own accord. No role, no right: those stand in the template, where they can be read."""


def expanded(text: str) -> dict[str, Any]:
    """The template as CloudFormation gets it. Raises InvalidDocumentException where SAM refuses it."""
    template = yaml_parse(text)
    template["Globals"]["Function"]["CodeUri"] = _CODE
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-central-1")  # SAM asks which partition it is in
    logging.getLogger("samtranslator").setLevel(logging.ERROR)  # it misses flags of Amazon's own
    plain: dict[str, Any] = Translator({}, Parser()).translate(template, {})
    return plain


def complaints(template: Path) -> list[str]:
    """Of every tool; none is as it should be."""
    text = template.read_text()
    try:
        plain = expanded(text)
    except InvalidDocumentException as error:
        return [f"SAM refuses {template}: {cause.message}" for cause in error.causes]
    return [*_additions(yaml_parse(text), plain), *_linters(template, plain), *_checkov(template)]


def _additions(written: dict[str, Any], plain: dict[str, Any]) -> list[str]:
    made = {name: one["Type"] for name, one in plain["Resources"].items() if name not in written["Resources"]}
    return [f"SAM would add {name}, of {kind}" for name, kind in made.items() if kind not in _ADDED]


def _linters(template: Path, plain: dict[str, Any]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "expanded.json"
        file.write_text(json.dumps(plain, indent=1))
        tools = {
            "sam validate --lint": _run("sam", "validate", "--lint", "--template", str(template)),
            "cfn-lint, expanded": _run("cfn-lint", str(file)),
        }
    return [f"{name}:\n{done.stdout}{done.stderr}" for name, done in tools.items() if done.returncode]


def _checkov(template: Path) -> list[str]:
    """Checkov finds no fault in what it could not read, so what it has looked at is counted too."""
    done = _run("checkov", "--config-file", str(_HERE / "checkov.yaml"), "--output", "json", "--file", str(template))
    try:
        told = json.loads(done.stdout)
        summary, failed = told["summary"], told["results"]["failed_checks"]
    except (ValueError, KeyError, TypeError):
        return [f"checkov has looked at nothing:\n{done.stdout[:2000]}{done.stderr[-2000:]}"]
    found = [f"checkov: {one['check_id']} {one['resource']}: {one['check_name']}" for one in failed]
    if summary["parsing_errors"] or not summary["passed"]:
        found.append(f"checkov: {summary['parsing_errors']} parts not understood, {summary['passed']} checks passed")
    return found


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(_TOOLS / tool), *arguments], env=_OFFLINE, capture_output=True, text=True, check=False)


def main(arguments: Sequence[str]) -> int:
    """Say what is wrong; 1 where something is."""
    found = complaints(Path(arguments[0]) if arguments else _HERE / "template.yaml")
    print("\n".join(found) if found else "template: sam, cfn-lint and checkov have nothing to say against it")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
