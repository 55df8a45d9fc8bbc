"""What the cloud asks a gateway to do: one JSON object on `commands` of the sensor, or of `gateway`."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator
from pydantic_core import from_json

from spotty_contract.gateway import RESERVED_SENSOR_ID
from spotty_contract.policy import ContextUri, DeviceChoice, Policy
from spotty_contract.wire import Percent, Seconds, UtcMs, Wire, fit, misfit

MAX_COMMAND_BYTES = 4_500
"""Greengrass's lite nucleus silently loses what is larger than 4.9 kB."""

AUDIBLE_LASTS_MS = 30_000
"""Music that starts later than this after somebody asked for it frightens people."""
LASTS_MS = 600_000
"""Anything else; Spotify's codes and our links live as long."""

CLOCKS_DIFFER_MS = 5_000
"""A sender's clock may be so far ahead of the gateway's; further, and a command would outlast its time."""

_DETAIL_BYTES = 300

CommandId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]

RedirectUri = Annotated[
    str,
    Field(
        max_length=256,
        pattern=r'^(https://[A-Za-z0-9.-]+|http://(127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?(/[!-"$-~]*)?$',
        description="an https address, or http://127.0.0.1 or http://[::1], as registered in the Spotify app",
    ),
]


class _Command(Wire):
    """What all commands say. No error about one repeats what it carries.

    A shape is made when it is first wanted: a gateway has a dozen of them for years, and may never be asked anything.
    """

    model_config = ConfigDict(hide_input_in_errors=True, defer_build=True)

    audible: ClassVar[bool] = False
    """Whether it can make a sound: then it lasts 30 s, and an untrusted clock refuses it."""
    of_gateway: ClassVar[bool] = False
    """Whether it goes to `gateway` rather than to a sensor."""

    command_id: CommandId
    issued_at: UtcMs
    expires_at: UtcMs

    def to_json(self) -> str:
        """Compact JSON with the command's name in it."""
        return self.model_dump_json(exclude_none=True)

    @model_validator(mode="after")
    def _expires_soon(self) -> Self:
        most = self.lasts_ms()
        if not 0 < self.expires_at - self.issued_at <= most:
            raise misfit(f"expiresAt should be later than issuedAt, by {most} ms at most")
        return self

    @classmethod
    def lasts_ms(cls) -> int:
        """So long after it was issued it may be carried out, at most."""
        return AUDIBLE_LASTS_MS if cls.audible else LASTS_MS


class TestPlay(_Command):
    """Play for a moment, so that a person hears which speaker it is; what is not given is as the policy has it."""

    __test__: ClassVar[bool] = False  # pytest would take the name for a test's
    audible: ClassVar[bool] = True
    command: Literal["test_play"] = "test_play"
    device: DeviceChoice | None = None
    context_uri: ContextUri | None = None
    volume_pct: Percent | None = None
    for_s: Seconds = Field(default=15, ge=5, le=60)


class Pause(_Command):
    """Silence in this room for the rest of its session. Silence frightens nobody: it is not audible."""

    command: Literal["pause"] = "pause"


class Resume(_Command):
    """Music again in this room: lifts snooze and mute."""

    audible: ClassVar[bool] = True
    command: Literal["resume"] = "resume"


class Snooze(_Command):
    """No music in this room until an instant, or for a while; until tomorrow morning where neither is given."""

    command: Literal["snooze"] = "snooze"
    until: UtcMs | None = None
    for_s: Seconds | None = Field(default=None, gt=0, le=30 * 86_400)

    @model_validator(mode="after")
    def _says_it_once(self) -> Self:
        if self.until is not None and self.for_s is not None:
            raise misfit("until and forS are two ways to say one thing; keep one")
        return self


class Volume(_Command):
    """Set the volume of the room's music, within the policy's cap."""

    audible: ClassVar[bool] = True
    command: Literal["volume"] = "volume"
    volume_pct: Percent


class WhatIf(_Command):
    """What would this policy have made of the last days?"""

    command: Literal["what_if"] = "what_if"
    policy: Policy
    days: Annotated[int, Field(ge=1, le=30)] = 7


class ListDevices(_Command):
    """Which speakers does Spotify know of now?"""

    of_gateway: ClassVar[bool] = True
    command: Literal["list_devices"] = "list_devices"


class SpotifyAnswer(Wire):
    """What the browser brought back from Spotify: a state, and a code or the word for why there is none."""

    model_config = ConfigDict(hide_input_in_errors=True)

    state: Annotated[str, Field(pattern=r"^[!-~]{1,128}$", repr=False)]
    code: Annotated[str, Field(pattern=r"^[!-~]{1,1200}$")] | None = Field(default=None, repr=False)
    error: Annotated[str, Field(pattern=r"^[a-z_]{1,40}$")] | None = None

    @model_validator(mode="after")
    def _is_one_of_both(self) -> Self:
        if (self.code is None) == (self.error is None):
            raise misfit("an answer of Spotify has a code or an error: one of them")
        return self


class ConnectSpotify(_Command):
    """Connect the household's Spotify, in two commands.

    The first has a `redirectUri`; its result brings the link to open, made by the gateway, which keeps the verifier.
    The second has the `answer` that came to that address.
    """

    of_gateway: ClassVar[bool] = True
    command: Literal["connect_spotify"] = "connect_spotify"
    redirect_uri: RedirectUri | None = None
    answer: SpotifyAnswer | None = None

    @model_validator(mode="after")
    def _asks_or_answers(self) -> Self:
        if (self.redirect_uri is None) == (self.answer is None):
            raise misfit("it asks with redirectUri or answers with answer: one of them")
        return self


class DisconnectSpotify(_Command):
    """Forget the household's tokens."""

    of_gateway: ClassVar[bool] = True
    command: Literal["disconnect_spotify"] = "disconnect_spotify"


class Restart(_Command):
    """Start the component anew; music plays on."""

    of_gateway: ClassVar[bool] = True
    command: Literal["restart"] = "restart"


Command = (
    TestPlay | Pause | Resume | Snooze | Volume | WhatIf | ListDevices | ConnectSpotify | DisconnectSpotify | Restart
)
COMMANDS: dict[str, type[Command]] = {
    "test_play": TestPlay,
    "pause": Pause,
    "resume": Resume,
    "snooze": Snooze,
    "volume": Volume,
    "what_if": WhatIf,
    "list_devices": ListDevices,
    "connect_spotify": ConnectSpotify,
    "disconnect_spotify": DisconnectSpotify,
    "restart": Restart,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why this is not carried out. With a `command_id` it is answered on `results`, without one on `errors`."""

    command_id: str | None
    command: str | None
    reason: Literal["too_large", "malformed", "unknown_command", "misdirected"]
    detail: str
    """For a person; it repeats nothing that the command carried."""


def read_command(data: bytes, sensor_id: str) -> Command | Refusal:
    """The command that came to this sensor, or to `gateway`; never raises."""
    if len(data) > MAX_COMMAND_BYTES:
        return Refusal(None, None, "too_large", f"{len(data)} bytes are no command: at most {MAX_COMMAND_BYTES} are")
    try:
        found = from_json(data)
    except ValueError as error:  # its text is a place and a kind, never what stood there
        return Refusal(None, None, "malformed", fit(f"it is not JSON: {error}", _DETAIL_BYTES))
    if not isinstance(found, dict):
        return Refusal(None, None, "malformed", "a command is an object with named fields")
    command_id = _readable_id(found)
    name = found.get("command")
    shape = COMMANDS.get(name) if isinstance(name, str) else None
    if shape is None:
        known = ", ".join(COMMANDS)
        return Refusal(command_id, None, "unknown_command", f"this gateway knows the commands {known}")
    try:
        command = shape.from_json(data)
    except ValidationError as error:
        return Refusal(command_id, name, "malformed", _faults_without_values(error))
    if command.of_gateway != (sensor_id == RESERVED_SENSOR_ID):
        place = f"the sensor id {RESERVED_SENSOR_ID}" if command.of_gateway else "a sensor"
        return Refusal(command_id, name, "misdirected", f"{command.command} goes to {place}")
    return command


def why_not_now(command: Command, now_ms: int, *, clock_trusted: bool) -> Literal["expired", "clock_untrusted"] | None:
    """Why a good command is refused all the same. Without the time nobody knows what has expired: it must be silent.

    One that would last longer than any may was issued by a clock that is ahead: when it really was is not known.
    """
    if not clock_trusted:
        return "clock_untrusted" if command.audible else None
    is_from_the_future = command.expires_at - now_ms > command.lasts_ms() + CLOCKS_DIFFER_MS
    return "expired" if is_from_the_future or now_ms >= command.expires_at else None


def _readable_id(found: dict[str, object]) -> str | None:
    try:
        return _Id.model_validate({"command_id": found.get("commandId")}).command_id
    except ValidationError:
        return None


class _Id(Wire):
    command_id: CommandId


def _faults_without_values(error: ValidationError) -> str:
    """Every fault with its field and what is allowed. A code that stands in the wrong field must not be told either."""
    faults = (
        f"{'.'.join(map(str, detail['loc'])) or 'command'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_input=False)
    )
    return fit("; ".join(faults), _DETAIL_BYTES)
