"""What a command does by itself while no gateway runs: with the folder's lock, behind the account's guard."""

import os
import pwd
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from spotty_gateway.account import Account
from spotty_gateway.account_memory import AccountMemory, AccountMemoryError, GuardState, decode
from spotty_gateway.clock import SystemClock
from spotty_gateway.engine.places import without_places
from spotty_gateway.engine.rules import SECOND
from spotty_gateway.guard import GuardView, Moment, Purpose, view
from spotty_gateway.local import FolderLock, LocalError
from spotty_gateway.residents import read_residents
from spotty_gateway.settings import Settings
from spotty_gateway.snapshot import SnapshotError
from spotty_gateway.snapshot import decode as decode_house
from spotty_gateway.spotify import SpotifyPlayer
from spotty_gateway.store import Store, account_in

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

PLAYER_WITHIN_S = 9.0
"""Less than a gateway waits for the folder."""


@contextmanager
def player_of(settings: Settings, purpose: str, complain: Callable[[str], None]) -> Iterator[SpotifyPlayer]:
    """The household's account. Every call passes its guard and is counted; `complain` is told of a disk's trouble.

    A gateway that is started meanwhile waits for us, and tells for which `purpose`: all calls together have only
    PLAYER_WITHIN_S. Raises LocalError where the folder is a running gateway's or somebody else's.
    """
    with ExitStack() as undo:
        undo.callback(_locked(settings.data_dir, purpose).release)
        clock = SystemClock(assume_trusted=settings.clock == "assume_trusted")
        store = Store(settings.data_dir, complain)
        guard = Account(clock, BOOT_ID.read_text().strip(), store, settings, complain).guard
        store.start()
        undo.callback(store.close)
        guard.serve(Purpose.MUSIC)
        player = SpotifyPlayer(
            settings.spotify_client_id,
            settings.tokens,
            settings.spotify_api_url,
            settings.spotify_accounts_url,
            lambda: (clock.mono() + clock.offset()) / SECOND,
            gate=guard,
        )
        undo.callback(player.close)
        player.within(PLAYER_WITHIN_S)
        yield player


def guard_of(settings: Settings) -> GuardView:
    """How the account's guard stands, by what the last gateway kept; nothing is changed.

    Raises AccountUnreadableError, AccountMemoryError.
    """
    clock, boot_id = SystemClock(assume_trusted=settings.clock == "assume_trusted"), BOOT_ID.read_text().strip()
    path = settings.data_dir / "state.db"
    kept = account_in(path) if path.exists() else None
    mono = clock.mono()
    state = GuardState(boot_id, mono) if kept is None else decode(kept).guard
    now = Moment(mono, mono + clock.offset(), clock.trusted())
    return view(state, boot_id, now, settings.spotify_calls_a_day)


def forget_on_disk(settings: Settings, complain: Callable[[str], None]) -> bool:
    """Forget the account's devices and where its playlists were left; False if that could not be written.

    What the guard knows stays: Spotify's waits and quotas are the app's, whoever is connected. Raises LocalError.
    """
    lock = _locked(settings.data_dir, "spotty logout")
    try:
        store = Store(settings.data_dir, complain)
        memory, saved = _memory(store), store.load()
        store.start()
        try:
            if memory is not None and memory.devices:
                store.save_account(replace(memory, devices=()), urgent=True)
            if saved is not None:
                rules = {one.wiring.id: one.rules for one in read_residents(settings.policies).sensors}
                house = decode_house(saved.data, rules)
                store.save(without_places(house), saved.boot_id)
        except SnapshotError as error:
            complain(f"the snapshot cannot be read ({error}); the gateway will not use it either")
        finally:
            written = store.close()
    finally:
        lock.release()
    return written


def owner_fault(folder: Path) -> str | None:
    """Who should do this instead of us: what root or another user writes there, the gateway could not read."""
    try:
        owner = folder.stat().st_uid
    except OSError as error:
        return f"{folder}: {error.strerror}; name the gateway's data folder"
    if owner != os.geteuid() and (os.geteuid() == 0 or not os.access(folder, os.W_OK)):
        return f"{folder} belongs to {name_of(owner)}: run this with sudo -u {name_of(owner)}"
    return None


def name_of(user: int) -> str:
    """A user's name, or number where it has none."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"#{user}"


def _locked(folder: Path, purpose: str) -> FolderLock:
    fault = owner_fault(folder)
    if fault is not None:
        raise LocalError(fault)
    return FolderLock(folder, purpose)


def _memory(store: Store) -> AccountMemory | None:
    found = store.load_account()
    try:
        return None if found is None else decode(found)
    except AccountMemoryError:  # as the gateway does: it begins anew
        return None
