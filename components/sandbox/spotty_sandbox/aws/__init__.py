"""An AWS on this computer: MiniStack in an environment of its own, our template deployed to it. Linux.

    with LocalAws(folder) as aws:
        stack = aws.deploy(template, {"Stage": "dev"}, {"ApiFunction": built / "ApiFunction"})
        person = aws.seed_user("ada@example.org", stack.output("UserPoolId"))
        gateway = aws.gateway_certificate("gw1", [stack.output("GatewayPolicy")], folder / "gw1")

From inside outwards: `inside` runs over there, `setting` is what it is started with, `ports`, `running` and `readiness`
find it, `server` starts and ends it; `clients`, `template`, `deployment`, `people`, `things` are what is done with it,
`local_aws` all of that together, `ours` our own stack, and `cli` the command.
"""

from .cli import run
from .clients import Credentials
from .deployment import Stack
from .errors import LocalAwsError
from .local_aws import LocalAws, Mqtt
from .ours import deploy_ours
from .people import Person
from .things import GatewayCertificate

__all__ = [
    "Credentials",
    "GatewayCertificate",
    "LocalAws",
    "LocalAwsError",
    "Mqtt",
    "Person",
    "Stack",
    "deploy_ours",
    "run",
]
