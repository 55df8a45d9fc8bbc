"""Who may import whom, and who may change what: the rules of the house, looked up in every source file."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = [ROOT / "components" / part for part in ("contract", "gateway", "sandbox")]
SOURCE_ROOTS += [ROOT / "hardware", ROOT / "cloud" / "src"]

ENGINE = "spotty_gateway.engine"
INSIDE = {ENGINE, "spotty_gateway.ports", "spotty_gateway.errors", "spotty_gateway.private", "spotty_contract"}
"""What an adapter may know of the gateway: never another adapter."""

HTTP = {"spotipy", "requests", "urllib3"}
SPOTIFY = {
    f"spotty_gateway.{name}"
    for name in (
        "spotify",
        "connection",
        "sockets",
        "names",
        "tokens",
        "token_file",
        "quarantine",
        "refusals",
        "consent",
    )
}
STORE = {"spotty_gateway.store", "spotty_gateway.snapshot", "spotty_gateway.account_memory"}
MANNERS = {"spotty_gateway.manners", "spotty_gateway.speakers"}
PLAYING = {f"spotty_gateway.{name}" for name in ("executor", "performer", "idling")}
TELLING = {f"spotty_gateway.{name}" for name in ("chronicle", "records_of", "reporter", "status", "words")}
POLICIES = {
    f"spotty_gateway.{name}"
    for name in ("durable_file", "in_force", "policies_on_disk", "policy_sync", "policy_taking", "residents")
}
DEEDS = {f"spotty_gateway.{name}" for name in ("account_deeds", "lookout", "room_deeds", "upshot")}

CLOUD = {
    "spotty_cloud",
    "spotty_contract",
    "pydantic",
    "boto3",
    "botocore",
    "types_boto3_dynamodb",
    "types_boto3_iot_data",
    "types_boto3_apigatewaymanagementapi",
    "types_boto3_sns",
    "types_boto3_sqs",
}
CLOUD_CORE = (
    *("attributes", "connections", "consent", "cursors", "errors", "in_step", "live_push", "logs"),
    *("orders", "rooms", "settings_of", "store", "subscriptions", "tables"),
)
HTTP_API = {"fastapi", "mangum", "starlette"}

ALLOWED: dict[str, set[str]] = {
    "spotty_contract": {"spotty_contract", "pydantic", "pydantic_core"},
    ENGINE: {ENGINE},
    "spotty_gateway.ports": {ENGINE, "spotty_contract"},
    "spotty_gateway.errors": {ENGINE, "spotty_contract"},
    "spotty_gateway.rules_of": {ENGINE, "spotty_contract"},
    **dict.fromkeys(SPOTIFY, INSIDE | SPOTIFY | HTTP),
    **dict.fromkeys(STORE, INSIDE | STORE | {"pydantic", "pydantic_core"}),
    "spotty_gateway.local": INSIDE | {"pydantic"},
    "spotty_gateway.settings": INSIDE | {"pydantic"},
    "spotty_gateway.ipc": INSIDE,
    "spotty_gateway.nucleus": INSIDE | {"spotty_gateway.back_off", "spotty_gateway.ipc"},
    **dict.fromkeys(POLICIES, INSIDE | POLICIES | {"pydantic", "spotty_gateway.rules_of"}),
    **dict.fromkeys(
        DEEDS,
        INSIDE
        | DEEDS
        | {f"spotty_gateway.{name}" for name in ("consent", "devices", "local", "residents", "rules_of", "words")},
    ),
    "spotty_gateway.cloud_desk": INSIDE,
    "spotty_gateway.account_side": {"spotty_gateway", "spotty_contract"},
    "spotty_gateway.cloud_way": INSIDE,
    "spotty_gateway.cloud_side": {"spotty_gateway", "spotty_contract"},
    "spotty_gateway.front_desk": INSIDE
    | {f"spotty_gateway.{name}" for name in ("chronicle", "in_force", "local", "residents", "status")},
    "spotty_gateway.back_off": set(),
    "spotty_gateway.private": set(),
    "spotty_gateway.command_memory": INSIDE | {"spotty_gateway.durable_file"},
    "spotty_gateway.orders": INSIDE
    | DEEDS
    | {f"spotty_gateway.{name}" for name in ("command_memory", "in_force", "replay", "residents")},
    "spotty_gateway.clock": INSIDE,
    "spotty_gateway.loop": INSIDE,
    "spotty_gateway.lanes": INSIDE,
    "spotty_gateway.unproven": INSIDE,
    "spotty_gateway.uplink": INSIDE | {"spotty_gateway.lanes", "spotty_gateway.unproven"},
    "spotty_gateway.stream_manager": INSIDE,
    **dict.fromkeys(MANNERS, INSIDE | MANNERS),
    "spotty_gateway.guard": INSIDE | {"spotty_gateway.account_memory"},
    "spotty_gateway.asking": INSIDE,
    **dict.fromkeys(PLAYING, INSIDE | MANNERS | PLAYING | {"spotty_gateway.guard", "spotty_gateway.asking"}),
    **dict.fromkeys(TELLING, INSIDE | TELLING),
    "spotty_gateway.account": INSIDE | STORE | SPOTIFY | MANNERS | {"spotty_gateway.guard", "spotty_gateway.settings"},
    "spotty_gateway.devices": INSIDE
    | {"spotty_gateway.durable_file", "spotty_gateway.residents", "spotty_gateway.speakers", "pydantic"},
    "spotty_gateway.account_desk": INSIDE
    | {f"spotty_gateway.{name}" for name in ("devices", "executor", "guard", "local", "speakers")},
    "spotty_gateway.doctor": {"spotty_gateway", "spotty_contract", "spotty_hardware", "pydantic", "requests"},
    "spotty_gateway.registering": INSIDE
    | HTTP
    | {"spotty_gateway.registering", "pydantic"}
    | {f"spotty_gateway.{name}" for name in ("connection", "durable_file", "refusals", "sockets")},
    "spotty_gateway.awakening": INSIDE | {"spotty_gateway.loop", "spotty_gateway.residents"},
    "spotty_gateway.replay": INSIDE | STORE | {"spotty_gateway.replay", "spotty_gateway.rules_of", "pydantic"},
    "spotty_gateway.app": {"spotty_gateway", "spotty_contract", "spotty_hardware"},
    "spotty_gateway.cli": {"spotty_gateway", "spotty_contract", "spotty_hardware", "pydantic"},
    "spotty_gateway.__main__": {"spotty_gateway"},
    "spotty_gateway": set(),
    "spotty_cloud": CLOUD - {"spotty_cloud"} | {f"spotty_cloud.{name}" for name in CLOUD_CORE},
    **{
        f"spotty_cloud.{one}": CLOUD - {"spotty_cloud"} | {f"spotty_cloud.{name}" for name in (one, *CLOUD_CORE)}
        for one in ("ingest", "live", "scheduled")
    },
    "spotty_cloud.redrive": CLOUD - {"spotty_cloud"} | {"spotty_cloud.ingest", "spotty_cloud.redrive"},
    "spotty_cloud.api": CLOUD | HTTP_API,
    "spotty_cloud.registration": CLOUD | HTTP_API | {"cryptography", "types_boto3_iot"},
    "spotty_hardware": {"spotty_hardware", "gpiozero", "gpiod", "lgpio"},
    "spotty_sandbox.year": {"spotty_sandbox", "spotty_gateway", "spotty_contract", *HTTP},
    "spotty_sandbox.aws": {"spotty_sandbox.aws", "boto3", "botocore", "yaml"},
    "spotty_sandbox.aws.inside": {"hypercorn", "ministack"},
    "spotty_sandbox": {
        "spotty_sandbox",
        "spotty_gateway",
        "spotty_contract",
        "spotty_hardware",
        "aiohttp",
        "aiomqtt",
        "pydantic",
        "yaml",
    },
}
"""By module or package; the longest that fits counts. The standard library is everybody's, but for SOLE."""

SOLE = {
    "sqlite3": {"spotty_gateway.store"},
    "spotipy": {f"spotty_gateway.{name}" for name in ("spotify", "tokens", "token_file")},
    "gpiozero": {"spotty_hardware"},
    "gpiod": {"spotty_hardware"},
    "lgpio": {"spotty_hardware"},
    "awscrt": {"spotty_gateway.ipc"},
    "awsiot": {"spotty_gateway.ipc"},
    "greengrasssdk": {"spotty_gateway.stream_manager"},
}
"""What only these may import at all."""

MUTATORS = {"append", "extend", "insert", "remove", "add", "discard", "update", "setdefault", "pop", "popitem", "clear"}
MUTATORS |= {"sort", "reverse", "popleft", "appendleft"}


def sources() -> Iterator[tuple[str, Path]]:
    """Every module of the product by name, tests left out."""
    for root in SOURCE_ROOTS:
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def fits(module: str, names: set[str]) -> str | None:
    """The longest of `names` that is the module or a package around it."""
    around = [name for name in names if module == name or module.startswith(f"{name}.")]
    return max(around, key=len, default=None)


def imports_of(module: str, source: str, *, is_package: bool) -> Iterator[str]:
    """The absolute name of everything that is imported, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = module.split(".") if is_package else module.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{name}.{alias.name}" for alias in node.names)


def import_faults(module: str, source: str, *, is_package: bool = False) -> list[str]:
    """What this module imports and may not."""
    rule = fits(module, set(ALLOWED))
    if rule is None:
        return [f"{module} is in no room: name it in ALLOWED"]
    faults = []
    for name in imports_of(module, source, is_package=is_package):
        top = name.split(".")[0]
        owners = SOLE.get(top)
        if owners is not None and fits(module, owners) is None:
            faults.append(f"{module} imports {name}, which is for {', '.join(sorted(owners))} only")
        elif owners is None and top not in sys.stdlib_module_names and fits(name, ALLOWED[rule]) is None:
            faults.append(f"{module} imports {name}, and may not")
    return faults


def mutation_faults(module: str, source: str) -> list[str]:
    """Where the engine changes an object that is not a Turn: its records are values (engine/values.py)."""
    tree = ast.parse(source)
    makers = {"Turn"} | {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and _is_turn(node.returns)
    }
    return [
        f"{module}:{node.lineno} changes {ast.unparse(node)}"
        for function in _outermost_functions(tree)
        for node in _changes(function, _turns_in(function, makers))
    ] + [f"{module}:{node.lineno} changes {ast.unparse(node)}" for node in _changes_outside_functions(tree)]


def _is_turn(annotation: ast.expr | None) -> bool:
    return annotation is not None and ast.unparse(annotation).strip("'\"") == "Turn"


def _outermost_functions(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            for method in _outermost_functions(node):
                if node.name == "Turn":  # the one class whose methods change what is their own
                    method.args.args[0].annotation = ast.Name("Turn")
                yield method


def _turns_in(function: ast.FunctionDef, makers: set[str]) -> set[str]:
    """The names in this function that stand for a Turn."""
    every = [*function.args.args, *function.args.kwonlyargs]
    turns = {one.arg for one in every if _is_turn(one.annotation)}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called = node.value.func
            if isinstance(called, ast.Name) and called.id in makers:
                turns |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return turns


def _changes(tree: ast.AST, turns: set[str]) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for target in _targets(node):
            root, has_attribute = _root(target)
            if has_attribute and root not in turns:
                yield target


def _changes_outside_functions(tree: ast.Module) -> Iterator[ast.expr]:
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield from _changes(node, set())


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    """What this node gives a new value, deletes, or tells to change itself."""
    if isinstance(node, ast.Assign | ast.Delete):
        for target in node.targets:
            yield from target.elts if isinstance(target, ast.Tuple) else [target]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        yield node.target
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
            yield node.func.value
        elif ast.unparse(node.func).endswith(("setattr", "__setattr__", "delattr")):
            yield ast.Attribute(node.args[0], "setattr", ast.Store(), lineno=node.lineno)


def _root(node: ast.expr) -> tuple[str, bool]:
    """The name that an expression hangs on, and whether an attribute lies on the way."""
    has_attribute = False
    while isinstance(node, ast.Attribute | ast.Subscript):
        has_attribute = has_attribute or isinstance(node, ast.Attribute)
        node = node.value
    return (node.id if isinstance(node, ast.Name) else ast.unparse(node)), has_attribute


def test_everybody_imports_only_what_their_room_may() -> None:
    """Every file of components/, hardware/ and cloud/src keeps to the table above."""
    faults = [
        fault
        for module, path in sources()
        for fault in import_faults(module, path.read_text(), is_package=path.stem == "__init__")
    ]
    assert faults == []


def test_the_engine_s_records_are_values() -> None:
    """Nothing in engine/ changes an object but a Turn, and values.py those that it is only just making."""
    faults = [
        fault
        for module, path in sources()
        if fits(module, {ENGINE}) and module != f"{ENGINE}.values"
        for fault in mutation_faults(module, path.read_text())
    ]
    assert faults == []


def test_the_whole_product_is_looked_at() -> None:
    """The walk finds the rooms that there are: an empty walk would find no fault either."""
    found = {module for module, _ in sources()}
    assert {f"{ENGINE}.step", "spotty_gateway.app", "spotty_contract.policy", "spotty_hardware.inputs"} <= found
    assert {"spotty_sandbox.rig", "spotty_gateway.store.writer", "spotty_gateway.cli.run"} <= found
    assert {"spotty_cloud.rooms", "spotty_cloud.api.app"} <= found


@pytest.mark.parametrize(
    "module, source",
    [
        (f"{ENGINE}.step", "import pydantic"),
        (f"{ENGINE}.step", "from spotty_gateway.ports import Clock"),
        (f"{ENGINE}.step", "from ..ports import Clock"),
        (f"{ENGINE}.step", "from spotty_contract.policy import Policy"),
        (f"{ENGINE}.step", "def f():\n    import requests"),
        ("spotty_gateway.manners", "import spotipy"),
        ("spotty_gateway.consent", "import spotipy"),
        ("spotty_gateway.loop", "from spotty_gateway.store import Store"),
        ("spotty_gateway.loop", "import sqlite3"),
        ("spotty_gateway.local", "from spotty_gateway.spotify import SpotifyPlayer"),
        ("spotty_gateway.local", "from spotty_gateway import spotify"),
        ("spotty_gateway.store.writer", "from spotty_gateway.local import ask"),
        ("spotty_gateway.app", "import boto3"),
        ("spotty_gateway.app", "import gpiozero"),
        ("spotty_gateway.nucleus", "import awsiot"),
        ("spotty_gateway.uplink", "import greengrasssdk"),
        ("spotty_gateway.app", "from spotty_sandbox.rig import Rig"),
        ("spotty_gateway.app", "from spotty_cloud import api"),
        ("spotty_gateway.somewhere_new", "import pydantic"),
        ("spotty_hardware.inputs", "from spotty_gateway.engine.rules import InputKind"),
        ("spotty_hardware.inputs", "import spotty_sandbox"),
        ("spotty_contract.policy", "from spotty_gateway.engine import rules"),
        ("spotty_sandbox.rig", "import gpiod"),
        ("spotty_cloud.rooms", "from spotty_gateway.engine import rules"),
        ("spotty_cloud.rooms", "import fastapi"),
        ("spotty_cloud.rooms", "from spotty_cloud.api import asking"),
        ("spotty_cloud.live_push", "from spotty_cloud.live import door"),
        ("spotty_cloud.ingest.rows", "from spotty_cloud.api import asking"),
        ("spotty_cloud.ingest.function", "import fastapi"),
        ("spotty_cloud.scheduled.sweep", "from spotty_cloud.api import asking"),
        ("spotty_cloud.api.sensors", "from spotty_gateway.settings import Settings"),
        ("spotty_cloud.api.sensors", "import spotipy"),
        ("spotty_cloud.api.sensors", "from cryptography import x509"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str) -> None:
    """Each rule catches what it is there for."""
    assert len(import_faults(module, source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(room: Room) -> None:\n    room.session = None",
        "def f(room: Room) -> None:\n    room.past.recorded_at['x'] = 1",
        "def f(room: Room) -> None:\n    del room.presence.inputs['pir']",
        "def f(room: Room) -> None:\n    room.past.sessions += 1",
        "def f(room: Room) -> None:\n    room.music.awaited.append(1)",
        "def f(room: Room) -> None:\n    setattr(room, 'session', None)",
        "def f(room: Room) -> None:\n    object.__setattr__(room, 'session', None)",
        "def f(turn: Turn) -> None:\n    room = turn.rooms['bath']\n    room.session = None",
        "class Room:\n    def f(self) -> None:\n        self.session = None",
        "NO_MUSIC.faulty = True",
    ],
)
def test_a_planted_change_is_found(source: str) -> None:
    """Each way of changing a record is caught."""
    assert len(mutation_faults(ENGINE, source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "def f(turn: 'Turn') -> None:\n    turn.rooms['bath'] = 1\n    turn.effects.append(2)",
        "def g() -> Turn: ...\ndef f() -> None:\n    before = g()\n    before.now = 1",
        "def f() -> None:\n    found = []\n    found.append(1)\n    found[0] = 2",
        "class Turn:\n    def f(self) -> None:\n        self.now = 1",
    ],
)
def test_a_turn_and_a_local_may_change(source: str) -> None:
    """What the engine does and may do is no fault."""
    assert mutation_faults(ENGINE, source) == []
