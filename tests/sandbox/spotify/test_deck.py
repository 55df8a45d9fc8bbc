import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotty_sandbox.spotify.catalogue import Track, invented_id
from spotty_sandbox.spotify.deck import Deck, Repeat, deck_of

TRACKS = tuple(Track(invented_id(name), name, "A", "B", ms) for name, ms in (("x", 1000), ("y", 2000), ("z", 500)))
DECK = deck_of(None, TRACKS, first=0, shuffle=False, rng=random.Random(1))  # noqa: S311 - songs


@pytest.mark.parametrize(
    "by_ms,repeat,expected",
    [
        (999, "off", ("x", 999, None)),
        (1000, "off", ("y", 0, None)),
        (3499, "off", ("z", 499, None)),
        (3500, "off", ("x", 0, 0)),
        (4000, "off", ("x", 0, 500)),
        (3500, "context", ("x", 0, None)),
        (3500 * 1_000_000 + 1500, "context", ("y", 500, None)),
        (2500, "track", ("x", 500, None)),
    ],
)
def test_the_needle_moves_through_the_tracks(by_ms: int, repeat: Repeat, expected: tuple[str, int, int | None]) -> None:
    """A track ends exactly at its length, and what happens then depends on repeat."""
    deck, spare_ms = DECK.advanced(by_ms, repeat)
    assert (deck.track.name, deck.progress_ms, spare_ms) == expected


@given(st.lists(st.integers(0, 3000), max_size=20), st.sampled_from(["context", "track"]))
def test_many_small_steps_are_one_large_step(steps: list[int], repeat: Repeat) -> None:
    """How often one looks makes no difference to where the music is."""
    deck = DECK
    for step in steps:
        deck, _ = deck.advanced(step, repeat)
    assert deck == DECK.advanced(sum(steps), repeat)[0]


@given(st.integers(0, 2), st.integers(0, 10_000))
def test_shuffling_keeps_every_track_and_the_one_that_plays(at: int, seed: int) -> None:
    """Shuffle on and off again leads back to the same track in the old order."""
    straight = Deck(None, TRACKS, (0, 1, 2), at, progress_ms=77)
    shuffled = straight.reordered(shuffle=True, rng=random.Random(seed))  # noqa: S311 - songs
    assert sorted(shuffled.order) == [0, 1, 2]
    assert (shuffled.track, shuffled.progress_ms) == (straight.track, 77)
    assert shuffled.reordered(shuffle=False, rng=random.Random(seed)) == straight  # noqa: S311 - songs


def test_stepping_stops_at_the_ends_unless_the_music_repeats() -> None:
    """There is nothing before the first track, except the last one when the context repeats."""
    assert DECK.stepped(-1, "off") is None
    around = DECK.stepped(-1, "context")
    assert around is not None
    assert around.track.name == "z"
