"""A small stage for table tests: a house, a clock in seconds, and what the engine says in a few words."""

from dataclasses import dataclass, field, replace

from spotty_gateway.engine.commands import Effect, Judged, MusicDecided, PlayerCommand, SessionFacts
from spotty_gateway.engine.events import (
    CallsShort,
    Event,
    Failed,
    Outcome,
    PauseAsked,
    PlayerAnswered,
    PlayerReady,
    Report,
    ResumeAsked,
    RoomConfigured,
    RoomRemoved,
    SnoozeAsked,
    Started,
    Stopping,
    Tick,
)
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.restart import Restart, resume
from spotty_gateway.engine.rules import SECOND, Device, InputKind, Rules, Target
from spotty_gateway.engine.state import LONG_AGO, House, Room, new_house
from spotty_gateway.engine.step import next_deadline, step

NOON = 1_790_000_000 - 1_790_000_000 % 86_400 + 43_200
"""A summer's noon in UTC, in seconds: second 0 of a stage."""

SPEAKER, OTHER_SPEAKER = Device("Bath", "Speaker", "b1"), Device("Hall", "Speaker", "h1")
TARGET = Target(SPEAKER, "spotify:playlist:p")
PLAIN = Rules(hold_off_us=10 * SECOND, vacancy_delay_us=60 * SECOND, warm_up_us=0, target=TARGET)
STARTED = Started(SPEAKER, TARGET.context_uri, adopted=False, volume_pct=60)
STARTED_IN_HALL = replace(STARTED, device=OTHER_SPEAKER)
DOWN = Failed(SilentReason.PLAYER_UNAVAILABLE, "down")
LONG = replace(PLAIN, vacancy_delay_us=7200 * SECOND)
SHARED = {"bath": PLAIN, "kitchen": PLAIN}
APART = {"bath": PLAIN, "hall": replace(PLAIN, target=replace(TARGET, device=OTHER_SPEAKER, transfer_if_busy=True))}


@dataclass
class Stage:
    """`rules` are the rooms'; a room has a PIR `pir`, a door `door` and a button `button` unless `inputs` says else."""

    rules: dict[str, Rules] = field(default_factory=lambda: {"bath": PLAIN})
    kinds: tuple[tuple[str, InputKind], ...] = (("pir", InputKind.PIR), ("button", InputKind.BUTTON))
    trusted: bool = True
    began_s: float = -1000
    offset: int = NOON * SECOND
    seed: int = 0
    effects: list[Effect] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Configure the rooms."""
        began = round(self.began_s * SECOND)
        self.house: House = new_house("run", began, began + self.offset, self.trusted, self.seed)
        for sensor_id, rules in self.rules.items():
            self.configure(self.began_s, rules, sensor_id)

    def now(self, at_s: float) -> tuple[int, int, bool]:
        """An instant as events have it."""
        mono = round(at_s * SECOND)
        return mono, mono + self.offset, self.trusted

    def happens(self, event: Event) -> list[Effect]:
        """Step; what came of it."""
        self.house, effects = step(self.house, event)
        self.effects += effects
        return effects

    def motion(self, *at_s: float, room: str = "bath", pir: str = "pir") -> None:
        """A pulse of a PIR: active, and inactive at the same instant."""
        for one in at_s:
            self.happens(Report(*self.now(one), room, pir, active=True))
            self.happens(Report(*self.now(one), room, pir, active=False))

    def level(self, at_s: float, input_id: str, active: bool, *, initial: bool = False, room: str = "bath") -> None:
        """An input changes."""
        self.happens(Report(*self.now(at_s), room, input_id, active, initial))

    def configure(self, at_s: float, rules: Rules, room: str = "bath") -> None:
        """A policy arrives."""
        self.happens(RoomConfigured(*self.now(at_s), room, rules, self.kinds))

    def remove(self, at_s: float, room: str = "bath") -> None:
        """A room goes."""
        self.happens(RoomRemoved(*self.now(at_s), room))

    def pause(self, at_s: float, room: str = "bath") -> None:
        """A person wants silence."""
        self.happens(PauseAsked(*self.now(at_s), room))

    def resume(self, at_s: float, room: str = "bath") -> None:
        """A person wants music."""
        self.happens(ResumeAsked(*self.now(at_s), room))

    def snooze(self, at_s: float, until_s: float, room: str = "bath") -> None:
        """A person wants silence until then."""
        self.happens(SnoozeAsked(*self.now(at_s), room, self.now(until_s)[1]))

    def ready(self, at_s: float) -> None:
        """The guard opens."""
        self.happens(PlayerReady(*self.now(at_s)))

    def calls_short(self, at_s: float, *, short: bool = True) -> None:
        """Few calls are left for today, or enough again."""
        self.happens(CallsShort(*self.now(at_s), short))

    def stop(self, at_s: float, *, pause: bool) -> None:
        """The component stops."""
        self.happens(Stopping(*self.now(at_s), pause))

    def answer(self, at_s: float, outcome: Outcome, command: PlayerCommand | None = None) -> None:
        """The player answers the last command, or this one."""
        one = command or self.commands()[-1]
        self.happens(PlayerAnswered(*self.now(at_s), one.sensor_id, one.token, outcome))

    def until(self, at_s: float) -> None:
        """Wake at every deadline up to here, and then here."""
        end = round(at_s * SECOND)
        while (due_at := next_deadline(self.house)) is not None and due_at < end:
            self.happens(Tick(due_at, due_at + self.offset, self.trusted))
        self.happens(Tick(*self.now(at_s)))

    def restart(self, at_s: float, *, rules: dict[str, Rules] | None = None) -> None:
        """The component comes up again in the same boot; rooms without `rules` are configured no more."""
        today = self.rules if rules is None else rules
        saved = {
            sensor_id: replace(
                room,
                rules=today.get(sensor_id, Rules(enabled=False)),
                removed=sensor_id not in today,
                quiet=None,
                due_at=LONG_AGO,
            )
            for sensor_id, room in self.house.rooms.items()
        }
        mono, wall, trusted = self.now(at_s)
        house = replace(self.house, rooms=saved, due_at=LONG_AGO)
        self.house, effects = resume(house, Restart("again", mono, wall, trusted, same_boot=True))
        self.effects += effects

    def commands(self) -> list[PlayerCommand]:
        """All that was asked of the player."""
        return [effect for effect in self.effects if isinstance(effect, PlayerCommand)]

    def asked(self) -> list[str]:
        """All that was asked of the player, by name."""
        return [type(command).__name__ for command in self.commands()]

    def judged(self) -> list[str]:
        """What became of each motion."""
        return [effect.reason or "accepted" for effect in self.effects if isinstance(effect, Judged)]

    def ends(self) -> list[tuple[float, float, str]]:
        """Each end that was told: start and end in seconds, and by what."""
        return [
            ((effect.start_at - self.offset) / SECOND, (effect.end_at - self.offset) / SECOND, str(effect.ended_by))
            for effect in self.effects
            if isinstance(effect, SessionFacts) and effect.end_at is not None
        ]

    def room(self, sensor_id: str = "bath") -> Room:
        """A room as it stands."""
        return self.house.rooms[sensor_id]


def playing(stage: Stage | None = None) -> Stage:
    """Somebody is in the bath, and music plays."""
    stage = stage or Stage()
    stage.motion(0)
    stage.answer(1, STARTED)
    return stage


def decided(stage: Stage) -> list[tuple[str, str]]:
    """What was told about the music."""
    return [(one.action, str(one.reason)) for one in stage.effects if isinstance(one, MusicDecided)]


def told(stage: Stage, kind: type[Effect]) -> int:
    """How often this was told."""
    return sum(isinstance(one, kind) for one in stage.effects)
