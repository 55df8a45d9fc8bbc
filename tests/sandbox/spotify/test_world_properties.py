"""Whatever apps and people do, in whatever order and with whatever manners of the devices."""

from __future__ import annotations

import contextlib
from typing import Any, Literal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from spotty_sandbox.spotify import Asker, ManualClock, PlayRequest, SpotifyError, SpotifyWorld, deed
from spotty_sandbox.spotify.deck import Repeat
from spotty_sandbox.spotify.journal import Journal
from spotty_sandbox.spotify.page import picture

NAMES = ("Good", "Late", "Silent", "Mute", "Sleeper", "Restricted", "Dozer", "Stale")
devices = st.sampled_from(NAMES)
maybe_devices = st.none() | devices


class Household(RuleBasedStateMachine):
    """One account with devices of all manners, an app, a person, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        self.clock = ManualClock()
        self.world = SpotifyWorld(self.clock)
        traits: dict[str, dict[str, Any]] = {
            "Late": {"start_delay_ms": 2_500},
            "Silent": {"ignores_play": True},
            "Mute": {"supports_volume": False, "volume_pct": None},
            "Sleeper": {"presence": "asleep", "wake_ms": 4_000},
            "Restricted": {"is_restricted": True},
            "Dozer": {"idles_into": "dozing", "volume_steps": 7},
            "Stale": {"report_lag_ms": 3_000, "forgets_context": True, "refuses_volume": True},
        }
        for name in NAMES:
            self.world.add_device(name, **traits.get(name, {}))
        self.contexts = [context.uri for context in self.world.catalogue]
        self.remote = self.world.remote(Asker("app", "a test"))
        self.hand = self.world.hand()

    def id_of(self, name: str | None) -> str | None:
        """The present id of a device."""
        return None if name is None else self.world.device(name).id

    @rule(ms=st.integers(0, 400_000) | st.integers(0, 10_000_000))
    def time_passes(self, ms: int) -> None:
        """Nobody does anything: only what plays moves."""
        before = self.world.player()
        paused_at = None if before.is_playing or before.deck is None else before.deck
        due_ms = self.world.next_change_ms()
        self.clock.advance_ms(ms)
        after = self.world.player()
        if paused_at is not None and (due_ms is None or due_ms > self.clock.now_ms()):
            assert after.deck == paused_at, "what is paused does not move"

    @rule(name=maybe_devices, which=st.integers(0, 11), position_ms=st.integers(0, 400_000))
    def app_plays(self, name: str | None, which: int, position_ms: int) -> None:
        """An app starts a context."""
        request = PlayRequest(self.contexts[which % len(self.contexts)], position_ms=position_ms)
        with contextlib.suppress(SpotifyError):
            self.remote.play(request, self.id_of(name))
            player = self.world.player()
            assert player.asked_by.kind == "app"
            assert player.is_playing or (player.active and player.active.name in ("Silent", "Late"))

    @rule(name=maybe_devices)
    def app_resumes(self, name: str | None) -> None:
        """An app presses play."""
        with contextlib.suppress(SpotifyError):
            self.remote.play(PlayRequest(), self.id_of(name))

    @rule(name=maybe_devices)
    def app_pauses(self, name: str | None) -> None:
        """An app pauses."""
        with contextlib.suppress(SpotifyError):
            self.remote.pause(self.id_of(name))
            assert not self.world.player().is_playing

    @rule(name=devices, play=st.booleans())
    def app_transfers(self, name: str, play: bool) -> None:
        """An app moves the music."""
        with contextlib.suppress(SpotifyError):
            self.remote.transfer(self.id_of(name) or "", play=play)
            assert self.world.player().active is self.world.device(name)

    @rule(name=maybe_devices, volume_pct=st.integers(-5, 105))
    def app_sets_volume(self, name: str | None, volume_pct: int) -> None:
        """An app sets a volume, sensible or not."""
        with contextlib.suppress(SpotifyError):
            self.remote.volume(volume_pct, self.id_of(name))

    @rule(on=st.booleans(), repeat=st.sampled_from(["off", "context", "track"]))
    def app_sets_modes(self, on: bool, repeat: Repeat) -> None:
        """An app shuffles and repeats."""
        with contextlib.suppress(SpotifyError):
            self.remote.shuffle(on=on)
            self.remote.repeat(repeat)

    @rule(by=st.sampled_from([-1, 1]), position_ms=st.integers(-10, 400_000))
    def app_moves_the_needle(self, by: Literal[-1, 1], position_ms: int) -> None:
        """An app skips and seeks."""
        with contextlib.suppress(SpotifyError):
            self.remote.skip(by)
            self.remote.seek(position_ms)

    @rule(name=devices, which=st.integers(0, 11), volume_pct=st.integers(-20, 120))
    def person_plays(self, name: str, which: int, volume_pct: int) -> None:
        """A person starts music and turns the knob, too far as well."""
        context = self.world.catalogue.context(self.contexts[which % len(self.contexts)])
        assert context is not None
        self.hand.play(self.world.device(name), context)
        self.hand.turn_volume(self.world.device(name), volume_pct)

    @rule(name=devices, what=st.sampled_from(["resume", "pause", "skip", "unplug", "plug_in", "put_to_sleep", "doze"]))
    def person_meddles(self, name: str, what: str) -> None:
        """A person does something at a speaker."""
        getattr(self.hand, what)(self.world.device(name))

    @rule(in_ms=st.integers(0, 500_000), name=devices, what=st.sampled_from(["pause", "resume", "unplug", "plug_in"]))
    def person_plans(self, in_ms: int, name: str, what: str) -> None:
        """Something will happen by itself."""
        do = deed(self.world, {"do": what, "speaker": name})
        self.world.at(self.clock.now_ms() + in_ms, lambda _: do())

    @precondition(lambda self: self.world.player().active is not None)
    @rule(has_id=st.booleans())
    def an_id_changes(self, has_id: bool) -> None:
        """Spotify gives the active device another id, or none."""
        active = self.world.player().active
        assert active is not None
        self.changes += 1
        active.id = f"id{self.changes}" if has_id else None

    @invariant()
    def one_device_plays_at_most_and_it_is_there(self) -> None:
        """Music comes from one device at most, and that one is present and willing."""
        player = self.world.player()
        told = picture(self.world, Journal())["accounts"][0]["speakers"]
        assert [each["playing"] for each in told].count(True) == int(player.is_playing)
        assert player.active is None or player.active.presence == "present"
        if player.is_playing:
            assert player.active is not None
            assert player.deck is not None
            assert not player.active.ignores_play

    @invariant()
    def the_needle_is_on_the_record(self) -> None:
        """Progress lies within the track."""
        deck = self.world.player().deck
        assert deck is None or 0 <= deck.progress_ms < deck.track.duration_ms

    @invariant()
    def volumes_are_per_cent(self) -> None:
        """No volume leaves 0..100."""
        for device in self.world.player().devices:
            assert device.volume_pct is None or 0 <= device.volume_pct <= 100

    @invariant()
    def nothing_began_in_the_future(self) -> None:
        """The past is past and the next change is still to come."""
        player = self.world.player()
        assert player.since_ms <= self.clock.now_ms()
        due_ms = self.world.next_change_ms()
        assert due_ms is None or due_ms > self.clock.now_ms()


Household.TestCase.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
TestHousehold = Household.TestCase
