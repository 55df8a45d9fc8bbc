"""The gateway's memory card: what is written on it, and what a power cut takes."""

import random
from collections.abc import Callable

from spotty_gateway.account_memory import AccountMemory, decode, encode
from spotty_gateway.engine.account import claims_of
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.engine.state import House
from spotty_gateway.ports import DecisionRow, EdgeRow

from .agenda import Agenda


class Disk:
    """A Store whose writes take their time. What waits for its turn is lost with the process."""

    def __init__(self, agenda: Agenda, rng: random.Random) -> None:
        """An empty card."""
        self._agenda = agenda
        self._rng = rng
        self._waiting: tuple[House, str] | None = None
        self._writing: tuple[House, str] | None = None
        self._life = 0
        self._memory: AccountMemory | None = None
        self._account: bytes | None = None
        self.written: tuple[House, str] | None = None
        """The snapshot, and the boot that it was written in."""
        self.on_decision: Callable[[DecisionRow], None] = lambda _: None

    def save(self, house: House, boot_id: str) -> None:
        """Write the snapshot soon; a newer one replaces one that still waits."""
        self._waiting = (house, boot_id)
        if self._writing is None:
            self._write()

    def save_at_once(self, house: House, boot_id: str) -> None:
        """The last thing that a component does before it ends."""
        self._account_done(self._life)
        self.lose_unwritten()
        self.written = (house, boot_id)

    def flush(self, within_us: int) -> None:
        """Wait until everything is written, but no longer than that."""
        until = self._agenda.clock.at + within_us
        self._agenda.pass_until(until, lambda: self._writing is None)

    def load_account(self) -> bytes | None:
        """What is on the card about the account."""
        return self._account

    def save_account(self, memory: AccountMemory, *, urgent: bool) -> None:
        """Write it with the next snapshot, or soon if it is urgent."""
        self._memory = memory
        if urgent:
            life = self._life
            self._agenda.after(self._rng.randrange(3_000, 60_000), lambda: self._account_done(life))

    def knows_music_on(self, device_name: str) -> bool:
        """Whether it stands on the card that music on this device is ours."""
        rooms = self.written[0].rooms.values() if self.written is not None else ()
        return any(claim.device.name == device_name for room in rooms for claim in claims_of(room))

    @property
    def knows_closure(self) -> bool:
        """Whether it stands on the card that Spotify wants no request for a while."""
        return self._account is not None and bool(decode(self._account).guard.closures)

    def lose_unwritten(self) -> None:
        """The process has ended: what was not on the card never will be."""
        self._life += 1
        self._waiting = self._writing = self._memory = None

    def note_edge(self, edge: EdgeRow) -> None:
        """Nobody reads the ring of this card."""

    def note_decision(self, decision: DecisionRow) -> None:
        """The ledger is read by whoever keeps the promises."""
        self.on_decision(decision)

    def _write(self) -> None:
        self._writing, self._waiting = self._waiting, None
        slow = self._rng.random() < 0.01  # noqa: PLR2004 - memory cards pause now and then
        life = self._life
        self._agenda.after(
            self._rng.randrange(SECOND, 3 * SECOND) if slow else self._rng.randrange(3_000, 60_000),
            lambda: self._done(life),
        )

    def _done(self, life: int) -> None:
        if life != self._life:
            return
        self.written, self._writing = self._writing, None
        self._account_done(life)
        if self._waiting is not None:
            self._write()

    def _account_done(self, life: int) -> None:
        if life == self._life and self._memory is not None:
            self._account, self._memory = encode(self._memory), None
