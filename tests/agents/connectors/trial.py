"""Run a connector in this process against a real Kafka, and see what it delivers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.broker import client_options, create_channels, start_producer
from agents.connectors.backoff import Backoff
from agents.connectors.feed import Feed, FeedConnector
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import Connector, run
from agents.settings import Settings
from schemas.channels import CURSORS, REJECTIONS, ChannelSpec, named, raw_channel

WITHIN_S = 30.0
TICK_S = 0.05
BYTES_MAX = 1024 * 1024


class Told(NamedTuple):
    """A record of a channel: where it lies and what it says."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int


def impatient() -> Backoff:
    """Return waits that are too short to be noticed."""
    return Backoff(first_s=0.01, max_s=0.02)


def with_one_port(settings: Settings) -> Settings:
    """Return settings of a connector whose metrics are anywhere."""
    return msgspec.structs.replace(settings, metrics_port=0)


async def prepared(settings: Settings, *networks: str) -> None:
    """Create the channels of a connector."""
    await create_channels(settings, [*map(raw_channel, networks), CURSORS, REJECTIONS])


@asynccontextmanager
async def producing(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    """Yield a producer."""
    producer = await start_producer(settings)
    try:
        yield producer
    finally:
        await producer.stop()


@asynccontextmanager
async def following(settings: Settings, feed: Feed) -> AsyncIterator[tuple[FeedConnector, ConnectorMetrics]]:
    """Run the connector of a feed for as long as the block lasts."""
    metrics = ConnectorMetrics(version="0", networks=[feed.network])
    connector = FeedConnector(with_one_port(settings), feed, metrics, backoff=impatient())
    async with running(settings, connector, metrics):
        yield connector, metrics


@asynccontextmanager
async def running(
    settings: Settings, connector: Connector, metrics: ConnectorMetrics, *, bytes_max: int = BYTES_MAX
) -> AsyncIterator["asyncio.Task[None]"]:
    """Run a connector; its end is an error of the block."""
    # Whoever reads a channel that is not there would have Kafka create it, with settings of its own.
    await prepared(settings, *connector.networks)
    task = asyncio.ensure_future(run(with_one_port(settings), connector, metrics, bytes_max=bytes_max, tick_s=TICK_S))
    try:
        async with asyncio.timeout(WITHIN_S) as limit:

            def ends_the_block(_: object) -> None:
                limit.reschedule(0)

            task.add_done_callback(ends_the_block)
            try:
                yield task
            finally:
                task.remove_done_callback(ends_the_block)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled() and (error := task.exception()):
            raise error


async def told(settings: Settings, spec: ChannelSpec, until: Callable[[list[Told]], bool]) -> list[Told]:
    """Return what a channel holds, once that is enough."""
    channel = named(spec, namespace=settings.namespace)
    consumer = AIOKafkaConsumer(**client_options(settings), auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[Told] = []
    try:
        consumer.assign([TopicPartition(channel, number) for number in range(spec.partitions or settings.partitions)])
        await consumer.seek_to_beginning()
        async with asyncio.timeout(WITHIN_S):
            while not until(found):
                fetched = await consumer.getmany(timeout_ms=100)
                found += [
                    Told(record.partition, record.key or b"", record.value or b"", record.timestamp)
                    for records in fetched.values()
                    for record in records
                ]
    except TimeoutError:
        raise AssertionError(f"expected more on {channel}, got {len(found)} records: {found[-3:]}") from None
    finally:
        await consumer.stop()
    return found


def payloads(records: Iterable[Told]) -> list[bytes]:
    """Return what is no heartbeat."""
    return [record.value for record in records if not record.value.startswith(b'{"heartbeat"')]


def heartbeats(records: Iterable[Told]) -> list[Any]:
    """Return the heartbeats, decoded."""
    return [msgspec.json.decode(record.value) for record in records if record.value.startswith(b'{"heartbeat"')]


def holds(*wanted: bytes) -> Callable[[list[Told]], bool]:
    """Return whether all of these are there."""
    return lambda records: set(wanted) <= {record.value for record in records}


def metric(metrics: ConnectorMetrics, series: str) -> float:
    """Return the value of a series."""
    lines = metrics.render().decode().splitlines()
    return float(next(line.rpartition(" ")[2] for line in lines if line.startswith(f"overgrowth_connector_{series} ")))


async def until(is_so: Callable[[], object]) -> None:
    """Let everything else in this process go on until something is so; nothing tells when."""
    while not is_so():  # noqa: ASYNC110
        await asyncio.sleep(0)
