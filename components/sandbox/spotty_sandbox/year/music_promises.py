"""What must hold whenever Spotify is asked for something, and while music plays. The first that does not is told."""

from collections.abc import Callable
from typing import Protocol

from spotty_gateway.engine.commands import PauseMusic, PlayerCommand, SessionFacts, StartMusic
from spotty_gateway.engine.events import Failed, Outcome
from spotty_gateway.engine.reasons import SilentReason
from spotty_gateway.engine.rules import SECOND, Target
from spotty_gateway.engine.state import Hold, House, Muted, Playing, Silent
from spotty_sandbox.spotify import Device, Request

from .agenda import Agenda
from .story import Story
from .trouble import DAY, HOUR
from .truth import Ours, Scene, Truth

LOOK_EVERY_US = 20 * SECOND
LEFT_PLAYING_US = 60 * SECOND
REFUSED_US = 900 * SECOND
ANSWERS_WITHIN_US = 25 * SECOND
"""A command's whole budget, and a little."""
CALLS_PER_DAY, CALLS_PER_SESSION = 300, 80
CALLS_PER_HOUR = 400
"""Also while Spotify is down: what is owed is tried every minute then."""
PLAYS_WITHIN_US = 15 * SECOND
LOWERED_WITHIN_US = 10 * SECOND
EXCUSES = (SilentReason.QUIET_HOURS, SilentReason.NO_TARGET, SilentReason.ACCOUNT_BUSY)


class Gateway(Protocol):
    """The component as far as promises are about it."""

    @property
    def house(self) -> House | None:
        """The state; None while there is nobody to act on it."""

    @property
    def hindrance(self) -> str:
        """What keeps it from acting, in a word (a closed guard, no consent, a time awaited); empty if nothing does."""

    @property
    def asked_at(self) -> int:
        """When the command under way was begun."""


class MusicPromises:
    """Told of every moment at which a promise about music could be broken. `gateway` is whoever lives now."""

    def __init__(self, agenda: Agenda, story: Story, truth: Truth) -> None:
        """`agenda` is asked for looks at what plays."""
        self._agenda = agenda
        self._clock = agenda.clock
        self._story = story
        self._truth = truth
        self.gateway: Gateway | None = None
        self.is_calm: Callable[[], bool] = lambda: False
        """Whether nothing goes wrong, nobody meddles, and that for more than a day."""
        self.is_down: Callable[[], bool] = lambda: False
        """Whether all that Spotify answers for a while is that it is down."""
        self._is_watching = False
        self._alone_since: int | None = None
        self._day = 0
        self._hour = 0
        self._calls = 0
        self._calls_this_hour = 0
        self._calls_allowed = CALLS_PER_DAY
        self._refused: dict[str, tuple[int, int]] = {}
        """Since when, and when last, a room's pause was refused."""

    # Told.

    def request_arrives(self, asked: Request) -> None:
        """At Spotify."""
        self._story.count("calls" if asked.path.startswith("/v1/") else "tokens renewed")
        self._nothing_is_asked_while_closed(asked)
        self._calls_are_few()

    def pause_arrives(self, asked: Request, scene: Scene, command: PlayerCommand | None) -> None:
        """A pause that is going to be obeyed if anything plays where it is aimed."""
        named = asked.query.get("device_id")
        if scene.is_playing and scene.device is not None and named in (None, scene.device.id):
            self._only_ours_is_paused(scene, command)

    def play_was_obeyed(self, command: PlayerCommand | None, before: Scene) -> None:
        """Our music has been put on."""
        self._story.count("music started")
        self._nobody_is_played_over(command, before)
        self._is_not_too_loud_at_first(command)
        self._agenda.after(60 * SECOND, self.look_at_volume)
        self.music_is_heard()

    def music_moved(self, command: PlayerCommand | None, before: Scene) -> None:
        """What was silent is heard, or what was heard is heard elsewhere, after a request of ours."""
        self._nobody_is_carried_off(command, before)
        self.music_is_heard()

    def music_is_heard(self) -> None:
        """Whoever has made it: from now on it is looked at."""
        if not self._is_watching:
            self._is_watching = True
            self._agenda.after(LOOK_EVERY_US, self._look_at_music)

    def session_began(self, facts: SessionFacts) -> None:
        """Somebody has come: a few more calls are in order, and in calm times music is."""
        self._calls_allowed += CALLS_PER_SESSION
        if self.is_calm():
            self._agenda.after(PLAYS_WITHIN_US, self._calm_visits_have_music(facts))

    def answered(self, command: PlayerCommand, outcome: Outcome, took_us: int) -> None:
        """A command has come to its end."""
        if isinstance(outcome, Failed) and outcome.detail.startswith("a fault in the gateway"):
            self._story.breaks("no error escapes", f"{_about(command)}: {outcome.detail}")
        if isinstance(command, PauseMusic):
            self._note_refusal(command.sensor_id, outcome)
        if took_us > ANSWERS_WITHIN_US:
            self._story.breaks("a command has its time", f"{_about(command)} took {took_us / SECOND:.1f} s")

    def _note_refusal(self, sensor_id: str, outcome: Outcome) -> None:
        if isinstance(outcome, Failed) and outcome.reason is SilentReason.DEVICE_REFUSES:
            since, _ = self._refused.get(sensor_id, (self._clock.at, 0))
            self._refused[sensor_id] = since, self._clock.at
        else:
            self._refused.pop(sensor_id, None)

    def _patience_us(self) -> int:
        """Who refuses a pause is asked again after as long as it has refused already, up to a quarter of an hour."""
        return min(REFUSED_US, max((at - since for since, at in self._refused.values()), default=0))

    # What must not happen.

    def _nothing_is_asked_while_closed(self, asked: Request) -> None:
        left_us = self._truth.closed_until - self._clock.at
        if left_us > 0:
            what = f"{asked.method} {asked.path}, {left_us / SECOND:.1f} s before Spotify's wait is over"
            self._story.breaks("never a call while the guard is closed", what)

    def _calls_are_few(self) -> None:
        now = self._clock.at
        if now // DAY != self._day:
            self._day, self._calls, self._calls_allowed = now // DAY, 0, CALLS_PER_DAY
        if now // HOUR != self._hour:
            self._hour, self._calls_this_hour = now // HOUR, 0
        self._calls += not self.is_down()
        self._calls_this_hour += 1
        if self._calls > self._calls_allowed or self._calls_this_hour > CALLS_PER_HOUR:
            what = f"{self._calls} today, {self._calls_this_hour} this hour"
            self._story.breaks("calls are bounded", what)

    def _only_ours_is_paused(self, scene: Scene, command: PlayerCommand | None) -> None:
        on = scene.device.name if scene.device is not None else ""
        by_policy = isinstance(command, PauseMusic) and command.even_if_taken_over and command.claim.device.name == on
        if not scene.is_ours and not by_policy:
            self._unless_unlucky("never paused what was not ours", f"{on} was paused by {_about(command)}", command)

    def _nobody_is_played_over(self, command: PlayerCommand | None, before: Scene) -> None:
        if before.is_playing and not before.is_ours:
            self._unless_unlucky("never plays over somebody else's music", _about(command), command)

    def _nobody_is_carried_off(self, command: PlayerCommand | None, before: Scene) -> None:
        if before.is_playing and not before.is_ours:
            self._unless_unlucky("never carries somebody's music elsewhere", _about(command), command)

    def _unless_unlucky(self, promise: str, what: str, command: PlayerCommand | None) -> None:
        """Some policies want it so, and nobody can know what a person has done since the last look."""
        if isinstance(command, StartMusic) and command.take_over:
            return
        asked_at = self.gateway.asked_at if self.gateway is not None else 0
        if self._truth.theirs_since > self._truth.looked_at >= asked_at:
            self._story.count("a person's hand came between look and deed")
        else:
            self._story.breaks(promise, what)

    def _is_not_too_loud_at_first(self, command: PlayerCommand | None) -> None:
        ours, asked_at = self._truth.ours, self.gateway.asked_at if self.gateway is not None else 0
        if ours is None or not isinstance(command, StartMusic) or self._truth.volume_by_hand_at >= asked_at:
            return
        if self._truth.volume_ignored_at < asked_at:
            self._is_under(ours.device, command.target, f"when {_about(command)} was obeyed")
        else:  # only the look after the first sound can tell that Spotify's yes was none
            self._agenda.after(LOWERED_WITHIN_US, self._loudness_is_mended(ours, command.target))

    def _loudness_is_mended(self, ours: Ours, target: Target) -> Callable[[], None]:
        def look() -> None:
            touched_at = max(self._truth.volume_by_hand_at, self._truth.disturbed_at)
            if self._truth.ours_plays() is ours and touched_at < ours.at and self._is_alive():
                self._is_under(ours.device, target, "although Spotify had said yes to less")

        return look

    def _is_alive(self) -> bool:
        return self.gateway is not None and self.gateway.house is not None and not self.gateway.hindrance

    def look_at_volume(self) -> None:
        """A minute after music began or a policy changed: nobody who could know better lets it be too loud."""
        ours, gateway = self._truth.ours_plays(), self.gateway
        minute_ago = self._clock.at - LEFT_PLAYING_US
        if ours is None or gateway is None or gateway.house is None or gateway.hindrance:
            return
        if max(self._truth.disturbed_at, ours.at - SECOND) > minute_ago:
            return
        if self._truth.volume_by_hand_at > ours.at:  # nobody polls, and who turns it up while it plays wants it so
            return
        for room in gateway.house.rooms.values():
            playback, target = room.music.playback, room.rules.target
            if not isinstance(playback, Playing) or playback.hold is not Hold.OURS or target is None:
                continue
            if playback.claim.device.name == ours.device.name:
                self._is_under(ours.device, target, "a minute later")

    def _is_under(self, device: Device, target: Target, when: str) -> None:
        if device.supports_volume and device.volume_pct is not None and device.volume_pct > target.volume_cap_pct:
            what = f"{device.name} was at {device.volume_pct} % {when}, allowed are {target.volume_cap_pct} %"
            self._story.breaks("never above the cap", what)

    def _calm_visits_have_music(self, facts: SessionFacts) -> Callable[[], None]:
        """Once everything is well again, who comes in hears music, unless the policy or another room is against it."""

        def look() -> None:
            house = self.gateway.house if self.gateway is not None else None
            room = house.rooms.get(facts.sensor_id) if house is not None else None
            if house is None or room is None or room.session is None or room.session.id != facts.session_id:
                return  # it is over already
            others = [one for one in house.rooms.values() if one is not room and one.session is not None]
            against = isinstance(room.music.playback, Silent) and room.music.playback.reason in EXCUSES
            ours = self._truth.ours  # perhaps at its end already, where it was to go on from a record's last song
            has_ended = room.session.music_after_us is not None and self._truth.scene().changed_by == "spotify"
            has_played = has_ended or (ours is not None and ours.at >= facts.start_at)
            if others or against or room.session.target is None or has_played or self._truth.scene().is_ours:
                self._story.count("calm: with music" if has_played else "calm: not wanted or not alone")
                return
            self._story.breaks("after faults end, the next visit plays", f"{facts.session_id}: {room.music}")

        return look

    def _is_to_be_stopped(self, ours: Ours, house: House) -> bool:
        """Whether the gateway could stop this music now, and should: it plays for nobody."""
        if ours.is_let_go or ours.device.is_restricted or _is_wanted_on(house, ours.device):
            return False
        return self.gateway is None or not self.gateway.hindrance

    def _look_at_music(self) -> None:
        """Every few seconds while music is heard: ours does not go on for nobody."""
        scene, ours = self._truth.scene(), self._truth.ours_plays()
        self._is_watching = scene.is_playing
        if scene.is_playing:
            self._agenda.after(LOOK_EVERY_US, self._look_at_music)
        house = self.gateway.house if self.gateway is not None else None
        if ours is None or house is None or not self._is_to_be_stopped(ours, house):
            self._alone_since = None
        else:
            self._alone_since = max(self._alone_since or self._clock.at, self._truth.disturbed_at)
            alone_us = self._clock.at - self._alone_since
            if alone_us > LEFT_PLAYING_US + self._patience_us() + _longest_fade_us(house) + ANSWERS_WITHIN_US:
                what = f"{ours.device.name} has played for {alone_us / SECOND:.0f} s after its session"
                self._story.breaks("ours never plays on for nobody", what)


def _is_wanted_on(house: House, device: Device) -> bool:
    """Whether somebody is there for whom this speaker may play."""
    return any(
        room.session is not None
        and room.session.target is not None
        and room.session.target.device.name == device.name
        and not isinstance(room.music.playback, Muted)
        for room in house.rooms.values()
    )


def _longest_fade_us(house: House) -> int:
    targets = [room.rules.target for room in house.rooms.values()]
    return max((target.fade_out_us for target in targets if target is not None), default=0)


def _about(command: PlayerCommand | None) -> str:
    return (
        "nothing under way" if command is None else f"{type(command).__name__} {command.token} of {command.sensor_id}"
    )
