"""A Greengrass nucleus for a laptop: runs a component by its recipe, and answers it over IPC as lite or classic does.

    with Nucleus("lite", root=tmp_path, recipe=Path("recipe.yaml"), thing="gw1") as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().reported == "RUNNING")

From inside outwards: `profiles` (in what the two differ), `frames` (bytes), `topics`, `access`, `configuration`,
`recipe`, `interpolation`, `journal`; then what components ask of: `request`, `local_pubsub`, `cloud`, `broker`,
`mqtt_proxy`, `configuration_desk`, `lifecycle_desk`, `operations`; the socket: `connection`, `ipc_server`; the
component's processes: `installation`, `process`, `component`; and last all of that together in
`core`, started and stopped by `nucleus` and `cli`.
"""

from .broker import Broker
from .cli import run
from .cloud import Message
from .component import State
from .configuration import Update
from .core import Status
from .errors import BrokerError, ConfigurationError, NucleusError, RecipeError
from .journal import Entry
from .nucleus import Nucleus
from .profiles import CLASSIC, LITE, PROFILES, Profile

__all__ = [
    "CLASSIC",
    "LITE",
    "PROFILES",
    "Broker",
    "BrokerError",
    "ConfigurationError",
    "Entry",
    "Message",
    "Nucleus",
    "NucleusError",
    "Profile",
    "RecipeError",
    "State",
    "Status",
    "Update",
    "run",
]
