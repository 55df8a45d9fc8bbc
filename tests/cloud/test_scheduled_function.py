import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tests.cloud.world import ADA, HOME, World

from spotty_sandbox.aws import LocalAws

_PROGRAM = """
import json, sys
from spotty_cloud.scheduled.function import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 30_000

try:
    print(json.dumps(handler(json.load(sys.stdin), Context())))
except Exception as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


def answered(local_aws: LocalAws, world: World, event: object, topic: str) -> tuple[Any, str]:
    """What the function returns or raises in a process of its own, and what it logs."""
    environment = {
        "PATH": os.environ["PATH"],
        "AWS_ENDPOINT_URL": local_aws.endpoint_url,
        "AWS_DEFAULT_REGION": local_aws.region,
        **local_aws.credentials().variables(),
        "NOTIFICATIONS_TOPIC": topic,
        **world.names,
    }
    ran = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        input=json.dumps(event),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout), ran.stderr


@pytest.mark.parametrize("task", ["sweep", "token_health"])
def test_each_task_runs_in_a_process_of_its_own(local_aws: LocalAws, world: World, task: str) -> None:
    """As in Lambda: its clients and names come from the environment, and it says what it has done."""
    told, _ = answered(local_aws, world, {"task": task}, world.parts.subscriptions.topic)
    assert told == {"gateways": 0, "sessions": 0, "told": 0, "failed": 0, "complete": True}


def test_what_is_no_task_is_no_success(local_aws: LocalAws, world: World) -> None:
    """A schedule that was written wrongly is seen by the alarm."""
    told, _ = answered(local_aws, world, {"task": "sleep"}, world.parts.subscriptions.topic)
    assert told == ["KeyError", "'sleep'"]


def test_a_run_in_which_something_failed_fails(local_aws: LocalAws, world: World) -> None:
    """So the alarm on errors hears of it; what could be done is done, and nobody's address is logged."""
    assert world.ask("PUT", "/users/me", {"notifyByEmail": True}).status == 200
    world.parts.store.gateways.put({"gatewayId": HOME, "userId": ADA, "online": "online#1", "lastSeenAt": 1})
    told, logged = answered(local_aws, world, {"task": "sweep"}, f"{world.parts.subscriptions.topic}-gone")
    assert told == ["UnfinishedError", "sweep: 1 could not be seen to; the next run tries again"]
    assert "a silent gateway could not be seen to" in logged
    assert "@example.com" not in logged
