"""A measured figure beside the floor it is held against, and how they are printed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` and `floor` in `unit`, measured in one run; `limit` is the largest ratio that is good (None: no goal)."""

    name: str
    value: float
    floor: float
    unit: str
    limit: float | None = None

    @property
    def ratio(self) -> float:
        """How many times the floor."""
        return self.value / self.floor

    @property
    def is_good(self) -> bool:
        """Whether the goal is reached, or there is none."""
        return self.limit is None or self.ratio <= self.limit


def percentile(ordered: Sequence[float], q: float) -> float:
    """The q-th percentile of ascending values."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * q / 100))]


def table(figures: Iterable[Figure]) -> str:
    """One line a figure."""
    lines = [f"{'':58}{'measured':>14}{'floor':>14}{'ratio':>8}  goal"]
    for one in figures:
        goal = "" if one.limit is None else f"at most {one.limit:g}x" + ("" if one.is_good else "  MISSED")
        lines.append(
            f"{one.name:58}{one.value:>10.3f} {one.unit:3}{one.floor:>10.3f} {one.unit:3}{one.ratio:>7.1f}x  {goal}"
        )
    return "\n".join(lines)
