"""What Spotify's side knows and no gateway can be sure of: who started what, and when nobody may ask for anything."""

from dataclasses import dataclass, replace
from http import HTTPStatus

from spotty_gateway.engine.commands import PlayerCommand
from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.spotify import Answer, Device, Request, SpotifyWorld

from .clock import YearClock

PLAY, PAUSE, LOOK = "/v1/me/player/play", "/v1/me/player/pause", "/v1/me/player"
VOLUME = "/v1/me/player/volume"


@dataclass(frozen=True, slots=True)
class Ours:
    """Music that the gateway has put on, and that nobody has replaced since."""

    command: PlayerCommand | None
    device: Device
    at: int
    is_let_go: bool = False
    """Nobody has to stop it: a person has pressed play on it again, or the gateway has lost the memory of it."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What plays at one moment."""

    device: Device | None
    is_playing: bool
    is_ours: bool
    changed_by: str
    """Who brought this about: an app, a person, or Spotify itself."""
    changed_ms: int

    def is_news_of(self, kind: str, clock: YearClock) -> bool:
        """Whether it was brought about only just now, by an app or by a person."""
        return self.changed_by == kind and self.changed_ms == clock.now_ms()


class Truth:
    """One account's truth. `ours` is what is on the record player if it is ours, playing or not."""

    def __init__(self, world: SpotifyWorld, clock: YearClock) -> None:
        """Nothing plays yet."""
        self._world = world
        self._clock = clock
        self.ours: Ours | None = None
        self.theirs_since = 0
        """When a person last put something on, or carried it elsewhere."""
        self.looked_at = 0
        """When the gateway was last told what plays, as of then."""
        self.volume_by_hand_at = 0
        self.volume_ignored_at = 0
        """When Spotify last said yes to a volume and did nothing."""
        self.closed_until = 0
        """No request is welcome before."""
        self.closed_at = 0
        self.disturbed_at = 0
        """When a request last came to nothing, or could not be made."""

    def scene(self) -> Scene:
        """What plays now."""
        player = self._world.player()
        is_playing = player.is_playing or player.is_starting
        is_ours = self.ours is not None and is_playing and player.active is self.ours.device
        return Scene(player.active, is_playing, is_ours, player.asked_by.kind, player.since_ms)

    def ours_plays(self) -> Ours | None:
        """Our music, if it is what is heard now, where we started it."""
        return self.ours if self.scene().is_ours else None

    def obeyed(self, request: Request, before: Scene, command: PlayerCommand | None) -> None:
        """A request of ours has been carried out."""
        after = self.scene()
        if request.method == "GET" and request.path == LOOK:
            self.looked_at = self._clock.at
        elif request.path == PLAY and after.is_news_of("app", self._clock) and after.device is not None:
            self.ours = Ours(command, after.device, self._clock.at)
        elif self.ours is not None and before.is_ours and after.device is not None:
            self.ours = replace(self.ours, device=after.device)

    def ignored(self, request: Request, answer: Answer | None) -> None:
        """A request of ours has not been carried out."""
        if request.path == VOLUME and answer is not None and answer.status < HTTPStatus.MULTIPLE_CHOICES:
            self.volume_ignored_at = self._clock.at

    def answered(self, answer: Answer) -> None:
        """An answer has arrived at the gateway."""
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS and "retry-after" in answer.headers:
            until = self._clock.at + int(answer.headers["retry-after"]) * SECOND
            if until > self.closed_until:
                self.closed_at, self.closed_until = self._clock.at, until
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self.disturb()

    def disturb(self) -> None:
        """Something has kept the gateway from what it wanted."""
        self.disturbed_at = self._clock.at

    def person_played(self) -> None:
        """A person has put something else on."""
        self.ours = None
        self.theirs_since = self._clock.at

    def person_resumed(self, device: Device) -> None:
        """A person has pressed play: ours goes on for that person, where it was, or elsewhere until it comes back."""
        if self.ours is not None:
            self.ours = replace(self.ours, is_let_go=True)
        if self.ours is None or self.ours.device is not device:
            self.theirs_since = self._clock.at

    def forget(self, *, music: bool, closure: bool) -> None:
        """The gateway has died before it wrote down what it had started, or was told: nobody knows it now."""
        if music and self.ours is not None:
            self.ours = replace(self.ours, is_let_go=True)
        if closure:
            self.closed_until = 0

    def person_turned_volume(self) -> None:
        """A person has turned a knob."""
        self.volume_by_hand_at = self._clock.at
