"""`spotty devices` as a household runs it, and what `spotty logout` leaves of an account: real processes, both ways."""

import json
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.flat import POLICY, is_silent
from tests.gateway.test_processes import Component, Pi

from spotty_contract.policy import Policy
from spotty_gateway import account_memory
from spotty_gateway.account_memory import Calls, GuardState
from spotty_gateway.cli.alone import BOOT_ID
from spotty_gateway.clock import SystemClock
from spotty_gateway.devices import ChoiceError, PolicyFileError, as_table, choice, remarks_on, write_target
from spotty_gateway.engine.events import Position
from spotty_gateway.engine.rules import Device
from spotty_gateway.ports import SeenDevice
from spotty_gateway.residents import read_residents
from spotty_gateway.snapshot import decode
from spotty_gateway.store import Store
from spotty_sandbox.spotify import Fault, rate_limited


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    """A bathroom, three speakers, a television that takes no commands, a phone without volume, a sleeper."""
    made = Pi(tmp_path)

    def furnish(world: Any) -> None:  # noqa: ANN401 - the simulator's world
        world.add_device("TV", type="TV", is_restricted=True)
        world.add_device("Pixel", type="Smartphone", supports_volume=False)
        world.add_device("Attic", id=None)

    made.simulator.call(furnish)
    yield made
    for component in made.components:
        if component.process.poll() is None:
            component.end(signal.SIGKILL)
    made.simulator.stop()


def settings_of(pi: Pi) -> str:
    """The settings file."""
    return str(pi.folder / "settings.json")


def choose(pi: Pi, *more: str) -> tuple[int, str]:
    """Choose the bathroom's speaker: the exit code, and what was said."""
    done = pi.typed("devices", "--settings", settings_of(pi), "--for", "bath", *more)
    return done.returncode, done.stdout + done.stderr


def policy_file(pi: Pi) -> Path:
    """The bathroom's policy."""
    return pi.folder / "policies" / "sensor-bath.json"


def calls(pi: Pi) -> list[str]:
    """The Web API's calls since the last time."""
    asked = [one.path for one in pi.simulator.requests() if one.path.startswith("/v1/")]
    pi.simulator.forget_requests()
    return asked


TABLE = """\
Bathroom  Speaker     volume 50 %; plays for Bathroom [bath]
Kitchen   Speaker     volume 50 %
Bedroom   Speaker     volume 50 %
TV        TV          cannot be used: takes no commands from apps; choose another device
Pixel     Smartphone  its volume cannot be set by apps
Attic     Speaker     asleep: play anything on it once from the Spotify app
"""


def test_what_can_play_is_listed_whether_a_gateway_runs_or_not(pi: Pi) -> None:
    """The same table: from Spotify, with one call, and from the running gateway, with one call of its own."""
    done = pi.spotty("devices", "--settings", settings_of(pi))
    assert (done.returncode, done.stdout, done.stderr) == (0, TABLE, "")
    assert calls(pi) == ["/v1/me/player/devices"]
    component = pi.run()
    assert pi.typed("devices").stdout == TABLE
    assert calls(pi) == ["/v1/me/player/devices"]
    component.end(signal.SIGTERM)


def test_programs_read_json(pi: Pi) -> None:
    """Every device with what can be done with it, every room with its speaker and what is wrong with it."""
    pi.simulator.call(lambda world: world.hand().unplug(world.device("Bathroom")))
    found = json.loads(pi.typed("devices", "--settings", settings_of(pi), "--json").stdout)
    television = next(one for one in found["devices"] if one["name"] == "TV")
    assert (television["type"], television["isRestricted"], television["isActive"]) == ("TV", True, False)
    assert {one["name"]: one["volumePct"] for one in found["devices"]}["Pixel"] is None
    [room] = found["rooms"]
    assert (room["sensorId"], room["device"]) == ("bath", {"name": "Bathroom", "type": "Speaker"})
    assert "the speaker Bathroom is not there" in room["fault"]


def test_calls_made_without_a_gateway_are_counted_and_a_wait_is_kept(pi: Pi) -> None:
    """Spotify asks for a minute: the next command asks nothing, and neither does a gateway that is started then."""
    pi.simulator.inject(rate_limited(60))
    first = pi.typed("devices", "--settings", settings_of(pi))
    assert (first.returncode, first.stderr.count("\n")) == (1, 1)
    calls(pi)
    again = pi.typed("devices", "--settings", settings_of(pi))
    assert again.returncode == 1
    assert again.stderr.startswith("spotty devices: Spotify asked us to wait: no request for ")
    component = pi.run()
    assert pi.typed("devices").returncode == 1
    assert calls(pi) == []
    component.end(signal.SIGTERM)


def test_the_calls_kept_for_stopping_music_are_not_spent_on_a_list(pi: Pi) -> None:
    """One is left for music: the first list takes it, is counted, and the second is refused as a start would be."""
    pi.settings({"spotifyCallsADay": 100})
    clock = SystemClock()
    used = GuardState(BOOT_ID.read_text().strip(), clock.mono(), calls=(Calls(clock.mono(), 69),))
    store = Store(pi.folder)
    store.start()
    store.save_account(account_memory.AccountMemory(used), urgent=True)
    assert store.close()
    assert pi.typed("devices", "--settings", settings_of(pi)).returncode == 0
    done = pi.typed("devices", "--settings", settings_of(pi))
    assert done.returncode == 1
    assert done.stderr.startswith("spotty devices: 70 of 100 calls to Spotify have been made in 24 h; the rest is kept")


def test_without_gateway_and_settings_it_says_what_it_needs(pi: Pi) -> None:
    """Only the folder is known, and nobody runs there: one line, exit code 1; no folder at all: exit code 2."""
    done = pi.typed("devices")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "name its settings with --settings" in done.stderr
    assert pi.typed("devices", "--settings", "nowhere.json").returncode == 2
    assert pi.typed("devices", "--for", "bath").stderr == (
        "spotty devices: --for and --device belong together: name the room's sensor and its speaker\n"
    )


def test_a_choice_is_written_and_everything_else_stays(pi: Pi) -> None:
    """Name, type and id in the policy; other fields and the file's mode as they were; the gateway plays there."""
    policy_file(pi).chmod(0o640)
    code, said = choose(pi, "--device", "kitchen")
    assert code == 0
    assert f"bath plays on Kitchen (Speaker): written to {policy_file(pi)}" in said
    assert "at its next start" in said
    after = json.loads(policy_file(pi).read_text())
    identity = pi.simulator.call(lambda world: world.device("Kitchen").id)
    assert after["playback"].pop("device") == {"name": "Kitchen", "type": "Speaker", "id": identity}
    before = json.loads(json.dumps(POLICY))
    before["playback"].pop("device")
    assert after == before
    assert stat.S_IMODE(policy_file(pi).stat().st_mode) == 0o640
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    playing = pi.simulator.call(lambda world: world.player().active)
    assert playing is not None
    assert playing.name == "Kitchen"


def test_what_cannot_be_chosen_is_refused_with_the_cure(pi: Pi) -> None:
    """A device that takes no commands: one line, exit code 2, and the policy is untouched."""
    before = policy_file(pi).read_bytes()
    assert choose(pi, "--device", "TV") == (
        2,
        "spotty devices: TV cannot be used: takes no commands from apps; choose another device\n",
    )
    assert policy_file(pi).read_bytes() == before


def test_an_unknown_sensor_is_refused_before_spotify_is_asked(pi: Pi) -> None:
    """The known ones are named."""
    done = pi.typed("devices", "--settings", settings_of(pi), "--for", "cellar", "--device", "Kitchen")
    assert (done.returncode, done.stderr) == (
        2,
        "spotty devices: there is no sensor 'cellar'; there are: bath\n",
    )
    assert calls(pi) == []


# Choosing, without processes.


def seen(name: str, kind: str = "Speaker", *, active: bool = False, volume_pct: int | None = 50) -> SeenDevice:
    """A device in a list."""
    return SeenDevice(Device(name, kind, f"{name}-{kind}-{active}"), active, is_restricted=False, volume_pct=volume_pct)


def test_one_name_for_several_things_needs_the_type() -> None:
    """A speaker and a television called alike; two speakers called alike, of which one plays."""
    both = [seen("Hall"), seen("Hall", "TV")]
    with pytest.raises(ChoiceError, match=r"say which with --type \(Speaker or TV\)"):
        choice(both, "hall", None)
    assert choice(both, "hall", "TV") is both[1]
    with pytest.raises(ChoiceError, match=r"no Phone called hall is there; there are: Hall \(Speaker\); Hall \(TV\)"):
        choice(both, "hall", "Phone")
    with pytest.raises(ChoiceError, match="no device called Cellar is there; there are: none"):
        choice([], "Cellar", None)
    with pytest.raises(ChoiceError, match="2 devices are called Hall: give each a name of its own"):
        choice([seen("Hall"), seen("Hall")], "Hall", None)
    twins = [seen("Hall"), seen("Hall", active=True)]
    assert choice(twins, "Hall", None) is twins[1]
    composed = seen("K\u00fcche")
    assert choice([composed], "Ku\u0308che", "speaker") is composed


def test_what_the_speaker_cannot_do_is_said_when_it_is_chosen() -> None:
    """No volume under a cap, no music chosen, asleep."""
    policy = Policy.from_json(b'{"playback": {"volumeCapPct": 40, "fadeInS": 5}}')
    asleep = SeenDevice(Device("Hall", "Speaker"), is_active=False, is_restricted=False, volume_pct=None)
    said = remarks_on(policy, asleep)
    assert len(said) == 3
    assert "volumeCapPct, fadeInS cannot be kept" in said[1]


def test_a_name_cannot_steer_the_terminal() -> None:
    """What a guest calls a phone is shown without its escape codes."""
    assert "\x1b" not in as_table([seen("\x1b[2JPhone\n")], [])


@pytest.mark.parametrize(
    "content, said",
    [
        (b"{", "policy is not JSON"),
        (b'{"vacancyDelayS": 1}', "vacancyDelayS: 1 is not allowed"),
        (b'{"playback": {}, "playback": {}}', "given twice"),
        (b"[]", "mend that first"),
    ],
)
def test_a_policy_with_a_fault_is_not_written_over(tmp_path: Path, content: bytes, said: str) -> None:
    """The fault is told as ever, and the file stays as somebody wrote it."""
    path = tmp_path / "sensor-bath.json"
    path.write_bytes(content)
    with pytest.raises(PolicyFileError, match=said):
        write_target(path, Device("Hall", "Speaker"))
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_room_without_a_policy_gets_one(tmp_path: Path) -> None:
    """With the speaker in it, and no id where the speaker is asleep."""
    path = tmp_path / "policies" / "sensor-bath.json"
    write_target(path, Device("Hall", "Speaker"))
    assert json.loads(path.read_text()) == {"playback": {"device": {"name": "Hall", "type": "Speaker"}}}


# Logging out.


def resting(pi: Pi) -> tuple[list[str], list[Position | None], int]:
    """What state.db remembers: devices, places, and the calls of the guard."""
    store = Store(pi.folder)
    saved, memory = store.load(), store.load_account()
    store.close()
    assert saved is not None
    assert memory is not None
    account = account_memory.decode(memory)
    rules = {one.wiring.id: one.rules for one in read_residents(pi.folder / "policies").sensors}
    places = [room.music.left_at for room in decode(saved.data, rules).rooms.values()]
    return [one.name for one in account.devices], places, sum(one.number for one in account.guard.calls)


def played_and_left(pi: Pi) -> Component:
    """A gateway that knows a speaker and a place in a playlist."""
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    pi.typed("pause", "bath")
    component.wait_for("music stopped")
    return component


def test_logout_stops_what_is_ours_and_forgets_in_the_running_gateway(pi: Pi) -> None:
    """Silence, no tokens, no speaker, no place in a playlist, on the disk at once; the guard's count stays."""
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    done = pi.spotty("logout", "--settings", settings_of(pi))
    assert (done.returncode, done.stderr) == (0, "")
    assert pi.simulator.call(is_silent)
    assert not (pi.folder / "tokens.json").exists()
    component.end(signal.SIGKILL)
    devices, places, counted = resting(pi)
    assert (devices, places) == ([], [None])
    assert counted > 0


def test_logout_forgets_on_disk_where_no_gateway_runs(pi: Pi) -> None:
    """What a stopped gateway has left is forgotten as well."""
    played_and_left(pi).end(signal.SIGTERM)
    before = resting(pi)
    assert before[0] == ["Bathroom"]
    assert before[1] != [None]
    assert pi.typed("logout", "--settings", settings_of(pi)).returncode == 0
    assert resting(pi) == ([], [None], before[2])


def test_logout_says_where_music_could_not_be_stopped(pi: Pi) -> None:
    """Spotify does not answer the pause: the tokens go all the same, and the room is named."""
    component = pi.run()
    component.motion()
    component.wait_for("music started")
    pi.simulator.inject(Fault("down", "PUT */pause", ending="reset"))
    done = pi.typed("logout", "--settings", settings_of(pi))
    assert done.returncode == 0
    assert "Music could not be stopped in Bathroom: stop it there by hand" in done.stdout
    assert not (pi.folder / "tokens.json").exists()
