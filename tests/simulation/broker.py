"""A broker in memory: partitioned logs with holes, compaction, and a network that delays, repeats and loses answers."""

import asyncio
from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, NamedTuple
from zlib import crc32

from aiokafka.errors import KafkaTimeoutError

from tests.simulation.loop import Process, SeededLoop
from tests.simulation.options import Network

LOOK_S = 0.1
"""How often a producer that must not send looks whether it may again."""


class LogRecord(NamedTuple):
    """One record as a consumer sees it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    timestamp_type: int = 0


Entry = tuple[bytes | None, bytes | None, int]
"""Key, value and timestamp of a record to be written."""


class Log:
    """One partition."""

    def __init__(self, channel: str, partition: int) -> None:
        self.channel = channel
        self.partition = partition
        self.records: list[LogRecord] = []
        self.end = 0
        self.compactions = 0

    def append(self, entries: Sequence[Entry], *, hole: int = 0) -> int:
        """Append records behind a hole of so many offsets; return the offset of the first."""
        self.end += hole
        base = self.end
        for key, value, timestamp_ms in entries:
            self.records.append(LogRecord(self.channel, self.partition, self.end, timestamp_ms, key, value))
            self.end += 1
        return base

    def fetch(self, offset: int, count: int) -> list[LogRecord]:
        """Return some records from an offset on."""
        first = bisect_left(self.records, offset, key=lambda record: record.offset)
        return self.records[first : first + count]

    def compact(self, *, before: int, with_tombstones: bool) -> int:
        """Keep of the records before an offset only the last of each key; return how many went."""
        cut = bisect_left(self.records, before, key=lambda record: record.offset)
        last = {record.key: record.offset for record in self.records[:cut]}
        kept = [
            record
            for record in self.records[:cut]
            if last[record.key] == record.offset and (record.value is not None or with_tombstones)
        ]
        self.records[:cut] = kept
        self.compactions += cut > len(kept)
        return cut - len(kept)


class Broker:
    """All logs, and the number of partitions of each channel."""

    def __init__(self, loop: SeededLoop, random: Random, network: Network) -> None:
        self.loop = loop
        self.random = random
        self.network = network
        self.partitions: dict[str, int] = {}
        self.logs: dict[tuple[str, int], Log] = {}
        self.counts: Counter[str] = Counter()
        self.in_flight = 0

    def create(self, channel: str, partitions: int) -> None:
        """Create a channel."""
        self.partitions[channel] = partitions
        for partition in range(partitions):
            self.logs[channel, partition] = Log(channel, partition)

    def append(self, channel: str, partition: int, entries: Sequence[Entry]) -> int:
        """Append to a partition; return the offset of the first record."""
        hole = self.random.randint(1, 3) if self.random.random() < self.network.hole else 0
        return self.logs[channel, partition].append(entries, hole=hole)

    def delay_s(self) -> float:
        """Draw how long the network takes: little as a rule, long once in a while."""
        if self.random.random() < self.network.slow:
            return self.random.uniform(0.3, 2.0)
        return self.random.uniform(0.001, 0.02)


class Metadata(NamedTuple):
    """What acknowledges a batch."""

    offset: int


class RowBatch:
    """A record batch that is full after a few records."""

    def __init__(self, limit: int) -> None:
        self.entries: list[Entry] = []
        self._limit = limit

    def append(self, *, key: bytes | None, value: bytes | None, timestamp: int | None) -> object | None:
        """Take a record, or return None where the batch is full."""
        if len(self.entries) >= self._limit:
            return None
        self.entries.append((key, value, timestamp or 0))
        return self

    def record_count(self) -> int:
        """Return how many records are in it."""
        return len(self.entries)


class _Request(NamedTuple):
    entries: list[Entry]
    futures: "list[asyncio.Future[Metadata]]"


class Producer:
    """The producer of one process: in order within a partition, one request of each under way.

    A request may be answered late, or not at all and then be sent again, so that its records lie there twice; once in a
    while an old copy of it arrives much later. Where all attempts fail it may have arrived or not. The death of the
    process does not call back what is under way. Nothing leaves while `may_send` says no (`agents.lease`).
    """

    def __init__(self, broker: Broker, process: Process, may_send: Callable[[], bool]) -> None:
        self.broker = broker
        self.process = process
        self.may_send = may_send
        self.landed: Callable[[str, int], None] = lambda channel, partition: None
        self._waiting: defaultdict[tuple[str, int], deque[_Request]] = defaultdict(deque)
        self._busy: set[tuple[str, int]] = set()

    async def send(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] | None = None,
    ) -> "asyncio.Future[Metadata]":
        """Hand one record over."""
        if partition is None:
            partition = crc32(key or b"") % self.broker.partitions[topic]
        if self.broker.random.random() < self.broker.network.full:
            await asyncio.sleep(self.broker.delay_s())
        future: asyncio.Future[Metadata] = self.broker.loop.create_future()
        queue = self._waiting[topic, partition]
        entry = (key, value, timestamp_ms or 0)
        # What waits for the same partition leaves in one request, most of the time.
        if queue and len(queue[-1].entries) < 8 and len(queue[-1].entries) == len(queue[-1].futures):
            queue[-1].entries.append(entry)
            queue[-1].futures.append(future)
        else:
            queue.append(_Request([entry], [future]))
        self._go_on((topic, partition))
        return future

    def create_batch(self) -> RowBatch:
        """Return an empty batch."""
        return RowBatch(self.broker.random.choice((1, 2, 5, 20, 1_000)))

    async def send_batch(self, batch: RowBatch, topic: str, *, partition: int) -> "asyncio.Future[Metadata]":
        """Hand a batch over, which arrives as a whole or not at all."""
        if self.broker.random.random() < self.broker.network.full:
            await asyncio.sleep(self.broker.delay_s())
        future: asyncio.Future[Metadata] = self.broker.loop.create_future()
        self._waiting[topic, partition].append(_Request(batch.entries, [future]))
        self._go_on((topic, partition))
        return future

    def _go_on(self, place: tuple[str, int]) -> None:
        if place in self._busy or not self._waiting[place]:
            return
        self._busy.add(place)
        self._begin(place)

    def _begin(self, place: tuple[str, int]) -> None:
        if self.may_send():
            self._attempt(place, self._waiting[place].popleft(), 0)
        else:
            self.broker.counts["held back"] += 1
            self.broker.loop.call_later(LOOK_S, self._begin, place, context=self.process.context)

    def _attempt(self, place: tuple[str, int], request: _Request, number: int) -> None:
        self.broker.in_flight += 1
        self._later(self.broker.delay_s(), self._arrive, place, request, number)

    def _later(self, delay_s: float, callback: Any, *args: Any) -> None:
        self.broker.loop.call_later(delay_s, callback, *args, context=self.broker.loop.world.context)

    def _arrive(self, place: tuple[str, int], request: _Request, number: int) -> None:
        """Let a request reach the broker, in the world: its process may be dead or stopped by now."""
        broker, network, random = self.broker, self.broker.network, self.broker.random
        if not self.process.is_alive and number >= 0:
            # What was on its way when the process died arrives late, or was lost with it.
            if random.random() < 0.5:
                broker.counts["lost with a process"] += 1
                broker.in_flight -= 1
                return
            self._later(random.uniform(0.0, 4.0), self._arrive, place, request, -1)
            return
        broker.in_flight -= 1
        fails = random.random() < network.fail
        if fails and random.random() < 0.5:
            self._answer(place, request, KafkaTimeoutError())
            return
        base = broker.append(*place, request.entries)
        self.landed(*place)
        if number < 0:
            broker.counts["landed after death"] += 1
            return
        if random.random() < network.echo:
            broker.in_flight += 1
            compactions = broker.logs[place].compactions
            self._later(random.uniform(0.1, 5.0), self._echo, place, request, compactions)
        if fails:
            self._answer(place, request, KafkaTimeoutError())
        elif number < 3 and random.random() < network.repeat:
            broker.counts["sent again"] += 1
            self._attempt(place, request, number + 1)
        else:
            self._answer(place, request, Metadata(base))

    def _echo(self, place: tuple[str, int], request: _Request, compactions: int) -> None:
        self.broker.in_flight -= 1
        if self.broker.logs[place].compactions != compactions:
            # Compaction waits for longer than any network holds a request back.
            return
        self.broker.counts["old copies"] += 1
        self.broker.append(*place, request.entries)

    def _answer(self, place: tuple[str, int], request: _Request, answer: Metadata | Exception) -> None:
        def settle() -> None:
            self._busy.discard(place)
            for index, future in enumerate(request.futures):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    self.broker.counts["failed sends"] += 1
                    future.set_exception(answer)
                else:
                    future.set_result(Metadata(answer.offset + index))
            self._go_on(place)

        if self.process.is_alive:
            self.broker.loop.call_later(self.broker.delay_s(), settle, context=self.process.context)
