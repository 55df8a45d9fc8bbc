import tempfile
from pathlib import Path
from queue import SimpleQueue

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.gateway.account import BATHROOM, CLIENT_ID, KITCHEN, grant

from spotty_gateway.engine.commands import Claim, PauseMusic, PlayerCommand, SetVolume, StartMusic
from spotty_gateway.engine.events import Event, Failed, Outcome, Paused, PlayerAnswered, Started
from spotty_gateway.engine.rules import Device, Target
from spotty_gateway.executor import Executor
from spotty_gateway.guard import Guard
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import ManualClock, SpotifySimulator, SpotifyWorld, demo_world
from spotty_sandbox.spotify.kinds import fault_of

PATIENCE_S = 20.0
OURS = {BATHROOM: "Steam and Soap", KITCHEN: "Washing Up"}
"""What each room plays; people play other records."""

THEIRS = "Evening, Low"
CAP_PCT = 40
TROUBLE = (
    "rate_limited", "rate_limited_bare", "accepted", "error_obeyed", "unauthorized", "forbidden", "restricted",
    "no_active_device", "device_not_found", "server_error", "bad_gateway", "unavailable", "unavailable_wait",
    "gateway_timeout", "reset", "reset_obeyed", "truncated", "portal", "empty", "not_an_object", "error_text",
    "token_error", "no_refresh_token", "expires_soon",
)  # fmt: skip
"""What goes wrong at once: what hangs would take real time."""


class StandingClock:
    """The world's clock as the gateway's: it stands still until it is moved, and nobody waits for it in real time."""

    def __init__(self, world: ManualClock) -> None:
        self._world = world

    def mono(self) -> int:
        """As far as the world's."""
        return self._world.now_ms() * 1000

    def offset(self) -> int:
        """None."""
        return 0

    def trusted(self) -> bool:
        """Always."""
        return True

    def real_s(self, us: int) -> float:
        """Hardly any."""
        return 0.001 if us > 0 else 0.0


def scene(world: SpotifyWorld) -> tuple[str, str] | None:
    """Speaker and record that are heard; None in silence."""
    player = world.player()
    if not player.is_playing or player.active is None or player.deck is None or player.deck.context is None:
        return None
    return player.active.name, player.deck.context.name


class AnySpotify(RuleBasedStateMachine):
    """The real executor and client on a simulated account, with people and trouble in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock()
        self.simulator = SpotifySimulator(demo_world(self.clock)).start()
        tokens = Path(self.folder.name) / "tokens.json"
        grant(self.simulator, self.clock, tokens)
        self.tokens = tokens
        standing = StandingClock(self.clock)
        guard = Guard(standing, "boot")
        self.player = SpotifyPlayer(
            CLIENT_ID, tokens, self.simulator.accounts_url, self.simulator.accounts_url,
            lambda: self.clock.now_ms() / 1000, gate=guard, wait=lambda _: None,
        )  # fmt: skip
        self.answers: SimpleQueue[Event] = SimpleQueue()
        self.executor = Executor(self.player, standing, self.answers.put, guard)
        self.executor.start()
        self.token = 0
        self.answered: list[int] = []

    def teardown(self) -> None:
        """Everything is closed."""
        self.executor.close(5.0)
        self.player.close()
        self.simulator.stop()
        self.folder.cleanup()

    # Our commands.

    @rule(room=st.sampled_from(list(OURS)), take_over=st.booleans(), volume_pct=st.sampled_from([None, 20]))
    def start(self, room: str, take_over: bool, volume_pct: int | None) -> None:
        """Music is asked for: it is heard within the cap, or somebody is told why not."""
        target = Target(self.device(room), self.uri(OURS[room]), volume_pct=volume_pct, volume_cap_pct=CAP_PCT)
        others = tuple(self.claim(other) for other in OURS if other != room)
        self.token += 1
        command = StartMusic(room, self.token, target, self.claim(room), others, take_over=take_over, position=None)
        before = self.scene()
        outcome = self.do(command)
        if isinstance(outcome, Started):
            assert self.scene() == (room, OURS[room])
            assert (self.volume(room) or 0) <= CAP_PCT
        if before is not None and before[1] == THEIRS and not take_over:
            assert self.scene() == before

    @rule(room=st.sampled_from(list(OURS)))
    def pause(self, room: str) -> None:
        """Our music is asked to stop: nobody else's does."""
        before = self.scene()
        self.token += 1
        outcome = self.do(
            PauseMusic(room, self.token, self.claim(room), even_if_taken_over=False, restore_volume_pct=30)
        )
        if before != (room, OURS[room]):
            assert self.scene() == before
        elif isinstance(outcome, Paused):
            assert self.scene() is None

    @rule(room=st.sampled_from(list(OURS)), volume_pct=st.integers(0, CAP_PCT))
    def set_volume(self, room: str, volume_pct: int) -> None:
        """The volume of our music is asked for: what plays goes on, and other speakers stay as they are."""
        before, volumes = self.scene(), [self.volume(name) for name in OURS]
        self.token += 1
        self.do(SetVolume(room, self.token, self.claim(room), volume_pct, only_if_ours=True))
        assert self.scene() == before
        if before != (room, OURS[room]):
            assert [self.volume(name) for name in OURS] == volumes

    # People, trouble and time.

    @rule(room=st.sampled_from([*OURS, "Bedroom"]))
    def somebody_plays(self, room: str) -> None:
        """A person puts on something else."""
        self.simulator.call(lambda world: world.hand().play(world.device(room), world.catalogue.named(THEIRS)))

    @rule(room=st.sampled_from(list(OURS)), volume_pct=st.sampled_from([10, 100]))
    def somebody_turns_the_knob(self, room: str, volume_pct: int) -> None:
        """A person wants it louder, or not."""
        self.simulator.call(lambda world: world.hand().turn_volume(world.device(room), volume_pct))

    @rule(room=st.sampled_from(list(OURS)))
    def somebody_stops(self, room: str) -> None:
        """A person presses pause."""
        self.simulator.call(lambda world: world.hand().pause(world.device(room)))

    @rule(room=st.sampled_from(list(OURS)))
    def the_id_changes(self, room: str) -> None:
        """Spotify calls the speaker otherwise."""
        self.simulator.call(lambda world: world.renew_id(world.device(room)))

    @rule(room=st.sampled_from(list(OURS)), present=st.booleans())
    def a_plug_is_pulled(self, room: str, present: bool) -> None:
        """A speaker goes, or comes back."""
        self.simulator.call(
            lambda world: (world.hand().plug_in if present else world.hand().unplug)(world.device(room))
        )

    @rule(kind=st.sampled_from(TROUBLE), skip=st.integers(0, 3))
    def something_goes_wrong(self, kind: str, skip: int) -> None:
        """One of the next requests meets it."""
        self.simulator.inject(fault_of(kind, times=1, skip=skip))

    @rule()
    def consent_ends_and_is_given_anew(self) -> None:
        """A person removes the app; another one logs in."""
        self.simulator.call(lambda world: world.auth.revoke())
        self.simulator.call(lambda world: world.auth.expire_access_tokens())
        self.token += 1
        self.do(
            PauseMusic(BATHROOM, self.token, self.claim(BATHROOM), even_if_taken_over=False, restore_volume_pct=None)
        )
        grant(self.simulator, self.clock, self.tokens)

    @rule(minutes=st.sampled_from([1, 90]))
    def time_passes(self, minutes: int) -> None:
        """Waits and tokens come to their end."""
        self.clock.advance_ms(minutes * 60_000)
        self.executor.look_at_clock()

    @invariant()
    def nobody_was_rude(self) -> None:
        """No request came before Spotify's wait was over."""
        assert [one.path for one in self.simulator.requests() if one.is_rude] == []

    @invariant()
    def every_command_was_answered_once(self) -> None:
        """With its own token."""
        assert self.answered == list(range(1, self.token + 1))

    # Inside.

    def do(self, command: PlayerCommand) -> Outcome:
        """What becomes of it."""
        self.executor.put(command)
        while True:
            event = self.answers.get(timeout=PATIENCE_S)
            if isinstance(event, PlayerAnswered):
                self.answered.append(event.token)
                assert not (isinstance(event.outcome, Failed) and "fault in the gateway" in event.outcome.detail)
                return event.outcome

    def scene(self) -> tuple[str, str] | None:
        """What is heard."""
        found: tuple[str, str] | None = self.simulator.call(scene)
        return found

    def volume(self, room: str) -> int | None:
        """How loud a speaker is set."""
        found: int | None = self.simulator.call(lambda world: world.device(room).volume_pct)
        return found

    def device(self, room: str) -> Device:
        """A room's speaker, as a policy names it."""
        return Device(room, "Speaker")

    def uri(self, record: str) -> str:
        """A record's."""
        found: str = self.simulator.call(lambda world: world.catalogue.named(record).uri)
        return found

    def claim(self, room: str) -> Claim:
        """What the room holds to be its own."""
        return Claim(self.device(room), self.uri(OURS[room]), confirmed=True)


AnySpotify.TestCase.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
TestAnySpotify = AnySpotify.TestCase
