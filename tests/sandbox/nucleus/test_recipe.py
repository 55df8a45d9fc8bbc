import json
from pathlib import Path
from typing import Any

import pytest
from tests.sandbox.nucleus.workbench import recipe_tree, running, write_recipe

from spotty_sandbox.nucleus import CLASSIC, LITE, Nucleus, Profile, RecipeError, State
from spotty_sandbox.nucleus.recipe import read_recipe


def with_platform(*platforms: dict[str, str] | None) -> dict[str, Any]:
    """A recipe with a manifest for each; its run script tells which."""
    manifests: list[dict[str, Any]] = []
    for number, platform in enumerate(platforms):
        manifests.append({"Lifecycle": {"run": str(number)}} | ({} if platform is None else {"Platform": platform}))
    return recipe_tree(Manifests=manifests)


CHOICES = [
    # platforms, lite, classic: which manifest is chosen on aarch64, None for none
    ([{"os": "linux", "runtime": "*"}], 0, 0),
    ([{"os": "linux"}], None, 0),
    ([{"os": "linux", "runtime": "aws_nucleus_lite"}, {"os": "linux"}], 0, 1),
    ([{"os": "windows", "runtime": "*"}, {"os": "all", "runtime": "*"}], 1, 1),
    ([{"os": "*", "architecture": "amd64", "runtime": "*"}, {"architecture": "aarch64", "runtime": "*"}], 1, 1),
    ([{"os": "linux", "architecture": "*", "runtime": "*"}], 0, 0),
    ([{"os": "linux", "architecture": "/amd64|aarch64/"}], None, 0),
    ([None], None, 0),
]


@pytest.mark.parametrize("platforms, lite, classic", CHOICES)
@pytest.mark.parametrize("profile", [LITE, CLASSIC], ids=lambda profile: str(profile.name))
def test_the_manifest_that_fits(
    tmp_path: Path, platforms: list[dict[str, str] | None], lite: int | None, classic: int | None, profile: Profile
) -> None:
    """The first one for this system, processor and nucleus; lite wants `runtime` to say so."""
    recipe = write_recipe(tmp_path, with_platform(*platforms))
    expected = lite if profile is LITE else classic
    if expected is None:
        with pytest.raises(RecipeError):
            read_recipe(recipe, profile, "aarch64")
    else:
        assert read_recipe(recipe, profile, "aarch64").scripts["run"].text == str(expected)


def test_lifecycle_keys_are_exact_on_lite(tmp_path: Path) -> None:
    """`Run` is nothing to lite, and `run` to classic."""
    recipe = write_recipe(tmp_path, recipe_tree({"Run": "true"}))
    assert read_recipe(recipe, CLASSIC).scripts["run"].text == "true"
    with pytest.raises(RecipeError, match="keys: Run"):
        read_recipe(recipe, LITE)


def test_a_lifecycle_for_all_manifests(tmp_path: Path) -> None:
    """Where a manifest has none, its selection of the recipe's counts."""
    manifest = {"Platform": {"os": "linux", "runtime": "*"}, "Selections": ["pi"]}
    tree = recipe_tree(Manifests=[manifest], Lifecycle={"all": {"run": "all"}, "pi": {"run": "pi"}})
    assert read_recipe(write_recipe(tmp_path, tree), LITE).scripts["run"].text == "pi"
    del manifest["Selections"]
    assert read_recipe(write_recipe(tmp_path, tree), LITE).scripts["run"].text == "all"


def test_scalars_of_yaml_are_strings_on_lite(tmp_path: Path) -> None:
    """A JSON recipe keeps its types there, and classic keeps them always."""
    yaml, in_json = write_recipe(tmp_path), write_recipe(tmp_path, name="recipe.json")
    found = [read_recipe(file, profile).defaults["pin"] for file in (yaml, in_json) for profile in (LITE, CLASSIC)]
    assert found == ["17", 17, 17, 17]


BAD: list[tuple[dict[str, Any] | str, str]] = [
    ("a: [", "no YAML"),
    ("- 1", "the recipe is no map"),
    (recipe_tree(ComponentName="my component"), "no name of a component"),
    (recipe_tree(ComponentName="../evil"), "no name of a component"),
    (recipe_tree(ComponentVersion=""), "no version"),
    (recipe_tree(Manifests=[]), "no Manifests"),
    (recipe_tree({"startup": "true"}), "use install and run"),
    (recipe_tree({"run": {"Timeout": 5}}), "no Script"),
    (recipe_tree({"run": {"Script": "true", "Timeout": "soon"}}), "whole seconds"),
    (recipe_tree({"run": ["true"]}), "no map"),
    ("ComponentName: '{COMPONENT_NAME}'", "gdk-config.json"),
]


@pytest.mark.parametrize("content, said", BAD)
def test_a_bad_recipe_is_said_in_one_line(tmp_path: Path, content: dict[str, Any] | str, said: str) -> None:
    """What is wrong, with the file's name."""
    file = tmp_path / "recipe.yaml"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(RecipeError, match=said) as caught:
        read_recipe(file, LITE)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


def test_a_recipe_that_is_not_built_yet(tmp_path: Path) -> None:
    """Name and version that gdk would fill in come from its configuration, beside the recipe or above."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    tree = recipe_tree(ComponentName="{COMPONENT_NAME}", ComponentVersion="{COMPONENT_VERSION}")
    recipe = write_recipe(folder, tree)
    gdk = {"component": {"com.example.Built": {"author": "me", "version": "NEXT_PATCH"}}}
    (tmp_path / "gdk-config.json").write_text(json.dumps(gdk))
    read = read_recipe(recipe, LITE)
    assert (read.name, read.version) == ("com.example.Built", "0.0.0")


@pytest.mark.parametrize(
    "profile, script, expected",
    [
        ("lite", "echo {iot:thingName} {configuration:/pin} {configuration:/room/name}", "gw1 17 Bath"),
        ("classic", "echo '{configuration:/room}'", '{"name":"Bath","delayS":300}'),
        (
            "classic",
            "a=x; echo ${a} {unknown:thing} {configuration:/nowhere}",
            "x {unknown:thing} {configuration:/nowhere}",
        ),
        ("lite", "a=x; echo ${a}", None),
        ("lite", "echo {configuration:/nowhere}", None),
        ("lite", "if true; then { echo x; }; fi", None),
    ],
)
def test_variables_in_scripts(tmp_path: Path, profile: str, script: str, expected: str | None) -> None:
    """Known ones are filled in; any other brace breaks a script on lite and is left alone on classic."""
    with running(tmp_path, profile, {"run": script}) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state in (State.FINISHED, State.BROKEN))
        if expected is None:
            assert nucleus.status().state == State.BROKEN
            assert "cannot fill in" in nucleus.log()[0]
        else:
            assert nucleus.log()[0] == expected


@pytest.mark.parametrize(
    "listed, given, said",
    [
        (["a.zip"], [], "needs the artifact a.zip"),
        ([], ["a.zip"], "knows no artifact a.zip"),
        (["a.zip"], ["a.zip"], "is not there"),
    ],
)
def test_artifacts_fit_the_recipe(tmp_path: Path, listed: list[str], given: list[str], said: str) -> None:
    """What the recipe lists must be given, and nothing else."""
    tree = recipe_tree()
    tree["Manifests"][0]["Artifacts"] = [{"Uri": f"s3://bucket/{name}", "Unarchive": "ZIP"} for name in listed]
    with pytest.raises(RecipeError, match=said):
        Nucleus("lite", root=tmp_path, recipe=write_recipe(tmp_path, tree), artifacts=[tmp_path / one for one in given])


def test_an_artifact_that_is_no_zip_breaks_the_component(tmp_path: Path) -> None:
    """And says so."""
    tree = recipe_tree()
    tree["Manifests"][0]["Artifacts"] = [{"Uri": "s3://bucket/a.zip", "Unarchive": "ZIP"}]
    (tmp_path / "a.zip").write_text("not packed")
    with running(tmp_path, "lite", recipe=write_recipe(tmp_path, tree), artifacts=[tmp_path / "a.zip"]) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.BROKEN)
        assert nucleus.log() == ("[nucleus] the artifact a.zip is no zip file",)
