"""Policy (what people wrote) to Rules (what the engine runs on). The only translation between the two."""

from datetime import tzinfo
from zoneinfo import ZoneInfo

from spotty_contract.policy import Policy, Window
from spotty_gateway.engine import rules
from spotty_gateway.engine.rules import SECOND, Device, Repeat, Rules, Target

EVERY_DAY = frozenset(range(7))


def rules_of(policy: Policy, gateway_zone: str = "UTC", version: int = 0) -> Rules:
    """The engine's rules for `policy`; a policy without a zone lives in the gateway's."""
    zone: tzinfo = ZoneInfo(policy.timezone or gateway_zone)
    return Rules(
        enabled=policy.enabled,
        hold_off_us=_us(policy.effective_hold_off_s),
        vacancy_delay_us=_us(policy.vacancy_delay_s),
        confirm_us=_us(policy.confirm_s),
        cooldown_us=_us(policy.cooldown_s),
        max_session_us=_us(policy.max_session_s),
        stuck_after_us=_us(policy.stuck_after_s),
        warm_up_us=_us(policy.warm_up_s),
        start_retry_us=_us(policy.start_retry_s),
        zone=zone,
        quiet_windows=tuple(_window(window) for window in policy.quiet_hours),
        quiet_grace_us=_us(policy.quiet_grace_s),
        schedule=tuple(
            rules.ScheduleEntry(_window(entry), entry.context_uri, entry.volume_pct) for entry in policy.schedule
        ),
        target=_target(policy),
        version=version,
    )


def _us(seconds: float) -> int:
    return round(seconds * SECOND)


def _minute(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _window(window: Window) -> rules.Window:
    return rules.Window(frozenset(window.days) or EVERY_DAY, _minute(window.start), _minute(window.end))


def _target(policy: Policy) -> Target | None:
    """What plays; None where device or context is missing: then sessions are decided and no music is asked for."""
    playback = policy.playback
    if playback.device is None or playback.context_uri is None:
        return None
    return Target(
        device=Device(playback.device.name, playback.device.type, playback.device.id),
        context_uri=playback.context_uri,
        shuffle=playback.shuffle,
        repeat=Repeat(playback.repeat),
        volume_pct=playback.volume_pct,
        volume_cap_pct=playback.volume_cap_pct,
        fade_in_us=_us(playback.fade_in_s),
        fade_out_us=_us(playback.fade_out_s),
        resume_where_left=playback.resume == "where_left",
        transfer_if_elsewhere=playback.if_playing_elsewhere == "transfer",
        transfer_if_busy=playback.if_account_busy == "transfer",
        pause_if_taken_over=playback.on_taken_over == "pause",
    )
