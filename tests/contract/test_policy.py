import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spotty_contract.policy import MAX_POLICY_BYTES, Policy
from spotty_contract.wire import faults_of

NUMBERS = {
    "holdOffS": (0, 3600, None),
    "vacancyDelayS": (30, 7200, 300),
    "confirmS": (0, 120, 0),
    "cooldownS": (0, 3600, 0),
    "maxSessionS": (60, 86400, 14400),
    "stuckAfterS": (60, 86400, 3600),
    "warmUpS": (0, 300, 60),
    "startRetryS": (0, 3600, 600),
    "quietGraceS": (0, 7200, 1800),
    "playback.fadeInS": (0, 30, 0),
    "playback.fadeOutS": (0, 30, 0),
    "playback.volumePct": (0, 100, None),
    "playback.volumeCapPct": (0, 100, 100),
}
"""The policy table of the design: least, most, default."""

DEFAULTS: dict[str, object] = {
    "enabled": True,
    "timezone": None,
    "quietHours": [],
    "schedule": [],
    "playback.device": None,
    "playback.contextUri": None,
    "playback.shuffle": True,
    "playback.repeat": "context",
    "playback.resume": "start",
    "playback.ifPlayingElsewhere": "skip",
    "playback.ifAccountBusy": "skip",
    "playback.onTakenOver": "leave",
    **{field: default for field, (_, _, default) in NUMBERS.items()},
}
CHOICES = {
    "playback.repeat": ["off", "context", "track"],
    "playback.resume": ["start", "where_left"],
    "playback.ifPlayingElsewhere": ["skip", "transfer"],
    "playback.ifAccountBusy": ["skip", "transfer"],
    "playback.onTakenOver": ["leave", "pause"],
}


def nested(field: str, value: object) -> dict[str, Any]:
    """A policy in which only this field is given, with room for any hold-off."""
    names = field.split(".")
    inner = {names[-1]: value}
    roomy = {"vacancyDelayS": 7200} if field == "holdOffS" else {}
    return roomy | (inner if len(names) == 1 else {names[0]: inner})


def read(policy: object) -> Policy:
    """The policy as it is read from a file."""
    return Policy.from_json(json.dumps(policy).encode())


def written(policy: Policy, field: str) -> Any:  # noqa: ANN401 - whatever the field holds
    """The field's value in JSON, defaults included."""
    value = json.loads(policy.model_dump_json())
    for name in field.split("."):
        value = value[name]
    return value


def faults(policy: object) -> list[str]:
    """What is told of a policy that is refused."""
    with pytest.raises(ValidationError) as caught:
        read(policy)
    return faults_of(caught.value, "policy")


@pytest.mark.parametrize("field,default", DEFAULTS.items())
def test_every_field_may_be_left_out(field: str, default: object) -> None:
    """An empty policy has the defaults of the design's table."""
    assert written(read({}), field) == default


def test_the_tables_here_know_every_field() -> None:
    """A field added to the policy is added to these tables."""
    policy = json.loads(Policy().model_dump_json())
    fields = {name for name in policy if name != "playback"} | {f"playback.{name}" for name in policy["playback"]}
    assert fields == set(DEFAULTS)


@pytest.mark.parametrize("field,least,most", [(field, *bounds[:2]) for field, bounds in NUMBERS.items()])
def test_both_bounds_are_allowed(field: str, least: int, most: int) -> None:
    """The least and the most of the table are themselves within bounds."""
    for value in (least, most):
        assert written(read(nested(field, value)), field) == value


@pytest.mark.parametrize("field,least,most", [(field, *bounds[:2]) for field, bounds in NUMBERS.items()])
@pytest.mark.parametrize("beyond", ["below", "above", "text", "boolean", "list"])
def test_a_value_out_of_range_is_told_with_field_value_and_both_bounds(
    field: str, least: int, most: int, beyond: str
) -> None:
    """One line names the field, the value as it was written, and the least and the most that are allowed."""
    value = {"below": least - 1, "above": most + 1, "text": str(most), "boolean": True, "list": [most]}[beyond]
    [fault] = faults(nested(field, value))
    assert fault.startswith(f"{field}: {json.dumps(value)} is not allowed: ")
    assert f"from {least} to {most}" in fault


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["vacancyDelayS", "maxSessionS", "holdOffS"])
def test_what_is_no_number_is_refused(field: str, value: str) -> None:
    """NaN and the infinities, which Python's JSON lets through, are out of range."""
    with pytest.raises(ValidationError, match=field):
        Policy.from_json(f'{{"{field}": {value}}}'.encode())


def test_a_session_without_limit_is_allowed() -> None:
    """Zero is no limit, and less than a minute is refused with both ways out."""
    assert read({"maxSessionS": 0}).max_session_s == 0
    assert faults({"maxSessionS": 59.5}) == [
        "maxSessionS: 59.5 is not allowed: it should be 0 (no limit) or a number from 60 to 86400"
    ]


@pytest.mark.parametrize("field,choices", CHOICES.items())
def test_a_choice_is_one_of_a_few_words(field: str, choices: list[str]) -> None:
    """Every word of the table is taken; another is refused with the ones there are."""
    for word in choices:
        assert written(read(nested(field, word)), field) == word
    assert faults(nested(field, "loud")) == [f'{field}: "loud" is not allowed: it should be {" or ".join(choices)}']


@pytest.mark.parametrize("field", ["enabled", "playback.shuffle"])
@pytest.mark.parametrize("value", [0, 1, "true", None])
def test_a_switch_is_true_or_false(field: str, value: object) -> None:
    """Nothing that merely looks like a truth value is taken for one."""
    assert faults(nested(field, value)) == [f"{field}: {json.dumps(value)} is not allowed: it should be true or false"]


def test_hold_off_must_be_less_than_vacancy_delay() -> None:
    """A hold-off as long as the vacancy delay would never count a second motion."""
    [fault] = faults({"holdOffS": 300})
    assert "holdOffS, 300, should be less than vacancyDelayS, 300" in fault
    assert read({"holdOffS": 299}).effective_hold_off_s == 299


@pytest.mark.parametrize("vacancy_delay_s,hold_off_s", [(30, 15), (200, 100), (240, 120), (300, 120), (7200, 120)])
def test_hold_off_defaults_to_two_minutes_or_half_the_vacancy_delay(vacancy_delay_s: int, hold_off_s: int) -> None:
    """Without a hold-off the shorter of the two is in force."""
    assert read({"vacancyDelayS": vacancy_delay_s}).effective_hold_off_s == hold_off_s


def window(start: object = "22:00", end: object = "07:00", **more: object) -> dict[str, Any]:
    """A policy with one window of quiet hours."""
    return {"quietHours": [{"start": start, "end": end, **more}]}


@pytest.mark.parametrize("start", ["00:00", "09:30", "23:59"])
@pytest.mark.parametrize("end", ["00:01", "19:59", "24:00"])
def test_times_of_day_are_taken(start: str, end: str) -> None:
    """A window starts from 00:00 to 23:59 and ends from 00:00 to 24:00."""
    assert read(window(start, end)).quiet_hours[0].end == end


@pytest.mark.parametrize(
    "time",
    [
        "7:00",
        "07:0",
        "24:01",
        "25:00",
        "07:60",
        "0700",
        "07:00:00",
        " 07:00",
        "07:00\n",
        "0\u0667:00",
        "07:0\u0660",
        "",
        700,
        None,
    ],
)
def test_what_is_no_time_of_day_is_refused(time: object) -> None:
    """The message names the field, the value and the form."""
    [start], [end] = faults(window(start=time)), faults(window(end=time))
    assert start == (
        f"quietHours.0.start: {json.dumps(time, ensure_ascii=False)} is not allowed: "
        "it should be a time of day HH:MM, 00:00 to 23:59"
    )
    assert end.endswith("00:00 to 24:00")


def test_a_window_may_not_start_at_its_end_of_the_day() -> None:
    """24:00 is an end only."""
    assert "00:00 to 23:59" in faults(window(start="24:00"))[0]


def test_an_empty_window_is_refused() -> None:
    """Start equal to end could mean nothing or everything, so the message says how to say everything."""
    assert faults(window("07:00", "07:00")) == [
        "quietHours.0: start and end are both 07:00; a whole day is 00:00 to 24:00"
    ]


@pytest.mark.parametrize("days", [[7], [-1], ["1"], [True], [1.5], [1, 1], list(range(8)), 3])
def test_days_are_weekdays_each_once(days: object) -> None:
    """Anything but different whole numbers from 0 to 6 is refused."""
    assert faults(window(days=days))[0].startswith("quietHours.0.days")


@pytest.mark.parametrize("field,most", [("quietHours", 7), ("schedule", 5)])
def test_lists_have_a_longest(field: str, most: int) -> None:
    """Seven windows and five schedule entries, and not one more."""
    one = {"start": "22:00", "end": "07:00"}
    assert len(written(read({field: [one] * most}), field)) == most
    [fault] = faults({field: [one] * (most + 1)})
    assert fault.endswith(f"it should be a list of 0 to {most}")


@pytest.mark.parametrize(
    "name,known",
    [
        ("Europe/Berlin", True),
        ("UTC", True),
        ("Pacific/Apia", True),
        ("Europe/Berlino", False),
        ("right/UTC", False),
        ("localtime", False),
        ("../UTC", False),
        ("/etc/localtime", False),
        ("", False),
        ("\0", False),
        ("Europe", False),
        ("x" * 5000, False),
        (5, False),
    ],
)
def test_a_zone_has_an_iana_name(name: object, *, known: bool) -> None:
    """What only this computer knows is no zone, and neither is a path."""
    if known:
        assert read({"timezone": name}).timezone == name
    else:
        assert faults({"timezone": name})[0].endswith("it should be an IANA time zone such as Europe/Berlin")


@pytest.mark.parametrize(
    "text,uri",
    [
        ("spotify:album:4aawyAB9vmqN3uQ7FjRGTy", "spotify:album:4aawyAB9vmqN3uQ7FjRGTy"),
        ("https://open.spotify.com/playlist/37i9dQZF1DX4?si=abc", "spotify:playlist:37i9dQZF1DX4"),
        ("https://open.spotify.com/intl-de/artist/0OdUWJ0/", "spotify:artist:0OdUWJ0"),
        ("http://open.spotify.com/intl-pt-BR/album/0OdUWJ0#top", "spotify:album:0OdUWJ0"),
        (" spotify:artist:0OdUWJ0\n", "spotify:artist:0OdUWJ0"),
        ("spotify:track:4aawyAB9vmqN3uQ7FjRGTy", None),
        ("https://open.spotify.com/track/4aawyAB9", None),
        ("https://open.spotify.com.evil.org/album/4aawyAB9", None),
        ("https://open.spotify.com/album/", None),
        ("spotify:album:", None),
        ("spotify:album:a:b", None),
        ("Spotify:album:a", None),
        ("", None),
        (7, None),
    ],
)
def test_a_context_is_kept_as_a_uri(text: object, uri: str | None) -> None:
    """A link becomes the URI of what it leads to; what is neither playlist, album nor artist is refused."""
    policy = {"playback": {"contextUri": text}, "schedule": [{"start": "07:00", "end": "09:00", "contextUri": text}]}
    if uri is None:
        assert [fault.partition(":")[0] for fault in faults(policy)] == ["schedule.0.contextUri", "playback.contextUri"]
    else:
        kept = read(policy)
        assert (kept.playback.context_uri, kept.schedule[0].context_uri) == (uri, uri)


def of_size(size: int) -> dict[str, Any]:
    """A policy whose compact JSON has this many bytes."""
    policy: dict[str, Any] = {"playback": {"device": {"name": "Küche"}, "contextUri": "spotify:album:x"}}
    short = size - len(read(policy).to_json().encode())
    policy["playback"]["contextUri"] += "x" * short
    return policy


def test_a_policy_of_the_largest_size_fits() -> None:
    """1,800 bytes of compact JSON in UTF-8, and not one more; defaults and blanks are not counted."""
    largest = of_size(MAX_POLICY_BYTES)
    assert len(read(largest | {"enabled": True}).to_json().encode()) == MAX_POLICY_BYTES
    assert faults(of_size(MAX_POLICY_BYTES + 1)) == ["policy: it is 1801 bytes as compact JSON; at most 1800 fit"]


def numbers(field: str) -> st.SearchStrategy[float | None]:
    """Any value the table allows."""
    least, most, default = NUMBERS[field]
    within = st.integers(least, most) | st.floats(least, most)
    return within if default is not None else st.none() | within


POLICIES = st.builds(
    lambda values, playback, context: {
        **values,
        "vacancyDelayS": 7200,
        "quietHours": [{"start": "22:00", "end": "07:00", "days": [0, 6]}],
        "playback": {**playback, "contextUri": context, "device": {"name": "Küche"}},
    },
    st.fixed_dictionaries(
        {}, optional={name: numbers(name) for name in NUMBERS if "." not in name and name != "vacancyDelayS"}
    ),
    st.fixed_dictionaries({}, optional={"fadeInS": numbers("playback.fadeInS"), "repeat": st.just("track")}),
    st.sampled_from(["spotify:album:a", "https://open.spotify.com/playlist/b?si=1"]),
)


@given(POLICIES)
def test_reading_is_the_inverse_of_writing(policy: dict[str, Any]) -> None:
    """A policy that is written compactly, or in full, is the same when it is read again."""
    kept = read(policy)
    assert Policy.from_json(kept.to_json().encode()) == kept
    assert Policy.from_json(kept.model_dump_json().encode()) == kept
    assert Policy.from_json(kept.model_dump_json(indent=2).encode()) == kept


SECONDS_FIELDS = [field for field in NUMBERS if field.endswith("S")]


@given(field=st.sampled_from(SECONDS_FIELDS), data=st.data())
def test_seconds_are_written_as_short_as_they_can_be(field: str, data: st.DataObject) -> None:
    """Whole ones without a point, others as they are; each form that was ever written is read as the same policy."""
    least, most, _ = NUMBERS[field]
    seconds = data.draw(st.one_of(st.integers(least, most), st.floats(least, most)))
    policy = read(nested(field, seconds))
    text = policy.to_json()
    assert Policy.from_json(text.encode()) == policy
    assert ".0," not in text.replace("}", ",")
    older = json.dumps(nested(field, float(seconds)))
    assert Policy.from_json(older.encode()) == policy
    assert Policy.from_json(older.encode()).to_json() == text
