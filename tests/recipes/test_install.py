"""The recipe's own scripts, run as both nuclei run them: by sh, in the work folder, with no network."""

import functools
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest
import yaml
from components.build import PROCESSORS, ROOT, pack, zipped
from tests.recipes.conftest import Built, python_of

PROCESSOR = next(ours for ours, theirs in PROCESSORS.items() if theirs == platform.machine())
MANIFESTS = yaml.safe_load((ROOT / "recipes/recipe.yaml").read_text())["Manifests"]
LIFECYCLE = next(one["Lifecycle"] for one in MANIFESTS if one["Platform"]["architecture"] == PROCESSOR)
INSTALLER = (ROOT / "components/install.py").read_bytes()
HERE = f"cp{sys.version_info[0]}{sys.version_info[1]}"
EXIT_TOLD = 7

GATEWAY = f"""
import json, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit({EXIT_TOLD}))
print(json.dumps([os.getpid(), sys.argv[1:]]), flush=True)
signal.pause()
"""


class Core:
    """A Greengrass core as a component's scripts see it: a place for artifacts, a work folder, one `python3`."""

    def __init__(self, root: Path, python: str) -> None:
        self.root = root
        self.work = root / "work/com.spottypottysense.Gateway"
        (root / "bin").mkdir(parents=True)
        (root / "bin/python3").symlink_to(python)
        for tool in ("basename", "sh"):
            (root / "bin" / tool).symlink_to(shutil.which(tool) or "")
        self.work.mkdir(parents=True)

    def place(self, version: str, bundle: bytes) -> None:
        """What the nucleus does before it installs."""
        folder = self.root / "packages/artifacts" / version
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"spotty-gateway-{PROCESSOR}.zip").write_bytes(bundle)

    def start(self, phase: str, version: str) -> subprocess.Popen[str]:
        """Begin one phase."""
        filled = {
            "{artifacts:path}": f"{self.root}/packages/artifacts/{version}/",  # with the slash, as lite has it
            "{work:path}": f"{self.work}",  # without, as classic
        }
        script = re.sub(r"\{[a-z]+:path\}", lambda found: filled[found[0]], LIFECYCLE[phase]["Script"])
        return subprocess.Popen(
            [*without_network(), "sh", "-c", script],
            cwd=self.work,
            env={"PATH": f"{self.root}/bin", "PIP_INDEX_URL": "http://127.0.0.1:9"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def install(self, version: str) -> tuple[int, str]:
        """The install phase to its end: exit code and what it complained of."""
        with self.start("install", version) as process:
            _, complaints = process.communicate()
            return process.returncode, complaints

    @property
    def venvs(self) -> set[str]:
        """What lies in the folder of environments."""
        return {path.name for path in (self.work / "venvs").iterdir()}


@functools.cache
def without_network() -> tuple[str, ...]:
    """A prefix that takes the network away, where this computer lets us."""
    unshare = shutil.which("unshare")
    if unshare and subprocess.run([unshare, "-rn", "true"], capture_output=True, check=False).returncode == 0:
        return (unshare, "-rn")
    return ()


@pytest.fixture
def core(tmp_path: Path) -> Core:
    """A core with the Python that runs the tests, in a folder with a space."""
    return Core(tmp_path / "green grass", os.path.realpath(sys.executable))


def a_bundle(about: str = "", tag: str = HERE, *, harmed: bool = False, wheel: bytes | None = None) -> bytes:
    """A bundle that is small: a gateway that says how it was started, and waits for SIGTERM; or one with this wheel."""
    info = "spottypottysense-0.1.0.dist-info"
    files = {
        "spotty_gateway/__init__.py": about.encode(),
        "spotty_gateway/__main__.py": GATEWAY.encode(),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: spottypottysense\nVersion: 0.1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    packed = pack(INSTALLER, {tag: {"spottypottysense-0.1.0-py3-none-any.whl": wheel or zipped(files)}})
    return packed.replace(b"signal.pause()", b"signal.pauze()") if harmed else packed


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_the_real_bundle_installs_with_no_network_and_starts(version: str, built: Built, tmp_path: Path) -> None:
    """Bookworm's Python and Trixie's: everything is there, byte-compiled, and `spotty` is a command."""
    python = python_of(version)
    if python is None:
        pytest.skip(f"NOT SEEN: the bundle on Python {version}, which this computer does not have")
    core = Core(tmp_path / "core", python)
    core.place("1.0.0", built.artifact(PROCESSOR).read_bytes())
    assert core.install("1.0.0") == (0, "")
    for command in (
        ["venv-1.0.0/bin/python", "-m", "spotty_gateway", "--help"],
        ["current/bin/spotty", "status", "--help"],
        ["current/bin/python", "-m", "pip", "check", "--disable-pip-version-check"],
        [
            "current/bin/python",
            "-c",
            "import awsiot.greengrasscoreipc.client, gpiod, greengrasssdk.stream_manager, spotipy",
        ],
        ["current/bin/python", "-c", "import spotty_gateway.app, spotty_hardware.inputs, spotty_contract.policy"],
    ):
        done = subprocess.run([core.work / command[0], *command[1:]], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), command
    code = core.work / f"current/lib/python{version}/site-packages/spotty_gateway/__pycache__"
    assert (code / f"app.cpython-{version.replace('.', '')}.pyc").is_file()


def test_an_install_killed_in_the_middle_leaves_nothing_to_run_and_the_next_repairs_it(core: Core) -> None:
    """Power goes while the gateway itself is being put there: no half environment is ever what `run` starts."""
    core.place("1.0.0", a_bundle())
    process = core.start("install", "1.0.0")
    while still_runs(process) and not list(core.work.glob("venvs/*/lib/*/site-packages/spotty_gateway")):
        pass
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (core.work / "venv-1.0.0").exists()
    assert len(core.venvs) == 2, "the half environment, and the wheels unpacked for it"

    assert core.install("1.0.0") == (0, "")
    assert (core.work / "venv-1.0.0/bin/python").exists()
    assert core.venvs == {(core.work / "current").resolve().name}


def still_runs(process: subprocess.Popen[str]) -> bool:
    """Whether a process goes on, looked at for a moment."""
    try:
        process.wait(0.002)
    except subprocess.TimeoutExpired:
        return True
    return False


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Core:
    """A core with version 1.0.0 of the small gateway, installed once for all that begin so."""
    template = Core(tmp_path_factory.mktemp("template") / "core", os.path.realpath(sys.executable))
    template.place("1.0.0", a_bundle(about="'first'"))
    assert template.install("1.0.0") == (0, "")
    return template


@pytest.fixture
def installed(core: Core, template: Core) -> Core:
    """Such a core of one's own."""
    shutil.rmtree(core.root)
    shutil.copytree(template.root, core.root, symlinks=True)
    return core


def test_run_becomes_the_gateway_itself_so_that_sigterm_reaches_it(installed: Core) -> None:
    """No shell in between: the process that the nucleus started is Python, with the agreed argument."""
    with installed.start("run", "1.0.0") as process:
        pid, arguments = json.loads(first_line(process.stdout))
        assert arguments == ["greengrass"]
        assert pid == process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait() == EXIT_TOLD


def test_what_lies_in_the_work_folder_is_no_code_of_ours(installed: Core) -> None:
    """A file there that is named like a module is not imported in its place."""
    (installed.work / "json.py").write_text("raise SystemExit('imported from the work folder')")
    with installed.start("run", "1.0.0") as process:
        assert first_line(process.stdout).startswith("[")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == EXIT_TOLD


def first_line(stream: IO[str] | None) -> str:
    """The first line that a process says."""
    assert stream is not None
    return stream.readline()


def test_run_installs_again_when_the_python_it_was_made_with_is_gone(installed: Core) -> None:
    """A new release of the OS brings another Python; the component comes up by itself."""
    gone = installed.work / "venv-1.0.0/bin/python"
    gone.unlink()
    gone.symlink_to("/usr/bin/python3.1")
    with installed.start("run", "1.0.0") as process:
        assert "is gone (a new release of the OS?); installing again" in first_line(process.stdout)
        assert "is ready" in first_line(process.stdout)
        assert json.loads(first_line(process.stdout))[1] == ["greengrass"]
        process.terminate()
        assert process.wait() == EXIT_TOLD


def test_new_contents_are_installed_beside_the_old_which_stay_to_roll_back_to(installed: Core) -> None:
    """The same version with other contents counts as new; rolling back installs nothing; two stay on the card."""
    work = installed.work
    first = (work / "venv-1.0.0").resolve()
    installed.place("1.0.0", a_bundle(about="'second'"))
    assert installed.install("1.0.0") == (0, "")
    second = (work / "venv-1.0.0").resolve()
    assert installed.venvs == {first.name, second.name}

    installed.place("1.0.1", a_bundle(about="'third'"))
    assert installed.install("1.0.1") == (0, "")
    third = (work / "venv-1.0.1").resolve()
    assert installed.venvs == {second.name, third.name}
    assert (work / "current").resolve() == third

    made_at = (second / "pyvenv.cfg").stat().st_mtime_ns
    assert installed.install("1.0.0") == (0, "")
    assert (work / "current").resolve() == (work / "venv-1.0.0").resolve() == second
    assert (second / "pyvenv.cfg").stat().st_mtime_ns == made_at


@pytest.mark.parametrize(
    "bundle, told",
    [
        (a_bundle(tag="cp399"), "spotty install: there are wheels for Python 3.99, and here is 3."),
        (a_bundle(harmed=True), "spotty install: Bad CRC-32 for file 'wheels/spottypottysense-0.1.0-py3-none-any.whl'"),
    ],
)
def test_what_cannot_be_installed_is_said_in_one_line(core: Core, bundle: bytes, told: str) -> None:
    """Why, and what to do; there is nothing to run afterwards."""
    core.place("1.0.0", bundle)
    code, complaints = core.install("1.0.0")
    assert code == 1
    assert told in complaints
    assert complaints.count("\n") == 1
    assert not (core.work / "venv-1.0.0").exists()


def test_an_install_that_fails_leaves_the_card_as_it_was(core: Core) -> None:
    """Also what earlier ones left that were killed: a card that is full may be the very reason."""
    (core.work / "venvs/unpacked-killed/wheels").mkdir(parents=True)
    (core.work / "venvs/0123456789ab/bin").mkdir(parents=True)
    core.place("1.0.0", a_bundle(harmed=True))
    assert core.install("1.0.0")[0] == 1
    assert core.venvs == set()
    core.place("1.0.1", a_bundle(wheel=b"no wheel at all"))
    assert core.install("1.0.1")[0] == 1
    assert core.venvs == set()


def test_power_lost_while_an_old_environment_is_removed_leaves_none_that_seems_whole(installed: Core) -> None:
    """Whoever goes back to it later gets it made anew, and not half of it."""
    first = (installed.work / "venv-1.0.0").resolve()
    for number, about in enumerate(("'second'", "'third'"), 1):
        installed.place(f"1.0.{number}", a_bundle(about=about))
    bundle = installed.root / f"packages/artifacts/1.0.2/spotty-gateway-{PROCESSOR}.zip"
    assert installed.install("1.0.1") == (0, "")
    cut = f"""
import contextlib, os, runpy, shutil, sys
in_order = os.scandir
@contextlib.contextmanager
def backwards(path):  # some file systems list like this, others like that
    with in_order(path) as found:
        yield iter(sorted(found, key=lambda entry: entry.name, reverse=True))
def look(event, arguments):
    if event == "os.remove" and arguments[0] == "pyvenv.cfg":
        os._exit({EXIT_TOLD})
os.scandir = backwards
sys.argv = sys.argv[1:]
sys.addaudithook(look)
runpy.run_path(sys.argv[0], run_name="__main__")
"""
    command = [f"{installed.root}/bin/python3", "-I", "-c", cut, f"{bundle}", f"{installed.work}", "1.0.2"]
    done = subprocess.run(command, env={"PATH": f"{installed.root}/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == EXIT_TOLD, done.stderr
    assert first.is_dir()
    assert not (first / "complete").exists()


def test_without_python_the_script_says_which_package_to_install(core: Core) -> None:
    """The first line in the journal is the cure."""
    core.place("1.0.0", a_bundle())
    (core.root / "bin/python3").unlink()
    code, complaints = core.install("1.0.0")
    assert (code, complaints) == (1, "spotty install: there is no python3; sudo apt install python3 python3-venv\n")
