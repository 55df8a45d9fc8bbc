"""A gateway's life under a nucleus: configured by it, reported to it, and going on without it."""

import logging
import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from spotty_gateway.app import Gateway
from spotty_gateway.cli.foreground import (
    BAD_INPUT,
    STOP_SIGNALS,
    STOPPED_IN_HASTE,
    WAKE,
    GivingUp,
    gateway_of,
    log,
    system_goes_down,
)
from spotty_gateway.cloud_side import CloudAccess
from spotty_gateway.errors import CloudError
from spotty_gateway.local import LocalError
from spotty_gateway.nucleus import FIRST_WAIT_S, LONGEST_WAIT_S, Nucleus
from spotty_gateway.settings import BadSettingsError, changes, in_force, read_configuration, write_settings
from spotty_hardware import inputs

THING_NAME = "AWS_IOT_THING_NAME"
"""What a nucleus calls the gateway in every component's environment."""

START_ANEW = 3
LEAVES_AFTER_S = 20 * 60.0
"""Nucleus lite starts a component three times an hour, then never again: whoever ends sooner may be ended for good."""
LOOKS_EVERY_S = 30.0
LAST_WORD_WITHIN_S = 0.3


def may_leave(up_s: float, *, is_vacant: bool) -> bool:
    """Whether the process may end to be started with a new token: while nobody has music, and not too often."""
    return is_vacant and up_s >= LEAVES_AFTER_S


class Component:
    """One run of the component, in the folder it is started in. SIGTERM ends it within five seconds, whatever hangs."""

    def __init__(self, socket: str, token: str, began_s: float, first_wait_s: float = FIRST_WAIT_S) -> None:
        """`began_s` on the monotonic clock is when the process did; `first_wait_s` comes before a second attempt.

        STOP_SIGNALS and WAKE must be held back already.
        """
        self._began_s = began_s
        self._folder = Path.cwd()
        self._first_wait_s = first_wait_s
        self._nucleus = Nucleus(socket, token, log.info, self._gone, first_wait_s)
        self._is_gone = False
        self._is_restarted = False
        self._giving_up = GivingUp()

    def live(self) -> int:
        """Run until told to stop, or until there is nothing else to do; the exit code."""
        with ExitStack() as undo:
            undo.callback(self._nucleus.close)
            found = self._configuration()
            if isinstance(found, int):
                return found
            try:
                gateway = self._gateway(found, undo)
            except (BadSettingsError, inputs.PinError, LocalError) as error:
                log.error("%s", error)
                self._nucleus.report(running=False, within_s=LAST_WORD_WITHIN_S)
                return BAD_INPUT
            gateway.start()
            self._nucleus.report(running=True)
            self._nucleus.watch_configuration(lambda changed: self._configured(gateway, changed))
            leaves = self._until_told(gateway)
            log.info("stopping")
            written = gateway.stop(system_goes_down=system_goes_down())
            if self._giving_up.asked:
                self._nucleus.report(running=False, within_s=LAST_WORD_WITHIN_S)
                return STOPPED_IN_HASTE
            return START_ANEW if leaves else 0 if written else STOPPED_IN_HASTE

    def _configuration(self) -> Mapping[str, Any] | int:
        """What the nucleus has for us, waited for until we may leave; an exit code where we are to end instead."""
        wait_s, is_connected = self._first_wait_s, False
        while True:
            try:
                if not is_connected:
                    self._nucleus.connect()
                    is_connected = True
                return self._nucleus.configuration()
            except CloudError as error:
                log.warning("%s; it is tried again in %g s", error, wait_s)
            if signal.sigtimedwait(STOP_SIGNALS, wait_s) is not None:
                return 0
            if may_leave(self._up_s(), is_vacant=True):
                return START_ANEW
            wait_s = min(LONGEST_WAIT_S, wait_s * 2)

    def _gateway(self, found: Mapping[str, Any], undo: ExitStack) -> Gateway:
        """Raises BadSettingsError, PinError or LocalError where it cannot be."""
        self._read, self._faults = read_configuration(found, self._folder)
        self._settings = self._read
        for fault in self._faults:
            log.warning("%s", fault)
        logging.getLogger().setLevel(self._settings.log_level.upper())
        factory = undo.enter_context(inputs.pin_factory(self._settings.pin_factory))
        kind, thing = self._nucleus.know(self._settings.nucleus), os.environ.get(THING_NAME, "")
        cloud = CloudAccess(thing, self._nucleus, kind, self._restart, self._up_s) if thing else None
        gateway = gateway_of(self._settings, lambda on_edge: inputs.PinInputs(factory, on_edge), self._giving_up, cloud)
        self._keep()
        log.info("under nucleus %s", kind)
        if not thing:
            log.warning("%s is not set: nothing goes to the cloud or comes from it", THING_NAME)
        return gateway

    def _restart(self) -> None:
        """Somebody has ordered it; on a thread of theirs."""
        self._is_restarted = True
        os.kill(os.getpid(), WAKE)

    def _configured(self, gateway: Gateway, found: Mapping[str, Any]) -> None:
        """The configuration as it is now; on the nucleus's thread, also once when watching begins."""
        new, faults = read_configuration(found, self._folder, self._read)
        for fault in faults:
            if fault not in self._faults:
                log.warning("%s", fault)
        self._faults = faults
        changed = changes(self._read, new)
        if not (changed.live or changed.needs_restart):
            return
        self._read = new
        self._keep()
        if changed.live:
            self._settings = in_force(self._settings, new)
            logging.getLogger().setLevel(self._settings.log_level.upper())
            gateway.apply(self._settings)
            log.info("changed and in force: %s", ", ".join(changed.live))
        if changed.needs_restart:
            log.warning("changed, in force when the component is started again: %s", ", ".join(changed.needs_restart))

    def _keep(self) -> None:
        try:
            write_settings(self._read)
        except OSError as error:
            log.warning("the settings are not kept for commands typed by hand: %s", error)

    def _gone(self) -> None:
        """On the nucleus's thread: this token will never be good again."""
        self._is_gone = True
        os.kill(os.getpid(), WAKE)

    def _until_told(self, gateway: Gateway) -> bool:
        """Wait until told to stop; True where we leave by ourselves, to be started anew."""
        signals = (*STOP_SIGNALS, WAKE)
        while True:
            if not self._is_gone:
                told = signal.sigwaitinfo(signals).si_signo
            else:
                patience_s = max(LOOKS_EVERY_S, LEAVES_AFTER_S - self._up_s())
                came = signal.sigtimedwait(signals, patience_s)
                told = WAKE if came is None else came.si_signo
            if told != WAKE:
                return False
            if self._is_restarted:
                log.info("leaving to be started anew, as it was ordered")
                return True
            if self._is_gone and may_leave(self._up_s(), is_vacant=gateway.is_vacant()):
                log.warning("leaving to be started with a new token")
                return True

    def _up_s(self) -> float:
        return time.monotonic() - self._began_s
