"""The way of a request into the simulated Spotify without a socket: requests' own transport, in the year's time."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError, ProtocolError

from spotty_gateway.engine.commands import PlayerCommand
from spotty_gateway.engine.rules import SECOND
from spotty_sandbox.spotify import Answer, Fault, Request, Service, rate_limited

from .agenda import Agenda
from .music_promises import MusicPromises
from .story import Story
from .trouble import Trouble
from .truth import PAUSE, PLAY, Truth

API_URL = "https://api.spotify.invalid"
ACCOUNTS_URL = "https://accounts.spotify.invalid"
NO_ROUTE_US = 20_000


class Wire(HTTPAdapter):
    """One gateway's connection. Every request takes its time, and the house goes on meanwhile."""

    def __init__(
        self,
        service: Service,
        agenda: Agenda,
        trouble: Trouble,
        truth: Truth,
        promises: MusicPromises,
        story: Story,
        command: Callable[[], PlayerCommand | None],
        left_s: Callable[[], float],
    ) -> None:
        """`command` tells what the gateway is about while it asks, `left_s` how long it has."""
        super().__init__()
        self._service = service
        self._agenda = agenda
        self._trouble = trouble
        self._truth = truth
        self._promises = promises
        self._story = story
        self._command = command
        self._left_s = left_s

    def send(  # type: ignore[override]  # requests' own signature has more types for the timeout than anybody gives
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: tuple[float, float] | None = None,
        verify: bool | str = True,
        cert: object = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Carry a request there and the answer back, or fail as a network does."""
        del stream, verify, cert, proxies
        read_us = round(max(0.0, min(timeout[1] if timeout is not None else 60.0, self._left_s())) * SECOND)
        if self._trouble.kind_at(self._agenda.clock.at) == "offline":
            self._agenda.pass_us(NO_ROUTE_US)
            self._come_to_nothing(request, "no network")
            raise _no_route(request)
        asked = _asked(request)
        half_us = self._trouble.round_trip_us() // 2
        self._agenda.pass_us(half_us)
        self._promises.request_arrives(asked)
        fault = self._fault(asked)
        answer = self._answer(asked, fault)
        self._agenda.pass_us(half_us)
        return self._delivered(request, asked, fault, answer, read_us)

    def _fault(self, asked: Request) -> Fault | None:
        left_us = self._truth.closed_until - self._agenda.clock.at
        if left_us > 0:
            return rate_limited(-(-left_us // SECOND))
        return self._trouble.fault(self._agenda.clock.at, asked)

    def _answer(self, asked: Request, fault: Fault | None) -> Answer | None:
        before = self._truth.scene()
        command = self._command()
        if asked.path == PAUSE and (fault is None or fault.lets_through):
            self._promises.pause_arrives(asked, before, command)
        answer = self._service.respond(asked, fault)
        if fault is not None and not fault.lets_through:
            self._truth.ignored(asked, answer)
            return answer
        self._truth.obeyed(asked, before, command)
        after = self._truth.scene()
        if asked.path == PLAY and after.is_news_of("app", self._agenda.clock):
            self._promises.play_was_obeyed(command, before)
        elif after.is_playing and (after.device is not before.device or not before.is_playing):
            self._promises.music_moved(command, before)
        return answer

    def _delivered(
        self,
        request: requests.PreparedRequest,
        asked: Request,
        fault: Fault | None,
        answer: Answer | None,
        read_us: int,
    ) -> requests.Response:
        """The answer, once it is there; what makes the client give up comes before."""
        delay_us = fault.delay_ms * 1000 if fault is not None else 0
        ending = fault.ending if fault is not None else "complete"
        if fault is not None:
            self._story.count("faults")
            self._story.note("trouble", f"{asked.method} {asked.path} meets: {fault.name}")
        if ending == "hang" or delay_us > read_us:
            self._agenda.pass_us(read_us)
            self._come_to_nothing(request, "no answer in time")
            raise requests.ReadTimeout(request=request)
        self._agenda.pass_us(delay_us)
        if ending == "reset" or answer is None:
            self._come_to_nothing(request, "the connection broke")
            raise requests.ConnectionError(
                ProtocolError("Connection aborted.", ConnectionResetError()), request=request
            )
        if ending == "truncate" and answer.body:
            self._come_to_nothing(request, "half an answer")
            raise requests.exceptions.ChunkedEncodingError(ProtocolError("IncompleteRead"), request=request)
        self._truth.answered(answer)
        if fault is not None:
            self._truth.disturb()
        self._note(asked, str(answer.status))
        return _response(request, answer, self)

    def _come_to_nothing(self, request: requests.PreparedRequest, why: str) -> None:
        self._truth.disturb()
        self._note(_asked(request), why)

    def _note(self, asked: Request, ended: str) -> None:
        told = "&".join(f"{key}={value}" for key, value in asked.query.items() if key != "device_id")
        self._story.note("spotify", f"{asked.method} {asked.path.removeprefix('/v1/me/')} {told}-> {ended}")


def _asked(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(str(request.url))
    body = request.body if request.body is not None else b""
    raw = body.encode() if isinstance(body, str) else bytes(body)
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    return Request(str(request.method), parts.path, dict(parse_qsl(parts.query)), headers, raw)


def _response(request: requests.PreparedRequest, answer: Answer, wire: Wire) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(dict(answer.headers))
    response.encoding = requests.utils.get_encoding_from_headers(response.headers)
    response.url = str(request.url)
    response.request = request
    response.connection = wire
    response._content = answer.body  # noqa: SLF001 - what reading from a socket would leave there
    response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - the same
    return response


def _no_route(request: requests.PreparedRequest) -> requests.ConnectionError:
    host = urlsplit(str(request.url)).hostname or ""
    pool: Any = HTTPConnectionPool(host)
    reason = NewConnectionError(HTTPConnection(host), "Temporary failure in name resolution")
    return requests.ConnectionError(MaxRetryError(pool, str(request.url), reason), request=request)
