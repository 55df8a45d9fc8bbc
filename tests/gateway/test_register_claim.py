"""A registration's parts: the wait for the owner by a clock moved by hand, the desk's faults, the files."""

import os
import pwd
import resource
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.gateway.claims_cloud import HTML, Authority, ClaimsCloud, Reply, as_json

from spotty_contract.registering import ClaimOpened, ClaimStanding, Registered
from spotty_gateway.doctor import computer, probes
from spotty_gateway.doctor.finding import fault
from spotty_gateway.registering.claim import Patience, keep, key_for, open_claim, wait_for_owner
from spotty_gateway.registering.configuration import configuration_of
from spotty_gateway.registering.desk import Desk, Opened, read_address
from spotty_gateway.registering.errors import (
    AwayError,
    CannotHereError,
    CloudTroubleError,
    NotConfirmedError,
    RegistrationError,
    StrangerError,
)
from spotty_gateway.registering.key import Key, own_key
from spotty_gateway.registering.place import NucleusKind, Place, check_path, place_of, prepared, private_keys

README = Path(__file__).parents[2] / "recipes/README.md"
NOBODY = 65534
CLAIM = ClaimOpened(
    claim_id="a" * 16,
    secret="CANARY-" + "s" * 32,
    code="BCDF-GHJK",
    fingerprint=":".join(["0000"] * 8),
    expires_at=0,
    poll_after_s=5,
)
WAITING = ClaimStanding(state="waiting")
GIVEN = Registered(
    gateway_id="spotty-0123456789ab",
    certificate_pem="",
    root_ca_pem="",
    region="eu-central-1",
    data_endpoint="a1-ats.iot.eu-central-1.amazonaws.com",
    credentials_endpoint="c1.credentials.iot.eu-central-1.amazonaws.com",
    role_alias="spotty-dev-core",
)
REGISTERED = ClaimStanding(state="registered", registered=GIVEN)


class Owner:
    """A cloud that is asked, and a clock that only waiting moves."""

    def __init__(self, *answers: ClaimStanding | RegistrationError) -> None:
        """Answers in turn; the last again and again."""
        self.now_s = 0.0
        self.asked_at_s: list[float] = []
        self.troubles: list[str | None] = []
        self._answers = deque(answers)

    def ask(self, claim: ClaimOpened) -> ClaimStanding:
        """As the cloud does."""
        assert claim is CLAIM
        self.asked_at_s.append(self.now_s)
        answer = self._answers.popleft() if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, RegistrationError):
            raise answer
        return answer

    def _wait(self, wait_s: float, left_s: float) -> None:
        assert wait_s > 0
        assert left_s > 0
        self.now_s += wait_s

    def waited_for(self, left_s: float = 600.0) -> Registered:
        """What the gateway is given."""
        return wait_for_owner(
            self, Opened(CLAIM, left_s), Patience(lambda: self.now_s, self._wait, self.troubles.append)
        )


def test_it_asks_no_oftener_than_the_cloud_wants() -> None:
    """One question every pollAfterS, the first after as long, until the owner has confirmed."""
    owner = Owner(WAITING, WAITING, REGISTERED)
    assert owner.waited_for() == GIVEN
    assert owner.asked_at_s == [5, 10, 15]


def test_troubles_pass() -> None:
    """No network, then too much asked, then all is well again: waits that double, a wait as asked, then as ever."""
    away = AwayError("the cloud cannot be reached")
    owner = Owner(away, away, AwayError("too much", 40.0), WAITING, WAITING, REGISTERED)
    assert owner.waited_for() == GIVEN
    assert owner.asked_at_s == [5, 15, 35, 75, 80, 85]
    assert owner.troubles == ["the cloud cannot be reached"] * 2 + ["too much", None, None]


def test_own_waits_are_bounded_and_the_last_question_comes_in_time() -> None:
    """Half a minute at most between two attempts, and one at the end of the claim, not after it."""
    owner = Owner(AwayError("no answer: check"))
    with pytest.raises(CloudTroubleError, match=r"the code's time is over, and .* at last: no answer: check"):
        owner.waited_for(100.0)
    assert owner.asked_at_s == [5, 15, 35, 65, 95, 100]


def test_nobody_confirms() -> None:
    """When the claim is over, so is the wait, though never sooner than pollAfterS after the last question."""
    owner = Owner(WAITING)
    with pytest.raises(NotConfirmedError, match="nobody has confirmed in time: run this again for a new code"):
        owner.waited_for(12.0)
    assert owner.asked_at_s == [5, 10, 15]


def test_a_wait_longer_than_the_claim_is_not_waited_for() -> None:
    """Whoever is told to come back after the claim's end ends at once, and says why."""
    owner = Owner(AwayError("asked too much", 3600.0))
    with pytest.raises(CloudTroubleError, match="asked too much"):
        owner.waited_for()
    assert owner.asked_at_s == [5]


def test_what_cannot_pass_is_not_waited_for() -> None:
    """A claim that is gone, or an answer that will never do, ends the wait at once."""
    for error in (NotConfirmedError("gone"), CloudTroubleError("never")):
        owner = Owner(error)
        with pytest.raises(type(error)):
            owner.waited_for()
        assert owner.asked_at_s == [5]
    with pytest.raises(CloudTroubleError, match="says registered and gives nothing"):
        Owner(ClaimStanding(state="registered")).waited_for()


@pytest.fixture
def claim(cloud: ClaimsCloud, tmp_path: Path) -> ClaimOpened:
    """A claim that is open."""
    with Desk(cloud.url) as desk:
        return desk.open(own_key(tmp_path / "private.pem.key").signing_request()).claim


@pytest.mark.parametrize(
    "reply, error, line",
    [
        (HTML, AwayError, "what answers is not SpottyPottySense's API, or"),
        (Reply(200, b'{"state": "wai', truncated=True), AwayError, "the cloud cannot be reached"),
        (Reply(200, b'{"state": "wai'), AwayError, "or its answer was cut off"),
        (Reply(500, b"<html>"), AwayError, "the cloud has trouble of its own"),
        (as_json(200, {"state": "eaten"}), CloudTroubleError, r"cannot be used \(state\)"),
        (as_json(200, []), CloudTroubleError, r"cannot be used \(the whole\)"),
        (as_json(403, {"message": "CANARY"}), CloudTroubleError, r"the cloud refuses \(403\): check the address, or"),
        (
            as_json(409, {"error": {"message": "it is gone"}}),
            CloudTroubleError,
            r"the cloud refuses \(409\): it is gone",
        ),
        (as_json(410, {}), NotConfirmedError, "the cloud knows this code no more: run this again"),
    ],
)
def test_each_answer_of_the_desk_says_what_may_help(
    cloud: ClaimsCloud, claim: ClaimOpened, reply: Reply, error: type[RegistrationError], line: str
) -> None:
    """What may pass is told from what will not, in one line that holds nothing of the answer."""
    cloud.replies["GET"].append(reply)
    with Desk(cloud.url) as desk, pytest.raises(error, match=line) as raised:
        desk.ask(claim)
    assert type(raised.value) is error
    assert "CANARY" not in str(raised.value)
    assert claim.secret not in str(raised.value)
    assert raised.value.__context__ is None


def test_an_answer_that_drips_ends_with_the_question_s_time(cloud: ClaimsCloud, claim: ClaimOpened) -> None:
    """A byte every 10 ms would take longer: the question as a whole has its time, whatever comes."""
    cloud.replies["GET"].append(Reply(200, b" " * 1_000, drips=True))
    with Desk(cloud.url, request_s=0.2) as desk, pytest.raises(AwayError, match="the cloud does not answer in time"):
        desk.ask(claim)


def test_words_that_repeat_the_secret_are_not_told(cloud: ClaimsCloud, claim: ClaimOpened) -> None:
    """Whatever the cloud says about a question, the question's secret comes into no message."""
    cloud.replies["GET"].append(as_json(409, {"error": {"message": f"what is {claim.secret}?"}}))
    with Desk(cloud.url) as desk:
        with pytest.raises(CloudTroubleError, match=r"refuses \(409\): check the address, or its log"):
            desk.ask(claim)
        with pytest.raises(NotConfirmedError) as raised:
            desk.ask(claim.model_copy(update={"secret": "x" * 32}))
    assert "x" * 32 not in str(raised.value)


def test_the_claim_s_end_is_told_by_the_cloud_s_clock(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """A Pi has no clock of its own before the network gives it one: ten minutes are ten minutes all the same."""
    cloud.clock_ahead_s = 86_400.0
    with Desk(cloud.url) as desk:
        opened = desk.open(own_key(tmp_path / "private.pem.key").signing_request())
    assert opened.left_s == pytest.approx(600, abs=2)


def test_a_date_that_no_clock_has_is_none(cloud: ClaimsCloud, claim: ClaimOpened) -> None:
    """A header that is nonsense is as none at all: our own clock is all there is then."""
    told = {**claim.model_dump(by_alias=True), "expiresAt": round((time.time() + 60) * 1000)}
    cloud.replies["POST"].append(as_json(201, told, Date=f"Thu, 01 Jan 2026 00:00:00 +{'9' * 20}"))
    with Desk(cloud.url) as desk:
        assert desk.open("-----BEGIN CERTIFICATE REQUEST-----\n").left_s == pytest.approx(60, abs=2)


def test_another_fingerprint_ends_it(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """A cloud that names another key has not heard ours: the code is not shown, nothing is confirmed."""
    cloud.fingerprint = ":".join(["beef"] * 8)
    key = own_key(tmp_path / "private.pem.key")
    with Desk(cloud.url) as desk, pytest.raises(StrangerError, match=f"another key .beef:.*{key.fingerprint}"):
        open_claim(desk, key)


@pytest.mark.parametrize(
    "address",
    [
        "d111.example/api",
        "ftp://d111.example/api",
        "http://d111.example/api",
        "http://127.0.0.1.example/api",
        "https://user:word@d111.example/api",
        "https://d111.example/api?x=1",
        "https://d111.example/api#x",
        "https://d111.example:99999/api",
        "https:///api",
        "https://d111.example/a b",
        "https://d111.example/\x1b[31m",
        "",
    ],
)
def test_an_address_that_cannot_be_one_is_one_line(address: str) -> None:
    """Https and nothing before or after; http only where nobody can listen in."""
    with pytest.raises(CannotHereError, match=r"is no address of an API: ") as raised:
        read_address(address)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize(
    "address", ["https://d111.example/api/", "http://127.0.0.1:4566/x/dev", "http://[::1]:80", "http://localhost:1"]
)
def test_an_address_that_can_be_one_is_taken(address: str) -> None:
    """Without the slash at its end."""
    assert read_address(address) == address.rstrip("/")


def registered(cloud: ClaimsCloud, key: Key, **other: Any) -> Registered:  # noqa: ANN401 - any field of it
    """What the cloud gives for this key."""
    cloud.given = other
    return Registered.model_validate(cloud.registered(key.signing_request(), GIVEN.gateway_id))


def test_a_certificate_for_another_key_is_not_kept(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Somebody in between could give one: nothing is written."""
    place = place_of(NucleusKind.LITE, tmp_path / "ours")
    with prepared(place):
        key = key_for(place, again=False)
        theirs = registered(cloud, own_key(tmp_path / "theirs.key"))
        with pytest.raises(StrangerError, match="for another key: nothing was kept"):
            keep(place, key, theirs)
    assert [path.name for path in place.credentials.iterdir()] == ["private.pem.key"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("dataEndpoint", 'a"\nevil: "x'),
        ("dataEndpoint", "https://a.example"),
        ("credentialsEndpoint", ""),
        ("region", "eu central"),
        ("roleAlias", "a: b"),
        ("rootCaPem", "-----BEGIN NONSENSE-----"),
        ("rootCaPem", "Ünsinn"),
    ],
)
def test_what_does_not_belong_into_a_configuration_is_not_kept(
    cloud: ClaimsCloud, tmp_path: Path, name: str, value: str
) -> None:
    """Names that are none end it before anything is written, and are not repeated."""
    place = place_of(NucleusKind.LITE, tmp_path / "ours")
    with prepared(place):
        key = key_for(place, again=False)
        with pytest.raises(CloudTroubleError, match=f"^{name} in the cloud's answer is"):
            keep(place, key, registered(cloud, key, **{name: value}))
    assert [path.name for path in place.credentials.iterdir()] == ["private.pem.key"]


def test_what_is_registered_is_left_alone(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Only --again writes over it, with the same key; what was only half written is completed without."""
    place = place_of(NucleusKind.CLASSIC, tmp_path)
    with prepared(place):
        key = key_for(place, again=False)
        keep(place, key, registered(cloud, key))
        with pytest.raises(CannotHereError, match=f"registered already, as {GIVEN.gateway_id} .*config.yaml.: nothing"):
            key_for(place, again=False)
        assert key_for(place, again=True).fingerprint == key.fingerprint
        place.configuration.unlink()
        assert key_for(place, again=False).fingerprint == key.fingerprint
        place.key.unlink()
        with pytest.raises(CannotHereError, match="belongs to another key: nothing was changed"):
            key_for(place, again=False)


def test_a_key_that_is_none_is_not_replaced(tmp_path: Path) -> None:
    """Nor one behind a pass phrase, which nobody is asked for: the line says to move it away."""
    path = tmp_path / "private.pem.key"
    path.write_text("-----BEGIN PRIVATE KEY-----\nCANARY\n-----END PRIVATE KEY-----\n")
    with pytest.raises(CannotHereError, match="is no private key that can be used: move it away") as raised:
        own_key(path)
    assert "CANARY" not in str(raised.value)
    assert "CANARY" in path.read_text()


def test_a_key_that_others_could_read_is_tightened(tmp_path: Path) -> None:
    """One that was there before is used, and is nobody else's from then on."""
    path = tmp_path / "private.pem.key"
    first = own_key(path)
    path.chmod(0o644)
    assert own_key(path).fingerprint == first.fingerprint
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_doctor_sees_a_key_that_everybody_may_read(tmp_path: Path) -> None:
    """With the cure; a key as it should be, or none, is nothing to tell of."""
    path = tmp_path / "private.pem.key"
    assert probes.exposed([path]) == []
    own_key(path)
    assert probes.exposed([path]) == []
    path.chmod(0o604)
    (finding,) = computer.keys(probes.exposed([path]))
    assert finding == fault(
        "rights",
        f"everybody here may read {path} (mode 604), and be this gateway to the cloud",
        f"sudo chmod 600 {path}",
    )
    assert place_of(NucleusKind.LITE, None).key in private_keys()


@contextmanager
def full_disk(at_bytes: int) -> Iterator[None]:
    """No file may grow longer than this."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_line_and_the_next_run_completes_it(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """The configuration comes last: where the disk refuses, it is not there, and the same key goes on."""
    place = place_of(NucleusKind.LITE, tmp_path)
    with prepared(place):
        with full_disk(100), pytest.raises(CannotHereError, match="make room or mend it, then run this again"):
            key_for(place, again=False)
        assert list(tmp_path.iterdir()) == []
        key = key_for(place, again=False)
        given = registered(cloud, key)
        with full_disk(300), pytest.raises(CannotHereError, match="make room or mend it, then run this again"):
            keep(place, key, given)
        assert [path.name for path in tmp_path.iterdir()] == ["private.pem.key"]
        keep(place, key_for(place, again=False), given)
    assert place.gateway_id() == GIVEN.gateway_id


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/proc/1")])
def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A file where the folder should be, a place where nobody can write: told before a claim is opened."""
    make(tmp_path / "there")
    place = place_of(NucleusKind.LITE, tmp_path / "there" / "spotty")
    with pytest.raises(CannotHereError, match="make room or mend it"), prepared(place):
        pass


def test_a_path_that_no_nucleus_reads_is_refused(tmp_path: Path) -> None:
    """Lite keeps paths in 128 bytes, and YAML takes no control characters."""
    for folder in ("x" * 120, "a\x07b"):
        with pytest.raises(CannotHereError, match="no nucleus can read the path"):
            check_path(place_of(NucleusKind.LITE, tmp_path / folder))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_the_files_are_the_nucleus_s(cloud: ClaimsCloud, tmp_path: Path) -> None:
    """Run by root, as lite wants it: the nucleus's user has key and certificate, root the configuration for all.

    Whoever had what was there before.
    """
    somebody = pwd.getpwuid(65534)
    root = tmp_path / "greengrass"
    place = Place(NucleusKind.LITE, root, root / "credentials", tmp_path / "etc/config.yaml", somebody.pw_name)
    with prepared(place):
        own_key(place.key)
        for left_by_root in (place.configuration, place.certificate, place.key):
            left_by_root.touch(0o600)
            os.chown(left_by_root, 0, 0)
        key = key_for(place, again=True)
        keep(place, key, registered(cloud, key))
    found = {path.name: path.stat() for path in (place.credentials, *place.files.values())}
    assert {name: (stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid) for name, one in found.items()} == {
        "credentials": (0o700, somebody.pw_uid, somebody.pw_gid),
        "private.pem.key": (0o600, somebody.pw_uid, somebody.pw_gid),
        "device.pem.crt": (0o644, somebody.pw_uid, somebody.pw_gid),
        "AmazonRootCA1.pem": (0o644, somebody.pw_uid, somebody.pw_gid),
        "config.yaml": (0o644, 0, 0),
    }


@pytest.mark.parametrize(
    "put", [Path.symlink_to, Path.hardlink_to, lambda key, _: os.mkfifo(key)], ids=["symlink", "hard link", "fifo"]
)
def test_no_link_makes_root_give_away_what_it_leads_to(tmp_path: Path, put: Callable[[Path, Path], None]) -> None:
    """Whose folder it is may put a link there: what it leads to keeps its owner and its mode, and one line says so."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    other = tmp_path / "other.key"
    own_key(other)
    other.chmod(0o640)
    before = other.stat()
    put(theirs / "private.pem.key", other)
    somebody = pwd.getpwuid(NOBODY if os.geteuid() == 0 else os.geteuid()).pw_name
    place = Place(NucleusKind.LITE, tmp_path, theirs, tmp_path / "etc/config.yaml", somebody)
    with pytest.raises(CannotHereError, match=r"private.pem.key is a link, or no plain file: put the file itself"):
        key_for(place, again=False)
    after = other.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


LITE = """\
# Made by spotty register, which will not overwrite it unless it is told to.
system:
  privateKeyPath: "/var/lib/greengrass/credentials/private.pem.key"
  certificateFilePath: "/var/lib/greengrass/credentials/device.pem.crt"
  rootCaPath: "/var/lib/greengrass/credentials/AmazonRootCA1.pem"
  rootPath: "/var/lib/greengrass"
  thingName: "spotty-0123456789ab"
services:
  aws.greengrass.NucleusLite:
    componentType: "NUCLEUS"
    configuration:
      awsRegion: "eu-central-1"
      iotCredEndpoint: "c1.credentials.iot.eu-central-1.amazonaws.com"
      iotRoleAlias: "spotty-dev-core"
      iotDataEndpoint: "a1-ats.iot.eu-central-1.amazonaws.com"
      runWithDefault:
        posixUser: "gg_component:gg_component"
      greengrassDataPlanePort: "8443"
"""
CLASSIC = """\
# Made by spotty register, which will not overwrite it unless it is told to.
system:
  privateKeyPath: "/greengrass/v2/private.pem.key"
  certificateFilePath: "/greengrass/v2/device.pem.crt"
  rootCaPath: "/greengrass/v2/AmazonRootCA1.pem"
  rootpath: "/greengrass/v2"
  thingName: "spotty-0123456789ab"
services:
  aws.greengrass.Nucleus:
    componentType: "NUCLEUS"
    configuration:
      awsRegion: "eu-central-1"
      iotDataEndpoint: "a1-ats.iot.eu-central-1.amazonaws.com"
      mqtt:
        port: 18883
      interpolateComponentConfiguration: true
"""


def test_the_configuration_for_lite() -> None:
    """Word for word, where lite looks for it; and what recipes/README.md shows is the same."""
    place = place_of(NucleusKind.LITE, None)
    assert place.configuration == Path("/etc/greengrass/config.yaml")
    assert configuration_of(place, GIVEN) == LITE
    shown = README.read_text().split("```yaml\nsystem:", 1)[1].split("```", 1)[0]
    assert yaml.safe_load(f"system:{shown}") == yaml.safe_load(LITE)


def test_the_configuration_for_classic() -> None:
    """Word for word; here of a cloud without its part for Greengrass, and with a port of its own."""
    place = place_of(NucleusKind.CLASSIC, None)
    assert place.configuration == Path("/greengrass/v2/config/config.yaml")
    bare = GIVEN.model_copy(update={"role_alias": None, "data_port": 18883})
    assert configuration_of(place, bare) == CLASSIC
    assert yaml.safe_load(CLASSIC)["services"]["aws.greengrass.Nucleus"]["configuration"]["mqtt"] == {"port": 18883}


def test_an_odd_folder_is_written_as_it_is(tmp_path: Path) -> None:
    """Quotes, colons and letters of any script in a path are the same path when the YAML is read."""
    folder = tmp_path / 'a "b": #ü\\ü😀'
    written = configuration_of(place_of(NucleusKind.LITE, folder), GIVEN)
    assert yaml.safe_load(written)["system"]["privateKeyPath"] == str(folder / "private.pem.key")


def test_the_authority_of_a_real_answer_is_taken(authority: Authority, cloud: ClaimsCloud, tmp_path: Path) -> None:
    """A certificate file ends with a line's end, which lite wants, whatever came."""
    place = place_of(NucleusKind.LITE, tmp_path)
    with prepared(place):
        key = key_for(place, again=False)
        keep(place, key, registered(cloud, key, rootCaPem=authority.pem.strip()))
    assert place.root_ca.read_text() == authority.pem
