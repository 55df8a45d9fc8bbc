"""What happens in the house by plan: each deed at its instant, and files that plan them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from spotty_sandbox.spotify import (
    DeedError,
    FaultFileError,
    Limits,
    ManualClock,
    RandomFaults,
    Request,
    Service,
    SpotifyWorld,
    Trouble,
    deed,
    read_trouble,
    run,
)
from spotty_sandbox.spotify.deeds import AT_SPEAKERS, AT_THE_ACCOUNT
from spotty_sandbox.spotify.fault_file import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable

SEEN: list[tuple[dict[str, Any], Callable[[SpotifyWorld], object], object]] = [
    ({"do": "play", "value": "Splash"}, lambda w: w.player().deck and w.player().is_playing, True),
    ({"do": "resume"}, lambda w: w.player().is_playing, True),
    ({"do": "pause"}, lambda w: w.player().is_playing, False),
    ({"do": "skip"}, lambda w: w.player().deck, None),
    ({"do": "volume", "value": 12}, lambda w: w.device("Kitchen").volume_pct, 12),
    ({"do": "unplug"}, lambda w: w.device("Kitchen").presence, "unplugged"),
    ({"do": "plug_in"}, lambda w: w.device("Kitchen").presence, "present"),
    ({"do": "sleep"}, lambda w: w.device("Kitchen").presence, "asleep"),
    ({"do": "doze"}, lambda w: w.device("Kitchen").presence, "dozing"),
    ({"do": "new_id"}, lambda w: w.device("Kitchen").id is None, False),
    ({"do": "lose_id"}, lambda w: w.device("Kitchen").id, None),
    ({"do": "manner", "value": "late"}, lambda w: w.device("Kitchen").start_delay_ms, 3000),
    ({"do": "good_manners"}, lambda w: w.device("Kitchen").is_restricted, False),
    ({"do": "revoke"}, lambda w: w.auth.access("x"), None),
    ({"do": "expire_tokens"}, lambda w: w.auth.access("x"), None),
    ({"do": "refresh_style", "value": "rotate"}, lambda w: w.auth.refresh_style, "rotate"),
    ({"do": "premium", "value": False}, lambda w: w.accounts["owner"].is_premium, False),
    ({"do": "autoplay", "value": True}, lambda w: len(w.player().autoplay) > 0, True),
]


def test_every_deed_is_tried() -> None:
    """No deed without a test."""
    assert {order["do"] for order, _, _ in SEEN} == {*AT_SPEAKERS, *AT_THE_ACCOUNT}


@pytest.mark.parametrize("order,seen,expected", SEEN)
def test_deeds_do_what_they_say(
    world: SpotifyWorld, order: dict[str, Any], seen: Callable[[SpotifyWorld], object], expected: object
) -> None:
    """Nothing happens while a deed is only read; done, it shows; done twice, it does no harm."""
    world.device("Kitchen").is_restricted = True
    do = deed(world, {**order, "speaker": "Kitchen"})
    assert world.player().active is None
    do()
    assert seen(world) == expected
    do()


def test_consent_withdrawn_and_tokens_expired(world: SpotifyWorld) -> None:
    """A revoked consent refuses to refresh, an expired token opens nothing."""
    tokens = world.auth.grant()
    form = f"grant_type=refresh_token&refresh_token={tokens.refresh_token}".encode()
    look = Request("GET", "/v1/me", {}, {"authorization": f"Bearer {tokens.access_token}"})
    service = Service(world)
    deed(world, {"do": "expire_tokens"})()
    deed(world, {"do": "revoke"})()
    answers = service.respond(look), service.respond(Request("POST", "/api/token", body=form))
    assert [each and each.status for each in answers] == [401, 400]


@pytest.mark.parametrize(
    "order,complaint",
    [
        ({"do": "explode"}, "nothing one can do"),
        ({}, "nothing one can do"),
        ({"do": ["pause"]}, "nothing one can do"),
        ({"do": "pause", "speaker": "Cellar"}, "no such speaker"),
        ({"do": "pause", "speaker": "Kitchen", "account": "guest"}, "no account 'guest'"),
        ({"do": "volume", "speaker": "Kitchen", "value": "loud"}, "One cannot volume with the value 'loud'"),
        ({"do": "volume", "speaker": "Kitchen", "value": True}, "with the value True"),
        ({"do": "manner", "speaker": "Kitchen", "value": "asleep"}, "with the value 'asleep'"),
        ({"do": "play", "speaker": "Kitchen", "value": "Nothing"}, "with the value 'Nothing'"),
        ({"do": "refresh_style", "value": "never"}, "with the value 'never'"),
    ],
)
def test_what_cannot_be_done_is_told(world: SpotifyWorld, order: dict[str, Any], complaint: str) -> None:
    """One sentence names what is wrong."""
    with pytest.raises(DeedError, match=complaint):
        deed(world, order)


def test_each_deed_happens_at_its_instant(world: SpotifyWorld, clock: ManualClock, steam: str) -> None:
    """However long nobody looked: music that played from the tenth to the thirtieth second has moved 20 s."""
    start_ms = clock.now_ms()
    world.at(start_ms + 30_000, lambda w: w.hand().pause(w.device("Kitchen")))
    context = world.catalogue.context(steam)
    assert context is not None
    world.at(start_ms + 10_000, lambda w: w.hand().play(w.device("Kitchen"), context))
    assert world.next_change_ms() == start_ms + 10_000
    clock.advance_ms(86_400_000)
    player = world.player()
    assert player.deck is not None
    assert (player.is_playing, player.deck.progress_ms, player.since_ms) == (False, 20_000, start_ms + 30_000)


def test_a_request_sees_what_was_planned(world: SpotifyWorld, clock: ManualClock) -> None:
    """A deed is done before the first request after its instant is answered, and not before its instant."""
    service, headers = Service(world), {"authorization": f"Bearer {world.auth.grant().access_token}"}
    world.at(clock.now_ms() + 10, lambda w: w.auth.expire_access_tokens())

    def status() -> int | None:
        answer = service.respond(Request("GET", "/v1/me", {}, headers))
        return None if answer is None else answer.status

    clock.advance_ms(9)
    assert status() == 200
    clock.advance_ms(1)
    assert status() == 401


def test_deeds_of_one_instant_keep_their_order(world: SpotifyWorld, clock: ManualClock) -> None:
    """What was planned first happens first; what a deed plans for its own instant happens after."""
    done: list[str] = []
    at_ms = clock.now_ms() + 5

    def planned(name: str) -> Callable[[SpotifyWorld], None]:
        def do(house: SpotifyWorld) -> None:
            done.append(name)
            house.at(at_ms, lambda _: done.append(name * 2))

        return do

    for name in ("a", "b"):
        world.at(at_ms, planned(name))
    clock.advance_ms(5)
    world.settle()
    assert done == ["a", "b", "aa", "bb"]


def test_a_deed_may_come_again_and_again(world: SpotifyWorld, clock: ManualClock) -> None:
    """Every hour, from its first time on, also over a leap of a day."""
    times: list[int] = []
    start_ms = clock.now_ms()
    world.at(start_ms + 1_000, lambda w: times.append(w.auth.clock.now_ms() - start_ms), every_ms=3_600_000)
    clock.advance_ms(86_400_000)
    world.settle()
    assert times == [1_000 + 3_600_000 * n for n in range(24)]
    with pytest.raises(ValueError, match="every 0 ms"):
        world.at(start_ms, print, every_ms=0)


def test_a_deed_never_happens_before_what_was_already_seen(world: SpotifyWorld, clock: ManualClock, steam: str) -> None:
    """A deed planned for a past instant happens now: time does not run backwards for a song."""
    context = world.catalogue.context(steam)
    assert context is not None
    hand = world.hand()
    hand.play(world.device("Kitchen"), context)
    clock.advance_ms(60_000)
    world.settle()
    world.at(clock.now_ms() - 50_000, lambda w: w.hand().pause(w.device("Kitchen")))
    deck = world.player().deck
    assert deck is not None
    assert (deck.progress_ms, world.player().is_playing) == (60_000, False)


def test_a_file_plans_events_limits_and_chance(world: SpotifyWorld, clock: ManualClock) -> None:
    """Every part of a file reaches its place, counted from when it was read."""
    trouble = read_trouble(
        json.dumps(
            {
                "seed": 1,
                "events": [
                    {"at_s": 10, "do": "unplug", "speaker": "Kitchen"},
                    {"at_s": 20.5, "do": "plug_in", "speaker": "Kitchen"},
                    {"at_s": 0, "every_s": 1, "do": "new_id", "speaker": "Bathroom"},
                ],
                "random": {"GET *": {"reset": 1}},
                "limits": {"calls_a_window": 3},
            }
        )
    )
    trouble.plan_on(world)
    assert trouble.limits == Limits(calls_a_window=3)
    assert isinstance(trouble.faults, RandomFaults)
    struck = trouble.faults.strike("GET", "/v1/me", 0)
    assert struck is not None
    assert struck.name == "reset"
    ids = {world.device("Bathroom").id}
    clock.advance_ms(20_499)
    assert world.device("Kitchen").presence == "unplugged"
    ids.add(world.device("Bathroom").id)
    clock.advance_ms(1)
    assert world.device("Kitchen").presence == "present"
    assert len(ids) == 2


def test_the_example_uses_everything(world: SpotifyWorld) -> None:
    """The printed example can be read, and its events fit the household that is there by default."""
    text = EXAMPLE.read_text(encoding="utf-8")
    trouble = read_trouble(text)
    trouble.plan_on(world)
    assert set(json.loads(text)) == {"seed", "faults", "random", "events", "limits"}
    assert (len(trouble.faults), len(trouble.events)) == (5, 4)
    assert len(Trouble().faults) == 0


@pytest.mark.parametrize(
    "content,complaint",
    [
        (
            '{\n "faults": [\n  {"name": "a"},\n  {"kind": "flood"}]}',
            r"^line 4, fault 2 \(flood\): there is no kind 'flood'",
        ),
        ('{"events": [],\n"faults":\n[ \n\n{"name": "a", "drops": "x"}]}', r"^line 5, fault 1 \(a\): drops is 'x'"),
        ({"faults": [{"name": "a", "edits": []}]}, r"edits is \[\], expected an object"),
        ({"faults": [{"name": "a", "refresh_style": "never"}]}, "refresh_style is 'never', expected one of omit, same"),
        ({"faults": [{"kind": "reset", "name": 7}]}, "name is 7, expected a text"),
        ({"faults": [{"name": "a", "retry_after_s": "5"}]}, "retry_after_s is '5', expected a whole number"),
        ({"faults": [{"name": "a", "date_off_s": float("nan")}]}, "date_off_s is nan"),
        ({"random": []}, "random: expected an object"),
        ({"random": {"PUT": {}}}, "random: 'PUT': expected \"METHOD /path\""),
        ({"random": {"PUT *": {"reset": "often"}}}, r"random: 'PUT \*': reset is 'often'"),
        ({"random": {"PUT *": {"flood": 0.5}}}, "there is no kind 'flood'; --list-faults"),
        ({"limits": {"calls": 1}}, "limits: expected an object with any of calls_a_window, calls_a_day"),
        ({"limits": {"calls_a_day": 0}}, "limits: calls_a_day is 0"),
        ({"events": [{"do": "pause"}]}, r"line 1, event 1 \(pause\): at_s is None"),
        ({"events": [{"at_s": 1}]}, 'event 1: expected an object with "at_s" and "do"'),
        ({"events": [{"at_s": 1, "do": "dance"}]}, r"event 1 \(dance\): do is 'dance', there are play, resume"),
        ({"events": [{"at_s": 1, "do": "pause", "speakers": 1}]}, "unknown field 'speakers'"),
        ({"events": [{"at_s": 1, "every_s": 0, "do": "pause"}]}, "every_s is 0"),
        ({"events": "x"}, "events: expected a list"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_bad_file_names_line_entry_and_field(content: object, complaint: str) -> None:
    """One line: where it stands, what is wrong, what was expected."""
    text = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(FaultFileError, match=complaint) as refusal:
        read_trouble(text)
    assert "\n" not in str(refusal.value)


def test_an_event_for_a_speaker_that_is_not_there_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says which line of which file names it, and starts nothing."""
    path = tmp_path / "faults.json"
    path.write_text('{"events": [\n{"at_s": 1, "do": "pause", "speaker": "Cellar"}]}')
    assert run(["--port", "0", "--faults", str(path)]) == 2
    expected = f"spotty-sandbox spotify: --faults: {path}: line 2, event 1 (pause): There is no such speaker.\n"
    assert capsys.readouterr().err == expected


def test_the_command_prints_its_example_and_its_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    """Both can be had without starting anything."""
    assert run(["--example-faults"]) == 0
    assert read_trouble(capsys.readouterr().out).limits == Limits(60, 2000)
    assert run(["--list-faults"]) == 0
    listed = capsys.readouterr().out
    assert all(f"  {name}" in listed for name in ("rotated_lost", "quota_exceeded", "doze", "revoke"))
