"""Print each alert once: aiokafka alone, nothing of Overgrowth (python subscriber.py [HOST:PORT [CHANNEL]])."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def main(kafka: str = "127.0.0.1:9092", channel: str = "social.alerts") -> None:
    """Read from where this group stopped; commit after the work, and drop by id what comes again."""
    options = {"group_id": "subscriber-example", "auto_offset_reset": "earliest", "enable_auto_commit": False}
    seen = set()
    async with AIOKafkaConsumer(channel, bootstrap_servers=kafka, **options) as consumer:
        async for record in consumer:
            event = {name: text.decode() for name, text in record.headers}
            if event["ce_id"] not in seen:
                alert = json.loads(record.value)
                print(event["ce_time"], event["ce_type"], event["ce_subject"], alert["summary"], flush=True)
            seen.add(event["ce_id"])
            await consumer.commit()


asyncio.run(main(*sys.argv[1:]))
