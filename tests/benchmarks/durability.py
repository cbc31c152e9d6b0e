"""What a checkpoint costs and how fast a recovery is: the three lanes of a worker, with their changelogs in Kafka.

All signals are on a topic, and a checkpoint comes with every 2,000 of them, as if they came at 2,000 a second. Each
round goes on where the last one ended, and then opens all lanes anew from all that was written until then.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from time import process_time
from typing import NamedTuple

from aiokafka import AIOKafkaProducer

from agents.attribute_signals import AttributeShell
from agents.broker import create_channels, start_producer
from agents.follow_members import FollowShell
from agents.lane import Batch, Lane, LaneSettings, Outgoing, Record, Sent, Shell, TableRecord
from agents.port import KafkaPort
from agents.settings import Settings
from agents.table import Change
from agents.watch_topics import WatchShell
from schemas.channels import (
    ATTRIBUTED,
    CONTRIBUTIONS,
    SIGNALS,
    TABLE_ATTRIBUTE,
    TABLE_FOLLOW,
    TABLE_WATCH,
    ChannelSpec,
    named,
)
from streams.attribution.matcher import Registry
from tests.benchmarks import firehose
from tests.benchmarks.brand import START_MS
from tests.benchmarks.channel import start_stack
from tests.benchmarks.report import ROUNDS_MAX, Figure, Goal, Round

SIGNALS_PER_ROUND = 16_000
PER_CHECKPOINT = 2_000
ROWS_PER_SECOND_MIN = 200_000
GENERATION = 1

_ARROWS: tuple[tuple[ChannelSpec, ChannelSpec], ...] = (
    (SIGNALS, TABLE_ATTRIBUTE),
    (ATTRIBUTED, TABLE_FOLLOW),
    (CONTRIBUTIONS, TABLE_WATCH),
)


class _Port(KafkaPort):
    """Keeps what is told for the next lane, and counts what is written; rows go to Kafka."""

    told: list[Outgoing]
    rows_bytes = 0

    async def send(self, outgoing: Sequence[Outgoing]) -> Sent:
        """Hand records over to the next lane."""
        self.told.extend(outgoing)
        return []

    async def append(self, channel: str, partition: int, changes: Sequence[Change]) -> int:
        """Write rows to Kafka."""
        self.rows_bytes += sum(len(change.key) + len(change.value or b"") for change in changes)
        return await super().append(channel, partition, changes)


class _Opened(NamedTuple):
    """The lanes, their ports, and what opening them took."""

    lanes: list[Lane]
    ports: list[_Port]
    cpu_s: float
    wall_s: float


class _Checkpoints(NamedTuple):
    """What the checkpoints of a round took: processor time, time until Kafka had them, and bytes, all on average."""

    cpu_ms: float
    wall_ms: float
    size_bytes: float


class _Installation:
    """Three lanes of one partition each, and the log that they are fed with."""

    def __init__(self, settings: Settings, log: list[firehose.Logged]) -> None:
        self.settings = settings
        self.log = log
        self.taken = 0
        registry = Registry(firehose.topics())
        self._registry = lambda: registry
        self._offsets = [0, 0, 0]

    async def open(self, producer: AIOKafkaProducer) -> _Opened:
        """Open all lanes from their changelogs, as the worker does that is given their partitions."""
        shells: list[Callable[[], Shell]] = [
            lambda: AttributeShell(self.settings, self._registry, 0),
            lambda: FollowShell(self.settings, self._registry, 0),
            lambda: WatchShell(self.settings, self._registry, 0),
        ]
        lanes, ports = [], []
        begun_s, begun_cpu_s = time.monotonic(), process_time()
        for make_shell, (source, table) in zip(shells, _ARROWS, strict=True):
            port = _Port(
                self.settings,
                producer,
                generation=GENERATION,
                generation_now=lambda: GENERATION,
                acknowledged=lambda channel, partition, offset: None,
                give_way=lambda: asyncio.sleep(0),
                now_ms=lambda: START_MS,
            )
            port.told = []
            settings = LaneSettings(
                channel=named(source, namespace=self.settings.namespace),
                table_channel=named(table, namespace=self.settings.namespace),
                partition=0,
                partitions=1,
                origins=1,
                generation=GENERATION,
            )
            lane = Lane(make_shell(), port, settings)
            await lane.open()
            lanes.append(lane)
            ports.append(port)
        return _Opened(lanes, ports, process_time() - begun_cpu_s, time.monotonic() - begun_s)

    async def go_on(self, opened: _Opened, *, signals: int) -> _Checkpoints:
        """Take more of the log, with a checkpoint of all lanes after each so many signals."""
        cpu_s = wall_s = 0.0
        size_before = sum(port.rows_bytes for port in opened.ports)
        for begin in range(self.taken, self.taken + signals, PER_CHECKPOINT):
            records = [
                Record(begin + number, one.at_ms, one.value, one.key)
                for number, one in enumerate(self.log[begin : begin + PER_CHECKPOINT])
            ]
            for index, (lane, port) in enumerate(zip(opened.lanes, opened.ports, strict=True)):
                if records:
                    await lane.take(Batch(records, records[-1].offset + 1))
                records = self._told(index, port)
            begun_s, begun_cpu_s = time.monotonic(), process_time()
            for lane in opened.lanes:
                await lane.checkpoint()
            cpu_s += process_time() - begun_cpu_s
            wall_s += time.monotonic() - begun_s
        self.taken += signals
        checkpoints = signals // PER_CHECKPOINT
        size = sum(port.rows_bytes for port in opened.ports) - size_before
        return _Checkpoints(cpu_s / checkpoints * 1_000, wall_s / checkpoints * 1_000, size / checkpoints)

    def _told(self, index: int, port: _Port) -> list[Record]:
        """Return what a lane told the next one as the records that this would read."""
        if index + 1 == len(_ARROWS):
            port.told.clear()
            return []
        channel = named(_ARROWS[index + 1][0], namespace=self.settings.namespace)
        told = [one for one in port.told if one.channel == channel]
        port.told.clear()
        first = self._offsets[index]
        self._offsets[index] += len(told)
        return [Record(first + number, one.timestamp_ms, one.value, one.key) for number, one in enumerate(told)]


async def _rows_alone(installation: _Installation, port: KafkaPort) -> tuple[float, int]:
    """Return the processor time of reading all changelogs without doing anything with them, and their bytes."""
    begun_cpu_s, size_bytes = process_time(), 0
    for _, table in _ARROWS:
        rows: AsyncIterator[list[TableRecord]] = port.read_table(
            named(table, namespace=installation.settings.namespace), 0
        )
        async for read in rows:
            size_bytes += sum(len(key) + len(value or b"") for _, key, value in read)
    return process_time() - begun_cpu_s, size_bytes


async def _first(installation: _Installation, *, signals: int) -> None:
    """Take the beginning of the log, during which most of it is held back."""
    producer = await start_producer(installation.settings)
    await installation.go_on(await installation.open(producer), signals=signals)
    await producer.stop()


def begin(*, quick: bool) -> Round:
    """Start a Kafka, and make the log of all rounds."""
    signals = SIGNALS_PER_ROUND // 2 if quick else SIGNALS_PER_ROUND
    stack = start_stack()
    settings = Settings(
        kafka=stack.kafka_url,
        namespace="durability",
        partitions=1,
        clock="log",
        views=False,
        # What is held back for its order is in no row yet; the less it is, the more there is to write and to recover.
        lateness_ms=firehose.DISORDER_MS,
    )
    asyncio.run(create_channels(settings))
    made = firehose.signals(signals * (ROUNDS_MAX + 1), on_topic=1.0)
    installation = _Installation(settings, firehose.log_of(made))
    asyncio.run(_first(installation, signals=signals))

    async def work() -> list[Figure]:
        producer = await start_producer(settings)
        checkpoints = await installation.go_on(await installation.open(producer), signals=signals)
        opened = await installation.open(producer)
        alone_cpu_s, size_bytes = await _rows_alone(installation, opened.ports[0])
        await producer.stop()
        rows = sum(lane.recovered_records for lane in opened.lanes)
        floor = "reading the changelogs alone"
        goal = Goal(ROWS_PER_SECOND_MIN, at_least=True)
        return [
            Figure("checkpoint of 2,000 signals, processor", checkpoints.cpu_ms, "ms"),
            Figure("checkpoint of 2,000 signals, until Kafka has it", checkpoints.wall_ms, "ms"),
            Figure("checkpoint of 2,000 signals, rows", checkpoints.size_bytes / 1_000, "kB"),
            Figure(floor, rows / alone_cpu_s, "rows/s"),
            Figure("recovery", rows / opened.cpu_s, "rows/s", floor=floor, goal=goal),
            Figure("recovery, bytes", size_bytes / opened.cpu_s / 1e6, "MB/s"),
            Figure("recovery, by the clock", rows / opened.wall_s, "rows/s"),
        ]

    return lambda: asyncio.run(work())
