"""What the demo tells: steps with their seconds while it starts, then one line for each thing that happens."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

_WIDTH = 46


class Telling:
    """On standard output. Lines of others (the gateway's) come from other threads, once `opened`."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty()
        self._is_open = False
        self._began_s = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self._began_s

    @contextmanager
    def step(self, what: str) -> Iterator[list[str]]:
        """Say what is being done, and then how long it took; what is put into the list is told beside it."""
        notes: list[str] = []
        began_s = time.monotonic()
        sys.stdout.write(f"  {what} ")
        sys.stdout.flush()
        try:
            yield notes
        except BaseException:
            sys.stdout.write("\n")
            raise
        note = f"  {', '.join(notes)}" if notes else ""
        self.line(f"{'.' * (_WIDTH - len(what))} {time.monotonic() - began_s:5.1f} s{note}")

    def line(self, text: str = "") -> None:
        """As it is."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def happens(self, where: str, what: str) -> None:
        """One thing that happens, and where."""
        stamp = f"{datetime.now().astimezone():%H:%M:%S}"
        self.line(f"{f'{chr(27)}[2m{stamp}{chr(27)}[0m' if self._colour else stamp}  {where:8} {what}")

    def open(self) -> None:
        """From now on what others say is told too."""
        self._is_open = True

    def close(self) -> None:
        """From now on it is not: what ends says so."""
        self._is_open = False

    def hear(self, line: str) -> None:
        """What the nucleus or its component has printed: `[who] line`."""
        who, _, said = line.partition("] ")
        if self._is_open and said:
            with suppress(OSError):  # not its business that nobody reads any more
                self.happens("nucleus" if who == "[nucleus" else "gateway", said)
