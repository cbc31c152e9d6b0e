"""Keep how far a replay has come where it goes to, so that one that was interrupted can be gone on with.

What is written down counts entries: the next replay reads the log from its beginning again, decides as the first one
did, and sends nothing until it is past what Kafka has. So it knows every source, and its heartbeats are the same.
"""

import hashlib

import msgspec
from aiokafka import AIOKafkaProducer

from agents.connectors.cursors import CursorWriter, read_cursor
from agents.log_source import LogSource, Span
from agents.logs import LogError
from agents.settings import Settings
from schemas.cursor import Cursor, ReplayPosition

_FEED = "replay"

_to_json = msgspec.json.Encoder().encode
_decode_position = msgspec.json.Decoder(ReplayPosition).decode


def feed_of(source: LogSource, span: Span) -> str | None:
    """Return what the cursor of a log is kept under: which log, read how, and what of it; None where it is read once.

    What changes nothing of what is sent, as the speed, is not in it.
    """
    if source.identity is None:
        return None
    asked = _to_json([source.identity, source.format, span.from_ms, span.to_ms, span.offsets])
    return f"{_FEED}:{source.name}:{hashlib.blake2b(asked, digest_size=12).hexdigest()}"


class ReplayCursor:
    """How far one replay has come; `begin` entries of its log were sent by those before it."""

    def __init__(self, settings: Settings, source: LogSource, span: Span) -> None:
        self.begin = 0
        self._settings = settings
        self._source = source
        self._feed = feed_of(source, span)
        self._writer: CursorWriter | None = None

    async def resume(self, log: str) -> None:
        """Go on where the replay before was interrupted, which read the same span of the same `log`.

        Raises `LogError` where there was none, or it came to the end.
        """
        if self._feed is None:
            raise LogError(f"{log}: expected a file or a channel to resume, got what can be read only once")
        where = f"namespace {self._settings.namespace!r}" if self._settings.namespace else "the live namespace"
        cursor = await read_cursor(self._settings, self._feed)
        if cursor is None:
            raise LogError(
                f"{log}: expected an interrupted replay of it into {where} with the same --from, --to and --format, "
                "got none; without --resume it is sent from its beginning"
            )
        try:
            position = _decode_position(cursor.position)
        except msgspec.DecodeError as error:
            raise LogError(f"{log}: expected how far its replay into {where} had come, got {error}") from None
        if position.is_over:
            raise LogError(f"{log}: expected an interrupted replay of it into {where}, got one that came to the end")
        if position.bounds:
            await self._source.again(position.bounds)
        self.begin = position.entries

    async def write(self, producer: AIOKafkaProducer, entries: int, *, at_ms: int, is_over: bool) -> None:
        """Write down that Kafka has acknowledged so many entries, up to an event time; `is_over`: these are all."""
        if self._feed is None:
            return
        self._writer = self._writer or CursorWriter(self._settings, producer, None)
        position = ReplayPosition(entries, bounds=self._source.bounds, is_over=is_over)
        await self._writer.write(Cursor(self._feed, _to_json(position).decode(), at_ms))
