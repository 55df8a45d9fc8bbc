from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.gateway.account import BATHROOM, KITCHEN, Household
from tests.gateway.hand_clock import HandClock

from spotty_gateway.account import Account
from spotty_gateway.engine.commands import PauseMusic, SetVolume
from spotty_gateway.engine.events import Failed, Paused, Started, VolumeSet
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Device, Repeat, Target
from spotty_gateway.errors import NoActiveDeviceError, PlayerRefusedError
from spotty_gateway.manners import Manners
from spotty_gateway.ports import RememberedDevice, SeenDevice
from spotty_gateway.settings import Settings
from spotty_gateway.speakers import REFUSAL_LASTS_S, Speakers, chosen_from
from spotty_gateway.store import Store
from spotty_sandbox.spotify import SpotifyWorld, refused

OURS, THEIRS = "Steam and Soap", "Washing Up"
EPOCH_S = 1_750_000_000.0


@dataclass
class Memory:
    """What an account's speakers are remembered by, over several runs, with a clock to be moved by hand."""

    home: Household
    kept: tuple[RememberedDevice, ...] = ()
    now_s: float = 0.0
    times: int = field(default=0)

    def run(self) -> Speakers:
        """Another run of the gateway: its speakers, and manners that go by them."""
        speakers = Speakers(self.home.player, self.kept, self._keep, lambda: self.now_s, lambda: EPOCH_S + self.now_s)
        self.home.manners = Manners(self.home.player, lambda _: None, speakers=speakers)
        return speakers

    def _keep(self, devices: tuple[RememberedDevice, ...]) -> None:
        self.kept = devices
        self.times += 1


@pytest.fixture
def memory(home: Household) -> Memory:
    """Nothing is remembered yet."""
    made = Memory(home)
    made.run()
    return made


@pytest.fixture
def target(home: Household) -> Target:
    """The bathroom's music by the speaker's name."""
    return Target(Device(BATHROOM, "Speaker"), home.uri(OURS), shuffle=False, repeat=Repeat.OFF)


def unplayable(home: Household, target: Target) -> Failed:
    """The start that came to nothing."""
    outcome = home.do(home.start(target))
    assert isinstance(outcome, Failed)
    return outcome


def silence(home: Household) -> None:
    """Somebody pulls all plugs and puts them in again: nothing is active."""

    def do(world: SpotifyWorld) -> None:
        for device in world.player().devices:
            world.hand().unplug(device)
            world.hand().plug_in(device)

    home.call(do)
    home.asked()


# Memory.


def test_an_id_outlives_a_restart(home: Household, memory: Memory, target: Target) -> None:
    """The next run finds the speaker without the list, and nothing is written that has not changed."""
    home.do(home.start(target))
    assert memory.kept == (RememberedDevice(BATHROOM, "Speaker", home.device(BATHROOM).id or "", False),)
    silence(home)
    memory.run()
    home.do(home.start(target))
    assert home.asked() == ["look", "play", "look"]
    assert memory.times == 1


def test_who_refuses_its_volume_is_not_asked_again(home: Household, memory: Memory, target: Target) -> None:
    """Refused twice is enough: not at the next start, and not after a restart."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=None))
    quiet = replace(target, volume_pct=20)
    home.do(home.start(quiet))
    assert home.asked() == ["look", "devices", "volume 20", "volume 20", "play", "look"]
    for _ in range(2):
        silence(home)
        outcome = home.do(home.start(quiet))
        assert isinstance(outcome, Started)
        assert outcome.volume_pct is None
        assert home.asked() == ["look", "play", "look"]
        memory.run()


def test_a_refusal_grows_old_on_the_gateway_s_clock(home: Household, target: Target, tmp_path: Path) -> None:
    """The week is one of the house's time, which passes faster in a demonstration."""
    clock, store = HandClock(), Store(tmp_path)
    account = Account(clock, "boot", store, Settings.model_validate({"dataDir": str(tmp_path)}), lambda _: None)
    home.manners = Manners(home.player, lambda _: None, speakers=account.speakers_of(home.player))
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=2))
    for week, volume_pct in enumerate((50, 20)):
        clock.now = round(week * REFUSAL_LASTS_S * SECOND)
        home.do(home.start(replace(target, volume_pct=20)))
        assert home.volume(BATHROOM) == volume_pct
        silence(home)
    store.close()


def test_one_refusal_may_be_a_whim(home: Household, memory: Memory, target: Target) -> None:
    """A speaker that was never known to refuse is asked once more before it plays at its own volume."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=1))
    home.do(home.start(replace(target, volume_pct=20)))
    assert home.asked() == ["look", "devices", "volume 20", "volume 20", "play", "look"]
    assert home.volume(BATHROOM) == 20
    assert [one.refuses_volume for one in memory.kept] == [False]


def test_music_that_stays_too_loud_says_so(home: Household, target: Target) -> None:
    """A speaker above the cap that lets nobody lower it plays, and a person reads why it is so loud."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=None))
    outcome = home.do(home.start(replace(target, volume_cap_pct=40)))
    assert isinstance(outcome, Started)
    assert outcome.detail == (
        f"{BATHROOM} plays at 50 % and lets no app set its volume; allowed are 40 %: turn it down by hand"
    )


def test_music_within_the_cap_says_nothing(home: Household, target: Target) -> None:
    """A speaker whose volume cannot be set is nobody's trouble while it is quiet enough."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=None))
    outcome = home.do(home.start(replace(target, volume_pct=30, volume_cap_pct=60)))
    assert isinstance(outcome, Started)
    assert outcome.detail == ""


def test_a_refusal_is_believed_for_a_week(home: Household, memory: Memory, target: Target) -> None:
    """Then it is asked once more, and a speaker that obeys is remembered as one that does."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=2))
    quiet = replace(target, volume_pct=20)
    home.do(home.start(quiet))
    memory.now_s = REFUSAL_LASTS_S - 1
    silence(home)
    home.do(home.start(quiet))
    assert home.volume(BATHROOM) == 50
    memory.now_s = REFUSAL_LASTS_S
    silence(home)
    home.do(home.start(quiet))
    assert home.volume(BATHROOM) == 20


@pytest.mark.parametrize("is_listed", [False, True])
def test_a_refusal_is_not_renewed_by_a_restart(
    home: Household, memory: Memory, target: Target, is_listed: bool
) -> None:
    """Who is started anew more often than once a week asks again after a week all the same, however it was refused."""
    quiet = replace(target, volume_pct=20)
    if is_listed:
        home.call(lambda world: setattr(world.device(BATHROOM), "supports_volume", False))
    else:
        home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=2))
    home.do(home.start(quiet))
    home.call(lambda world: setattr(world.device(BATHROOM), "supports_volume", True))
    for day, volume_pct in ((3, 50), (6, 50), (7, 20)):
        memory.now_s = day * 86_400.0
        memory.run()
        silence(home)
        home.do(home.start(quiet))
        assert home.volume(BATHROOM) == volume_pct


@pytest.mark.parametrize("refused_at_s", [None, EPOCH_S + 1e9])
def test_a_refusal_of_an_unknown_or_impossible_day_is_one_of_today(
    home: Household, memory: Memory, target: Target, refused_at_s: float | None
) -> None:
    """It was kept by an earlier version, or by a clock that was wrong: from the first restart on its week runs."""
    speaker = RememberedDevice(BATHROOM, "Speaker", home.device(BATHROOM).id or "", True, refused_at_s)
    memory.kept = (speaker,)
    for day, volume_pct in ((0, 50), (6, 50), (7, 20)):
        memory.now_s = day * 86_400.0
        memory.run()
        silence(home)
        home.do(home.start(replace(target, volume_pct=20)))
        assert home.volume(BATHROOM) == volume_pct


def test_a_new_id_is_a_new_speaker(home: Household, memory: Memory, target: Target) -> None:
    """What refused under another id is asked."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=2))
    home.do(home.start(replace(target, volume_pct=20)))
    home.call(lambda world: setattr(world.device(BATHROOM), "id", "another"))
    silence(home)
    home.do(home.start(replace(target, volume_pct=20)))
    assert [one.refuses_volume for one in memory.kept] == [False]
    silence(home)
    home.do(home.start(replace(target, volume_pct=20)))
    assert home.volume(BATHROOM) == 20


def test_too_loud_is_asked_again_in_spite_of_a_refusal(home: Household, memory: Memory, target: Target) -> None:
    """A refusal may have been a whim: what stands above the cap is lowered, before the first sound, if it obeys."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=2))
    home.do(home.start(replace(target, volume_pct=20)))
    home.call(lambda world: world.hand().turn_volume(world.device(BATHROOM), 90))
    silence(home)
    home.do(home.start(replace(target, volume_cap_pct=40)))
    assert home.asked() == ["look", "devices", "volume 40", "play", "look"]
    assert [one.refuses_volume for one in memory.kept] == [False]


def test_no_volume_in_the_list_is_not_asked_for(home: Household, memory: Memory, target: Target) -> None:
    """`supports_volume: false` is as good as a refusal, and as soon over as the list says otherwise."""
    home.call(lambda world: setattr(world.device(BATHROOM), "supports_volume", False))
    fading = replace(target, volume_pct=30, fade_in_us=10 * SECOND)
    outcome = home.do(home.start(fading))
    assert isinstance(outcome, Started)
    assert outcome.volume_pct is None
    assert home.asked() == ["look", "devices", "play", "look"]
    assert [one.refuses_volume for one in memory.kept] == [True]
    home.call(lambda world: setattr(world.device(BATHROOM), "supports_volume", True))
    home.do(home.start(replace(target, device=Device(KITCHEN, "Speaker")), take_over=True))
    home.do(home.start(fading, take_over=True))
    silence(home)
    home.do(home.start(replace(target, volume_pct=30)))
    assert home.volume(BATHROOM) == 30


def test_nothing_is_known_of_a_forgotten_account(home: Household, memory: Memory, target: Target) -> None:
    """Afterwards the list is asked again, and what is kept is empty."""
    speakers = memory.run()
    home.do(home.start(target))
    silence(home)
    speakers.forget()
    assert memory.kept == ()
    home.do(home.start(target))
    assert home.asked() == ["look", "devices", "play", "look"]


# Names.


def test_a_renamed_speaker_plays_on_and_is_still_ours(home: Household, target: Target) -> None:
    """The id is known: it plays, it is paused, and from then on the list is asked who has the name."""
    home.do(home.start(target))
    silence(home)
    home.call(lambda world: setattr(world.device(BATHROOM), "name", "Bath"))
    outcome = home.do(home.start(target))
    assert isinstance(outcome, Started)
    claim = replace(home.claim("Bath", OURS), device=outcome.device)
    assert isinstance(home.do(PauseMusic("bath", 2, claim, False, None)), Paused)
    silence(home)
    assert isinstance(home.do(home.start(target)), Started)
    assert home.asked() == ["look", "devices", "play", "look"]


def test_a_refusal_is_known_under_the_new_name_too(home: Household, memory: Memory, target: Target) -> None:
    """Refused, then renamed: it is the same speaker, and not asked."""
    home.simulator.inject(refused("PUT */volume", 403, "no", "VOLUME_CONTROL_DISALLOW", times=None))
    home.do(home.start(replace(target, volume_pct=20)))
    home.call(lambda world: setattr(world.device(BATHROOM), "name", "Bath"))
    home.asked()
    assert memory.kept[0].refuses_volume
    assert home.do(SetVolume("bath", 3, home.claim("Bath", OURS), 60, only_if_ours=True)) == VolumeSet(None)
    assert home.asked() == ["look"]


def test_swapped_names_are_believed(home: Household, target: Target) -> None:
    """Two speakers have swapped their names: after one start on the old one, the name counts."""
    home.do(home.start(target))

    def swap(world: SpotifyWorld) -> None:
        bath, kitchen = world.device(BATHROOM), world.device(KITCHEN)
        bath.name, kitchen.name = KITCHEN, BATHROOM

    home.call(swap)
    silence(home)
    home.do(home.start(target))
    silence(home)
    home.do(home.start(target))
    assert home.plays() == (BATHROOM, OURS)


def test_a_renamed_speaker_under_a_new_id_is_a_fault_that_lists_the_others(home: Household, target: Target) -> None:
    """Nobody can know it: the fault names it, says who is there, and what to do."""
    home.call(lambda world: setattr(world.device(BATHROOM), "name", "Bath"))
    outcome = unplayable(home, target)
    assert outcome.reason is SilentReason.NO_DEVICE
    assert "Bathroom is not there (present: Bath, Bedroom, Kitchen)" in outcome.detail
    assert "choose it anew if it has another name now" in outcome.detail


def test_a_name_is_the_same_however_its_letters_are_put_together(home: Household, target: Target) -> None:
    """A phone writes "ü" as two signs, a keyboard as one: a person sees one name, and so do we."""
    home.call(lambda world: setattr(world.device(BATHROOM), "name", "Bäder-Ku\u0308che"))
    typed = replace(target, device=Device("bäder-k\u00fcche", "speaker"))
    assert isinstance(home.do(home.start(typed)), Started)


def test_a_namesake_that_is_active_is_not_taken_for_ours(home: Household, target: Target) -> None:
    """Another speaker of that name was used last: music starts on the one whose id we know."""
    home.do(home.start(target))
    silence(home)
    ours = home.device(BATHROOM).id
    twin = home.call(lambda world: world.add_device(BATHROOM))
    home.call(lambda world: world.hand().play(twin, world.catalogue.named(THEIRS)))
    home.call(lambda world: world.hand().pause(twin))
    outcome = home.do(home.start(target))
    assert isinstance(outcome, Started)
    assert outcome.device.id == ours


def seen(name: str, identity: str | None, *, active: bool = False, restricted: bool = False) -> SeenDevice:
    """A speaker in a list."""
    return SeenDevice(Device(name, "Speaker", identity), active, restricted, 50)


@pytest.mark.parametrize(
    "present, known_id, chosen",
    [
        ([seen("Hall", "a")], None, "a"),
        ([seen("hall", "a")], "old", "a"),
        ([seen("Hall", "a"), seen("Hall", "b")], "b", "b"),
        ([seen("Hall", "a"), seen("Hall", "b", active=True)], None, "b"),
        ([seen("Hall", "a"), seen("Hall", "b", active=True)], "a", "a"),
        ([seen("Hall", "a", restricted=True), seen("Hall", "b")], None, "b"),
        ([seen("Hall", None), seen("Hall", "b")], None, "b"),
        ([seen("Hall", "a"), seen("Cellar", "b")], "b", "a"),
        ([seen("Attic", "a"), seen("Cellar", "b")], "b", "b"),
    ],
)
def test_which_speaker_is_meant(present: list[SeenDevice], known_id: str | None, chosen: str) -> None:
    """By name; of several the known one, else the active one; a known id under another name where nobody has ours."""
    assert chosen_from(present, Device("Hall", "Speaker", known_id)).device.id == chosen


@pytest.mark.parametrize(
    "present, error, said",
    [
        ([], NoActiveDeviceError, "the speaker Hall is not there (present: none)"),
        ([seen("Cellar", None)], NoActiveDeviceError, "the speaker Hall is not there (present: Cellar)"),
        ([seen("Hall", None)], NoActiveDeviceError, "Hall is asleep (Spotify lists it without an id)"),
        ([seen("Hall", "a"), seen("Hall", "b")], NoActiveDeviceError, "2 devices are called Hall (Speaker)"),
        ([seen("Hall", "a", restricted=True)], PlayerRefusedError, "it is restricted); choose another device"),
    ],
)
def test_why_no_speaker_can_be_meant(present: list[SeenDevice], error: type[Exception], said: str) -> None:
    """Each in one line that names the speaker."""
    with pytest.raises(error) as raised:
        chosen_from(present, Device("Hall", "Speaker"))
    assert said in str(raised.value)


# Sleep.


def test_a_dozing_speaker_is_made_active_and_plays(home: Household, target: Target) -> None:
    """Listed, but deaf to a start: a transfer wakes it, and the same attempt plays."""
    home.call(lambda world: setattr(world.device(BATHROOM), "presence", "dozing"))
    assert isinstance(home.do(home.start(target)), Started)
    assert home.asked() == ["look", "devices", "play", "transfer", "play", "look"]


def test_a_sleeping_speaker_known_from_before_is_named_once(home: Household, target: Target) -> None:
    """Not listed: a transfer names it, and the fault names it too; a minute later it has woken and plays."""
    home.do(home.start(target))

    def doze(world: SpotifyWorld) -> None:
        world.device(BATHROOM).wake_ms = 2000
        world.hand().put_to_sleep(world.device(BATHROOM))

    home.call(doze)
    home.asked()
    outcome = unplayable(home, replace(target, volume_cap_pct=40))
    assert home.asked() == ["look", "devices", "transfer"]
    assert "Bathroom is not there" in outcome.detail
    home.clock.advance_ms(60_000)
    assert isinstance(home.do(home.start(target)), Started)


def test_nobody_s_music_is_moved_to_wake_a_speaker(home: Household) -> None:
    """While something plays elsewhere a sleeping speaker is not made active: that would bring it along, and loud."""
    target = Target(home.device(BATHROOM), home.uri(OURS), volume_cap_pct=40)
    home.call(lambda world: world.hand().put_to_sleep(world.device(BATHROOM)))
    home.somebody_plays(KITCHEN, THEIRS)
    assert isinstance(home.do(home.start(target, take_over=True)), Failed)
    assert home.asked() == ["look", "devices"]
    assert home.plays() == (KITCHEN, THEIRS)
