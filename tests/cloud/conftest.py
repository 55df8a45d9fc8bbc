"""One local AWS for all tests of the cloud, and a deployment of its own for each module."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from tests.cloud.inbox import Inbox, inbox_of, mail_of
from tests.cloud.registry import Registry, registry_of
from tests.cloud.world import ADA, BOB, HOME, OTHER_HOME, World, world_of

from spotty_cloud.scheduled.mail import Mail
from spotty_sandbox.aws import LocalAws, LocalAwsError

_NUMBERS = count()


@pytest.fixture(scope="session")
def local_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalAws]:
    """MiniStack with DynamoDB and IoT; where it is not installed, the tests are skipped and say how to get it."""
    local = LocalAws(tmp_path_factory.mktemp("aws"))
    try:
        local.__enter__()
    except LocalAwsError as error:
        pytest.skip(f"no local AWS: {error}")
    try:
        yield local
    finally:
        local.__exit__(None, None, None)


@pytest.fixture(scope="module")
def event_loop_of_mangum() -> Iterator[None]:
    """Mangum runs the app in the thread's current event loop and never closes it; so it gets one that is closed."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    asyncio.set_event_loop(None)
    loop.close()


@pytest.fixture(scope="module")
def world(local_aws: LocalAws, event_loop_of_mangum: None) -> World:  # noqa: ARG001  # what the world's app runs in
    """Ada's home and Bob's, both with a gateway and without a sensor."""
    made = world_of(local_aws, f"t{next(_NUMBERS)}")
    made.put_gateway(HOME, ADA)
    made.put_gateway(OTHER_HOME, BOB)
    return made


@pytest.fixture(scope="module")
def registry(local_aws: LocalAws, event_loop_of_mangum: None) -> Registry:  # noqa: ARG001  # what its app runs in
    """Registration with its own rights, and nobody registered."""
    return registry_of(local_aws)


@pytest.fixture(scope="module")
def mail(local_aws: LocalAws, world: World) -> Mail:
    """As the scheduled function has it."""
    return mail_of(local_aws, world)


@pytest.fixture(scope="module")
def inbox(local_aws: LocalAws, world: World) -> Inbox:
    """Ada's."""
    topic = world.parts.subscriptions.topic
    return inbox_of(local_aws, topic, f"{ADA}@example.com", f"{topic.rsplit(':', 1)[-1]}-of-ada")
