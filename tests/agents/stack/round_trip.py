"""Write one record to a Kafka and read it back, as the first user of a broker would."""

import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

ANSWER_WITHIN_S = 30.0


def write_record(url: str, *, channel: str, value: bytes) -> None:
    """Create the channel with one partition and write one acknowledged record to it."""

    async def write() -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=url)
        await admin.start()
        await admin.create_topics([NewTopic(name=channel, num_partitions=1, replication_factor=1)])
        await admin.close()
        producer = AIOKafkaProducer(bootstrap_servers=url, acks="all")
        await producer.start()
        await producer.send_and_wait(channel, value, partition=0)
        await producer.stop()

    asyncio.run(asyncio.wait_for(write(), timeout=ANSWER_WITHIN_S))


def read_record(url: str, *, channel: str) -> bytes:
    """Return the value of the first record in the channel."""

    async def read() -> bytes:
        consumer = AIOKafkaConsumer(bootstrap_servers=url, auto_offset_reset="earliest", enable_auto_commit=False)
        await consumer.start()
        partition = TopicPartition(channel, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await consumer.getone()
        await consumer.stop()
        return bytes(record.value)

    return asyncio.run(asyncio.wait_for(read(), timeout=ANSWER_WITHIN_S))
