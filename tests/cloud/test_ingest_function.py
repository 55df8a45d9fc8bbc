"""The function as Lambda starts it: in a process of its own, from its environment alone."""

import json
import os
import subprocess
import sys

from tests.cloud.ingesting import ingest_of, message, session
from tests.cloud.world import World

from spotty_sandbox.aws import LocalAws

_PROGRAM = """
import json, sys
from spotty_cloud.ingest.function import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 30_000

answer = handler(json.load(sys.stdin), Context())
print(json.dumps([answer, sorted({name.partition(".")[0] for name in sys.modules})]))
"""

HEAVY = {"fastapi", "mangum", "starlette", "boto3", "s3transfer", "cryptography", "spotty_sandbox", "spotty_gateway"}
"""What a batch without a dashboard has no need of; each would cost every cold start."""


def test_the_function_collects_in_a_process_of_its_own(local_aws: LocalAws, world: World) -> None:
    """Good and bad messages, and it says which come again; it starts without what it does not need."""
    home = ingest_of(local_aws, world, "function")
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
        "DEAD_LETTER_QUEUE": home.dead_url,
        "LIVE_ENDPOINT": f"{local_aws.endpoint_url}/live",
        "RETENTION_DAYS": "30",
        **world.names,
    }
    texts = {"good": message(session(1, 1)), "bad": "nonsense"}
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps({"Records": [{"messageId": name, "body": text} for name, text in texts.items()]}),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answer, modules = json.loads(ran.stdout)
    assert answer == {"batchItemFailures": []}
    assert home.session("bath-r1-1")["seq"] == 1
    assert [one["message"] for one in home.letters()] == ["nonsense"]
    assert HEAVY.isdisjoint(modules)
