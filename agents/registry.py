"""Keep the seed registry: read `social.topics`, follow its changes, and publish new versions of topics."""

import asyncio
from collections.abc import Iterable

import msgspec
from aiokafka import AIOKafkaProducer

from agents.broker import BrokerError, read_partition, send_all
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.channels import TOPICS, named
from schemas.seeds import TopicRecord
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import add_version

_FOLLOW_EVERY_S = 5.0

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(TopicRecord).decode


def topic_key(record: TopicRecord) -> str:
    """Return the key of a topic: `brand/topic`."""
    return f"{record.brand}/{record.topic}"


class RegistryReader:
    """The registry as `social.topics` tells it. `registry` is replaced as a whole when something changes."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel = named(TOPICS, namespace=settings.namespace)
        self._records: dict[str, TopicRecord] = {}
        self._next_offset: int | None = None
        self.registry = Registry(())

    @property
    def records(self) -> list[TopicRecord]:
        """The topics, in the order of their keys."""
        return [self._records[key] for key in sorted(self._records)]

    async def read(self) -> bool:
        """Read what is new up to the end of the channel; say whether anything changed."""
        changed = False
        async for records in read_partition(
            self._settings, channel=self._channel, partition=0, offset=self._next_offset
        ):
            for record in records:
                self._take(record.key.decode(), record.value)
                self._next_offset = record.offset + 1
                changed = True
        if changed:
            self.registry = Registry(self.records)
        return changed

    def _take(self, key: str, value: bytes | None) -> None:
        if value is None:
            self._records.pop(key, None)
            return
        try:
            self._records[key] = _from_json(value)
        except msgspec.DecodeError as error:
            raise BrokerError(
                f"channel {self._channel}: expected a topic under the key {key!r}, got {error}; "
                "write it anew with `overgrowth seeds apply`"
            ) from None

    async def follow(self) -> None:
        """Go on reading, for ever."""
        while True:
            await asyncio.sleep(_FOLLOW_EVERY_S)
            await self.read()


async def publish_topics(
    settings: Settings, producer: AIOKafkaProducer, new: Iterable[TopicRecord], *, known: Iterable[TopicRecord]
) -> list[TopicRecord]:
    """Add versions of topics to what is known of them and write the result; return what was written."""
    by_key = {topic_key(record): record for record in known}
    written = [add_version(by_key.get(topic_key(record)), record) for record in new]
    channel = named(TOPICS, namespace=settings.namespace)
    outgoing = [Outgoing(channel, topic_key(record).encode(), _to_json(record), partition=0) for record in written]
    for future in await send_all(producer, outgoing):
        await future
    return written
