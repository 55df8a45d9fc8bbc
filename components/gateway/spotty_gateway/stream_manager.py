"""Greengrass's Stream Manager as the way up for records: the only file that knows greengrasssdk.

Loaded only where the settings ask for it. Records are appended to a stream on the same computer, which Stream Manager
exports. What answers somebody, and all that comes down, stays on MQTT.

One thread of its own owns the client, and nobody waits for it longer than agreed. A client that has failed is never
used again: after a late answer it hears nothing more, and does not say so.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue

from greengrasssdk.stream_manager import (
    ExportDefinition,
    KinesisConfig,
    MessageStreamDefinition,
    Persistence,
    StrategyOnFull,
    StreamManagerClient,
)
from greengrasssdk.stream_manager.exceptions import (
    ClientException,
    ConnectFailedException,
    RequestPayloadTooLargeException,
    ResourceNotFoundException,
    StreamManagerException,
    UnauthorizedException,
)

from spotty_contract.streamed import Streamed, encode_streamed
from spotty_contract.topics import Kind, SensorTopic, read_topic
from spotty_contract.wire import fit
from spotty_gateway.errors import CloudError, CloudNotNowError, CloudRefusedError
from spotty_gateway.ports import Cloud

log = logging.getLogger(__name__)

STAYS_ON_MQTT = frozenset({Kind.REGISTER, Kind.RESULTS})
MOST_BYTES = 256 * 1024 * 1024
SEGMENT_BYTES = 16 * 1024 * 1024
"""What is let go at once where there is no room."""
ANSWER_WITHIN_S = 4.0
"""It is a socket on the same computer. Who waits for it still ends within five seconds of being told to."""
CLOSED_WITHIN_S = 0.1
MOST_TOLD_BYTES = 200

_MUTE = logging.getLogger("greengrasssdk")
_MUTE.setLevel(logging.CRITICAL)  # what it would say reaches us as exceptions; DEBUG has answers whole


@dataclass(frozen=True, slots=True)
class Stream:
    """The stream of the records, as settings.py has it."""

    name: str
    kinesis: str = ""
    """Empty: we have it exported nowhere, and other components read it here."""


@dataclass(frozen=True, slots=True)
class _Letter:
    message: bytes
    outcome: Future[None] = field(default_factory=Future)


class StreamManager:
    """A `ports.Cloud`: records go to a stream, all else to `mqtt`. `close` it when nobody publishes any more."""

    def __init__(self, stream: Stream, mqtt: Cloud, port: int, answer_within_s: float = ANSWER_WITHIN_S) -> None:
        """Connects when there is something to append. The token is in the environment, from the nucleus."""
        self.keeps_acknowledged = False
        """A stream of ours is on the disk before Stream Manager answers."""
        self._stream = stream
        self._mqtt = mqtt
        self._port = port
        self._within_s = answer_within_s
        self._inbox: SimpleQueue[_Letter | None] = SimpleQueue()
        self._client: _Client | None = None
        self._thread = threading.Thread(target=self._run, name="stream manager", daemon=True)
        self._thread.start()

    def publish(self, topic: str, payload: bytes) -> None:
        """Append it, at least once, or publish it. Raises CloudError, after some seconds at most."""
        found = read_topic(topic)
        if not isinstance(found, SensorTopic) or found.kind in STAYS_ON_MQTT:
            self._mqtt.publish(topic, payload)
            return
        letter = _Letter(encode_streamed(Streamed(topic, payload)))
        self._inbox.put(letter)
        try:
            letter.outcome.result(self._within_s)
        except TimeoutError:
            letter.outcome.cancel()  # what has not been begun is not appended behind our back
            raise CloudNotNowError(f"no answer from Stream Manager within {self._within_s:g} s") from None

    def subscribe(
        self, topic_filter: str, hear: Callable[[str, bytes], None], stands: Callable[[], None] = lambda: None
    ) -> None:
        """By MQTT."""
        self._mqtt.subscribe(topic_filter, hear, stands)

    def close(self) -> None:
        """Append nothing more. Soon, whatever the other side does."""
        self._inbox.put(None)
        self._thread.join(CLOSED_WITHIN_S)

    # On our own thread.

    def _run(self) -> None:
        while (letter := self._inbox.get()) is not None:
            if not letter.outcome.set_running_or_notify_cancel():
                continue
            try:
                self._append(letter.message)
            except Exception as error:  # noqa: BLE001 - whoever asked gets it, a defect of ours too; the next one may do better
                letter.outcome.set_exception(error)
            else:
                letter.outcome.set_result(None)
        self._leave()

    def _append(self, message: bytes) -> None:
        try:
            if self._client is None:
                self._client = _Client(self._port, self._within_s)
            self._append_by(self._client, message)
        except Exception as error:  # what it raises where it got no answer is as it happens: KeyError for some timeouts
            if not isinstance(error, StreamManagerException) or isinstance(error, ClientException):
                self._leave()
            raise _told(error, self._port, len(message)) from error

    def _append_by(self, client: "_Client", message: bytes) -> None:
        try:
            client.append_message(self._stream.name, message)
        except ResourceNotFoundException:
            client.create_message_stream(_definition(self._stream))
            log.info("made the stream %s in Stream Manager", self._stream.name)
            client.append_message(self._stream.name, message)

    def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.end()


def _definition(stream: Stream) -> MessageStreamDefinition:
    """As we make it. One that is there already stays as it is."""
    export = KinesisConfig(identifier="kinesis", kinesis_stream_name=stream.kinesis) if stream.kinesis else None
    return MessageStreamDefinition(
        name=stream.name,
        max_size=MOST_BYTES,
        stream_segment_size=SEGMENT_BYTES,
        strategy_on_full=StrategyOnFull.OverwriteOldestData,  # one that refuses would be full one day, for good
        persistence=Persistence.File,
        flush_on_write=True,
        export_definition=ExportDefinition(kinesis=[export]) if export else None,
    )


def _told(error: Exception, port: int, size_bytes: int) -> CloudError:
    """What we do next, from what the client raised."""
    match error:
        case RequestPayloadTooLargeException():
            return CloudRefusedError(f"Stream Manager takes no message of {size_bytes} bytes")
        case ConnectFailedException() | UnauthorizedException():
            return CloudNotNowError(
                "Stream Manager does not let us in: it takes components of its own nucleus only, unless "
                "STREAM_MANAGER_AUTHENTICATE_CLIENT is false"
            )
        case ClientException():
            return CloudNotNowError(f"Stream Manager at port {port} was not understood")
        case StreamManagerException():
            said = fit(str(error), MOST_TOLD_BYTES)
            return CloudNotNowError(
                f"Stream Manager did not append a record: {type(error).__name__}, {said or 'no more'}"
            )
    return CloudNotNowError(f"no answer from Stream Manager at port {port} ({type(error).__name__}); does it run?")


class _Client(StreamManagerClient):  # type: ignore[misc] # greengrasssdk has no types
    """One connection, which leaves no thread behind, however it ends."""

    def __init__(self, port: int, within_s: float) -> None:
        try:
            super().__init__(port=port, connect_timeout=within_s, request_timeout=within_s, logger=_MUTE)
        except Exception:
            self.end()  # its thread runs already
            raise

    def end(self) -> None:
        """Close it; waits for nobody."""
        for _ in range(2):
            try:
                self.close()
            except Exception:  # noqa: BLE001, S112 - of a connection that is broken; only the next time it ends its thread
                continue
            return
