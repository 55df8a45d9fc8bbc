"""What lite's nucleus has taken and its broker may not have: the last few messages, which die with the link.

A break into which no message of ours falls is not seen. Lite tells nobody of its link, and the policies' hourly `get`
cannot: that it is answered says that the link stands, not that it stood. An answer proves only what went out before it
on the same link, so it would have to follow every record, and double the messages of a day. What may be lost so is what
was on its way at the very instant; a status is said again in five minutes, a running session's record in one.
"""

from collections import deque

from spotty_gateway.ports import Fate, Outbox


class Unproven:
    """Says what becomes of records that were taken. Of so many messages, the last, nobody knows if they arrived."""

    def __init__(self, outbox: Outbox, at_most: int) -> None:
        self._outbox = outbox
        self._at_most = at_most
        self._messages: deque[tuple[int, ...]] = deque()
        self._sent_again: frozenset[int] = frozenset()
        """What was unproven at the last break: taken once more, it counts as arrived, or a link that is too slow for
        us would see the same messages for ever."""

    def taken(self, ids: tuple[int, ...]) -> None:
        """A message of these records was taken: it proves the oldest of those before it."""
        news = tuple(one for one in ids if one not in self._sent_again) if self._at_most else ()
        if len(news) < len(ids):
            self._outbox.settle([one for one in ids if one not in news], Fate.DONE)
        if news:
            self._outbox.settle(news, Fate.KEPT)
            self._messages.append(news)
            if len(self._messages) > self._at_most:
                self._outbox.settle(self._messages.popleft(), Fate.DONE)

    def broken(self) -> None:
        """The link has ended, or may have: what it had not delivered goes out again, before anything newer."""
        if self._messages:
            self._sent_again = frozenset(one for ids in self._messages for one in ids)
            self._messages.clear()
            self._outbox.send_again()
