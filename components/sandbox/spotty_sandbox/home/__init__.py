"""A home whose gateway is registered at a deployed stack: the real component under a laptop nucleus, pins and all.

    with LocalAws(folder / "aws") as aws, SpotifySimulator() as simulator:
        stack = deploy_ours(aws)
        ada = aws.seed_user("ada@example.org", stack.output("UserPoolId"))
        with HomeInTheCloud(aws, stack, ada, simulator, folder / "home") as home:
            home.has_room("bath", "Bathroom", 17, {"vacancyDelayS": 30, ...})
            home.start_gateway()
            home.pin(17).drive_high()
            home.api.get("/sessions")

From inside outwards: `api` and `wires`, `registering` (how the gateway comes to belong to somebody), `component` (the
real recipe, run from this environment), `heard` (what the gateway says), and `home`, all of that together.
"""

from .api import Answer, Api
from .errors import HomeError
from .heard import Heard
from .home import HomeInTheCloud
from .wires import Wire, Wires

__all__ = ["Answer", "Api", "Heard", "HomeError", "HomeInTheCloud", "Wire", "Wires"]
