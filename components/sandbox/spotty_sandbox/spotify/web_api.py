"""The Web API: which request does what. Requests in, answers out; the world in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from . import errors
from .errors import SpotifyError
from .messages import NO_CONTENT, Answer, Request, error_answer, json_answer
from .parameters import choice, integer, page, play_request
from .player import Asker

if TYPE_CHECKING:
    from collections.abc import Callable

    from .accounts import Access
    from .answers import Shapes
    from .catalogue import Context
    from .commands import Remote
    from .deck import Repeat
    from .messages import Json
    from .world import Account, SpotifyWorld

PREFIX = "/v1/"

READ = ("user-read-playback-state",)
READ_TRACK = ("user-read-currently-playing", "user-read-playback-state")
MODIFY = ("user-modify-playback-state",)


@dataclass(frozen=True, slots=True)
class Call:
    """One authorised request in hand: who asks, on whose account."""

    world: SpotifyWorld
    shapes: Shapes
    request: Request
    account: Account
    remote: Remote

    @property
    def device_id(self) -> str | None:
        """The device that the query names, if any."""
        return self.request.query.get("device_id") or None


def answer(world: SpotifyWorld, shapes: Shapes, request: Request) -> Answer:
    """Answer one request under /v1/. Never raises: every refusal is an answer in Spotify's shape."""
    try:
        access = _authorised(world, request)
        act, scopes = _route(request)
        granted = access.consent.scope.split()
        if scopes and not any(scope in granted for scope in scopes):
            raise SpotifyError(403, "Insufficient client scope")  # noqa: TRY301 - one exit for all refusals
        account = world.accounts[access.consent.account_id]
        account.player.settle()
        remote = world.remote(asker_of(world, access, request), account.id)
        call = Call(world, shapes, request, account, remote)
        return _echoed(call, act) if scopes is MODIFY else act(call)
    except SpotifyError as error:
        refused = error_answer(error)
        if error.status != 401:  # noqa: PLR2004 - the one status that carries a challenge
            return refused
        return Answer(401, refused.body, {**refused.headers, "www-authenticate": 'Bearer realm="spotify"'})


def asker_of(world: SpotifyWorld, access: Access, request: Request) -> Asker:
    """The app behind an access token."""
    client_id = access.consent.client_id
    return Asker("app", world.auth.app_name(client_id), client_id, request.user_agent)


def _authorised(world: SpotifyWorld, request: Request) -> Access:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if not kind:
        raise SpotifyError(401, "No token provided")
    if kind.lower() != "bearer":
        raise errors.bad_request("Only valid bearer authentication supported")
    access = world.auth.access(token.strip())
    if access is None or access.consent.account_id not in world.accounts:
        raise SpotifyError(401, "Invalid access token")
    if world.clock.now_ms() >= access.expires_ms:
        raise SpotifyError(401, "The access token expired")
    return access


# What Spotify still tells after a command.


def _echoed(call: Call, act: Callable[[Call], Answer]) -> Answer:
    """Act; where a device's state is reported late, looks are answered for a while with what was before."""
    player = call.account.player
    if not any(device.report_lag_ms for device in player.devices):
        return act(call)
    before = player.active
    looks = {f"{PREFIX}{path}": look(call) for path, look in _LOOKS.items()}
    done = act(call)
    lag_ms = max(device.report_lag_ms for device in (before, player.active) if device) if before or player.active else 0
    if lag_ms:
        player.echoes.append((call.world.clock.now_ms() + lag_ms, looks))
    return done


def _late(call: Call) -> Answer | None:
    """The answer of before the last commands, while it is still given."""
    echoes = call.account.player.echoes
    now_ms = call.world.clock.now_ms()
    while echoes and echoes[0][0] <= now_ms:
        del echoes[0]
    return echoes[0][1].get(call.request.path) if echoes else None


# The player.


def _look(call: Call) -> Answer:
    player = call.account.player
    return json_answer(call.shapes.playback(player, player.active)) if player.active else NO_CONTENT


def _look_at_track(call: Call) -> Answer:
    player = call.account.player
    return json_answer(call.shapes.currently_playing(player)) if player.active else NO_CONTENT


def _devices(call: Call) -> Answer:
    return json_answer(call.shapes.devices(call.account.player))


def _now_or_late(call: Call) -> Answer:
    late = _late(call) if call.account.player.echoes else None
    return late or _LOOKS[call.request.path.removeprefix(PREFIX).strip("/")](call)


def _transfer(call: Call) -> Answer:
    body = call.request.json()
    wanted = body.get("device_ids")
    if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
        raise errors.bad_request("Required field device_ids missing")
    if len(wanted) != 1:
        raise errors.bad_request("Only one device_id is currently supported")
    call.remote.transfer(wanted[0], play=body.get("play") is True)
    return NO_CONTENT


def _play(call: Call) -> Answer:
    call.remote.play(play_request(call.request.json()), call.device_id)
    return NO_CONTENT


def _pause(call: Call) -> Answer:
    call.remote.pause(call.device_id)
    return NO_CONTENT


def _next(call: Call) -> Answer:
    call.remote.skip(1, call.device_id)
    return NO_CONTENT


def _previous(call: Call) -> Answer:
    call.remote.skip(-1, call.device_id)
    return NO_CONTENT


def _volume(call: Call) -> Answer:
    call.remote.volume(integer(call.request, "volume_percent"), call.device_id)
    return NO_CONTENT


def _seek(call: Call) -> Answer:
    call.remote.seek(integer(call.request, "position_ms"), call.device_id)
    return NO_CONTENT


def _shuffle(call: Call) -> Answer:
    call.remote.shuffle(on=choice(call.request, ("true", "false")) == "true", device_id=call.device_id)
    return NO_CONTENT


def _repeat(call: Call) -> Answer:
    call.remote.repeat(cast("Repeat", choice(call.request, ("off", "context", "track"))), call.device_id)
    return NO_CONTENT


# The library.


def _me(call: Call) -> Answer:
    return json_answer(call.shapes.user(call.account))


def _my_playlists(call: Call) -> Answer:
    playlists = [call.shapes.simplified_playlist(c, call.account) for c in call.world.catalogue if c.kind == "playlist"]
    return json_answer(call.shapes.paging("me/playlists", playlists, *page(call.request, 20, 50)))


def _playlist(call: Call) -> Answer:
    return json_answer(call.shapes.playlist(_context(call, "playlist"), call.account))


def _playlist_items(call: Call) -> Answer:
    limit, offset = page(call.request, 20, 100)
    return json_answer(call.shapes.playlist_items(_context(call, "playlist"), call.account, limit, offset))


def _album(call: Call) -> Answer:
    return json_answer(call.shapes.found(_context(call, "album"), call.account))


def _artist(call: Call) -> Answer:
    return json_answer(call.shapes.found(_context(call, "artist"), call.account))


def _search(call: Call) -> Answer:
    query = call.request.query
    words, kinds = query.get("q", "").casefold().split(), query.get("type", "").split(",")
    if not words:
        raise errors.bad_request("No search query")
    limit, offset = page(call.request, 5, 10)
    found: Json = {}
    for kind in ("playlist", "album", "artist"):
        if kind in kinds:
            hits = [c for c in call.world.catalogue if c.kind == kind and all(w in c.name.casefold() for w in words)]
            shaped = [call.shapes.found(hit, call.account) for hit in hits]
            found[f"{kind}s"] = call.shapes.paging(f"search?q={'+'.join(words)}&type={kind}", shaped, limit, offset)
    return json_answer(found)


_LOOKS = {"me/player": _look, "me/player/currently-playing": _look_at_track, "me/player/devices": _devices}

_Act = tuple["Callable[[Call], Answer]", tuple[str, ...]]

_ROUTES: dict[tuple[str, str], _Act] = {
    ("GET", "me/player"): (_now_or_late, READ),
    ("PUT", "me/player"): (_transfer, MODIFY),
    ("GET", "me/player/devices"): (_now_or_late, READ),
    ("GET", "me/player/currently-playing"): (_now_or_late, READ_TRACK),
    ("PUT", "me/player/play"): (_play, MODIFY),
    ("PUT", "me/player/pause"): (_pause, MODIFY),
    ("POST", "me/player/next"): (_next, MODIFY),
    ("POST", "me/player/previous"): (_previous, MODIFY),
    ("PUT", "me/player/seek"): (_seek, MODIFY),
    ("PUT", "me/player/repeat"): (_repeat, MODIFY),
    ("PUT", "me/player/volume"): (_volume, MODIFY),
    ("PUT", "me/player/shuffle"): (_shuffle, MODIFY),
    ("GET", "me"): (_me, ()),
    ("GET", "me/playlists"): (_my_playlists, ()),
    ("GET", "search"): (_search, ()),
    ("GET", "playlists/*"): (_playlist, ()),
    ("GET", "playlists/*/items"): (_playlist_items, ()),
    ("GET", "albums/*"): (_album, ()),
    ("GET", "artists/*"): (_artist, ()),
}


def _route(request: Request) -> _Act:
    path = request.path.removeprefix(PREFIX).strip("/")
    parts = path.split("/")
    if parts[0] in ("playlists", "albums", "artists") and len(parts) > 1:
        path = "/".join((parts[0], "*", *parts[2:]))
    found = _ROUTES.get((request.method, path))
    if found is None:
        raise errors.not_found("Service not found")
    return found


def _context(call: Call, kind: str) -> Context:
    identity = call.request.path.removeprefix(PREFIX).split("/")[1]
    context = call.world.catalogue.context(f"spotify:{kind}:{identity}")
    if context is None:
        raise errors.not_found("Resource not found")
    return context
