"""What the cloud may ask of a room: the same as a person at the wall may, and a trial of its speaker.

Each deed becomes an event of the engine, which alone decides; what is told is read from the steps that follow.
"""

from collections.abc import Callable, Sequence

from spotty_contract.commands import Pause, Resume, Snooze, TestPlay, Volume
from spotty_contract.policy import Policy
from spotty_gateway.engine.by_hand import next_morning
from spotty_gateway.engine.commands import Effect, MusicDecided
from spotty_gateway.engine.events import PauseAsked, ResumeAsked, SnoozeAsked, TrialAsked, VolumeAsked
from spotty_gateway.engine.quiet_hours import to_local
from spotty_gateway.engine.rules import SECOND, Rules
from spotty_gateway.engine.state import Hold, House, Muted, Playing, Room, Silent, Starting
from spotty_gateway.engine.trials import FAILED as TRIAL_FAILED
from spotty_gateway.engine.trials import REFUSED, STARTED
from spotty_gateway.lookout import Lookout
from spotty_gateway.residents import Resident
from spotty_gateway.rules_of import rules_of
from spotty_gateway.upshot import Upshot, done, failed, refused
from spotty_gateway.words import WHY_NOT, WHY_SILENT

RoomCommand = Pause | Resume | Snooze | Volume | TestPlay

DECIDED_WITHIN_S = 5.0
"""The loop's own time, and some."""
PLAYED_WITHIN_S = 45.0
"""A command of Spotify's takes 20 s at most, and another room's may be under way."""

MS_US = 1_000
LONGEST_SNOOZE_US = 366 * 86_400 * SECOND
"""Beyond the year 9999 there are no dates to show."""

WHY = {
    **WHY_SILENT,
    **WHY_NOT,
    "already_playing": "music plays there already",
    "superseded": "somebody came in, and their music came first",
}
BUSY = failed("no_answer", "the gateway is busy: look at the room's status, and try again")
NO_ANSWER = failed("no_answer", "Spotify has not answered in time: look at the room's status in a moment")


class RoomDeeds:
    """Carries out commands for rooms; each call waits for what comes of it."""

    def __init__(self, now: Callable[[], tuple[int, int, bool]], lookout: Lookout) -> None:
        """`now` is an instant as events have it."""
        self._now = now
        self._lookout = lookout

    def do(self, command: RoomCommand, resident: Resident, timezone: str) -> Upshot:
        """Do it; `timezone` is the gateway's."""
        match command:
            case Pause():
                return self._pause(resident)
            case Resume():
                return self._resume(resident)
            case Snooze():
                return self._snooze(command, resident)
            case Volume():
                return self._volume(command, resident)
            case TestPlay():
                return self._try(command, resident, timezone)

    def _pause(self, resident: Resident) -> Upshot:
        sensor_id = resident.wiring.id

        def look(house: House, _: Sequence[Effect]) -> Upshot:
            room = house.rooms.get(sensor_id)
            if room is None or room.session is None:
                return done("nobody is there; the next motion brings music again")
            return done("silent for the rest of this session")

        return self._lookout.after(PauseAsked(*self._now(), sensor_id), look, DECIDED_WITHIN_S) or BUSY

    def _resume(self, resident: Resident) -> Upshot:
        sensor_id = resident.wiring.id

        def look(house: House, _: Sequence[Effect]) -> Upshot | None:
            room = house.rooms.get(sensor_id)
            if room is None or room.session is None:
                return done("nobody is there; the next motion brings music")
            match room.music.playback:
                case Playing():
                    return done("music plays")
                case Starting():
                    return None
                case Silent(reason=reason):
                    return failed(reason, f"no music for now: {WHY.get(reason, reason)}")
                case Muted():
                    return failed("manual_stop", "it has been stopped again")
                case _:
                    return done("music comes with the next motion")

        return self._lookout.after(ResumeAsked(*self._now(), sensor_id), look, PLAYED_WITHIN_S) or NO_ANSWER

    def _snooze(self, command: Snooze, resident: Resident) -> Upshot:
        sensor_id, zone = resident.wiring.id, resident.rules.zone
        mono, wall, trusted = self._now()
        if command.until is not None:
            until = command.until * MS_US
        elif command.for_s is not None:
            until = wall + round(command.for_s * SECOND)
        else:
            until = next_morning(wall, zone)
        if until <= wall:
            return refused("past", "that instant is over already")
        if until > wall + LONGEST_SNOOZE_US:
            return refused("too_long", "that is more than a year: switch the room off instead")

        def look(house: House, _: Sequence[Effect]) -> Upshot:
            room = house.rooms.get(sensor_id)
            if room is None or room.snoozed_until != until:
                return failed("not_snoozed", "it was lifted or changed at the same moment")
            return done(f"no music before {to_local(until, zone).isoformat(timespec='minutes')}")

        return self._lookout.after(SnoozeAsked(mono, wall, trusted, sensor_id, until), look, DECIDED_WITHIN_S) or BUSY

    def _volume(self, command: Volume, resident: Resident) -> Upshot:
        sensor_id = resident.wiring.id

        def look(house: House, _: Sequence[Effect]) -> Upshot | None:
            owner = _owner(house, sensor_id)
            playing = None if owner is None else owner.music.playback
            if owner is None or not isinstance(playing, Playing):
                return refused("not_playing", "no music of ours plays there")
            if playing.volume_pct is None:
                return refused("device_refuses", f"the volume of {playing.claim.device.name} cannot be set by apps")
            if owner.music.owed_volume is not None:
                return None
            is_capped = playing.volume_pct < command.volume_pct
            return done(f"{playing.volume_pct} %{', the most that the settings allow' if is_capped else ''}")

        asked = VolumeAsked(*self._now(), sensor_id, command.volume_pct)
        return self._lookout.after(asked, look, PLAYED_WITHIN_S) or NO_ANSWER

    def _try(self, command: TestPlay, resident: Resident, timezone: str) -> Upshot:
        sensor_id = resident.wiring.id
        target = _rules_for(command, resident.policy, timezone).target
        if target is None:
            return refused("no_target", WHY["no_target"])

        def look(_: House, effects: Sequence[Effect]) -> Upshot | None:
            told = {one.action: one for one in effects if isinstance(one, MusicDecided) and one.sensor_id == sensor_id}
            if STARTED in told:
                return done(f"{target.device.name} plays for {command.for_s:g} s")
            if (no := told.get(REFUSED)) is not None:
                return refused(no.reason, WHY.get(no.reason, no.reason))
            if (no := told.get(TRIAL_FAILED)) is not None:
                return failed(no.reason, no.detail or WHY.get(no.reason, no.reason))
            return None

        asked = TrialAsked(*self._now(), sensor_id, target, round(command.for_s * SECOND))
        return self._lookout.after(asked, look, PLAYED_WITHIN_S) or NO_ANSWER


def _owner(house: House, sensor_id: str) -> Room | None:
    """The room that has started what is heard in this one, if we have."""
    room = house.rooms.get(sensor_id)
    playing = None if room is None else room.music.playback
    if room is None or not isinstance(playing, Playing) or playing.hold is Hold.THEIRS:
        return None
    if playing.hold is Hold.OURS:
        return room
    others = (one for other, one in house.rooms.items() if other != sensor_id)
    return next((one for one in others if _plays_on(one, playing)), None)


def _plays_on(room: Room, heard: Playing) -> bool:
    its = room.music.playback
    return isinstance(its, Playing) and its.hold is Hold.OURS and its.claim.device.is_same_as(heard.claim.device)


def _rules_for(command: TestPlay, policy: Policy, timezone: str) -> Rules:
    """The room's rules with what the command names instead."""
    named = {"device": command.device, "context_uri": command.context_uri, "volume_pct": command.volume_pct}
    given = {name: one for name, one in named.items() if one is not None}
    playback = policy.playback.model_copy(update=given)
    return rules_of(policy.model_copy(update={"playback": playback}), timezone)
