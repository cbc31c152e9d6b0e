"""Open a log by its name, a file or a span of a channel, and read what of it happened in a span of time."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from agents.channel_span import Bounds, ChannelSpan, is_channel, source_channel
from agents.logs import LogError, SignalLog, read_signals
from agents.settings import Settings
from streams.backtest import Entry
from streams.lifecycle.alerts import rfc3339
from streams.networks.refusal import Refusal

IDENTITY_BYTES = 64 * 1024
"""So much of the beginning of a file, with its size, tells it from others; its name may change."""


class Span(NamedTuple):
    """What of a log is asked for: `from_ms` <= event time < `to_ms`, and of a channel what begins at `offsets`.

    `offsets` are (partition, offset); partitions that are not named begin where they begin. `bounds` are where all of
    them begin and end, where that was found out before (`pinned`).
    """

    from_ms: int | None = None
    to_ms: int | None = None
    offsets: tuple[tuple[int, int], ...] = ()
    bounds: Bounds | None = None


class LogSource(Protocol):
    """A log that is read once through: a file or a span of a channel."""

    @property
    def name(self) -> str:
        """What rejections name as the place."""

    @property
    def format(self) -> str:
        """The format of its records."""

    @property
    def identity(self) -> str | None:
        """What tells it from other logs; None where it cannot be read a second time."""

    @property
    def done(self) -> float | None:
        """The share that was read, None where its size is not known."""

    @property
    def ignored(self) -> int:
        """How many records were in order and said nothing."""

    @property
    def bounds(self) -> Bounds:
        """Where the span of a channel begins and ends; nothing of a file."""

    async def again(self, bounds: Bounds) -> None:
        """Read between these bounds of an earlier time."""

    def batches(self) -> AsyncIterator[list[Entry]]:
        """Yield its entries; raises `LogError` and `BrokerError`."""

    async def close(self) -> None:
        """Leave it."""


class FileSource:
    """A file, or standard input, as a source."""

    def __init__(self, signals: SignalLog) -> None:
        self.bounds: Bounds = {}
        self._signals = signals
        self._path = signals.log.path

    @property
    def name(self) -> str:
        """The name of the file."""
        return Path(self._path).name

    @property
    def format(self) -> str:
        """The format of its lines."""
        return self._signals.format

    @property
    def identity(self) -> str | None:
        """Its size and a digest of its beginning; None where it is no ordinary file."""
        if self._signals.log.bytes_total is None:
            return None
        with open(self._path, "rb") as file:
            begin = file.read(IDENTITY_BYTES)
        return f"{self._signals.log.bytes_total}:{hashlib.blake2b(begin, digest_size=12).hexdigest()}"

    @property
    def done(self) -> float | None:
        """The share of its bytes that were read."""
        log = self._signals.log
        return log.bytes_read / log.bytes_total if log.bytes_total else None

    @property
    def ignored(self) -> int:
        """How many lines were in order and said nothing."""
        return self._signals.ignored

    async def again(self, bounds: Bounds) -> None:
        """Nothing: a file is read from its beginning to its end."""

    async def batches(self) -> AsyncIterator[list[Entry]]:
        """Yield its entries, block by block."""
        for entries in self._signals:
            yield entries

    async def close(self) -> None:
        """Close the file."""
        self._signals.log.close()


async def open_source(settings: Settings, log: str, format_name: str | None, span: Span) -> LogSource:
    """Open a log by its name: `kafka:CHANNEL`, a path, or - for standard input; raises `LogError`, `BrokerError`."""
    if not is_channel(log):
        if span.offsets:
            raise LogError(f"{log}: expected a channel (kafka:NAME) with --from-offset, got a file; use --from")
        return FileSource(read_signals(log, format_name))
    if format_name not in (None, source_channel(log).format):
        raise LogError(f"{log}: expected no --format, a channel has its own, got {format_name}; leave it out")
    opened = await ChannelSpan.open(settings, log, from_ms=span.from_ms, offsets=dict(span.offsets))
    if span.bounds is not None:
        await opened.again(span.bounds)
    return opened


def pinned(settings: Settings, log: str, span: Span) -> Span:
    """Return the span with the bounds that a channel has now, so that all who read it read the same.

    Raises `LogError`, `BrokerError`.
    """

    async def look() -> Bounds:
        source = await open_source(settings, log, None, span)
        await source.close()
        return source.bounds

    return span._replace(bounds=asyncio.run(look())) if is_channel(log) else span


class SourceReader:
    """A log read outside of any event loop, in a loop of its own; `ignored` as the source tells it."""

    def __init__(self, settings: Settings, log: str, format_name: str | None, span: Span) -> None:
        self._runner = asyncio.Runner()
        try:
            self._source = self._runner.run(open_source(settings, log, format_name, span))
        except BaseException:
            self._runner.close()
            raise
        self._within = Within(span, log)
        self.name = self._source.name

    @property
    def ignored(self) -> int:
        """How many records were in order and said nothing."""
        return self._source.ignored

    def __iter__(self) -> Iterator[list[Entry]]:
        batches = self._source.batches()

        async def next_batch() -> list[Entry] | None:
            return await anext(batches, None)

        try:
            while (entries := self._runner.run(next_batch())) is not None:
                yield self._within.of(entries)
            self._within.refuse_nothing()
        finally:
            self._runner.run(self._source.close())
            self._runner.close()


class Within:
    """Keeps what happened in a span of event time; what says no time goes with what was before it."""

    def __init__(self, span: Span, log: str) -> None:
        self.skipped = 0
        self._is_bounded = span.from_ms is not None or span.to_ms is not None
        self._from_ms = -1 if span.from_ms is None else span.from_ms
        self._to_ms = 2**63 if span.to_ms is None else span.to_ms
        self._is_inside = True
        self._has_any = False
        self._first_ms, self._last_ms = 2**63, -1
        self._log = log

    def of(self, entries: list[Entry]) -> list[Entry]:
        """Return those of the entries that lie in the span."""
        if not self._is_bounded:
            return entries
        kept: list[Entry] = []
        for entry in entries:
            said = entry[2]
            if not isinstance(said, Refusal):
                self._first_ms, self._last_ms = min(self._first_ms, said.at), max(self._last_ms, said.at)
                self._is_inside = self._from_ms <= said.at < self._to_ms
                self._has_any |= self._is_inside
            if self._is_inside:
                kept.append(entry)
        self.skipped += len(entries) - len(kept)
        return kept

    def refuse_nothing(self) -> None:
        """Raise `LogError` where a span was asked for in which nothing of the log happened."""
        if self._is_bounded and not self._has_any:
            raise LogError(f"{self._log}: expected signals in the span, got none; {self._said()}")

    def _said(self) -> str:
        if self._last_ms < 0:
            return "nothing in it says when it happened"
        return f"the log reaches from {rfc3339(self._first_ms)} to {rfc3339(self._last_ms)}"
