"""What both nuclei understand of the recipe: facts of lite and of classic's source. No AWS tool checks it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from components.build import ROOT
from tests.recipes.conftest import NAME

from spotty_contract.topics import UP_KINDS, Kind, SensorTopic, ShadowAction, ShadowTopic, gateway_filters
from spotty_gateway.settings import Settings

TEXT = (ROOT / "recipes/recipe.yaml").read_text()
RECIPE: dict[str, Any] = yaml.safe_load(TEXT)
DEFAULTS: dict[str, Any] = RECIPE["ComponentConfiguration"]["DefaultConfiguration"]
ACCESS: dict[str, Any] = DEFAULTS["accessControl"]
POLICIES = list(ACCESS["aws.greengrass.ipc.mqttproxy"].values())
SCRIPTS = {
    f"{phase} {manifest['Platform']['architecture']}": manifest["Lifecycle"][phase]["Script"]
    for manifest in RECIPE["Manifests"]
    for phase in ("install", "run")
}
THING = "hall-pi"

KEYS = {
    "": {"RecipeFormatVersion", "ComponentName", "ComponentVersion", "ComponentDescription", "ComponentPublisher"}
    | {"ComponentConfiguration", "Manifests"},
    "ComponentConfiguration": {"DefaultConfiguration"},
    "Manifests": {"Name", "Platform", "Artifacts", "Lifecycle"},
    "Platform": {"os", "architecture", "runtime"},
    "Artifacts": {"Uri", "Permission"},
    "Permission": {"Read"},
    "Lifecycle": {"install", "run"},
    "install": {"Timeout", "Script"},
    "run": {"Script"},
}
"""Lite looks keys up in exactly this case: `URI` or `Install` is not there for it."""

VARIABLES = re.compile(r"\{(artifacts:path|work:path)\}")
"""Of those that both nuclei fill in, the ones the scripts use."""


def keys_of(place: str, part: object) -> list[tuple[str, set[str]]]:
    """Every map of the recipe with the name it stands under; the configuration is our own business."""
    if isinstance(part, list):
        return [found for one in part for found in keys_of(place, one)]
    if not isinstance(part, dict) or place == "DefaultConfiguration":
        return []
    return [(place, set(part)), *(found for key, value in part.items() for found in keys_of(key, value))]


def twins(node: yaml.Node | None) -> list[str]:
    """Keys that one map has twice; a parser silently drops the first."""
    if isinstance(node, yaml.MappingNode):
        names = [key.value for key, _ in node.value]
        own = sorted({name for name in names if names.count(name) > 1})
        return own + [found for _, value in node.value for found in twins(value)]
    return [found for one in node.value for found in twins(one)] if isinstance(node, yaml.SequenceNode) else []


def resources_of(operation: str) -> set[str]:
    """What one operation is allowed on, for one thing."""
    (policy,) = (one for one in POLICIES if f"aws.greengrass#{operation}" in one["operations"])
    return {resource.replace("{iot:thingName}", THING) for resource in policy["resources"]}


def allows(resource: str, topic: str) -> bool:
    """Whether a resource covers a topic or a filter, as both nuclei judge it: `+` is one whole level."""
    levels, asked = resource.split("/"), topic.split("/")
    return len(levels) == len(asked) and all(one in {"+", other} for one, other in zip(levels, asked, strict=True))


def test_it_is_yaml_that_json_could_say() -> None:
    """No anchors, tags or second documents, text for every scalar but whole seconds, and no key twice."""
    tokens = list(yaml.scan(TEXT))
    odd = (yaml.AliasToken, yaml.AnchorToken, yaml.TagToken, yaml.DirectiveToken, yaml.DocumentStartToken)
    assert [token for token in tokens if isinstance(token, odd)] == []
    assert json.loads(json.dumps(RECIPE)) == RECIPE
    plain = [token.value for token in tokens if isinstance(token, yaml.ScalarToken) and token.plain]
    assert [value for value in plain if not re.fullmatch(r"[A-Za-z.]+|900", value)] == []
    assert twins(yaml.compose(TEXT)) == []


def test_it_is_small_enough_for_both() -> None:
    """Greengrass takes 16 kB, lite a script of 10,000 bytes, and 4 kB for all rights to one service in memory."""
    assert len(TEXT.encode()) < 16_000
    assert all(len(script.encode()) < 10_000 for script in SCRIPTS.values())
    assert len(json.dumps(ACCESS).encode()) < 2_000
    assert sum(len(policy["resources"]) for policy in POLICIES) <= 14


def test_every_key_is_known_in_exactly_this_case() -> None:
    """No `URI`, `Install`, `Shutdown`, `Skipif`, `RequiresPrivilege`: lite ignores or refuses them."""
    assert [(place, keys - KEYS[place]) for place, keys in keys_of("", RECIPE) if keys - KEYS[place]] == []
    assert {place for place, _ in keys_of("", RECIPE)} == set(KEYS)


def test_each_processor_fetches_only_its_own_zip_on_either_nucleus() -> None:
    """Linux on both processors and both runtimes; but for the name of the zip the manifests are the same."""
    one, other = RECIPE["Manifests"]
    assert [manifest["Platform"]["architecture"] for manifest in (one, other)] == ["aarch64", "amd64"]
    assert {(manifest["Platform"]["os"], manifest["Platform"]["runtime"]) for manifest in (one, other)} == {
        ("linux", "*")
    }
    assert json.dumps(one["Lifecycle"]).replace("aarch64", "amd64") == json.dumps(other["Lifecycle"])
    for manifest in (one, other):
        (artifact,) = manifest["Artifacts"]
        assert artifact["Uri"].endswith(f"/spotty-gateway-{manifest['Platform']['architecture']}.zip")
        assert artifact["Permission"] == {"Read": "ALL"}
        assert manifest["Lifecycle"]["install"]["Timeout"] == 900


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_scripts_have_no_braces_of_their_own(script: str) -> None:
    """Lite takes every brace for a variable of its own, classic leaves unknown ones standing; a shell must read it."""
    assert re.search(r"[{}]", VARIABLES.sub("", script)) is None
    for ending in ("", "/"):  # lite's variables end in a slash
        filled = VARIABLES.sub(f"/greengrass/v2/x{ending}", script)
        assert subprocess.run(["sh", "-n"], input=filled.encode(), check=False).returncode == 0
    assert script.splitlines()[-1].startswith("exec "), "a shell in between would keep SIGTERM for itself"


def test_a_gateway_reaches_its_own_topics_and_one_level_of_names() -> None:
    """Never `#`, `*` or `?`; one `+` each, for the sensor or the shadow."""
    for operation in ("PublishToIoTCore", "SubscribeToIoTCore"):
        for resource in resources_of(operation):
            assert resource.startswith((f"sensors/{THING}/+/", f"$aws/things/{THING}/shadow/name/+/"))
            assert resource.count("+") == 1
            assert re.search(r"[#*?{}]", resource) is None
    assert [policy["operations"] for policy in POLICIES] == [
        ["aws.greengrass#PublishToIoTCore"],
        ["aws.greengrass#SubscribeToIoTCore"],
    ]


def test_what_is_published_is_allowed_and_nothing_else() -> None:
    """Every kind that goes up, and the two ways to ask for and answer settings; each resource is used."""
    topics = [str(SensorTopic(THING, sensor, kind)) for sensor in ("bathroom", "gateway") for kind in UP_KINDS]
    asked = (ShadowAction.GET, ShadowAction.UPDATE)
    topics += [str(ShadowTopic(THING, sensor, action)) for sensor in ("bathroom", "gateway") for action in asked]
    resources = resources_of("PublishToIoTCore")
    for topic in topics:
        assert len([resource for resource in resources if allows(resource, topic)]) == 1, topic
    assert all(any(allows(resource, topic) for topic in topics) for resource in resources)
    for foreign in (
        str(SensorTopic(THING, "bathroom", Kind.COMMANDS)),
        str(SensorTopic("other-pi", "bathroom", Kind.SESSION)),
        str(ShadowTopic("other-pi", "bathroom", ShadowAction.UPDATE)),
        str(ShadowTopic(THING, "bathroom", ShadowAction.DELETE)),
    ):
        assert not any(allows(resource, foreign) for resource in resources), foreign


def test_what_is_subscribed_to_is_allowed_and_nothing_else() -> None:
    """The rights are the gateway's five filters, letter for letter."""
    assert resources_of("SubscribeToIoTCore") == set(gateway_filters(THING))


def test_the_defaults_are_settings_the_gateway_takes() -> None:
    """Each default, told as the text that Greengrass makes of it, is a setting with that very default."""
    known = {field.alias for field in Settings.model_fields.values()}
    told = {key: value for key, value in DEFAULTS.items() if key != "accessControl"}
    assert all(isinstance(value, str) for value in told.values())
    assert set(told) <= known
    taken = Settings.model_validate(told)
    for name, field in Settings.model_fields.items():
        if field.alias in told and field.alias != "dataDir":
            assert getattr(taken, name) == field.default


DEPLOYMENTS = ["deployment-thing-group.json", "deployment-classic-group.json", "deployment-core.json"]


@pytest.mark.parametrize("file", DEPLOYMENTS)
def test_a_deployment_example_says_only_what_there_is(file: str) -> None:
    """Arguments of create-deployment; what it merges into our configuration are settings of ours."""
    deployment = json.loads((ROOT / "recipes" / file).read_text())
    assert set(deployment) <= {"targetArn", "deploymentName", "components", "deploymentPolicies"}
    assert re.fullmatch(r"arn:aws:iot:[a-z0-9-]+:\d{12}:(thing|thinggroup)/[\w-]+", deployment["targetArn"])
    ours = deployment["components"][NAME]
    assert re.fullmatch(r"\d+\.\d+\.\d+", ours["componentVersion"])
    assert set(json.loads(ours["configurationUpdate"]["merge"])) <= set(DEFAULTS)
    for name, component in deployment["components"].items():
        json.loads(component.get("configurationUpdate", {}).get("merge", "{}"))
        assert name in {NAME, "aws.greengrass.Nucleus"}


def test_where_classic_is_deployed_it_is_told_to_fill_in_the_thing_s_name() -> None:
    """Without interpolateComponentConfiguration classic takes `{iot:thingName}` literally and refuses all."""
    deployment = json.loads((ROOT / "recipes/deployment-classic-group.json").read_text())
    nucleus = deployment["components"]["aws.greengrass.Nucleus"]
    assert json.loads(nucleus["configurationUpdate"]["merge"]) == {"interpolateComponentConfiguration": True}


def test_classic_itself_is_deployed_to_nobody_else() -> None:
    """A core on lite, told to install nucleus classic, fails the whole deployment."""
    with_it = [one for one in DEPLOYMENTS if "aws.greengrass.Nucleus" in (ROOT / "recipes" / one).read_text()]
    assert with_it == ["deployment-classic-group.json"]
    assert set(DEPLOYMENTS) == {path.name for path in (ROOT / "recipes").glob("deployment-*.json")}


def test_the_recipe_in_the_root_is_the_recipe() -> None:
    """Gdk insists on the root; a copy would grow apart."""
    link = ROOT / "recipe.yaml"
    assert link.is_symlink()
    assert link.readlink() == Path("recipes/recipe.yaml")


def test_a_local_configuration_is_settings_too() -> None:
    """The example for local deployments names real keys."""
    update = json.loads((ROOT / "recipes/configuration-update.json").read_text())
    assert set(update) == {NAME}
    assert set(update[NAME]["MERGE"]) <= set(DEFAULTS)
