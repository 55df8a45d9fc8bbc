import contextlib
import dataclasses
import signal
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from awsiot.greengrasscoreipc import model
from tests.sandbox.nucleus.workbench import DEFAULTS, PROFILES, Events, client_v2, recipe_tree, running, write_recipe

from spotty_sandbox.nucleus import CLASSIC, LITE, Nucleus, Profile, State

INSTALL = "echo installing; touch {work:path}installed"
RUN = (
    f"test -f installed && exec {sys.executable} -u {{artifacts:decompressedPath}}hello/hello.py {{configuration:/who}}"
)


@contextmanager
def hello(folder: Path, profile: str, **lifecycle: object) -> Iterator[Nucleus]:
    """The component of hello.py, zipped, in a nucleus that restarts it without delay."""
    packed = folder / "hello.zip"
    with zipfile.ZipFile(packed, "w") as files:
        files.write(Path(__file__).with_name("hello.py"), "hello.py")
    tree = recipe_tree({"install": INSTALL, "run": RUN, **lifecycle})
    tree["ComponentConfiguration"] = {"DefaultConfiguration": {**DEFAULTS, "greeting": "good morning", "who": "zip"}}
    tree["Manifests"][0]["Artifacts"] = [{"Uri": "s3://BUCKET/hello.zip", "Unarchive": "ZIP"}]
    recipe = write_recipe(folder, tree)
    with running(folder, profile, recipe=recipe, artifacts=[packed], restart_delay_s=0) as nucleus:
        yield nucleus


def runs(nucleus: Nucleus, starts: int = 1) -> None:
    """Wait until the component has said that it runs, for the `starts`th time."""
    nucleus.wait_until(lambda: nucleus.status().starts == starts and nucleus.status().reported == "RUNNING", 30)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_component_lives_by_its_recipe(tmp_path: Path, profile: str) -> None:
    """Installed once, run with the environment a nucleus gives, restarted when killed or failed, stopped by SIGTERM."""
    with hello(tmp_path, profile) as nucleus:
        nucleus.start_component()
        runs(nucleus)
        nucleus.wait_until(lambda: any(line.startswith("hello from") for line in nucleus.log()))
        work = (tmp_path / "gg" / "work" / "com.example.Hello").resolve()
        assert nucleus.log()[:2] == ("installing", f"hello from zip in {work}")
        nucleus.kill_component()
        runs(nucleus, 2)
        assert nucleus.status().last_exit == -signal.SIGKILL
        nucleus.publish_locally("local/exit", {"exit": 3})
        nucleus.wait_until(lambda: nucleus.status().last_exit == 3)
        nucleus.wait_until(lambda: nucleus.status().state == State.RUNNING)
        runs(nucleus, 3)
        nucleus.stop_component()
        assert (nucleus.status().state, nucleus.status().last_exit) == (State.FINISHED, 0)
        assert "asked to stop" in nucleus.log()
        assert nucleus.log().count("installing") == 1
        nucleus.wait_until(lambda: len(nucleus.sent()) == 3)
        assert {(one.topic, one.payload) for one in nucleus.sent()} == {("sensors/gw1/hello/motion", b"good morning")}


def test_what_was_installed_stays_so_until_the_artifact_changes(tmp_path: Path) -> None:
    """A nucleus that starts again does not install again; another artifact is installed."""
    for expected in (1, 0):
        with hello(tmp_path, "lite", run="echo running") as nucleus:
            nucleus.start_component()
            nucleus.wait_until(lambda: nucleus.status().state == State.FINISHED)
            assert nucleus.log().count("installing") == expected
    with hello(tmp_path, "lite", run="echo running", install="echo installing anew") as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.FINISHED)
        assert nucleus.log().count("installing anew") == 1


@pytest.mark.parametrize("profile", PROFILES)
def test_three_failures_break_it(tmp_path: Path, profile: str) -> None:
    """It is started three times within the hour, then no more, until somebody starts it."""
    with running(tmp_path, profile, {"run": "echo started; exit 7"}, restart_delay_s=0) as nucleus:
        for rounds in (1, 2):
            nucleus.start_component()
            nucleus.wait_until(lambda: nucleus.status().state == State.BROKEN)
            assert nucleus.status().starts == 3 * rounds
            nucleus.stop_component()
        assert nucleus.log()[:3] == ("started", "[nucleus] run ended with exit 7", "started")
        assert nucleus.status().last_exit == 7


def test_an_install_that_fails_breaks_it_too(tmp_path: Path) -> None:
    """The run script never starts."""
    with running(tmp_path, "lite", {"install": "exit 4", "run": "true"}, restart_delay_s=0) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.BROKEN)
        assert nucleus.status().starts == 0
        assert nucleus.log()[0] == "[nucleus] install ended with exit 4"


def test_a_stop_during_the_install_is_a_stop(tmp_path: Path) -> None:
    """What was not installed yet is not run either."""
    with running(tmp_path, "lite", {"install": "echo installing; sleep 1000", "run": "true"}) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: "installing" in nucleus.log())
        nucleus.stop_component()
        assert (nucleus.status().state, nucleus.status().starts) == (State.FINISHED, 0)


def test_an_install_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    """Its Timeout is kept, children and all."""
    slow = {"Script": "echo $$; sleep 1000", "Timeout": "{configuration:/patience}"}
    with running(tmp_path, "classic", {"install": slow, "run": "true"}, restart_delay_s=0) as nucleus:
        nucleus.set_configuration({"patience": 0})
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.BROKEN)
        assert "[nucleus] killed after 0 s, its Timeout" in nucleus.log()


def living_in(group: int) -> list[str]:
    """The processes of a group, but for those that are dead and only not yet buried."""
    stats = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            stats.append(entry.read_text().rpartition(")")[2].split())
    return [state for state, _, of, *_ in stats if int(of) == group and state != "Z"]


PROGRAM = "signal.signal(15, lambda *_: sys.exit(print('done'))); print('ready'); signal.pause()"
HEEDING = f'{sys.executable} -uc "import signal, sys; {PROGRAM}"'
STUBBORN = "trap 'echo no' TERM; echo ready; while :; do sleep 1000 & wait; done"


@pytest.mark.parametrize("profile", [LITE, CLASSIC], ids=lambda profile: str(profile.name))
def test_who_does_not_heed_sigterm_is_killed(tmp_path: Path, profile: Profile) -> None:
    """After its grace comes SIGKILL, for the whole process group."""
    impatient = dataclasses.replace(profile, stop_s=0.2)
    with running(tmp_path, impatient, {"run": STUBBORN}) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: "ready" in nucleus.log())
        pid = nucleus.status().pid
        assert pid is not None
        nucleus.stop_component()
        assert (nucleus.status().last_exit, nucleus.log()[-1]) == (-signal.SIGKILL, "no")
    assert living_in(pid) == []


def test_a_child_of_the_script_has_its_grace_too(tmp_path: Path) -> None:
    """The shell ends at SIGTERM; what it started may still finish."""
    with running(tmp_path, "lite", {"run": f"{HEEDING}; true"}) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: "ready" in nucleus.log())
        nucleus.stop_component()
        assert nucleus.log()[-1] == "done"


def test_classic_runs_shutdown_and_recover(tmp_path: Path) -> None:
    """`recover` after a failure, `shutdown` before a stop; lite runs neither."""
    lifecycle = {
        "run": "test -f recovered || exit 1; echo running; sleep 1000",
        "recover": "touch recovered",
        "shutdown": "echo shutting down",
    }
    with running(tmp_path, "classic", lifecycle) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: "running" in nucleus.log())
        nucleus.stop_component()
        assert nucleus.log()[-1] == "shutting down"
        assert nucleus.status().starts == 2
    lite_folder = tmp_path / "lite"
    lite_folder.mkdir()
    with running(lite_folder, "lite", lifecycle, restart_delay_s=0) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.BROKEN)


def test_setenv_and_skipif(tmp_path: Path) -> None:
    """A script's environment comes from all of the lifecycle and from itself; a condition that holds skips it."""
    lifecycle = {
        "Setenv": {"WHO": "{iot:thingName}", "HOW": "loud"},
        "install": {"Script": "echo never", "Skipif": "exists /bin/sh"},
        "run": {"Script": 'echo "$WHO $HOW $AWS_REGION $EXTRA"', "Setenv": {"HOW": "soft"}},
    }
    with running(tmp_path, "classic", lifecycle, environment={"EXTRA": "more"}) as nucleus:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.status().state == State.FINISHED)
        assert nucleus.log()[0] == "gw1 soft eu-central-1 more"
        assert "never" not in nucleus.log()


def test_what_a_component_says_of_itself(nucleus: Nucleus) -> None:
    """UpdateState is shown; another word than the two is refused."""
    with client_v2(nucleus) as component:
        for state in ("RUNNING", "ERRORED"):
            component.update_state(state=state)
            assert nucleus.status().reported == state
        with pytest.raises(model.InvalidArgumentsError):
            component.update_state(state="TIRED")


def test_classic_restarts_what_calls_itself_errored(tmp_path: Path) -> None:
    """ERRORED counts as a failure there, however politely it then ends."""
    with running(tmp_path, "classic", {"run": f"exec {HEEDING}"}) as nucleus, client_v2(nucleus) as component:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.log().count("ready") == 1)
        component.update_state(state="ERRORED")
        nucleus.wait_until(lambda: nucleus.log().count("ready") == 2)
        assert "done" in nucleus.log()


def test_classic_asks_before_an_update(tmp_path: Path) -> None:
    """A component that listens can put its restart off, and hears when it is done."""
    with running(tmp_path, "classic", {"run": "echo started; sleep 1000"}) as nucleus, client_v2(nucleus) as component:
        nucleus.start_component()
        nucleus.wait_until(lambda: nucleus.log().count("started") == 1)
        events = Events()
        _, operation = component.subscribe_to_component_updates(stream_handler=events)
        asked = []

        def answer() -> None:
            for wait_ms in (1, 0):
                asked.append(events.next().pre_update_event)
                component.defer_component_update(deployment_id="local", recheck_after_ms=wait_ms)

        component.executor.submit(answer)
        nucleus.restart_component()
        nucleus.wait_until(lambda: nucleus.log().count("started") == 2)
        assert events.next().post_update_event.deployment_id == "local"
        assert len(asked) == 2
        operation.close()
