from tests.cloud.fuzz import fuzz
from tests.cloud.world import World
from tests.effort import IS_WHOLE

from spotty_cloud.api.app import create_app

_LEAST_CASES = 1000 if IS_WHOLE else 100


def test_every_answer_is_as_the_document_says(world: World) -> None:
    """Whatever is asked, rightly or wrongly: nothing fails, nothing wrong is taken, no status comes unannounced."""
    found = fuzz(world, examples=1 if IS_WHOLE else 4, whole=IS_WHOLE)
    assert found.failures == []
    assert found.cases >= _LEAST_CASES
    paths = create_app(world.parts).openapi()["paths"]
    assert found.operations == {
        f"{method.upper()} {path}"
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "registration" not in operation["tags"]
    }
