"""A log on a channel before anything reads it, and the floor: reading and decoding that channel, nothing else."""

import asyncio
import atexit
import os
import tempfile
from itertools import groupby
from pathlib import Path
from time import monotonic, process_time
from typing import Literal, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.broker import client_options, create_channels, start_producer
from agents.registry import publish_topics
from agents.settings import Settings
from agents.stack import Stack
from schemas.channels import SIGNALS, named
from schemas.signal import Signal
from tests.benchmarks import firehose
from tests.benchmarks.firehose import PARTITIONS, Logged

FLOOR_FETCH_BYTES = 1024 * 1024
"""As much of a partition as a worker fetches at once (`agents.app`)."""


class Took(NamedTuple):
    """What a run over so many signals took: seconds of the readers' processors, and seconds until it was done."""

    signals: int
    cpu_s: float
    wall_s: float
    busiest_cpu_s: float = 0.0
    """Of `cpu_s`, what the busiest of several workers had."""

    @property
    def per_cpu_s(self) -> float:
        """Signals a second of processor time, of all readers together."""
        return self.signals / self.cpu_s

    @property
    def per_wall_s(self) -> float:
        """Signals a second as a clock tells it, with whatever else the machine did."""
        return self.signals / self.wall_s


def start_stack() -> Stack:
    """Start a Kafka that ends with this process: the embedded one, or with `KAFKA=real` Apache Kafka."""
    kind: Literal["embedded", "real"] = "real" if os.environ.get("KAFKA") == "real" else "embedded"
    stack = Stack(kind, with_redis=False)
    stack.start()
    return stack


def scratch() -> Path:
    """Return a folder that is removed at the end of this process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def prepare(settings: Settings, log: list[Logged]) -> None:
    """Create the channels of a namespace, publish the topics there and put the log on the signals."""

    async def work() -> None:
        await create_channels(settings)
        producer = await start_producer(settings)
        await publish_topics(settings, producer, firehose.topics(), known=())
        await put(producer, settings, log)
        await producer.stop()

    asyncio.run(work())


async def put(producer: AIOKafkaProducer, settings: Settings, log: list[Logged]) -> None:
    """Put records on the signals as whole record batches, partition by partition."""
    channel = named(SIGNALS, namespace=settings.namespace)
    sent = []
    for partition, records in groupby(sorted(log, key=lambda one: one.partition), key=lambda one: one.partition):
        batch = producer.create_batch()
        for record in records:
            if batch.append(key=record.key, value=record.value, timestamp=record.at_ms) is None:
                sent.append(await producer.send_batch(batch, channel, partition=partition))
                batch = producer.create_batch()
                batch.append(key=record.key, value=record.value, timestamp=record.at_ms)
        sent.append(await producer.send_batch(batch, channel, partition=partition))
    await asyncio.gather(*sent)


def floor(settings: Settings, *, records: int) -> Took:
    """Read the signals of a namespace with `getmany`, decode each record, and do nothing with it."""

    async def work() -> Took:
        consumer = AIOKafkaConsumer(
            **client_options(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FLOOR_FETCH_BYTES,
        )
        await consumer.start()
        channel = named(SIGNALS, namespace=settings.namespace)
        consumer.assign([TopicPartition(channel, partition) for partition in range(PARTITIONS)])
        await consumer.seek_to_beginning()
        decode = msgspec.json.Decoder(Signal).decode
        begun_s, begun_cpu_s, read = monotonic(), process_time(), 0
        # The last record of each partition is no signal but the end of the source.
        while read < records - PARTITIONS:
            for fetched in (await consumer.getmany(timeout_ms=1_000)).values():
                for record in fetched:
                    if record.key:
                        decode(record.value)
                        read += 1
        took = Took(read, process_time() - begun_cpu_s, monotonic() - begun_s)
        await consumer.stop()
        return took

    return asyncio.run(work())
