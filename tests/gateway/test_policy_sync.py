import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.gateway.shadows import THING, FakeCloud, Home, list_of, room, waits

from spotty_contract.policy import Policy
from spotty_contract.shadow import MAX_VERSION, Reported
from spotty_contract.topics import ShadowAction, ShadowTopic
from spotty_gateway.engine.commands import SessionFacts
from spotty_gateway.engine.events import Report
from spotty_gateway.engine.reasons import EndedBy
from spotty_gateway.errors import CloudRefusedError
from spotty_gateway.policies_on_disk import VERSIONS, PoliciesOnDisk

HOUR_S = 4_000.0
BOUND = "it should be a number from 30 to 7200"
BATH, HALL = room("bath", 17), room("hall", 27)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """One room, wired by hand, and a cloud that knows nothing of it."""
    (tmp_path / "gateway.json").write_text(list_of(BATH))
    return Home(tmp_path, FakeCloud())


def reports(home: Home) -> list[tuple[str, int, str]]:
    """What was reported, in order."""
    return [(of, one["v"], one["outcome"]) for of, one in home.cloud.reports]


# What comes, once.


def test_at_the_start_every_shadow_is_asked_for(home: Home) -> None:
    """The list of sensors and each sensor's policy; what was saved while we were away holds from then on."""
    home.cloud.wants("bath", 3, waits(60))
    home.cloud.post.clear()  # nobody was listening
    home.pass_s(2)
    assert home.cloud.asked == ["gateway", "bath"]
    assert home.delays_s() == {"bath": 60}
    assert reports(home) == [("bath", 3, "applied")]


def test_a_policy_holds_at_once_on_disk_and_in_the_cloud_s_eyes(home: Home) -> None:
    """In force in the engine with its version, kept as it came, reported; and the delta that follows says nothing."""
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    assert home.house.rooms["bath"].rules.version == 3
    assert home.file("bath") == waits(60)
    assert home.cloud.shadows["bath"].reported == {"v": 3, "outcome": "applied"}
    assert len(home.cloud.reports) == 1


def test_a_bad_policy_is_refused_in_words_and_changes_nothing(home: Home) -> None:
    """Field, value and bound travel up; file and rules stay; the same version is not answered again."""
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    home.cloud.wants("bath", 4, waits(7))
    home.deliver_all()
    told = home.cloud.shadows["bath"].reported
    assert (told["v"], told["outcome"]) == (4, "rejected")
    assert json.loads(told["rejection"]) == [{"field": "vacancyDelayS", "value": "7", "bound": BOUND}]
    assert (home.delays_s(), home.file("bath")) == ({"bath": 60}, waits(60))
    home.pass_s(HOUR_S)
    assert len(home.cloud.reports) == 2


def test_a_policy_that_is_no_string_is_refused_by_its_version(home: Home) -> None:
    """Where it can be told which version it is about, it is answered; where not, it is said here."""
    topic = ShadowTopic(THING, "bath", ShadowAction.UPDATE_DELTA)
    home.sync.hear(topic, b'{"state":{"v":5,"policy":{"vacancyDelayS":60}}}')
    home.sync.look()
    home.sync.hear(topic, b'{"state":{"v":"six"}}')
    assert reports(home) == [("bath", 5, "rejected")]
    assert "cannot be read: desired.v" in home.said[-1]


def test_older_and_repeated_versions_say_nothing(home: Home) -> None:
    """Whatever order they come in, the newest holds, and each is answered at most once."""
    for v, delay_s in ((1, 31), (2, 32), (3, 33)):
        home.cloud.wants("bath", v, waits(delay_s))
    home.deliver(2, again=True)
    for number in (0, 1, 2, 1):
        home.deliver(number, again=True)
    assert (home.delays_s(), reports(home)) == ({"bath": 33}, [("bath", 3, "applied")])


# When something is lost.


def test_a_lost_question_or_answer_is_asked_again(home: Home) -> None:
    """No answer within seconds: again, a few times, then with the hour."""
    home.cloud.wants("bath", 1, waits(60))
    home.now_s += 1.0
    for wait_s in (0, 6, 22, 66):
        home.now_s += wait_s
        home.sync.look()
        home.cloud.post.clear()
    assert home.cloud.asked.count("bath") == 4
    home.pass_s(600)
    assert home.cloud.asked.count("bath") == 4
    home.pass_s(HOUR_S)
    assert home.delays_s() == {"bath": 60}


def test_a_lost_report_is_told_again_by_the_hour(home: Home) -> None:
    """A `get` that shows another answer than ours brings ours; one that shows it brings nothing."""
    home.cloud.wants("bath", 3, waits(7))
    home.cloud.loses_updates = True
    home.deliver_all()
    home.cloud.loses_updates = False
    home.pass_s(HOUR_S)
    assert [one for _, one in home.cloud.reports] == [home.cloud.shadows["bath"].reported] * 2
    home.pass_s(5 * HOUR_S)
    assert len(home.cloud.reports) == 2


def test_a_report_that_crosses_a_question_is_not_repeated(home: Home) -> None:
    """The answer to a `get` from before our report shows the state before it: no reason to tell it twice."""
    home.cloud.wants("bath", 3, waits(60))
    delta = home.cloud.post.pop()
    home.now_s += 1.0
    home.sync.look()
    home.hear(*delta)
    home.deliver_all()
    assert len(home.cloud.reports) == 1


def test_a_refusal_that_crosses_the_first_version_forgets_nothing(home: Home) -> None:
    """`no such shadow`, said before it was made and heard after: an older version does not come back by it."""
    home.now_s += 1.0
    home.sync.look()
    refusal = home.cloud.post.pop()
    home.cloud.wants("bath", 1, waits(61))
    home.cloud.wants("bath", 2, waits(62))
    home.deliver(2)
    home.hear(*refusal)
    home.deliver_all()
    assert (home.delays_s(), reports(home)) == ({"bath": 62}, [("bath", 2, "applied")])


def test_offline_nothing_is_tried_on_and_on(home: Home) -> None:
    """One attempt, then waits; when the cloud is there again, answers leave and everything is asked for."""
    home.cloud.is_offline = True
    attempts: list[str] = []
    publish = home.cloud.publish

    def counted(topic: str, payload: bytes) -> None:
        attempts.append(topic)
        publish(topic, payload)

    home.cloud.publish = counted  # type: ignore[method-assign]  # a cloud that counts
    home.pass_s(3_600)
    assert 5 < len(attempts) < 20
    home.cloud.is_offline = False
    home.cloud.wants("bath", 1, waits(60))
    home.cloud.post.clear()
    home.sync.ask_all()
    home.pass_s(2)
    assert home.delays_s() == {"bath": 60}


def test_subscriptions_that_come_and_go_are_no_flood(home: Home) -> None:
    """Each time that one stands anew something may have been missed; it is asked for twice a minute at most."""
    for _ in range(60):
        home.sync.ask_all()
        home.pass_s(2)
    assert home.cloud.asked.count("bath") in {4, 5}


def test_the_first_success_after_a_failure_asks_for_everything(home: Home) -> None:
    """Whoever was cut off may have missed something, also where nobody else tells us that we are back."""
    home.pass_s(2)
    home.cloud.asked.clear()
    home.cloud.wants("bath", 1, waits(60))
    home.cloud.is_offline = True
    home.deliver_all()
    home.cloud.is_offline = False
    home.cloud.wants("gateway", 1, list_of(BATH, timezone="Europe/Berlin"))
    home.cloud.post.clear()
    home.pass_s(40)
    assert set(home.cloud.asked) == {"gateway", "bath"}
    assert sorted(reports(home)) == [("bath", 1, "applied"), ("gateway", 1, "applied")]


def test_what_is_not_allowed_is_said_once_and_done_without(home: Home) -> None:
    """A recipe that lacks a right: one line for each shadow, and the gateway lives on."""

    def refuse(topic: str, payload: bytes) -> None:
        raise CloudRefusedError(f"not allowed: {topic} ({len(payload)} bytes)")

    home.cloud.publish = refuse  # type: ignore[method-assign]  # a cloud that says no
    home.pass_s(3 * HOUR_S)
    assert len([line for line in home.said if "not allowed" in line]) == 2


# Sensors that come and go.


def test_a_sensor_is_added_while_we_run(home: Home) -> None:
    """It is watched, has its policy at once, and the others go on undisturbed."""
    home.cloud.wants("hall", 7, waits(90))
    home.cloud.wants("gateway", 1, list_of(BATH, HALL))
    home.deliver_all()
    home.pass_s(2)
    assert home.delays_s() == {"bath": 300, "hall": 90}
    assert home.watched == ["bath/pir", "hall/pir"]
    assert dict(home.in_force.names) == {"bath": "Bath", "hall": "Hall"}
    assert sorted(reports(home)) == [("gateway", 1, "applied"), ("hall", 7, "applied")]


def test_a_removed_sensor_ends_and_leaves_nothing(home: Home) -> None:
    """Its session ends as `disabled`, its file and versions go; come back, it takes any version."""
    home.cloud.wants("gateway", 1, list_of(BATH, HALL))
    home.deliver_all()
    home.cloud.wants("hall", 7, waits(90))
    home.deliver_all()
    home._post(Report(100_000_000, 100_000_000, True, "hall", "pir", active=True))
    home.cloud.wants("gateway", 2, list_of(BATH))
    home.deliver_all()
    ended = [one.ended_by for one in home.effects if isinstance(one, SessionFacts)]
    assert ended[-1] is EndedBy.DISABLED
    assert not (home.folder / "sensor-hall.json").exists()
    assert (home.watched, dict(home.in_force.names)) == (["bath/pir"], {"bath": "Bath"})
    home.cloud.deletes("hall")
    home.cloud.wants("gateway", 3, list_of(BATH, HALL))
    home.cloud.wants("hall", 1, waits(40))
    home.deliver_all()
    home.pass_s(2)
    assert home.delays_s() == {"bath": 300, "hall": 40}


def test_a_pin_that_cannot_be_watched_refuses_the_whole_list(home: Home) -> None:
    """Nothing of it holds, the old inputs are watched, and the rejection names the pin and why."""
    home.bad_pins = {27}
    home.cloud.wants("gateway", 1, list_of(room("bath", 4), HALL, timezone="Europe/Berlin"))
    home.deliver_all()
    told = home.cloud.shadows["gateway"].reported
    assert json.loads(told["rejection"]) == [
        {"field": "sensors.1.inputs.0.pin", "value": "27", "bound": "GPIO27 is taken"}
    ]
    assert (home.delays_s(), home.watched) == ({"bath": 300}, ["bath/pir"])
    assert str(home.house.rooms["bath"].rules.zone) == "UTC"
    assert json.loads(home.file("gateway")) == json.loads(list_of(BATH))


def test_a_pin_that_was_bad_before_keeps_nothing_from_happening(tmp_path: Path) -> None:
    """A sensor broken since the start is no reason to refuse a new name, or another sensor."""
    (tmp_path / "gateway.json").write_text(list_of(BATH, HALL))
    home = Home(tmp_path, FakeCloud())
    home.bad_pins = {27}
    home.start()
    assert home.in_force.refused == {"hall/pir": "GPIO27 is taken"}
    home.cloud.wants("gateway", 1, list_of({**BATH, "name": "Big bath"}, HALL))
    home.deliver_all()
    assert reports(home) == [("gateway", 1, "applied")]
    assert home.in_force.names["bath"] == "Big bath"


def test_rooms_without_a_zone_move_with_the_gateway(home: Home) -> None:
    """Its zone is theirs; their policies and versions stay."""
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    home.cloud.wants("gateway", 1, list_of(BATH, timezone="Europe/Berlin"))
    home.deliver_all()
    rules = home.house.rooms["bath"].rules
    assert (str(rules.zone), rules.version, home.delays_s()) == ("Europe/Berlin", 3, {"bath": 60})


# Disk and restart.


def test_a_restart_without_a_cloud_has_the_last_good_policies(home: Home) -> None:
    """With their versions, and without a report."""
    home.cloud.wants("gateway", 2, list_of(BATH, HALL))
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    home.cloud.is_offline = True
    home.start()
    assert home.delays_s() == {"bath": 60, "hall": 300}
    assert (home.house.rooms["bath"].rules.version, home.in_force.version) == (3, 2)


def test_after_a_restart_what_was_answered_is_not_answered_again(home: Home) -> None:
    """Applied and refused alike: the first `get` shows that both are known."""
    home.cloud.wants("gateway", 2, list_of(BATH))
    home.cloud.wants("bath", 3, waits(7))
    home.deliver_all()
    home.start()
    home.pass_s(HOUR_S)
    assert sorted(reports(home)) == [("bath", 3, "rejected"), ("gateway", 2, "applied")]


def test_a_file_written_by_hand_holds_until_the_cloud_has_something_newer(home: Home) -> None:
    """Settings by hand (`spotty devices --for …`) are nobody's version; the next one of the cloud's replaces them."""
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    (home.folder / "sensor-bath.json").write_text(waits(45))
    home.start()
    home.pass_s(HOUR_S)
    assert (home.delays_s(), home.house.rooms["bath"].rules.version) == ({"bath": 45}, 0)
    home.cloud.wants("bath", 4, waits(50))
    home.deliver_all()
    assert (home.delays_s(), home.file("bath")) == ({"bath": 50}, waits(50))


def test_a_deleted_shadow_may_count_from_one_again(home: Home) -> None:
    """404 forgets the version, not the policy."""
    home.cloud.wants("bath", 9, waits(60))
    home.deliver_all()
    home.cloud.deletes("bath")
    home.pass_s(HOUR_S)
    assert home.delays_s() == {"bath": 60}
    home.cloud.wants("bath", 1, waits(70))
    home.deliver_all()
    assert home.delays_s() == {"bath": 70}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"bath": 3}', b"\xff"])
def test_damaged_versions_are_begun_anew(home: Home, content: bytes) -> None:
    """The policies hold; the cloud's next answers bring the versions back."""
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    (home.folder / VERSIONS).write_bytes(content)
    home.start()
    assert (home.delays_s(), home.house.rooms["bath"].rules.version) == ({"bath": 60}, 0)
    home.pass_s(2)
    assert home.house.rooms["bath"].rules.version == 3


def test_a_disk_that_takes_nothing_stops_no_policy(home: Home) -> None:
    """It holds, it is reported, one line says what will be lost; after a restart it is news again."""
    good = home.folder.rename(home.folder.with_name("elsewhere"))
    home.folder.write_text("no folder at all")
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    assert (home.delays_s(), reports(home)) == ({"bath": 60}, [("bath", 3, "applied")])
    assert "settings cannot be kept" in home.said[-2] + home.said[-1]
    home.folder.unlink()
    good.rename(home.folder)
    home.cloud.wants("bath", 4, waits(7))
    home.deliver_all()
    home.start()
    home.cloud.wants("bath", 5, waits(65))
    home.deliver_all()
    assert (home.delays_s(), home.file("bath")) == ({"bath": 65}, waits(65))


def test_what_was_kept_in_no_file_is_news_after_a_restart(home: Home) -> None:
    """Only the policy's own file cannot be written: that its version was answered is not kept either."""
    (home.folder / "sensor-bath.json").mkdir()
    home.cloud.wants("bath", 3, waits(60))
    home.deliver_all()
    home.cloud.wants("gateway", 1, list_of(BATH))
    home.deliver_all()
    assert home.delays_s() == {"bath": 60}
    (home.folder / "sensor-bath.json").rmdir()
    home.start()
    assert home.delays_s() == {"bath": 300}
    home.pass_s(2)
    assert (home.delays_s(), home.file("bath")) == ({"bath": 60}, waits(60))


def test_a_kill_leaves_the_last_good_policy_whole(tmp_path: Path) -> None:
    """Killed 25 times in the middle of taking versions: each file is one of them, and the next start heals the rest."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.gateway.killed_syncing", str(tmp_path), "25"],
        check=True,
        capture_output=True,
        text=True,
    )
    rounds = [[int(word) for word in line.split()] for line in done.stdout.splitlines()]
    assert len(rounds) == 25
    for begun, durable, found, healed in rounds:
        assert durable <= found <= begun
        assert healed == begun + 1
    assert any(begun > 1 for begun, *_ in rounds)


# Whatever comes.

VERSION = st.integers(0, 6)
POLICIES = st.one_of(
    st.integers(30, 7200).map(waits),
    st.integers(-5, 29).map(waits),
    st.sampled_from(["", "{", "[]", "null", '{"vacancyDelayS":"60"}', '{"x":1}', '{"vacancyDelayS":60,"holdOffS":60}']),
)
LEAVES = st.none() | st.booleans() | st.integers(-3, MAX_VERSION + 1) | st.text(max_size=5) | POLICIES
JSON = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner))


@st.composite
def documents(draw: st.DrawFn) -> tuple[ShadowAction, bytes]:
    """A message about the bath's shadow, good, or spoilt in one of many ways."""
    desired: dict[str, object] = {"v": draw(VERSION), "policy": draw(POLICIES)}
    spoil = draw(st.integers(0, 9))
    if spoil == 0:
        desired[draw(st.sampled_from(["v", "policy", "more"]))] = draw(JSON)
    if spoil == 1:
        desired.pop(draw(st.sampled_from(["v", "policy"])))
    action = draw(st.sampled_from([ShadowAction.UPDATE_DELTA, ShadowAction.GET_ACCEPTED]))
    state: object = desired if action is ShadowAction.UPDATE_DELTA else {"desired": desired}
    if spoil == 2:
        state = draw(JSON)
    data = json.dumps({"state": state, "version": draw(VERSION)}).encode()
    if spoil == 3:
        cut = draw(st.integers(0, len(data)))
        data = data[:cut] + draw(st.binary(max_size=2)) + data[cut + draw(st.integers(0, 2)) :]
    return action, data


def read_by_hand(action: ShadowAction, data: bytes) -> tuple[int, str | None] | None:
    """Version and policy of a message, None for none that can be told: a second opinion, by plain json."""
    try:
        found = json.loads(data)
    except ValueError:
        return None
    state = found.get("state", {}) if isinstance(found, dict) else {}
    if action is ShadowAction.GET_ACCEPTED and isinstance(state, dict):
        state = state.get("desired")
    if not isinstance(state, dict) or type(state.get("v")) is not int or not 0 <= state["v"] <= MAX_VERSION:
        return None
    return state["v"], state["policy"] if isinstance(state.get("policy"), str) else None


def is_good(policy: str) -> bool:
    """Whether the contract has nothing against it."""
    try:
        Policy.from_json(policy.encode(errors="replace"))
    except ValueError:
        return False
    return True


@given(st.lists(documents(), min_size=5, max_size=40))
@settings(max_examples=100, deadline=None)
def test_whatever_comes_the_newest_good_version_holds(messages: list[tuple[ShadowAction, bytes]]) -> None:
    """2,000 documents, spoilt, repeated, in any order: no fault, nothing by halves, a report where it is news."""
    with TemporaryDirectory() as folder:
        (Path(folder) / "gateway.json").write_text(list_of(BATH))
        home = Home(Path(folder), FakeCloud())
        answered, holds, news, expected = -1, None, [], Policy()
        for action, data in messages:
            home.sync.hear(ShadowTopic(THING, "bath", action), data)
            home.sync.look()
            told = read_by_hand(action, data)
            if told is not None and told[0] > answered:
                answered, policy = told
                good = policy is not None and is_good(policy)
                holds = policy if good else holds
                news.append(("bath", answered, "applied" if good else "rejected"))
            expected = Policy() if holds is None else Policy.from_json(holds.encode())
            resident = home.in_force.sensor("bath")
            assert resident is not None
            assert resident.policy == expected
            assert home.delays_s() == {"bath": expected.vacancy_delay_s}
        assert reports(home) == news
        home.start()
        assert home.delays_s() == {"bath": expected.vacancy_delay_s}


class Days(RuleBasedStateMachine):
    """A person, a network and a gateway that is restarted, in any order; in the end all agree."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        (Path(self.folder.name) / "gateway.json").write_text(list_of(BATH))
        self.home = Home(Path(self.folder.name), FakeCloud())
        self.cloud = self.home.cloud
        self.v = 0
        self.good: dict[str, list[float]] = {"bath": [300.0], "hall": [300.0]}

    @rule(of=st.sampled_from(["bath", "hall"]), delay_s=st.integers(20, 200))
    def settings_are_saved(self, of: str, delay_s: int) -> None:
        """Good ones and bad ones."""
        self.v += 1
        self.cloud.wants(of, self.v, waits(delay_s))
        if delay_s >= 30:
            self.good[of].append(float(delay_s))

    @rule(has_hall=st.booleans(), zone=st.sampled_from(["UTC", "Europe/Berlin", "Mars/Olympus"]))
    def sensors_are_saved(self, has_hall: bool, zone: str) -> None:
        """One room or two."""
        self.v += 1
        self.cloud.wants("gateway", self.v, list_of(*([BATH, HALL] if has_hall else [BATH]), timezone=zone))

    @precondition(lambda self: self.cloud.post)
    @rule(number=st.integers(0, 50), again=st.booleans())
    def a_message_arrives(self, number: int, again: bool) -> None:
        """Any of those that wait, and perhaps not for the last time."""
        self.home.deliver(number % len(self.cloud.post), again=again)

    @precondition(lambda self: self.cloud.post)
    @rule(number=st.integers(0, 50))
    def a_message_is_lost(self, number: int) -> None:
        """For ever."""
        self.cloud.post.pop(number % len(self.cloud.post))

    @rule(is_offline=st.booleans(), loses=st.booleans())
    def the_network_changes(self, is_offline: bool, loses: bool) -> None:
        """Nothing goes up, or reports are swallowed."""
        self.cloud.is_offline, self.cloud.loses_updates = is_offline, loses

    @rule(seconds=st.sampled_from([1.0, 10.0, 400.0, HOUR_S]))
    def time_passes(self, seconds: float) -> None:
        """Without a word being delivered."""
        self.home.now_s += seconds
        self.home.sync.look()

    @rule()
    def the_gateway_is_started_anew(self) -> None:
        """With what lies on its disk."""
        self.home.start()

    @invariant()
    def every_policy_is_one_that_was_saved(self) -> None:
        """Nothing by halves, nothing invented, and nothing that was refused."""
        for of, delay_s in self.home.delays_s().items():
            assert delay_s in self.good[of]

    def teardown(self) -> None:
        """The network is mended, hours pass: whatever was last saved is answered, and holds if it is good."""
        self.cloud.is_offline = self.cloud.loses_updates = False
        self.home.pass_s(3 * HOUR_S)
        known = {"gateway", *self.home.in_force.names}
        for of in known & self.cloud.shadows.keys():
            shadow = self.cloud.shadows[of]
            if not shadow.desired:
                continue
            assert shadow.reported["v"] == shadow.desired["v"], of
            if of != "gateway" and shadow.reported["outcome"] == "applied":
                wanted = json.loads(shadow.desired["policy"])["vacancyDelayS"]
                assert self.home.delays_s()[of] == wanted
        said = len(self.cloud.reports)
        self.home.pass_s(2 * HOUR_S)
        assert len(self.cloud.reports) == said
        self.folder.cleanup()


Days.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestDays = Days.TestCase


def test_what_is_forgotten_while_the_disk_refuses_is_forgotten_on_it_later(tmp_path: Path) -> None:
    """A shadow made anew counts from one: its versions must be news after a restart too."""
    folder = tmp_path / "policies"
    disk = PoliciesOnDisk(folder)
    disk.answer("bath", Reported(7, "applied"), "{}")
    away = folder.rename(tmp_path / "away")
    folder.write_text("a folder that takes nothing")
    with pytest.raises(OSError, match="policies"):
        disk.forget("bath")
    folder.unlink()
    away.rename(folder)
    disk.forget("bath")
    assert PoliciesOnDisk(folder).standing("bath").answered_v is None
