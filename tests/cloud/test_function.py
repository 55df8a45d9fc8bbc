import json
import os
import subprocess
import sys

from tests.cloud.world import ADA, LIVE_ENDPOINT, World, event_of

from spotty_sandbox.aws import LocalAws

_PROGRAM = """
import json, sys
from spotty_cloud.api.function import handler
loaded = sorted(sys.modules)
print(json.dumps({"answer": handler(json.load(sys.stdin), None), "loaded": loaded}))
"""
_NOT_AT_START = {"boto3", "cryptography", "fastapi_standalone_docs", "spotty_cloud.registration", "spotty_cloud.ingest"}
"""What would make a cold start slower, for the sake of routes that few ask for or of nothing at all."""


def test_the_function_answers_in_a_process_of_its_own(local_aws: LocalAws, world: World) -> None:
    """As in Lambda: its clients and names come from the environment; nothing else is needed, nor loaded at start."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
        "CURSOR_KEY": "a key of the tests",
        "LIVE_ENDPOINT": LIVE_ENDPOINT,
        "NOTIFICATIONS_TOPIC": world.parts.subscriptions.topic,
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
    said = json.loads(ran.stdout)
    assert _NOT_AT_START & set(said["loaded"]) == set()
    answer = said["answer"]
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["userId"] == ADA
