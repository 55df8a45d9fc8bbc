"""Packs the gateway for Greengrass: one zip a processor kind, and the recipe. What `gdk component build` runs.

    python3 components/build.py [--wheels FOLDER] [--output FOLDER]

Standard library only. The same sources and the same lock give the same bytes, anywhere. Where anything is wrong there
is no output at all: gdk publishes whatever it finds.
"""

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "components/contract/spotty_contract",
    "components/gateway/spotty_gateway",
    "hardware/spotty_hardware",
)
LOCK = "requirements/gateway.txt"

PROCESSORS = {"aarch64": "aarch64", "amd64": "x86_64"}
"""By Greengrass's name, as wheels call them."""
PYTHONS = ("3.11", "3.13")
"""Those of Raspberry Pi OS Bookworm and Trixie."""
GLIBCS = range(17, 37)
"""A wheel made for one of these runs on Bookworm, whose glibc is 2.36."""

WHEELS_LIMIT_BYTES = 12_000_000
RECIPE_LIMIT_BYTES = 16_000
BAD = 1

CLEAN_NAME = re.compile(r"[a-z_][a-z0-9_]*(/[a-z_][a-z0-9_]*)*\.py")
PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?:\s*;\s*(?P<marker>.*?))?\s+(?P<hashes>--hash=.*)")
VERSION_MARKER = re.compile(r"python_(full_)?version [<>=!]+ '[0-9.]+'")


class CannotBuildError(Exception):
    """There will be no bundle; one line says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class Pin:
    """One line of the lock."""

    name: str
    version: str
    hashes: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True)
class Target:
    """What a wheel must fit."""

    processor: str
    python: str

    @property
    def tag(self) -> str:
        """The Python as wheels call it."""
        return f"cp{self.python.replace('.', '')}"

    def __str__(self) -> str:
        return f"{self.processor} {self.tag}"


@dataclass(frozen=True)
class Component:
    """What gdk-config.json says of the component."""

    name: str
    version: str


TARGETS = tuple(Target(processor, python) for processor in PROCESSORS for python in PYTHONS)


def main() -> int:
    """Build; gdk looks at nothing but the exit code and the folder."""
    parser = argparse.ArgumentParser(description="Pack the gateway for Greengrass, as gdk component build does.")
    parser.add_argument("--wheels", type=Path, default=ROOT / ".cache/wheels", help="where fetched wheels are kept")
    parser.add_argument(
        "--output", type=Path, default=ROOT / "greengrass-build", help="what is built, and gdk publishes"
    )
    arguments = parser.parse_args()
    try:
        build(arguments.wheels, arguments.output)
    except (CannotBuildError, OSError) as error:
        shutil.rmtree(arguments.output, ignore_errors=True)
        print(f"build: {error}", file=sys.stderr)
        return BAD
    return 0


def build(kept: Path, output: Path) -> None:
    """Fetch what is not in `kept` yet, and write the zips and the recipe below `output`."""
    component = read_component(ROOT / "gdk-config.json")
    pins = read_lock(ROOT / LOCK)
    names = {processor: f"spotty-gateway-{processor}.zip" for processor in PROCESSORS}
    recipe = fill_recipe((ROOT / "recipes/recipe.yaml").read_text(), component, names.values())
    ours = our_wheel(ROOT)
    wheels = {target: {**fetch(target, pins, kept), **ours} for target in TARGETS}
    for target, parts in wheels.items():
        size = sum(map(len, parts.values()))
        if size > WHEELS_LIMIT_BYTES:
            raise CannotBuildError(
                f"the wheels for {target} are {_mb(size)}, and {_mb(WHEELS_LIMIT_BYTES)} is the limit: drop a library"
            )
    installer = (ROOT / "components/install.py").read_bytes()
    bundles = {
        name: pack(installer, {target.tag: wheels[target] for target in TARGETS if target.processor == processor})
        for processor, name in names.items()
    }
    write(output, component, bundles, recipe)
    print_sizes(wheels, bundles, len(recipe.encode()))


def read_component(config: Path) -> Component:
    """Name and version from gdk's own file."""
    try:
        (name, about), *others = json.loads(config.read_bytes())["component"].items()
        version = about["version"]
    except (ValueError, KeyError, AttributeError) as error:
        raise CannotBuildError(f"{config.name}: it names no component with a version ({error!r})") from error
    if others:
        raise CannotBuildError(f"{config.name}: it names more than one component; keep {name}")
    if not re.fullmatch(r"NEXT_PATCH|\d+\.\d+\.\d+", version):
        raise CannotBuildError(f"{config.name}: version {version} is neither NEXT_PATCH nor like 1.2.3")
    return Component(name, version)


def read_lock(lock: Path) -> list[Pin]:
    """What is to be installed, exactly.

    A pin that only some Pythons need is shipped to all: pip would judge its marker by the Python that runs the build,
    not by the Pi's (Bookworm's 3.11.2 needs async-timeout, 3.11.3 does not).
    """
    pins = []
    for line in lock.read_text().replace("\\\n", " ").splitlines():
        text = line.split(" #")[0].strip()
        if not text or text.startswith("#"):
            continue
        found = PIN.fullmatch(text)
        if found is None:
            raise CannotBuildError(f"{lock.name}: {text.split()[0]} is not pinned with hashes: make lock")
        marker = found["marker"]
        if marker is not None and not VERSION_MARKER.fullmatch(marker):
            raise CannotBuildError(
                f"{lock.name}: {found['name']} is only wanted where {marker}; build.py must learn that"
            )
        hashes = frozenset(re.findall(r"--hash=sha256:([0-9a-f]{64})", found["hashes"]))
        pins.append(Pin(found["name"], found["version"], hashes))
    return pins


def fetch(target: Target, pins: list[Pin], kept: Path) -> dict[str, bytes]:
    """The wheels for one target by file name, each held against the lock, also when it was fetched before."""
    asked = "".join(f"{pin} {' '.join(f'--hash=sha256:{one}' for one in sorted(pin.hashes))}\n" for pin in pins)
    folder = kept / f"{target.processor}-{target.tag}-{hashlib.sha256(asked.encode()).hexdigest()[:12]}"
    if not folder.is_dir():
        kept.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept) as scratch:
            (Path(scratch) / "asked.txt").write_text(asked)
            (Path(scratch) / "wheels").mkdir()
            _download(target, Path(scratch) / "asked.txt", Path(scratch) / "wheels")
            try:
                (Path(scratch) / "wheels").rename(folder)
            except OSError:
                if not folder.is_dir():
                    raise
                # Another build was quicker; what it fetched is held against the lock all the same.
    wheels = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    _hold_against(pins, wheels, target, folder)
    return wheels


def _download(target: Target, asked: Path, into: Path) -> None:
    processor = PROCESSORS[target.processor]
    platforms = [f"manylinux_2_{minor}_{processor}" for minor in reversed(GLIBCS)] + [f"manylinux2014_{processor}"]
    command = [_python_with_pip(), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", "--implementation=cp", f"--python-version={target.python}"]
    command += [f"--abi={abi}" for abi in (target.tag, "abi3", "none")]
    command += [f"--platform={platform}" for platform in platforms]
    done = subprocess.run([*command, f"--dest={into}", f"--requirement={asked}"], capture_output=True, check=False)
    if done.returncode != 0:
        said = [line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("ERROR: ")]
        raise CannotBuildError(f"wheels for {target}: {said[-1].removeprefix('ERROR: ') if said else 'pip failed'}")


def _python_with_pip() -> str:
    for python in (sys.executable, str(ROOT / ".venv/bin/python")):
        try:
            subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return python
    raise CannotBuildError(f"{sys.executable} has no pip, and there is no .venv: make setup")


def _hold_against(pins: list[Pin], wheels: Mapping[str, bytes], target: Target, folder: Path) -> None:
    missing = {_plain(pin.name): pin for pin in pins}
    for name, content in wheels.items():
        pin = missing.pop(_plain(name.split("-")[0]), None)
        if pin is None or not name.endswith(".whl"):
            raise CannotBuildError(f"{folder / name}: nobody asked for it; delete {folder}")
        if hashlib.sha256(content).hexdigest() not in pin.hashes:
            raise CannotBuildError(f"{folder / name}: it is not the file that {LOCK} names; delete {folder}")
    if missing:
        raise CannotBuildError(f"wheels for {target}: no wheel of {next(iter(missing.values()))}; delete {folder}")


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def our_wheel(root: Path) -> dict[str, bytes]:
    """What runs on a Pi as one wheel, so that pip has one way for everything; the sandbox stays at home."""
    about = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    name, version = about["name"], about["version"]
    needs = [*about["dependencies"], *about["optional-dependencies"]["gateway"]]
    info = f"{name}-{version}.dist-info"
    files = {f"{Path(package).name}/{path}": code for package in PACKAGES for path, code in _sources(root / package)}
    files |= {
        f"{info}/METADATA": "".join(
            f"{line}\n"
            for line in (
                "Metadata-Version: 2.1",
                f"Name: {name}",
                f"Version: {version}",
                f"Requires-Python: {about['requires-python']}",
                *(f"Requires-Dist: {need}" for need in needs),
            )
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: build.py\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\nspotty = {about['scripts']['spotty']}\n".encode(),
        f"{info}/licenses/LICENSE": (root / "LICENSE").read_bytes(),
    }
    record = "".join(f"{path},{_record_hash(content)},{len(content)}\n" for path, content in sorted(files.items()))
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    return {f"{name}-{version}-py3-none-any.whl": zipped(files)}


def _sources(package: Path) -> Iterable[tuple[str, bytes]]:
    for path in sorted(package.rglob("*")):
        name = path.relative_to(package).as_posix()
        if path.is_dir() or "__pycache__" in path.parts:
            continue
        if not CLEAN_NAME.fullmatch(name):
            raise CannotBuildError(f"{path}: no such file belongs into a package; move it away")
        yield name, path.read_bytes()


def _record_hash(content: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def pack(installer: bytes, wheels: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """The zip for one processor kind: the wheels for each Python, what they share once, and what installs them."""
    listed = {
        tag: {f"wheels/{name}": hashlib.sha256(content).hexdigest() for name, content in sorted(parts.items())}
        for tag, parts in sorted(wheels.items())
    }
    build_id = hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:12]
    files = {f"wheels/{name}": content for parts in wheels.values() for name, content in parts.items()}
    files["bundle.json"] = json.dumps({"id": build_id, "wheels": listed}, indent=1).encode()
    files["__main__.py"] = installer
    return zipped(files)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip that depends on names and contents alone: not compressed, as each zlib packs a little differently."""
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, content in sorted(files.items()):
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.create_system = 3  # Unix, whatever this is built on
                entry.external_attr = 0o100644 << 16
                archive.writestr(entry, content)
        file.seek(0)
        return file.read()


def fill_recipe(recipe: str, component: Component, bundles: Iterable[str]) -> str:
    """The recipe with name and version in; the addresses of the artifacts are left for `gdk component publish`."""
    filled = recipe.replace("{COMPONENT_NAME}", component.name).replace("{COMPONENT_VERSION}", component.version)
    if len(filled.encode()) > RECIPE_LIMIT_BYTES:
        raise CannotBuildError(f"recipe.yaml: {len(filled.encode())} bytes, and {RECIPE_LIMIT_BYTES} is the limit")
    if not re.search(rf'^ComponentName: "?{re.escape(component.name)}"?$', filled, re.MULTILINE):
        raise CannotBuildError(f"recipe.yaml: its ComponentName is not {component.name}, as gdk-config.json says")
    named = sorted(re.findall(r"s3://BUCKET_NAME/COMPONENT_NAME/COMPONENT_VERSION/([^\s\"]+)", filled))
    if named != sorted(bundles):
        raise CannotBuildError(f"recipe.yaml: its artifacts are {named}, and built are {sorted(bundles)}")
    return filled


def write(output: Path, component: Component, bundles: Mapping[str, bytes], recipe: str) -> None:
    """Where gdk looks: artifacts/NAME/VERSION/*.zip and recipes/recipe.yaml."""
    shutil.rmtree(output, ignore_errors=True)
    artifacts = output / "artifacts" / component.name / component.version
    artifacts.mkdir(parents=True)
    (output / "recipes").mkdir()
    for name, content in bundles.items():
        (artifacts / name).write_bytes(content)
    (output / "recipes/recipe.yaml").write_text(recipe)


def print_sizes(wheels: Mapping[Target, Mapping[str, bytes]], bundles: Mapping[str, bytes], recipe_bytes: int) -> None:
    """What weighs how much, in kB."""
    rows = {
        target: {_plain(name.split("-")[0]): len(content) for name, content in parts.items()}
        for target, parts in wheels.items()
    }
    heading = "".join(f"{target!s:>15}" for target in rows)
    print(f"{'kB':<20}{heading}")
    for name in sorted({name for sizes in rows.values() for name in sizes}):
        print(f"{name:<20}" + "".join(f"{sizes[name] / 1000:>15,.0f}" for sizes in rows.values()))
    print(f"{'together':<20}" + "".join(f"{sum(sizes.values()) / 1000:>15,.0f}" for sizes in rows.values()))
    for name, content in bundles.items():
        print(f"{name}: {_mb(len(content))}, sha256 {hashlib.sha256(content).hexdigest()}")
    print(f"recipe.yaml: {recipe_bytes / 1000:.1f} kB")


def _mb(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


if __name__ == "__main__":
    sys.exit(main())
