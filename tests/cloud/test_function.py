import json
import os
import subprocess
import sys

from tests.cloud.world import ADA, World, event_of

from spotty_sandbox.aws import LocalAws

_PROGRAM = """
import json, sys
from spotty_cloud.api.function import handler
print(json.dumps(handler(json.load(sys.stdin), None)))
"""


def test_the_function_answers_in_a_process_of_its_own(local_aws: LocalAws, world: World) -> None:
    """As in Lambda: its clients and names come from the environment, and nothing else is needed."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
        "CURSOR_KEY": "a key of the tests",
        **world.names,
    }
    event = event_of("GET", "/users/me", None, {"sub": ADA, "token_use": "id", "email": "ada@example.com"})
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(event),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(ran.stdout)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["userId"] == ADA
