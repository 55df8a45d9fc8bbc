import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.gateway.account import CLIENT_ID, Household, grant

from spotty_gateway.errors import PlayerAuthError, PlayerError, PlayerUnavailableError
from spotty_gateway.token_file import SupersededError, TokenFile
from spotty_gateway.tokens import DeviceAuth
from spotty_sandbox.spotify import Answer, Fault, json_answer, refused, text_answer

RENEWAL = "POST /api/token"


def expire(home: Household) -> str:
    """Let the token's hour pass; the refresh token that stands in the file."""
    home.clock.advance_ms(3_600_000)
    return str(json.loads(home.tokens.read_text())["refresh_token"])


def test_a_token_is_renewed_before_it_ends(home: Household) -> None:
    """With a minute to live it is renewed before the call, not by a refusal."""
    home.clock.advance_ms(3_540_000)
    home.player.look()
    assert home.asked() == ["token", "look"]
    home.player.look()
    assert home.asked() == ["look"]


@pytest.mark.parametrize("style", ["omit", "same", "rotate"])
def test_the_refresh_token_survives_every_kind_of_answer(home: Household, style: str) -> None:
    """Left out, repeated or replaced: what is in the file afterwards is the one that works."""
    home.call(lambda world: setattr(world.auth, "refresh_style", style))
    before = expire(home)
    home.player.look()
    kept = json.loads(home.tokens.read_text())["refresh_token"]
    assert (kept != before) is (style == "rotate")
    expire(home)
    home.player.look()


@pytest.mark.parametrize("missing", [None, ""])
def test_an_empty_refresh_token_in_the_answer_is_none(home: Household, missing: str | None) -> None:
    """`"refresh_token": null` keeps the old one: consent is not lost to a null."""
    before = expire(home)
    answer = json_answer({"access_token": "BQnew", "expires_in": 3600, "refresh_token": missing})
    home.simulator.inject(Fault("null", RENEWAL, answer=answer))
    with pytest.raises(PlayerError):  # the invented token is refused, and so is its successor
        home.player.look()
    assert json.loads(home.tokens.read_text())["refresh_token"] == before


def test_a_rotated_token_is_stored_before_it_is_used(home: Household) -> None:
    """When the first request with the new token arrives, the file holds its refresh token already."""
    home.call(lambda world: setattr(world.auth, "refresh_style", "rotate"))
    before = expire(home)
    home.simulator.inject(Fault("power cut", "GET /v1/me/player", ending="reset"))
    with pytest.raises(PlayerUnavailableError):
        home.player.look()
    assert json.loads(home.tokens.read_text())["refresh_token"] != before


def test_the_file_is_its_owner_s_alone_and_leaves_nothing_beside_it(home: Household) -> None:
    """Written anew with mode 0600, and no temporary file stays."""
    home.tokens.chmod(0o644)
    expire(home)
    home.player.look()
    assert stat.S_IMODE(home.tokens.stat().st_mode) == 0o600
    assert [path.name for path in home.tokens.parent.iterdir()] == ["tokens.json"]


def test_a_disk_that_refuses_loses_no_consent(home: Household, caplog: pytest.LogCaptureFixture) -> None:
    """A rotated token that cannot be stored is used from memory, said once, and stored when the disk can."""
    folder = home.tokens.parent / "gone"
    folder.mkdir()
    file = TokenFile(folder / "tokens.json")
    folder.rmdir()
    tokens = {"access_token": "BQ", "refresh_token": "AQ", "expires_at": 0}
    file.save_token_to_cache(tokens)
    assert file.get_cached_token() == tokens
    assert len([record for record in caplog.records if "free some space" in record.message]) == 1
    folder.mkdir()
    assert file.get_cached_token() == tokens
    assert json.loads((folder / "tokens.json").read_text()) == tokens


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b"null",
        b'{"refresh_token": 5}',
        b'{"refresh_token": ""}',
        b'{"refresh_token": "AQ with a space"}',
        b'{"refresh_token": "AQ\\r\\nX-Evil: 1"}',
        b"[" * 100_000,
    ],
)
def test_foreign_tokens_are_one_clear_line(home: Household, content: bytes) -> None:
    """Whatever stands in the file: one line that names the file and says what to do, and no request."""
    home.tokens.write_bytes(content)
    with pytest.raises(PlayerAuthError) as raised:
        home.player.look()
    assert f"{home.tokens} holds no Spotify tokens: connect" in str(raised.value)
    assert home.asked() == []


def test_missing_tokens_are_one_clear_line_until_they_come(home: Household) -> None:
    """No file: connect the account. Once there is one, it is used, without a restart."""
    home.tokens.unlink()
    with pytest.raises(
        PlayerAuthError, match="is missing: connect the household's Spotify account with 'spotty login'"
    ):
        home.player.look()
    grant(home.simulator, home.clock, home.tokens)
    assert home.player.look() is None


def test_an_unreadable_file_is_one_clear_line(home: Household) -> None:
    """A file that cannot be opened says why (a folder stands in for one without rights: tests may run as root)."""
    home.tokens.unlink()
    home.tokens.mkdir()
    with pytest.raises(PlayerAuthError, match="cannot be read"):
        home.player.look()


def test_a_person_connects_another_account_while_we_run(home: Household) -> None:
    """New tokens in the file are used at the next call, and the old ones never overwrite them."""
    home.player.look()
    given = grant(home.simulator, home.clock, home.tokens)
    home.clock.advance_ms(3_600_000)
    home.player.look()
    assert json.loads(home.tokens.read_text())["refresh_token"] == given["refresh_token"]


def test_a_person_disconnects_the_account_while_we_run(home: Household) -> None:
    """With the file gone nothing is asked of Spotify any more."""
    home.player.look()
    home.tokens.unlink()
    home.asked()
    with pytest.raises(PlayerAuthError):
        home.player.look()
    assert home.asked() == []


def test_the_date_of_consent_outlives_every_refresh(home: Household) -> None:
    """Spotify's six months run from consent: a renewed token keeps its date."""
    grant(home.simulator, home.clock, home.tokens, consent_at=1234)
    for _ in range(2):
        expire(home)
        home.player.look()
    assert json.loads(home.tokens.read_text())["consent_at"] == 1234


def test_new_consent_after_the_old_one_ended(home: Household) -> None:
    """After `invalid_grant` a new file is all that is needed."""
    home.call(lambda world: world.auth.revoke())
    expire(home)
    with pytest.raises(PlayerAuthError):
        home.player.look()
    grant(home.simulator, home.clock, home.tokens)
    assert home.player.look() is None


@pytest.mark.parametrize("access_token", [None, "", 7, "BQ\nX-Evil: 1"])
def test_an_access_token_that_cannot_stand_in_a_request_is_renewed(home: Household, access_token: object) -> None:
    """A damaged access token is renewed with the refresh token instead of being sent."""
    grant(home.simulator, home.clock, home.tokens, access_token=access_token)
    home.player.look()
    assert home.asked() == ["token", "look"]


@pytest.mark.parametrize(
    "answer",
    [
        text_answer("<html>login</html>", "text/html"),
        json_answer([]),
        json_answer({}),
        json_answer(None),
        json_answer({"access_token": "BQ"}),
        json_answer({"access_token": 5, "expires_in": 3600}),
        json_answer({"access_token": "BQ", "expires_in": "soon"}),
        text_answer('{"access_token": "BQ", "expires_in": 1e999}', "application/json"),
        json_answer({"error": {"status": 500}}, 500),
        json_answer([], 500),
        Answer(503),
        Answer(302, headers={"location": "/authorize"}),
    ],
)
def test_an_accounts_service_out_of_its_mind_costs_no_consent(home: Household, answer: Answer) -> None:
    """Any other answer is the service being unavailable; the file stays as it is and the next attempt works."""
    expire(home)
    before = home.tokens.read_bytes()
    home.simulator.inject(Fault("odd", RENEWAL, times=1, answer=answer))
    with pytest.raises(PlayerUnavailableError, match="accounts service"):
        home.player.look()
    assert home.tokens.read_bytes() == before
    assert home.player.look() is None


@pytest.mark.parametrize("lives_s", [-5, 0, 1, 3])
def test_tokens_that_hardly_live_are_not_renewed_all_day_long(home: Household, lives_s: int) -> None:
    """However soon a token ends, idle time asks for the next one at most once a minute; a call that needs one does."""
    expire(home)
    answer = json_answer({"access_token": "BQshort", "expires_in": lives_s})
    home.simulator.inject(Fault("short", RENEWAL, answer=answer))
    again_in_s = home.player.get_ready().again_in_s
    assert again_in_s is not None
    assert again_in_s >= 60


def test_the_accounts_service_s_limit_is_obeyed(home: Household) -> None:
    """A 429 of the token endpoint carries its wait."""
    expire(home)
    home.simulator.inject(refused(RENEWAL, 429, "slow down", retry_after_s=77))
    with pytest.raises(PlayerUnavailableError) as raised:
        home.player.look()
    assert raised.value.retry_after_s == 77


def test_a_wrong_client_id_is_said(home: Household) -> None:
    """`invalid_client` names the setting."""
    expire(home)
    home.simulator.inject(Fault("app", RENEWAL, answer=json_answer({"error": "invalid_client"}, 400)))
    with pytest.raises(PlayerAuthError, match="spotifyClientId"):
        home.player.look()


def test_nobody_is_ever_asked_anything(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tokens neither a prompt nor a browser appears: standard input is closed, and nothing is read from it."""
    read_end, write_end = os.pipe()
    os.close(write_end)
    with os.fdopen(read_end) as closed, requests.Session() as session:
        monkeypatch.setattr("sys.stdin", closed)
        auth = DeviceAuth(
            CLIENT_ID, "http://127.0.0.1:1", TokenFile(home.tokens.parent / "none"), session, lambda: 0.0, lambda: 0.0
        )
        with pytest.raises(PlayerAuthError):
            auth.get_access_token()


def test_what_is_known_of_a_file_is_of_what_was_read(tmp_path: Path) -> None:
    """Somebody connects while we read, and then disconnects: what we read does not come back to life."""
    path = tmp_path / "tokens.json"

    class Arriving(type(path)):  # type: ignore[misc]  # the path of this system
        def open(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as a path takes them
            path.write_text('{"refresh_token": "AQnew"}')  # in the very last moment
            return super().open(*arguments, **named)

    ours = TokenFile(Arriving(path))
    found = ours.get_cached_token()
    path.unlink()
    with pytest.raises(SupersededError):
        ours.save_token_to_cache(found)
    assert ours.is_saved
