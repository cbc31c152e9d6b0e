"""What a packet from one lane to the next takes in Kafka's client: handed to the producer one by one, and fetched.

Processor time of this process, without packing and unpacking, which `growth.py` has.
"""

import asyncio
from itertools import count
from time import process_time

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.broker import client_options, create_channels, send_all, start_producer
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.channels import ATTRIBUTED, named
from tests.benchmarks.channel import FLOOR_FETCH_BYTES, start_stack
from tests.benchmarks.report import Figure, Round

PACKETS = 20_000
AT_ONCE = 2_000
PARTITIONS = 16
VALUE = bytes(200)


def begin(*, quick: bool) -> Round:
    """Start a Kafka; every round has channels of its own."""
    kafka, numbers = start_stack().kafka_url, count()
    packets = PACKETS // 10 if quick else PACKETS

    def take_round() -> list[Figure]:
        namespace = f"packets{next(numbers)}"
        settings = Settings(kafka=kafka, namespace=namespace, partitions=PARTITIONS, clock="log")
        return [Figure("handed on by Kafka's client", asyncio.run(_handed_on_s(settings, packets)) * 1e6, "µs")]

    return take_round


async def _handed_on_s(settings: Settings, packets: int) -> float:
    """Return the seconds of processor time for each of so many packets, sent and fetched."""
    await create_channels(settings)
    channel = named(ATTRIBUTED, namespace=settings.namespace)
    places = [TopicPartition(channel, partition) for partition in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(
        **client_options(settings), enable_auto_commit=False, max_partition_fetch_bytes=FLOOR_FETCH_BYTES
    )
    producer = await start_producer(settings)
    await consumer.start()
    consumer.assign(places)
    await consumer.seek_to_beginning()
    begun_s, fetched = process_time(), 0
    for _ in range(0, packets, AT_ONCE):
        sent = [Outgoing(channel, b"0", VALUE, partition=number % PARTITIONS) for number in range(AT_ONCE)]
        await asyncio.gather(*await send_all(producer, sent))
        while fetched < AT_ONCE:
            found = await consumer.getmany(timeout_ms=1_000)
            fetched += sum(len(records) for records in found.values())
        fetched -= AT_ONCE
    taken_s = process_time() - begun_s
    await consumer.stop()
    await producer.stop()
    return taken_s / packets
