import json
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.gateway.person import Remembering, address_after, field_of, follow

from spotty_gateway.consent import (
    CONSENT_LASTS_S,
    LINK_LASTS_S,
    Answer,
    Consent,
    ConsentError,
    NotTheAnswerError,
    challenge_of,
    consent_warning,
    forget,
    read_answer,
)
from spotty_gateway.spotify import SpotifyPlayer
from spotty_gateway.tokens import SCOPES
from spotty_sandbox.spotify import Fault, ManualClock, SpotifySimulator, demo_world, json_answer, text_answer
from spotty_sandbox.spotify.accounts import CONSENT_LIFETIME_MS

CLIENT = "our-house"
BACK = "http://127.0.0.1:8888/callback"
DAY_S = 86_400
HOUR_MS = 3_600_000


@dataclass
class Mono:
    """A monotonic clock that stands still until it is moved."""

    s: float = 5_000.0

    def __call__(self) -> float:
        """Monotonic seconds."""
        return self.s


class House:
    """A gateway that asks for consent, and a Spotify that remembers what it was told."""

    def __init__(self, folder: Path, sim: SpotifySimulator, clock: ManualClock, accounts: Remembering) -> None:
        self.sim, self.clock, self.accounts = sim, clock, accounts
        self.tokens = folder / "tokens.json"
        self.mono = Mono()
        self.consent = Consent(CLIENT, sim.accounts_url, self.tokens, self.mono, self.now_s)

    def now_s(self) -> float:
        """Simulated seconds since 1970."""
        return self.clock.now_ms() / 1000

    def kept(self) -> dict[str, object]:
        """What stands in the token file."""
        found: dict[str, object] = json.loads(self.tokens.read_bytes())
        return found


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A household without consent, at a Spotify over real HTTP."""
    clock = ManualClock()
    world = demo_world(clock)
    world.auth = accounts = Remembering(clock)
    with SpotifySimulator(world) as sim:
        yield House(tmp_path, sim, clock, accounts)


def test_consent_becomes_tokens_that_last(house: House) -> None:
    """What a person allows is kept for the owner's eyes only, dated, and the player lives on it past its first hour."""
    pending = house.consent.ask(BACK)
    given_at = house.consent.finish(pending, read_answer(address_after(pending.link)))
    assert given_at == house.now_s() == house.kept()["consent_at"]
    assert house.kept()["expires_at"] == house.now_s() + 3600
    assert set(str(house.kept()["scope"]).split()) == set(SCOPES)
    assert stat.S_IMODE(house.tokens.stat().st_mode) == 0o600
    player = SpotifyPlayer(CLIENT, house.tokens, house.sim.accounts_url, house.sim.accounts_url, house.now_s)
    for _ in range(2):
        assert [one.device.name for one in player.devices()] == ["Bathroom", "Kitchen", "Bedroom"]
        house.clock.advance_ms(2 * HOUR_MS)
    player.close()


def test_the_link_asks_for_no_more_than_music_needs(house: House) -> None:
    """Two scopes, a challenge by S256, and a verifier and state of their own for every question."""
    links = [house.consent.ask(BACK).link for _ in range(2)]
    assert field_of(links[0], "scope").split() == SCOPES
    assert field_of(links[0], "code_challenge_method") == "S256"
    assert field_of(links[0], "code_challenge") != field_of(links[1], "code_challenge")
    assert field_of(links[0], "state") != field_of(links[1], "state")
    assert challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.mark.parametrize("redirect_uri", ["http://[::1]:9/cb", "https://house.example/a%20b?x=1&y=%C3%A9+z", BACK])
def test_the_redirect_uri_is_repeated_byte_for_byte(house: House, redirect_uri: str) -> None:
    """A registered address of any spelling comes through the link and the exchange as it was given."""
    house.sim.call(lambda world: world.auth.register(CLIENT, redirect_uris=(redirect_uri,)))
    pending = house.consent.ask(redirect_uri)
    house.consent.finish(pending, read_answer(address_after(pending.link)))
    assert house.tokens.exists()


def test_another_redirect_uri_is_refused(house: House) -> None:
    """Spotify shows no question for an address that is not registered, and takes no code with another one's."""
    house.sim.call(lambda world: world.auth.register(CLIENT, redirect_uris=(BACK, f"{BACK}2")))
    assert "Invalid redirect URI" in follow(house.consent.ask(f"{BACK}/").link).text
    pending, other = house.consent.ask(BACK), house.consent.ask(f"{BACK}2")
    code = read_answer(address_after(other.link)).code
    with pytest.raises(ConsentError, match="refuses the code"):
        house.consent.finish(pending, Answer(field_of(pending.link, "state"), code))
    assert not house.tokens.exists()


def test_a_refusal_is_understood(house: House) -> None:
    """Who says no is told so, keeps nothing, and needs a new link."""
    pending = house.consent.ask(BACK)
    said = read_answer(address_after(pending.link, "deny"))
    with pytest.raises(ConsentError, match="was told not to allow it: connect again"):
        house.consent.finish(pending, said)
    with pytest.raises(ConsentError, match="answered already"):
        house.consent.finish(pending, said)
    assert not house.tokens.exists()


@pytest.mark.parametrize(
    "address,said",
    [
        (f"{BACK}?code=c&state=guessed", "not the answer to this link"),
        (f"{BACK}?error=access_denied&state=é", "not the answer to this link"),
        (f"{BACK}?code=c", "no answer of Spotify"),
        ("what was that", "no answer of Spotify"),
        ("", "no answer of Spotify"),
    ],
)
def test_a_stranger_closes_no_question(house: House, address: str, said: str) -> None:
    """An answer with a wrong state, or none, is refused, reaches no network and leaves the question open."""
    pending = house.consent.ask(BACK)
    with pytest.raises(NotTheAnswerError, match=said):
        house.consent.finish(pending, read_answer(address))
    assert house.accounts.verifiers == []
    house.consent.finish(pending, read_answer(address_after(pending.link)))


def test_nothing_is_used_twice(house: House) -> None:
    """A verifier serves one exchange, and an old code with a new state buys nothing and spoils nothing."""
    pending = house.consent.ask(BACK)
    answer = read_answer(address_after(pending.link))
    house.consent.finish(pending, answer)
    before = house.kept()
    with pytest.raises(ConsentError, match="answered already"):
        house.consent.finish(pending, answer)
    another = house.consent.ask(BACK)
    with pytest.raises(ConsentError, match="refuses the code"):
        house.consent.finish(another, Answer(field_of(another.link, "state"), answer.code))
    assert len(set(house.accounts.verifiers)) == len(house.accounts.verifiers) == 2
    assert all(43 <= len(verifier) <= 128 for verifier in house.accounts.verifiers)
    assert house.kept() == before


def test_a_link_lives_ten_minutes(house: House) -> None:
    """It works until just before, by the monotonic clock; from then on its verifier is gone."""
    in_time, late = house.consent.ask(BACK), house.consent.ask(BACK)
    answers = [read_answer(address_after(one.link)) for one in (in_time, late)]
    house.mono.s += LINK_LASTS_S - 0.001
    house.consent.finish(in_time, answers[0])
    house.mono.s += 0.001
    assert late.left_s() == 0
    with pytest.raises(ConsentError, match="ten minutes are over"):
        house.consent.finish(late, answers[1])
    assert len(house.accounts.verifiers) == 1


EXCHANGE = "POST /api/token"
REFUSALS = [
    (Fault("busy", EXCHANGE, answer=json_answer({"error": "server_error"}, 503)), "503, server_error"),
    (Fault("html", EXCHANGE, answer=text_answer("<h1>Log in to the hotel</h1>", "text/html")), "200, no explanation"),
    (Fault("list", EXCHANGE, answer=json_answer({"access_token": 7})), "200, no explanation"),
    (Fault("words", EXCHANGE, answer=json_answer({"error": "<b>Ha\n"}, 400)), "400, no explanation"),
    (Fault("client", EXCHANGE, answer=json_answer({"error": "invalid_client"}, 400)), "correct spotifyClientId"),
    (Fault("away", EXCHANGE, answer=text_answer("", status=307, headers={"location": "/x"})), "cannot be reached"),
    (Fault("reset", EXCHANGE, ending="reset"), "cannot be reached"),
    (Fault("cut", EXCHANGE, ending="truncate"), "cannot be reached|gave no tokens"),
]


@pytest.mark.parametrize("fault,said", REFUSALS, ids=[fault.name for fault, _ in REFUSALS])
def test_what_goes_wrong_is_one_line_and_costs_nothing(house: House, fault: Fault, said: str) -> None:
    """Whatever the accounts service does, a person reads one line, and the tokens there were are still there."""
    house.tokens.write_text('{"refresh_token": "old"}')
    pending = house.consent.ask(BACK)
    answer = read_answer(address_after(pending.link))
    house.sim.inject(fault)
    with pytest.raises(ConsentError, match=said) as refusal:
        house.consent.finish(pending, answer)
    assert "\n" not in str(refusal.value)
    assert "connect again" in str(refusal.value)
    assert house.kept() == {"refresh_token": "old"}


def test_a_dead_network_is_named(house: House) -> None:
    """With nobody at the accounts service's address the line says to look after the network."""
    pending = house.consent.ask(BACK)
    answer = read_answer(address_after(pending.link))
    house.sim.stop()
    with pytest.raises(ConsentError, match=r"cannot be reached .*: look after the network, then connect again"):
        house.consent.finish(pending, answer)


def test_a_disk_that_refuses_is_no_consent(house: House) -> None:
    """Tokens that could not be written are not called kept."""
    nowhere = house.tokens.parent / "nowhere" / "tokens.json"
    consent = Consent(CLIENT, house.sim.accounts_url, nowhere, house.mono, house.now_s)
    pending = consent.ask(BACK)
    with pytest.raises(ConsentError, match="could not be written"):
        consent.finish(pending, read_answer(address_after(pending.link)))


def test_a_kill_while_saving_leaves_the_old_or_the_new(tmp_path: Path) -> None:
    """Killed at each thing that a save does to the disk, the file is whole; and forgetting leaves no trace of it."""
    tokens = tmp_path / "tokens.json"
    script = Path(__file__).with_name("killed_saving.py")
    found, code, last = [], -signal.SIGKILL, 0
    while code == -signal.SIGKILL:
        last += 1
        tokens.write_text('{"refresh_token": "old"}')
        code = subprocess.run([sys.executable, script, tokens, str(last)], check=False).returncode
        found.append(json.loads(tokens.read_bytes())["refresh_token"])
    assert code == 0
    assert found == sorted(found, reverse=True)  # the old until the rename, the new from then on
    assert set(found) == {"old", "new"}
    assert len(found) > 4
    assert len(list(tmp_path.iterdir())) > 1  # with what the killed ones had begun
    assert forget(tokens)
    assert list(tmp_path.iterdir()) == []
    assert not forget(tokens)


def test_the_end_of_consent_is_said_in_time() -> None:
    """Nothing until 30 days before; then a line that changes 30, 7 and 1 days before, and once it has lapsed."""
    given_at = 1_790_000_000.0
    ends = given_at + CONSENT_LASTS_S

    def said(before_s: float) -> str | None:
        return consent_warning(given_at, ends - before_s)

    assert said(30 * DAY_S + 1) is None
    steps = [(30, 7), (7, 1), (1, 0)]
    lines = []
    for first, last in steps:
        line = said(first * DAY_S)
        assert line == said(last * DAY_S + 1)
        lines.append(line)
    lines.append(said(0))
    assert said(-400 * DAY_S) == lines[3]
    assert [line and line.partition(":")[0] for line in lines] == [
        "Spotify's consent lapses on 2027-03-21, within 30 days",
        "Spotify's consent lapses on 2027-03-21, within 7 days",
        "Spotify's consent lapses on 2027-03-21, within a day",
        "Spotify's consent lapsed on 2027-03-21",
    ]
    assert all(line and "'spotty login'" in line for line in lines)


def test_the_warning_is_never_later_than_spotify() -> None:
    """When Spotify ends a consent it has been called lapsed, and the day before it was called near its end."""
    ends_s = CONSENT_LIFETIME_MS / 1000
    assert "lapsed" in (consent_warning(0, ends_s) or "")
    assert "within a day" in (consent_warning(0, ends_s - 2 * DAY_S) or "")
