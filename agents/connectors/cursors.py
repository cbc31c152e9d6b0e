"""Keep cursors in Kafka: read the latest of a feed, and write one once Kafka has all that lies before it."""

import logging

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.broker import read_partition
from agents.settings import Settings
from schemas.channels import CURSORS, named
from schemas.cursor import Cursor
from schemas.unreadable import UNREADABLE

logger = logging.getLogger("overgrowth")

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(Cursor).decode


async def read_cursor(settings: Settings, feed: str) -> Cursor | None:
    """Return how far a feed had come when that was last written; raises `BrokerError`."""
    channel = named(CURSORS, namespace=settings.namespace)
    found: Cursor | None = None
    async for records in read_partition(settings, channel=channel, partition=0):
        for record in records:
            if (record.key or b"") != feed.encode():
                continue
            if record.value is None:
                found = None
                continue
            try:
                found = _from_json(record.value)
            except UNREADABLE as error:
                logger.error("channel %s, offset %d: expected a cursor, got %s; ignored", channel, record.offset, error)
    return found


class CursorWriter:
    """Writes the cursor of a connector when it has changed."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, written: Cursor | None) -> None:
        self._channel = named(CURSORS, namespace=settings.namespace)
        self._producer = producer
        self._written = written

    async def write(self, cursor: Cursor | None) -> None:
        """Write a cursor whose payloads are all acknowledged; what Kafka does not take, the next call writes."""
        if cursor is None or cursor == self._written:
            return
        try:
            await self._producer.send_and_wait(
                self._channel, value=_to_json(cursor), key=cursor.feed.encode(), partition=0
            )
        except KafkaError as error:
            said = f"{type(error).__name__}: {error}"
            logger.warning("%s: expected Kafka to acknowledge a cursor, got %s", self._channel, said)
        else:
            self._written = cursor
