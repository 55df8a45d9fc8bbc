import json
import subprocess
import sys

import pytest
from tests.cloud.stack import functions, template

_PROGRAM = """
import importlib, json, logging, sys
logging.getLogger().setLevel("DEBUG")  # as Lambda does where the stack's LogLevel says so
importlib.import_module(sys.argv[1])
names = ["botocore.endpoint", "botocore.auth", "boto3.resources", "urllib3.connectionpool", "spotty_cloud.x"]
print(json.dumps([name for name in names if logging.getLogger(name).isEnabledFor(logging.DEBUG)]))
"""


@pytest.mark.parametrize("name", sorted(functions(template())))
def test_no_level_of_ours_makes_libraries_print_requests(name: str) -> None:
    """What botocore prints when it debugs: signed headers, what people do, and Spotify's code on its way."""
    function = functions(template())[name]
    environment = dict.fromkeys(function["Environment"]["Variables"], "x") | {
        "LOG_LEVEL": "DEBUG",
        "RETENTION_DAYS": "30",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    command = [sys.executable, "-c", _PROGRAM, function["Handler"].rpartition(".")[0]]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == ["spotty_cloud.x"]
