"""What stands before the api in AWS, on a loopback port: paths decoded, tokens looked at, everything in one event."""

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.cloud.world import World, event_of


def token_of(user: str) -> str:
    """What the stand-in of the authorizer takes for this person's ID token."""
    return f"id-token-of-{user}"


class BeforeFunction:
    """API Gateway's part, as far as the api can see it: REST events in, answers out. Who has no token has no claims.

    One thread answers, as in a function, with the event loop that Mangum wants. Paths begin with `prefix`, and on each
    answer `headers` replace its own, as CloudFront's do.
    """

    def __init__(
        self, world: World, users: Iterable[str], prefix: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.world, self.prefix, self.headers = world, prefix, dict(headers or {})
        self.users = {token_of(user): user for user in users}

    def __enter__(self) -> Self:
        """Listen."""
        self._loop = asyncio.new_event_loop()
        self.function = ThreadPoolExecutor(1, initializer=asyncio.set_event_loop, initargs=(self._loop,))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.prefix}"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.function.shutdown()
        self._loop.close()


def _handler(api: BeforeFunction) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5
        """Seconds that a browser's spare connection may stay silent: the server waits for it at its end."""

        def answer(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            event = self._event(self.rfile.read(size) if size else None)
            answer = api.function.submit(api.world.answered, event).result()
            content = answer["body"].encode()
            self.send_response(answer["statusCode"])
            replaced = {name.lower() for name in api.headers} | {"content-length"}
            for name, value in answer["headers"].items():
                if name.lower() not in replaced:
                    self.send_header(name, value)
            for name, value in api.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_TRACE = do_QUERY = answer  # noqa: N815  # http.server's names

        def _event(self, body: bytes | None) -> dict[str, object]:
            where = urlsplit(self.path)
            asked = parse_qs(where.query, keep_blank_values=True)
            user = api.users.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
            claims = {"sub": user, "token_use": "id", "email": f"{user}@example.com"} if user else None
            path = unquote(where.path).removeprefix(api.prefix)
            event = event_of(self.command, path, body, claims)
            event["headers"] = dict(self.headers.items())
            event["multiValueHeaders"] = {name: self.headers.get_all(name) for name in self.headers}
            event["queryStringParameters"] = {name: values[-1] for name, values in asked.items()} or None
            event["multiValueQueryStringParameters"] = asked or None
            return event

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler
