"""Send a log into `social.signals`: in its order, at its own pace or as fast as Kafka takes it.

The log comes out of Kafka as it went in: each signal under the key of its conversation, its record's timestamp the
event time. Partitions that a source has nothing for are told of its progress by heartbeats, and at the end every
source is ended at the largest event time of the log, so that everything is released.
"""

import asyncio
import time
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError

from agents.broker import BrokerError, create_channels, partition_of, refused_by_kafka, start_producer
from agents.log_source import LogSource, Span, Within, open_source
from agents.logs import LogError
from agents.normalize_signals import ERASURE_KEY
from agents.pseudonyms import pseudonyms_of
from agents.replay_cursor import ReplayCursor
from agents.replay_summary import ReplaySummary, Report
from agents.replay_timing import Pace, SourceProgress
from agents.settings import Settings
from schemas.channels import REJECTIONS, SIGNALS, named
from schemas.rejection import Place
from schemas.signal import Erasure, Heartbeat, Signal, conversation_of, is_addressed
from streams.backtest import Entry
from streams.eventtime.clock import ClockSettings, SourceClock
from streams.networks import native
from streams.networks.refusal import Refusal, rejection
from streams.pseudonyms import without_words

REMEMBER_EVERY_S = 1.0
"""How often it is written down how far the replay has come."""
SETTLE_S_MAX = 5.0
"""So long Kafka is waited for where a replay was interrupted."""
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


async def replay(
    settings: Settings,
    log: str,
    *,
    format: str | None = None,  # noqa: A002  (it is --format to everybody)
    speed: float | None = None,
    span: Span = Span(),
    resume: bool = False,
    progress: Report = lambda summary: None,
) -> ReplaySummary:
    """Send a log into `social.signals` of the namespace, creating missing channels, and return what was done.

    The log is a file, or the channel `kafka:NAME` of the same broker. `speed` is in seconds of event time per second,
    None as fast as Kafka takes it. Only what lies in the `span` is sent, and lines that say no time as those before
    them. `progress` is called now and then, in the loop, with one and the same summary. Cancelled, it sends what it has
    counted and ends no source; with `resume` the next replay of the same span of the same log goes on there.

    Raises `LogError`, `BrokerError`.
    """
    pace = None if speed is None else Pace(speed)
    source = await open_source(settings, log, format, span)
    try:
        await create_channels(settings)
        cursor = ReplayCursor(settings, source, span)
        if resume:
            await cursor.resume(log)
        producer = await start_producer(settings)
        try:
            return await _Run(settings, producer, source, Within(span, log), cursor, pace, progress).to_the_end()
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
        await source.close()


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
        source: LogSource,
        within: Within,
        cursor: ReplayCursor,
        pace: Pace | None,
        report: Report,
    ) -> None:
        self.summary = ReplaySummary()
        self._within = within
        self._cursor = cursor
        self._producer = producer
        self._source = source
        self._pace = pace
        self._report = report
        self._pseudonyms = pseudonyms_of(settings)
        # Lines go as they are where they are as the channel wants them, and may name people.
        self._as_it_is = source.format == native.NAME and self._pseudonyms is None
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
        # What a worker of one partition would wait for.
        self._clock = SourceClock(ClockSettings(lateness_ms=settings.lateness_ms, idle_ms=settings.source_idle_ms))
        # How many entries were read and sent, or had been sent before.
        self._passed = 0
        self._begun_s = self._flushed_s = self._remembered_s = time.monotonic()
        self._begun_done = 0.0

    async def to_the_end(self) -> ReplaySummary:
        """Send the whole log, and end its sources."""
        try:
            async for entries in self._source.batches():
                await self._take(self._within.of(entries))
                if time.monotonic() - self._flushed_s >= FLUSH_EVERY_S:
                    await self._flush()
                if time.monotonic() - self._remembered_s >= REMEMBER_EVERY_S:
                    await self._remember()
                # Lets the producer work even where nothing had to wait for it.
                await asyncio.sleep(0)
                self._tell()
        except (asyncio.CancelledError, LogError):
            await self._break_off()
            raise
        self._within.refuse_nothing()
        await self._tell_all(self._progress.ends())
        await self._remember(is_over=True)
        self._tell()
        return self.summary

    async def _break_off(self) -> None:
        """Send what was counted, and write down how far that is, unless Kafka takes too long."""
        try:
            async with asyncio.timeout(SETTLE_S_MAX):
                await self._remember()
        except TimeoutError:
            pass
        self._tell()

    async def _remember(self, *, is_over: bool = False) -> None:
        """Wait until Kafka has all that was sent, and write that down."""
        passed = self._passed
        await self._flush()
        await self._batches.settle()
        await self._settle_rejections()
        self._remembered_s = time.monotonic()
        if passed >= self._cursor.begin:
            at_ms = self._progress.largest_ms
            await self._cursor.write(self._producer, passed, at_ms=at_ms, is_over=is_over)

    async def _take(self, entries: list[Entry]) -> None:
        summary, batches, progress, places = self.summary, self._batches, self._progress, self._places
        as_it_is, pseudonyms, clock = self._as_it_is, self._pseudonyms, self._clock
        for number, payload, decoded in entries:
            if self._passed < self._cursor.begin:
                self._pass_over(decoded)
                continue
            summary.lines += 1
            if isinstance(decoded, Signal):
                at_ms = decoded.at
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
                summary.late += at_ms < clock.watermark_ms
                clock.hear(decoded.source, at_ms=at_ms)
                if summary.first_ms is None or at_ms < summary.first_ms:
                    summary.first_ms = at_ms
                due = progress.hear(decoded.source, at_ms)
                if due:
                    await self._tell_all(due)
            elif isinstance(decoded, Heartbeat):
                await self._pass_on(decoded, payload)
            elif isinstance(decoded, Erasure):
                await self._erase(decoded)
            else:
                await self._refuse(number, payload, decoded)
            # Only now: what was cut off in the middle is sent again, with the same bytes.
            self._passed += 1

    def _pass_over(self, decoded: Signal | Heartbeat | Erasure | Refusal) -> None:
        """Take note of what the replay before has sent, as it did then."""
        self._passed += 1
        self.summary.lines += 1
        self.summary.resumed += 1
        if isinstance(decoded, Refusal):
            return
        if isinstance(decoded, Erasure):
            self._progress.largest_ms = max(self._progress.largest_ms, decoded.at)
            return
        source = decoded.source if isinstance(decoded, Signal) else decoded.heartbeat
        if self._progress.is_round_due(source, decoded.at):
            self._progress.tell_round()
        if isinstance(decoded, Signal):
            self._progress.hear(source, decoded.at)
            self._clock.hear(source, at_ms=decoded.at)
        else:
            self._progress.pass_on(decoded)
            self._clock.hear(source, at_ms=decoded.at, end=decoded.end)
        if self._passed == self._cursor.begin:
            # What was only read says nothing of how long the rest takes.
            self._begun_s, self._begun_done = time.monotonic(), self._source.done or 0.0

    def _place(self, conversation: str) -> tuple[int, bytes]:
        """Return partition and key of a conversation; the partition is the one that Kafka's own producers choose."""
        if len(self._places) >= CONVERSATIONS_REMEMBERED_MAX:
            self._places.clear()
        key = conversation.encode()
        place = self._places[conversation] = partition_of(key, partitions=self._partitions), key
        return place

    async def _pass_on(self, heartbeat: Heartbeat, payload: bytes) -> None:
        """Send a heartbeat of the log to every partition, as it is."""
        if self._pace is not None:
            await self._wait(self._pace, heartbeat.at)
        if self._progress.is_round_due(heartbeat.heartbeat, heartbeat.at):
            await self._tell_all(self._progress.tell_round())
        await self._tell_heartbeat(heartbeat, payload)
        self._progress.pass_on(heartbeat)
        self._clock.hear(heartbeat.heartbeat, at_ms=heartbeat.at, end=heartbeat.end)

    async def _erase(self, erasure: Erasure) -> None:
        """Send an erasure to every partition, for any may know the actor; it is no signal, and of no source."""
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
        made = rejection(refusal, payload, Place(channel=self._source.name, offset=number))
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
            if time.monotonic() - self._remembered_s >= REMEMBER_EVERY_S:
                await self._remember()
            await pace.sleep(min(remaining_s, SLEEP_S_MAX))
            self._tell()
            remaining_s = pace.remaining_s(at_ms)

    async def _flush(self) -> None:
        await self._batches.flush()
        self._flushed_s = time.monotonic()

    def _tell(self) -> None:
        summary = self.summary
        summary.seconds = time.monotonic() - self._begun_s
        summary.skipped = self._within.skipped
        summary.last_ms = self._progress.largest_ms or None
        done = summary.done = self._source.done
        if done is not None and done > self._begun_done:
            summary.seconds_left = summary.seconds * (1.0 - done) / (done - self._begun_done)
        self._report(summary)
