"""How often an owner has entered a code that no gateway shows: after five times they wait."""

from collections.abc import Callable
from dataclasses import dataclass

from spotty_cloud.errors import TooManyTriesError, UnavailableError
from spotty_cloud.tables import Change, Item, StaleError, Table, apply
from spotty_contract.registering import CLAIM_LASTS_S

MOST_WRONG = 5
LOCKED_MS = CLAIM_LASTS_S * 1000
"""As long as a code lives: whoever guesses meets other codes afterwards."""
_MOST_TRIES = 4


@dataclass(frozen=True, slots=True)
class WrongCodes:
    """The counts, in the table of claims.

    A try is counted before its code is looked up, and given back if it is good: many at once are no way around it, and
    neither is a code of one's own between the guesses.
    """

    table: Table
    now_ms: Callable[[], int]

    def count(self, user_id: str) -> None:
        """One more. Raises TooManyTriesError where this is one too many."""
        for _ in range(_MOST_TRIES):
            found, now_ms = self._found(user_id), self.now_ms()
            wrong = found.get("wrong", 0) if found.get("lockedUntil", 0) > now_ms else 0
            if wrong >= MOST_WRONG:
                left_s = -(-(found["lockedUntil"] - now_ms) // 1000)
                raise TooManyTriesError(f"too many wrong codes; try again in {left_s} s", {"retryAfterS": left_s})
            if self._set(user_id, found, wrong + 1, now_ms + LOCKED_MS):
                return
        raise UnavailableError("many codes are being entered at once; try again")

    def give_back(self, user_id: str) -> None:
        """The code was good."""
        for _ in range(_MOST_TRIES):
            found = self._found(user_id)
            wrong = found.get("wrong", 0)
            if not wrong or self._set(user_id, found, wrong - 1, found["lockedUntil"]):
                return
        # One counted too many, for ten minutes: no reason to refuse a good code.

    def _found(self, user_id: str) -> Item:
        return self.table.get(_key(user_id)) or {}

    def _set(self, user_id: str, found: Item, wrong: int, until: int) -> bool:
        """Unless somebody else has counted meanwhile."""
        attributes = {"wrong": wrong, "lockedUntil": until, "ttl": until // 1000 + 1}
        expected = {name: found.get(name) for name in ("wrong", "lockedUntil")}
        try:
            apply(Change(self.table, _key(user_id), attributes, expected))
        except StaleError:
            return False
        return True


def _key(user_id: str) -> str:
    """No claim's id: those have no such sign."""
    return f"tries#{user_id}"
