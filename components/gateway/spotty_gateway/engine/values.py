"""Frozen records that are cheap to make.

A step makes five records for every motion, and Python's frozen dataclasses take five times as long to make as open ones
(measured: 790 ns against 157 ns for eight fields), because each field is set around the freeze. So the hottest records
are frozen where it costs nothing: mypy refuses an assignment to their fields, and the program runs them open. All other
records of the engine are frozen in both.
"""

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> Callable[[type], type]:
        """A frozen dataclass for the type checker; at run time one that does not spend time on it."""
        del frozen
        return dataclasses.dataclass(slots=slots)


__all__ = ["record"]
