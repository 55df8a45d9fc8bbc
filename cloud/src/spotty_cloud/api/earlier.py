"""The names that settings had in the earlier product, as a patch of today's policy."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, JsonValue

from spotty_cloud.errors import UnfitError
from spotty_contract.policy import EndTime, StartTime, Weekday
from spotty_contract.wire import Wire


class EarlierQuietHours(Wire):
    """One window of quiet hours; it replaces all that there are."""

    start_time: StartTime
    end_time: EndTime
    days: tuple[Weekday, ...] = Field(default=(), strict=False, max_length=7)


def policy_patch(
    policy: Mapping[str, JsonValue],
    devices: Sequence[Mapping[str, Any]],
    *,
    hold_off_min: float | None,
    vacancy_delay_min: float | None,
    device_id: str | None,
    context_uri: str | None,
    quiet_hours: EarlierQuietHours | None,
) -> dict[str, JsonValue]:
    """Both forms in one. Raises UnfitError where both say the same thing."""
    settings: list[tuple[str, str, JsonValue]] = []
    if hold_off_min is not None:
        settings.append(("motionDebounceMinutes", "holdOffS", hold_off_min * 60))
    if vacancy_delay_min is not None:
        settings.append(("timeoutMinutes", "vacancyDelayS", vacancy_delay_min * 60))
    if quiet_hours is not None:
        window: dict[str, JsonValue] = {"start": quiet_hours.start_time, "end": quiet_hours.end_time}
        settings.append(("quietHours", "quietHours", [{**window, "days": list(quiet_hours.days)}]))
    playing: list[tuple[str, str, JsonValue]] = []
    if device_id is not None:
        playing.append(("spotifyDeviceId", "device", _device(device_id, devices)))
    if context_uri is not None:
        playing.append(("playlistUri", "contextUri", context_uri))
    playback = policy.get("playback")
    patch = _with_earlier(policy, settings, "policy")
    if playing:
        inner = _with_earlier(playback if isinstance(playback, dict) else {}, playing, "policy.playback")
        patch["playback"] = inner
    return patch


def _with_earlier(
    given: Mapping[str, JsonValue], settings: Sequence[tuple[str, str, JsonValue]], where: str
) -> dict[str, JsonValue]:
    """`given` and the settings by their present names."""
    for earlier, name, _ in settings:
        if name in given:
            message = f"{earlier} and {where}.{name} are two ways to say one thing; keep one"
            raise UnfitError(message, [{"field": earlier, "value": None, "bound": message}])
    return {**given, **{name: value for _, name, value in settings}}


def _device(device_id: str, devices: Sequence[Mapping[str, Any]]) -> JsonValue:
    """A speaker's ids change, so a policy names it; the name is in the gateway's last list."""
    for device in devices:
        if device.get("id") == device_id:
            return {"name": device["name"], "type": device["type"], "id": device_id}
    message = (
        f"spotifyDeviceId: {device_id[:64]} is not among the gateway's speakers; ask for them anew with POST "
        "/spotify/devices, or give policy.playback.device with the speaker's name"
    )
    raise UnfitError(message, [{"field": "spotifyDeviceId", "value": device_id[:64], "bound": message}])
