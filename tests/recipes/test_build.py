import base64
import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from components.build import ROOT as HERE
from components.build import CannotBuildError, read_lock
from tests.recipes.conftest import NAME, Built, run_build

PARTS = ("components", "hardware", "recipes", "requirements")
FILES = ("LICENSE", "gdk-config.json", "pyproject.toml")


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """The sources again, in another folder, with other times and modes."""
    root = tmp_path / "some where else"
    root.mkdir()
    for part in PARTS:
        shutil.copytree(HERE / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(HERE / name, root / name)
    for path in root.rglob("*.py"):
        os.utime(path, (1e9, 1e9))
        path.chmod(0o600)
    return root


def hashes(output: Path) -> dict[str, str]:
    """Every file below, by its path."""
    return {
        path.relative_to(output).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(output.rglob("*"))
        if path.is_file()
    }


def edit(path: Path, old: str, new: str) -> None:
    """Change what stands in a file, once."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_same_sources_give_the_same_bytes_anywhere(built: Built, elsewhere: Path, wheels: Path) -> None:
    """Folder, file times and modes leave no trace in what is published."""
    (elsewhere / "components/gateway/spotty_gateway/__pycache__").mkdir()
    (elsewhere / "components/gateway/spotty_gateway/__pycache__/app.cpython-311.pyc").write_bytes(b"old")
    done = run_build(elsewhere, elsewhere / "greengrass-build", wheels)
    assert done.stderr == ""
    assert hashes(elsewhere / "greengrass-build") == hashes(built.output)


def test_what_is_built_stands_where_gdk_looks(built: Built) -> None:
    """Two zips and a recipe, the placeholders that gdk publish fills in still there, and no other file."""
    assert set(hashes(built.output)) == {
        f"artifacts/{NAME}/NEXT_PATCH/spotty-gateway-aarch64.zip",
        f"artifacts/{NAME}/NEXT_PATCH/spotty-gateway-amd64.zip",
        "recipes/recipe.yaml",
    }
    recipe = (built.output / "recipes/recipe.yaml").read_text()
    assert 'ComponentVersion: "NEXT_PATCH"' in recipe
    assert recipe.count("s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/") == 2
    assert "{COMPONENT" not in recipe


def test_a_fixed_version_stands_in_path_and_recipe(elsewhere: Path, wheels: Path) -> None:
    """What `ggl-cli deploy` and `greengrass-cli` take needs a version of its own."""
    edit(elsewhere / "gdk-config.json", '"NEXT_PATCH"', '"1.2.3"')
    done = run_build(elsewhere, elsewhere / "greengrass-build", wheels)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "greengrass-build/artifacts" / NAME / "1.2.3/spotty-gateway-aarch64.zip").is_file()
    assert 'ComponentVersion: "1.2.3"' in (elsewhere / "greengrass-build/recipes/recipe.yaml").read_text()


@pytest.mark.parametrize("processor", ["aarch64", "amd64"])
def test_a_zip_holds_wheels_and_an_installer_and_nothing_else(built: Built, processor: str) -> None:
    """Each listed wheel is there once and unharmed, in order, undated, readable; its size is what was printed."""
    with zipfile.ZipFile(built.artifact(processor)) as bundle:
        listed = json.loads(bundle.read("bundle.json"))["wheels"]
        names = bundle.namelist()
        assert names == sorted({"__main__.py", "bundle.json", *listed["cp311"], *listed["cp313"]})
        for entry in bundle.infolist():
            assert (entry.date_time, entry.external_attr >> 16) == ((1980, 1, 1, 0, 0, 0), 0o100644)
        for wheels_of_one in listed.values():
            for name, expected in wheels_of_one.items():
                assert hashlib.sha256(bundle.read(name)).hexdigest() == expected
    assert f"spotty-gateway-{processor}.zip: {built.artifact(processor).stat().st_size / 1e6:.1f} MB" in built.stdout
    for tag in ("cp311", "cp313"):
        assert any("async_timeout" in name for name in listed[tag]), "Bookworm's 3.11.2 cannot import redis without it"


def test_our_wheel_is_the_product_and_not_the_sandbox(built: Built) -> None:
    """Contract, gateway and hardware, no compiled file, and a RECORD that is true."""
    with zipfile.ZipFile(built.artifact("aarch64")) as bundle:
        (ours,) = (name for name in bundle.namelist() if "spottypottysense" in name)
        wheel = zipfile.ZipFile(BytesIO(bundle.read(ours)))
    with wheel:
        names = wheel.namelist()
        tops = {name.split("/")[0] for name in names}
        assert tops == {"spotty_contract", "spotty_gateway", "spotty_hardware", "spottypottysense-0.1.0.dist-info"}
        assert not [name for name in names if name.endswith(".pyc")]
        (record,) = (name for name in names if name.endswith("/RECORD"))
        lines = [line.split(",") for line in wheel.read(record).decode().splitlines()]
        assert sorted(path for path, _, _ in lines) == names
        for path, digest, size in lines:
            if path != record:
                content = wheel.read(path)
                told = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={told}", len(content))


def a_stray_file(root: Path) -> None:
    """What an editor leaves."""
    (root / "components/gateway/spotty_gateway/app.py~").write_text("")


def a_name_with_a_space(root: Path) -> None:
    """What a file manager makes of a copy."""
    (root / "hardware/spotty_hardware/inputs copy.py").write_text("")


def an_unpinned_library(root: Path) -> None:
    """A lock edited by hand."""
    edit(root / "requirements/gateway.txt", "idna==", "idna>=")


def an_unknown_marker(root: Path) -> None:
    """A library that only some machines need."""
    edit(root / "requirements/gateway.txt", "python_full_version < '3.11.3'", "platform_machine == 'aarch64'")


def too_big(root: Path) -> None:
    """Three megabytes too much."""
    (root / "components/gateway/spotty_gateway/big.py").write_text("#" * 3_000_000)


def a_long_recipe(root: Path) -> None:
    """More than Greengrass takes."""
    with (root / "recipes/recipe.yaml").open("a") as recipe:
        recipe.write("# and so on\n" * 1000)


def another_name(root: Path) -> None:
    """Recipe and gdk at odds over the name."""
    edit(root / "gdk-config.json", NAME, "com.example.Other")


def another_artifact(root: Path) -> None:
    """Recipe and build at odds over a zip."""
    edit(root / "recipes/recipe.yaml", "COMPONENT_VERSION/spotty-gateway-amd64.zip", "COMPONENT_VERSION/gateway.zip")


def half_a_version(root: Path) -> None:
    """No semantic version."""
    edit(root / "gdk-config.json", '"NEXT_PATCH"', '"1.2"')


def no_configuration(root: Path) -> None:
    """Nothing to go by."""
    (root / "gdk-config.json").write_text("{}")


@pytest.mark.parametrize(
    "spoil, told",
    [
        (a_stray_file, "app.py~: no such file belongs into a package"),
        (a_name_with_a_space, "inputs copy.py: no such file belongs into a package"),
        (an_unpinned_library, "gateway.txt: idna>=3"),
        (an_unknown_marker, "gateway.txt: async-timeout is only wanted where platform_machine"),
        (too_big, "MB, and 12.0 MB is the limit: drop a library"),
        (a_long_recipe, "and 16000 is the limit"),
        (another_name, "its ComponentName is not com.example.Other"),
        (another_artifact, "recipe.yaml: its artifacts are ['gateway.zip', 'spotty-gateway-aarch64.zip']"),
        (half_a_version, "version 1.2 is neither NEXT_PATCH nor like 1.2.3"),
        (no_configuration, "gdk-config.json: it names no component"),
    ],
)
def test_where_anything_is_wrong_there_is_nothing_to_publish(
    elsewhere: Path, wheels: Path, spoil: Callable[[Path], None], told: str
) -> None:
    """One line says what, and what an earlier build left is gone too."""
    output = elsewhere / "greengrass-build"
    (output / "artifacts").mkdir(parents=True)
    spoil(elsewhere)
    done = run_build(elsewhere, output, wheels)
    assert done.returncode == 1
    assert done.stderr.startswith("build: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert not output.exists()


def test_a_wheel_that_is_not_the_lock_s_is_refused_though_it_was_fetched_before(
    elsewhere: Path, wheels: Path, tmp_path: Path
) -> None:
    """Changed, missing or smuggled in: what lies in the cache is held against the lock every time."""
    kept = tmp_path / "kept"
    shutil.copytree(wheels, kept, copy_function=os.link)
    victim = next(kept.glob("amd64-cp313-*/gpiozero-*.whl"))
    content = victim.read_bytes()
    output = elsewhere / "greengrass-build"

    victim.unlink()
    assert "no wheel of gpiozero==" in run_build(elsewhere, output, kept).stderr

    victim.write_bytes(content[:-1] + b"x")
    assert "it is not the file that requirements/gateway.txt names" in run_build(elsewhere, output, kept).stderr

    victim.write_bytes(content)
    (victim.parent / "evil-1.0-py3-none-any.whl").write_bytes(b"")
    assert "evil-1.0-py3-none-any.whl: nobody asked for it" in run_build(elsewhere, output, kept).stderr
    assert not output.exists()


def test_a_hash_that_no_file_has_is_never_fetched(elsewhere: Path, wheels: Path, tmp_path: Path) -> None:
    """Pip looks at the hash before anything of the wheel is used; where there is no index, nothing comes at all."""
    assert wheels.is_dir()
    lock = elsewhere / "requirements/gateway.txt"
    lock.write_text(f"idna==3.10 \\\n    --hash=sha256:{'0' * 64}\n")
    done = run_build(elsewhere, elsewhere / "greengrass-build", tmp_path / "kept")
    assert done.returncode == 1
    assert done.stderr.startswith("build: wheels for aarch64 cp311: ")
    assert list((tmp_path / "kept").iterdir()) == []


def test_the_lock_is_read_whole(tmp_path: Path) -> None:
    """Names, markers, several hashes; what is not pinned has no place in it."""
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "async-timeout==5.0.1 ; python_full_version < '3.11.3' \\\n"
        f"    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n    # via redis\n# a comment\n"
    )
    (pin,) = read_lock(lock)
    assert str(pin) == "async-timeout==5.0.1"
    assert pin.hashes == {"a" * 64, "b" * 64}
    lock.write_text("idna==3.10\n")
    with pytest.raises(CannotBuildError, match=r"idna==3\.10 is not pinned with hashes"):
        read_lock(lock)
