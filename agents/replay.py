"""Send a log into `social.signals`: in its order, at its own pace or as fast as Kafka takes it.

The log comes out of Kafka as it went in: each signal under the key of its conversation, its record's timestamp the
event time. Partitions that a source has nothing for are told of its progress by heartbeats, and at the end every
source is ended at the largest event time of the log, so that everything is released.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError

from agents.broker import BrokerError, create_channels, partition_of, refused_by_kafka, start_producer
from agents.logs import LogError, SignalLog, read_signals
from agents.normalize_signals import ERASURE_KEY
from agents.pseudonyms import pseudonyms_of
from agents.replay_timing import Pace, SourceProgress
from agents.settings import Settings
from schemas.channels import REJECTIONS, SIGNALS, named
from schemas.rejection import Place
from schemas.signal import Erasure, Heartbeat, Signal, conversation_of, is_addressed
from streams.backtest import Entry
from streams.networks import native
from streams.networks.refusal import Refusal, rejection
from streams.pseudonyms import without_words

FLUSH_EVERY_S = 0.2
"""Batches that do not fill are sent after this time, so that no partition waits for another one's."""
TELL_EVERY_RECORDS = 500
"""At the latest after so many records every partition is told of the progress of those who spoke."""
SLEEP_S_MAX = 1.0
AHEAD_S_MAX = 0.005
"""A record that is due so soon is sent at once: records go in batches."""
CONVERSATIONS_REMEMBERED_MAX = 200_000
REJECTIONS_WAITING_MAX = 1_000

_to_json = msgspec.json.Encoder().encode


class ReplaySummary(msgspec.Struct):
    """What a replay has done so far, or did: lines read and what became of them, event time, and the time it took.

    `refused` lines were sent as they are (native logs without pseudonyms; the worker rejects them) or told on
    `social.rejections`; `skipped` ones lie outside the span that was asked for; `heartbeats` counts records, those of
    the log and ours, `erasures` lines that had an actor erased. `first_ms` and `last_ms` are the least and the largest
    event time sent. `done` is the share of the log that was read, None where its size is not known.
    """

    lines: int = 0
    signals: int = 0
    refused: int = 0
    skipped: int = 0
    heartbeats: int = 0
    erasures: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    seconds: float = 0.0
    done: float | None = None

    @property
    def signals_per_second(self) -> float:
        """Signals sent per second of wall time."""
        return self.signals / self.seconds if self.seconds else 0.0


Report = Callable[[ReplaySummary], None]


async def replay(
    settings: Settings,
    path: str,
    *,
    format: str | None = None,  # noqa: A002  (it is --format to everybody)
    speed: float | None = None,
    from_ms: int | None = None,
    to_ms: int | None = None,
    progress: Report = lambda summary: None,
) -> ReplaySummary:
    """Send a log into `social.signals` of the namespace, creating missing channels, and return what was done.

    `speed` is in seconds of event time per second, None as fast as Kafka takes it. Only what has `from_ms` <= event
    time < `to_ms` is sent, and lines that say no time as those before them. `progress` is called now and then, in the
    loop, with one and the same summary. Cancelled, it sends what it has counted and ends no source.

    Raises `LogError`, `BrokerError`.
    """
    with_speed = None if speed is None else Pace(speed)
    signals = read_signals(path, format)
    try:
        await create_channels(settings)
        producer = await start_producer(settings)
        try:
            run = _Run(settings, producer, signals, Path(path).name, (from_ms, to_ms), with_speed, progress)
            return await run.to_the_end()
        except InvalidTimestampError:
            raise BrokerError(
                f"channel {named(SIGNALS, namespace=settings.namespace)}: expected it to take the log's event times, "
                "got InvalidTimestampError; raise its message.timestamp.after.max.ms"
            ) from None
        except (KafkaError, OSError) as error:
            raise await refused_by_kafka(settings, error) from None
        finally:
            await producer.stop()
    finally:
        signals.log.close()


class Batches:
    """The record batches of one channel that are being filled, one a partition, sent in the order of their records.

    At most one batch a partition is filled, one waits and one is on its way: who adds waits for the broker.
    """

    def __init__(self, producer: AIOKafkaProducer, channel: str, partitions: int) -> None:
        self._producer = producer
        self._channel = channel
        self._filling = [producer.create_batch() for _ in range(partitions)]
        self._sent: list[asyncio.Future[object]] = []

    async def add(self, partition: int, *, key: bytes, value: bytes, timestamp_ms: int) -> None:
        """Add a record to a partition."""
        if not self.has_taken(partition, key, value, timestamp_ms):
            await self._send(partition)
            has_taken = self.has_taken(partition, key, value, timestamp_ms)
            assert has_taken, "an empty batch takes any record"

    def has_taken(self, partition: int, key: bytes, value: bytes, timestamp_ms: int) -> bool:
        """Add a record to a partition whose batch has room for it; return whether it had."""
        return self._filling[partition].append(key=key, value=value, timestamp=timestamp_ms) is not None

    async def flush(self) -> None:
        """Hand over all that was added."""
        for partition in range(len(self._filling)):
            await self._send(partition)

    async def settle(self) -> None:
        """Wait until the broker has all that was handed over; raises KafkaError where it does not take it."""
        sent, self._sent = self._sent, []
        for future in sent:
            await future

    async def _send(self, partition: int) -> None:
        batch = self._filling[partition]
        if not batch.record_count():
            return
        for future in self._sent:
            if future.done():
                future.result()
        self._sent = [future for future in self._sent if not future.done()]
        future = await self._producer.send_batch(batch, self._channel, partition=partition)
        # Only now: cancelled above, the batch is still ours to flush.
        self._filling[partition] = self._producer.create_batch()
        self._sent.append(future)
        future.add_done_callback(_look_at)


def _look_at(future: "asyncio.Future[object]") -> None:
    """Keep asyncio from logging an error that the first failed batch has already told."""
    if not future.cancelled():
        future.exception()


class _Run:
    """One replay under way."""

    def __init__(
        self,
        settings: Settings,
        producer: AIOKafkaProducer,
        signals: SignalLog,
        name: str,
        span_ms: tuple[int | None, int | None],
        pace: Pace | None,
        report: Report,
    ) -> None:
        self.summary = ReplaySummary()
        self._producer = producer
        self._signals = signals
        self._name = name
        self._from_ms = -1 if span_ms[0] is None else span_ms[0]
        self._to_ms = 2**63 if span_ms[1] is None else span_ms[1]
        self._in_span = True
        self._pace = pace
        self._report = report
        self._pseudonyms = pseudonyms_of(settings)
        # Lines go as they are where they are as the channel wants them, and may name people.
        self._as_it_is = signals.format == native.NAME and self._pseudonyms is None
        self._partitions = settings.partitions
        self._places: dict[str, tuple[int, bytes]] = {}
        self._rejections = named(REJECTIONS, namespace=settings.namespace)
        self._rejected: list[asyncio.Future[object]] = []
        self._batches = Batches(producer, named(SIGNALS, namespace=settings.namespace), settings.partitions)
        self._progress = SourceProgress(
            every_records=TELL_EVERY_RECORDS,
            every_ms=None if pace is None else pace.tell_every_ms,
            idle_ms=settings.source_idle_ms,
        )
        self._begun_s = self._flushed_s = time.monotonic()

    async def to_the_end(self) -> ReplaySummary:
        """Send the whole log, and end its sources."""
        try:
            for entries in self._signals:
                await self._take(entries)
                if time.monotonic() - self._flushed_s >= FLUSH_EVERY_S:
                    await self._flush()
                # Lets the producer work even where nothing had to wait for it.
                await asyncio.sleep(0)
                self._tell()
        except (asyncio.CancelledError, LogError):
            await self._flush()
            self._tell()
            raise
        await self._tell_all(self._progress.ends())
        await self._flush()
        await self._batches.settle()
        await self._settle_rejections()
        self._tell()
        return self.summary

    async def _take(self, entries: list[Entry]) -> None:
        summary, batches, progress, places = self.summary, self._batches, self._progress, self._places
        as_it_is, pseudonyms = self._as_it_is, self._pseudonyms
        for number, payload, decoded in entries:
            summary.lines += 1
            if isinstance(decoded, Signal):
                at_ms = decoded.at
                self._in_span = self._from_ms <= at_ms < self._to_ms
                if not self._in_span:
                    summary.skipped += 1
                    continue
                if self._pace is not None:
                    await self._wait(self._pace, at_ms)
                if progress.is_round_due(decoded.source, at_ms):
                    await self._tell_all(progress.tell_round())
                signal = decoded if pseudonyms is None else pseudonyms.signal(decoded)
                value = payload if as_it_is else _to_json(signal)
                if signal.op == "create" or is_addressed(signal):
                    conversation = conversation_of(signal)
                    partition, key = places.get(conversation) or self._place(conversation)
                    # The coroutine is for the one record in thousands that has to wait.
                    if not batches.has_taken(partition, key, value, at_ms):
                        await batches.add(partition, key=key, value=value, timestamp_ms=at_ms)
                else:
                    await self._to_every_partition(signal.id.encode(), value, at_ms)
                summary.signals += 1
                if summary.first_ms is None or at_ms < summary.first_ms:
                    summary.first_ms = at_ms
                due = progress.hear(decoded.source, at_ms)
                if due:
                    await self._tell_all(due)
            elif isinstance(decoded, Heartbeat):
                await self._pass_on(decoded, payload)
            elif isinstance(decoded, Erasure):
                await self._erase(decoded)
            elif self._in_span:
                await self._refuse(number, payload, decoded)
            else:
                summary.skipped += 1

    def _place(self, conversation: str) -> tuple[int, bytes]:
        """Return partition and key of a conversation; the partition is the one that Kafka's own producers choose."""
        if len(self._places) >= CONVERSATIONS_REMEMBERED_MAX:
            self._places.clear()
        key = conversation.encode()
        place = self._places[conversation] = partition_of(key, partitions=self._partitions), key
        return place

    async def _pass_on(self, heartbeat: Heartbeat, payload: bytes) -> None:
        """Send a heartbeat of the log to every partition, as it is."""
        self._in_span = self._from_ms <= heartbeat.at < self._to_ms
        if not self._in_span:
            self.summary.skipped += 1
            return
        if self._pace is not None:
            await self._wait(self._pace, heartbeat.at)
        if self._progress.is_round_due(heartbeat.heartbeat, heartbeat.at):
            await self._tell_all(self._progress.tell_round())
        await self._tell_heartbeat(heartbeat, payload)
        self._progress.pass_on(heartbeat)

    async def _erase(self, erasure: Erasure) -> None:
        """Send an erasure to every partition, for any may know the actor; it is no signal, and of no source."""
        self._in_span = self._from_ms <= erasure.at < self._to_ms
        if not self._in_span:
            self.summary.skipped += 1
            return
        if self._pace is not None:
            await self._wait(self._pace, erasure.at)
        for one in [erasure] if self._pseudonyms is None else self._pseudonyms.erasures(erasure):
            await self._to_every_partition(ERASURE_KEY, _to_json(one), one.at)
        # The log must not end before it takes effect.
        self._progress.largest_ms = max(self._progress.largest_ms, erasure.at)
        self.summary.erasures += 1

    async def _refuse(self, number: int, payload: bytes, refusal: Refusal) -> None:
        """Send a refused line on: as it is, for the worker to reject it, if that would read it in the same way."""
        self.summary.refused += 1
        if self._as_it_is:
            await self._batches.add(0, key=b"", value=payload, timestamp_ms=self._progress.largest_ms)
            return
        made = rejection(refusal, payload, Place(channel=self._name, offset=number))
        if self._pseudonyms is not None:
            made = without_words(made)
        future = await self._producer.send(self._rejections, value=_to_json(made), key=made.reason.encode())
        future.add_done_callback(_look_at)
        self._rejected.append(future)
        if len(self._rejected) >= REJECTIONS_WAITING_MAX:
            await self._settle_rejections()

    async def _settle_rejections(self) -> None:
        rejected, self._rejected = self._rejected, []
        for future in rejected:
            await future

    async def _tell_all(self, heartbeats: Sequence[Heartbeat]) -> None:
        for heartbeat in heartbeats:
            await self._tell_heartbeat(heartbeat, _to_json(heartbeat))

    async def _tell_heartbeat(self, heartbeat: Heartbeat, value: bytes) -> None:
        await self._to_every_partition(heartbeat.heartbeat.encode(), value, heartbeat.at)
        self.summary.heartbeats += self._partitions

    async def _to_every_partition(self, key: bytes, value: bytes, at_ms: int) -> None:
        for partition in range(self._partitions):
            await self._batches.add(partition, key=key, value=value, timestamp_ms=at_ms)

    async def _wait(self, pace: Pace, at_ms: int) -> None:
        """Wait until a record of this event time is due; what was added before is on its way by then."""
        remaining_s = pace.remaining_s(at_ms)
        if remaining_s <= AHEAD_S_MAX:
            return
        await self._flush()
        while remaining_s > 0:
            await pace.sleep(min(remaining_s, SLEEP_S_MAX))
            self._tell()
            remaining_s = pace.remaining_s(at_ms)

    async def _flush(self) -> None:
        await self._batches.flush()
        self._flushed_s = time.monotonic()

    def _tell(self) -> None:
        summary, log = self.summary, self._signals.log
        summary.seconds = time.monotonic() - self._begun_s
        summary.last_ms = self._progress.largest_ms or None
        summary.done = log.bytes_read / log.bytes_total if log.bytes_total else None
        self._report(summary)
