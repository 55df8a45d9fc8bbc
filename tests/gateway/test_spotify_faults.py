import logging
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.gateway.account import BATHROOM, CLIENT_ID, Household

from spotty_gateway.engine.rules import Repeat
from spotty_gateway.errors import (
    NoActiveDeviceError,
    PlayerAuthError,
    PlayerError,
    PlayerLimitError,
    PlayerRefusedError,
    PlayerUnavailableError,
    PremiumNeededError,
    VolumeRefusedError,
)
from spotty_gateway.ports import Look
from spotty_gateway.refusals import retry_after_s
from spotty_gateway.spotify import SpotifyPlayer
from spotty_sandbox.spotify import Answer, Fault, json_answer, rate_limited, refused, text_answer

HTML = text_answer("<!doctype html><title>Welcome to Hotel Wifi</title>", "text/html")


SPEAKER = {"id": "k", "is_active": True, "is_restricted": False, "name": "K", "type": "Speaker", "volume_percent": 30}


def pause(player: SpotifyPlayer) -> None:
    """A command, which is answered without a body."""
    player.pause(None)


def look(player: SpotifyPlayer) -> None:
    """A question, which is answered with JSON."""
    player.look()


def error_of(player: SpotifyPlayer, do: Callable[[SpotifyPlayer], object]) -> PlayerError:
    """The error that `do` meets; there has to be one."""
    with pytest.raises(PlayerError) as raised:
        do(player)
    return raised.value


@pytest.mark.parametrize(
    "status, reason, message, expected",
    [
        (400, None, "Invalid device_id", PlayerRefusedError),
        (403, "PREMIUM_REQUIRED", "Premium required", PremiumNeededError),
        (403, "VOLUME_CONTROL_DISALLOW", "Cannot control device volume", VolumeRefusedError),
        (403, "DEVICE_NOT_CONTROLLABLE", "Device not controllable", PlayerRefusedError),
        (403, "REMOTE_CONTROL_DISALLOW", "No remote control", PlayerRefusedError),
        (403, "CONTEXT_DISALLOW", "Not here", PlayerRefusedError),
        (403, "RATE_LIMITED", "Too often", PlayerUnavailableError),
        (404, "NO_ACTIVE_DEVICE", "No active device found", NoActiveDeviceError),
        (404, None, "Device not found", NoActiveDeviceError),
        (404, None, "Not found.", PlayerRefusedError),
        (500, None, "Oops", PlayerUnavailableError),
        (502, None, "Bad gateway", PlayerUnavailableError),
        (503, None, "Service unavailable", PlayerUnavailableError),
    ],
)
def test_a_refusal_becomes_the_error_of_our_reaction(
    home: Household, status: int, reason: str | None, message: str, expected: type[PlayerError]
) -> None:
    """Each status and reason of Spotify is one of our few errors, with a line that a person can read."""
    home.simulator.inject(refused("PUT */pause", status, message, reason))
    error = error_of(home.player, pause)
    assert type(error) is expected
    assert str(error)
    assert "\n" not in str(error)


def test_what_is_paused_already_is_no_error(home: Household) -> None:
    """ALREADY_PAUSED to a pause is success."""
    home.simulator.inject(refused("PUT */pause", 403, "Already paused", "ALREADY_PAUSED"))
    home.player.pause(None)
    assert home.asked() == ["pause"]


@pytest.mark.parametrize("status", [200, 202, 204])
def test_all_of_spotify_s_yes_are_yes(home: Household, status: int) -> None:
    """200, 202 and 204 without a body are success."""
    home.simulator.inject(Fault("yes", "PUT */pause", answer=Answer(status)))
    home.player.pause(None)
    assert home.asked() == ["pause"]


@pytest.mark.parametrize(
    "header, expected_s",
    [("7", 7.0), ("86400", 86_400.0), ("0", 30.0), ("-5", 1.0), ("soon", 30.0), ("nan", 30.0), ("1e99", 604_800.0)],
)
def test_retry_after_is_obeyed_and_never_believed_blindly(home: Household, header: str, expected_s: float) -> None:
    """A 429 says how long to wait; a header that says nonsense becomes a sensible wait."""
    fault = refused("PUT */pause", 429, "API rate limit exceeded")
    home.simulator.inject(Fault("429", "PUT */pause", answer=fault.answer, headers={"retry-after": header}))
    error = error_of(home.player, pause)
    assert type(error) is PlayerLimitError
    assert error.retry_after_s == expected_s
    assert not error.maybe_obeyed


@pytest.mark.parametrize(
    "said, expected_s",
    [
        ("Sun, 06 Nov 1994 08:51:37 GMT", 120.0),
        ("Sunday, 06-Nov-94 08:51:37 GMT", 120.0),
        ("Sun, 06 Nov 1994 08:51:37 -0000", 120.0),
        ("Sun, 06 Nov 1994 07:51:37 GMT", 1.0),
        ("Mon, 06 Nov 9995 08:51:37 GMT", 604_800.0),
        ("Sun, 66 Nov 1994 08:51:37 GMT", 0.0),
    ],
)
def test_a_wait_until_a_date_is_measured_by_the_answer_s_own(said: str, expected_s: float) -> None:
    """Retry-After may name an instant: it is as far off as the server's own clock says, whatever ours shows."""
    assert retry_after_s({"Retry-After": said, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}) == expected_s


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}])
def test_a_wait_until_a_date_is_measured_by_our_clock_where_the_answer_shows_none(headers: dict[str, str]) -> None:
    """The next best."""
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)
    assert 900 < retry_after_s({"Retry-After": until, **headers}) <= 1000


def test_a_limit_without_a_header_is_the_rate_window(home: Household) -> None:
    """Spotify counts over thirty seconds: so long is waited where it says nothing."""
    home.simulator.inject(rate_limited(None))
    assert error_of(home.player, look).retry_after_s == 30.0


@pytest.mark.parametrize("do", [look, pause])
@pytest.mark.parametrize("body", ['{"error":"invalid thing"}', '{"error":null}', "[]", "<html>oops</html>", ""])
def test_an_error_in_any_shape_is_an_error(home: Household, do: Callable[[SpotifyPlayer], object], body: str) -> None:
    """A 502 whose body is not what the documentation says is still Spotify being unavailable."""
    home.simulator.inject(Fault("odd", answer=Answer(502, body.encode(), {"content-type": "application/json"})))
    assert type(error_of(home.player, do)) is PlayerUnavailableError


@pytest.mark.parametrize("do", [look, pause])
def test_a_login_page_of_the_network_is_not_spotify(home: Household, do: Callable[[SpotifyPlayer], object]) -> None:
    """HTML with status 200 is neither an answer nor a pause that was made."""
    home.simulator.inject(Fault("captive portal", answer=HTML))
    assert "login page" in str(error_of(home.player, do))


COMMANDS: list[Callable[[SpotifyPlayer], object]] = [
    pause,
    lambda player: player.play("k", "spotify:album:1", None),
    lambda player: player.transfer("k"),
    lambda player: player.set_volume("k", 30),
    lambda player: player.set_shuffle("k", True),
    lambda player: player.set_repeat("k", Repeat.OFF),
]


@pytest.mark.parametrize("do", COMMANDS)
@pytest.mark.parametrize(
    "body",
    [b"Success", b"Please sign in to this network", b"\xef\xbb\xbf<html>", b"\xef\xbb\xbf{}", b"\0" * 64, b"{'ok': 1}"],
)
def test_a_yes_in_other_words_is_not_spotify_s(
    home: Household, do: Callable[[SpotifyPlayer], object], body: bytes
) -> None:
    """A command that somebody else has answered was not obeyed, however friendly the answer."""
    answer = Answer(200, body, {"content-type": "text/plain; charset=utf-8"})
    home.simulator.inject(Fault("portal", "PUT *", answer=answer))
    assert "in Spotify's place" in str(error_of(home.player, do))


@pytest.mark.parametrize("do", COMMANDS)
@pytest.mark.parametrize("body", [b"", b"\r\n", b"{}", b'{"ok": true}', b"oPClBVDzidwlAlSqmFF-zKNO62E"])
def test_spotify_s_own_yes_may_have_a_body(home: Household, do: Callable[[SpotifyPlayer], object], body: bytes) -> None:
    """Nothing, JSON, or a bare word that means nothing to us: Spotify has answered commands with each of them."""
    home.simulator.inject(Fault("yes", "PUT *", answer=Answer(200, body)))
    do(home.player)


def test_a_redirect_is_not_followed(home: Household) -> None:
    """Spotify sends nobody elsewhere; whoever does is not Spotify, and gets no token."""
    home.simulator.inject(Fault("elsewhere", "GET /v1/me/player", answer=Answer(302, headers={"location": "/v1/me"})))
    assert type(error_of(home.player, look)) is PlayerUnavailableError
    assert home.asked() == ["look"]


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        "playing",
        {"is_playing": "perhaps", "device": SPEAKER},
        {"is_playing": None, "device": SPEAKER},
        {"is_playing": True, "device": {}},
        {"is_playing": True, "device": {**SPEAKER, "name": None}},
        {"is_playing": True, "device": {**SPEAKER, "volume_percent": "30"}},
        {"is_playing": True, "context": {"uri": 5}},
        {"is_playing": True, "item": "a song"},
    ],
)
def test_json_of_another_shape_cannot_be_read(home: Household, content: object) -> None:
    """An answer that lacks what we need is Spotify being unavailable, not a crash."""
    home.simulator.inject(Fault("odd", "GET /v1/me/player*", answer=json_answer(content)))
    assert "cannot be read" in str(error_of(home.player, look))
    assert "cannot be read" in str(error_of(home.player, SpotifyPlayer.devices))


@pytest.mark.parametrize("ending", ["reset", "truncate"])
def test_a_broken_connection_may_have_done_it(home: Household, ending: str) -> None:
    """Reset or cut off: unavailable, and nobody knows whether the command was obeyed."""
    home.somebody_plays(BATHROOM, "Washing Up")
    answer = json_answer({"long": "x" * 100})
    home.simulator.inject(Fault("cut", "PUT */pause", answer=answer, ending=ending))  # type: ignore[arg-type]  # one of two literals
    error = error_of(home.player, pause)
    assert type(error) is PlayerUnavailableError
    assert error.maybe_obeyed


def test_no_network_is_told_and_nothing_was_obeyed(home: Household) -> None:
    """A connection that was never made has changed nothing, and the line says what to check."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        player = SpotifyPlayer(CLIENT_ID, home.tokens, url, url, lambda: home.clock.now_ms() / 1000)
        error = error_of(player, pause)
        player.close()
    assert "check the network" in str(error)
    assert not error.maybe_obeyed


def test_an_unknown_name_is_no_network_either(home: Household) -> None:
    """A name that cannot be resolved has changed nothing."""
    url = "http://spotify.invalid"
    player = SpotifyPlayer(CLIENT_ID, home.tokens, url, url, lambda: home.clock.now_ms() / 1000)
    error = error_of(player, pause)
    player.close()
    assert not error.maybe_obeyed


def test_the_budget_bounds_a_call_that_hangs(home: Household) -> None:
    """With a tenth of a second left, a hanging Spotify is given up after that, and asked no more."""
    home.player.look()
    home.simulator.inject(Fault("hang", ending="hang"))
    home.player.within(0.1)
    assert "ReadTimeout" in str(error_of(home.player, look))
    home.asked()
    assert "too long" in str(error_of(home.player, look))
    assert home.asked() == []


def test_an_expired_token_is_renewed_once(home: Household) -> None:
    """A 401 renews the token and asks again, once."""
    home.call(lambda world: world.auth.expire_access_tokens())
    assert home.player.look() is None
    assert home.asked() == ["look", "token", "look"]


def test_a_token_that_stays_refused_is_not_hammered(home: Household) -> None:
    """A 401 to the renewed token too: unavailable, after two attempts."""
    home.simulator.inject(refused("* /v1/*", 401, "Invalid access token", times=None))
    assert isinstance(error_of(home.player, look), PlayerUnavailableError)
    assert home.asked() == ["look", "token", "look"]


def test_consent_that_was_withdrawn_is_said_and_not_asked_again(home: Household) -> None:
    """`invalid_grant` needs a person: the accounts service is asked once, not at every attempt."""
    home.call(lambda world: world.auth.revoke())
    home.call(lambda world: world.auth.expire_access_tokens())
    assert isinstance(error_of(home.player, look), PlayerAuthError)
    assert home.asked() == ["look", "token"]
    assert "consent has ended" in str(error_of(home.player, look))
    assert home.asked() == []


def test_what_plays_is_told_as_it_is(home: Household) -> None:
    """Device, volume, record, song, place, shuffle and repeat of a real answer."""
    home.somebody_plays(BATHROOM, "Washing Up")
    home.clock.advance_ms(2000)
    found = home.player.look()
    assert isinstance(found, Look)
    assert found.device is not None
    assert (found.is_playing, found.device.device, found.device.volume_pct) == (True, home.device(BATHROOM), 50)
    assert (found.context_uri, found.progress_ms) == (home.uri("Washing Up"), 2000)


def test_spotipy_is_not_heard_even_at_debug(home: Household, caplog: pytest.LogCaptureFixture) -> None:
    """Spotipy logs each request with its token at DEBUG: nothing of it reaches a log."""
    caplog.set_level(logging.DEBUG)
    home.simulator.inject(refused("PUT */pause", 403, "no", "UNKNOWN"))
    error_of(home.player, pause)
    assert [record.name for record in caplog.records if record.name.startswith("spotipy")] == []


@pytest.mark.parametrize(
    "news",
    [{"repeat_state": "thrice"}, {"repeat_state": None}, {"context": {"type": "mix"}}, {"item": {"type": "ad"}}],
)
def test_what_spotify_invents_keeps_nobody_from_pausing(home: Household, news: dict[str, object]) -> None:
    """A word that we do not know, or an address that is not there, leaves the rest of what plays readable."""
    content = {"is_playing": True, "device": SPEAKER, "progress_ms": 5, **news}
    home.simulator.inject(Fault("new", "GET /v1/me/player", answer=json_answer(content)))
    seen = home.player.look()
    assert seen is not None
    assert seen.is_playing
    assert seen.device is not None
    assert seen.device.device.id == "k"


def test_a_device_without_a_name_hides_no_other(home: Household) -> None:
    """What cannot be chosen is left out of the list; the speaker beside it is there."""
    odd = [{**SPEAKER, "name": None}, {**SPEAKER, "type": None}, {"id": "x"}, None, {**SPEAKER, "id": 5}]
    home.simulator.inject(Fault("odd", "GET /v1/me/player/devices", answer=json_answer({"devices": [*odd, SPEAKER]})))
    assert [one.device.id for one in home.player.devices()] == ["k"]
