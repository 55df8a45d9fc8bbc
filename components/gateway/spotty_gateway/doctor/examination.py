"""All checks on one gateway, at once and within a time: each finds something, whatever happens to it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTimeError
from threading import Thread

from spotty_gateway.doctor.finding import Finding, fault

Check = Callable[[], Sequence[Finding]]


def examine(
    checks: Mapping[str, Check], within_s: float, about_to: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Run them side by side; findings come in the order of `checks`. `about_to` is told whose turn it is to be told.

    A check that fails is a finding, and so is one that takes longer than `within_s`: it is left behind.
    """
    until_s = time.monotonic() + within_s
    begun = {name: _begun(check) for name, check in checks.items()}
    for name, future in begun.items():
        about_to(name)
        try:
            yield from future.result(max(0.0, until_s - time.monotonic()))
        except NotInTimeError:
            yield fault(name, f"nothing was found out in {within_s:.0f} s", "run this again; check the network")
        except Exception as error:  # noqa: BLE001 - a doctor who falls ill must not keep the other findings
            yield fault(name, f"this check failed itself: {type(error).__name__}", "please report this line")


def _begun(check: Check) -> "Future[Sequence[Finding]]":
    """A thread of its own: what hangs in the system cannot be called back, and must not keep the others."""
    future: Future[Sequence[Finding]] = Future()

    def run() -> None:
        try:
            future.set_result(check())
        except Exception as error:  # noqa: BLE001 - handed over to whoever waits
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
