"""In what the two nuclei differ, as far as a component can tell."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """One kind of nucleus. README.md beside this file says where each value comes from."""

    name: str
    frame_bytes: int
    """A longer frame of the client closes its connection."""
    answer_bytes: int
    """A longer answer is an error, a longer event is lost."""
    sub_objects: int | None
    """How many list items and map entries a request may hold in all."""
    depth: int
    """How deep a request may be nested."""
    mqtt_bytes: int | None
    """A longer MQTT packet from the cloud is lost, silently."""
    subscriptions: int | None
    """How many subscriptions there can be in all."""
    unacknowledged: int
    """How many QoS 1 messages may be on their way to the broker at once."""
    spool_bytes: int | None
    """Memory for messages to the cloud; None: there is none, and a publish needs a connection."""
    keeps_session: bool
    """Whether the broker keeps subscriptions and messages for it while it is away."""
    ends_streams: bool
    """Whether an answer that nothing follows ends its stream."""
    tells_why: bool
    """Whether errors have a message that the client sees."""
    has_updates: bool
    """Whether component updates can be deferred and configurations validated."""
    waits_for_broker: bool
    """Whether a subscribe to the cloud is answered only once the broker has subscribed."""
    echo_always: bool
    """Whether a component gets its own local messages whatever it asked for."""
    exact_lifecycle: bool
    """Whether lifecycle keys must be written as documented, and unknown variables in scripts are errors."""
    yaml_strings: bool
    """Whether every scalar of a YAML recipe is a string."""
    runtimes: tuple[str | None, ...]
    """Values of `Platform.runtime` that mean it."""
    phases: tuple[str, ...]
    """Lifecycle scripts that it runs."""
    starts: int
    """This many failed starts within `starts_within_s` and it gives up."""
    starts_within_s: float
    restart_delay_s: float
    stop_s: float | None
    """How long after SIGTERM comes SIGKILL; None: the `Timeout` of the run script."""


LITE = Profile(
    name="lite",
    frame_bytes=10_000,
    answer_bytes=10_000,
    sub_objects=255,
    depth=15,
    mqtt_bytes=4_900,
    subscriptions=99,
    unacknowledged=10,
    spool_bytes=None,
    keeps_session=False,
    ends_streams=False,
    tells_why=False,
    has_updates=False,
    waits_for_broker=False,
    echo_always=True,
    exact_lifecycle=True,
    yaml_strings=True,
    runtimes=("*", "aws_nucleus_lite"),
    phases=("install", "run"),
    starts=3,
    starts_within_s=3600,
    restart_delay_s=1.0,
    stop_s=None,
)

CLASSIC = Profile(
    name="classic",
    frame_bytes=16 * 1024 * 1024,
    answer_bytes=16 * 1024 * 1024,
    sub_objects=None,
    depth=500,
    mqtt_bytes=None,
    subscriptions=None,
    unacknowledged=5,
    spool_bytes=2_621_440,
    keeps_session=True,
    ends_streams=True,
    tells_why=True,
    has_updates=True,
    waits_for_broker=True,
    echo_always=False,
    exact_lifecycle=False,
    yaml_strings=False,
    runtimes=(None, "*", "aws_nucleus_classic"),
    phases=("install", "run", "shutdown", "recover"),
    starts=3,
    starts_within_s=3600,
    restart_delay_s=0.0,
    stop_s=5.0,
)

PROFILES = {profile.name: profile for profile in (LITE, CLASSIC)}
