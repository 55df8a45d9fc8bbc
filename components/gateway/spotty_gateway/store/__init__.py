"""All that the gateway writes down: the only SQLite, two files, one thread that writes.

Why SQLite: a write is all there or not at all after a kill or a power cut, another process can read while we write, and
Python brings it along. A file replaced by rename would do for the snapshot, but not for half a million rows, nor for
an outbox whose rows must become durable together with the state they came from.

Why two files: they want opposite things. `state.db` (synchronous=FULL) holds what must be true after a power cut and
pays a sync for every transaction. `history.db` (NORMAL) holds what is good to know: a power cut may cost it its last
minutes, never its consistency, and so it needs hardly any syncs. Neither's trouble (damage, size, a lock) is the
other's.

Why one thread: a disk can stall for seconds, an SD card more often than not. So no other thread ever touches it; the
calls append to memory under a lock that is never held while the disk is busy. One writer also means that our own
connections never wait for each other. It sleeps without a timeout while nothing waits.

What it costs an SD card (measured; eight rooms, somebody always in one of them): a snapshot is one page of 4 KiB and
one fdatasync, so an active hour costs some 130 of them (120 for evidence, every 30 s, the rest for starts and ends);
every 1,000 add a checkpoint of three more. The history takes 2 to 3 pages for a batch every 10 s, at most 3.5 MB an
hour, and one such checkpoint. A record for the outbox is three pages and one sync, which a snapshot may share; taking
it out again waits ten seconds for company. An hour in which nothing moves costs nothing but the gateway's status.
"""

from spotty_gateway.store.checking import AccountUnreadableError, account_in, unsound
from spotty_gateway.store.history import Limits
from spotty_gateway.store.outbox import Outbox
from spotty_gateway.store.outbox_layout import OutboxLimits
from spotty_gateway.store.reading import HistoryError, is_history, last_decisions, read_edges, sensors_of
from spotty_gateway.store.state import Saved
from spotty_gateway.store.writer import Store, Timing

__all__ = [
    "AccountUnreadableError",
    "HistoryError",
    "Limits",
    "Outbox",
    "OutboxLimits",
    "Saved",
    "Store",
    "Timing",
    "account_in",
    "is_history",
    "last_decisions",
    "read_edges",
    "sensors_of",
    "unsound",
]
