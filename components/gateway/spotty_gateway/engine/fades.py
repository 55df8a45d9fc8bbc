"""Fades: a volume in a few steps, each a deadline. Pure functions; who owes what is decided elsewhere."""

from spotty_gateway.engine.events import Started
from spotty_gateway.engine.rules import Target
from spotty_gateway.engine.state import Playing, VolumeStep

FADE_STEPS = 6
"""Volume commands of one fade, at most (design §2: every one counts against the household's quota)."""


def fade_in(target: Target | None, outcome: Started, final_pct: int | None, at: int) -> tuple[VolumeStep, ...]:
    """The steps after the first, which the start itself made."""
    if target is None or not target.fade_in_us or outcome.adopted or not final_pct:
        return ()
    interval = target.fade_in_us // (FADE_STEPS - 1)
    return tuple(VolumeStep(at + k * interval, final_pct * (k + 1) // FADE_STEPS) for k in range(1, FADE_STEPS))


def fade_out(fade_out_us: int, from_pct: int, at: int) -> tuple[VolumeStep, ...]:
    """The steps down, the first at once. The last volume command of this fade puts the volume back after the pause."""
    interval = fade_out_us // (FADE_STEPS - 1)
    return tuple(
        VolumeStep(at + k * interval, from_pct * (FADE_STEPS - 1 - k) // FADE_STEPS) for k in range(FADE_STEPS - 1)
    )


def volume_now(playing: Playing) -> int | None:
    """The volume that has been asked for so far; None where the device has none."""
    if playing.volume_pct is None or not playing.fade:
        return playing.volume_pct
    return playing.volume_pct * (FADE_STEPS - len(playing.fade)) // FADE_STEPS


def take_due(fade: tuple[VolumeStep, ...], at: int) -> tuple[VolumeStep, tuple[VolumeStep, ...]]:
    """The step of a non-empty fade to make at `at`, and those after it. Steps that come too late are left out."""
    due = max(1, sum(step.at <= at for step in fade))
    return fade[due - 1], fade[due:]
