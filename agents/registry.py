"""Keep the seed registry: read `social.topics`, follow its changes, and publish new versions of topics."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

import msgspec
from aiokafka import AIOKafkaProducer

from agents.broker import BrokerError, follow_partition, read_partition, send_all
from agents.lane import Outgoing
from agents.pseudonyms import pseudonyms_of
from agents.settings import Settings
from schemas.channels import TOPICS, named
from schemas.seeds import TopicRecord
from schemas.unreadable import UNREADABLE
from streams.attribution.matcher import Registry, key_of
from streams.attribution.seeds_file import add_version, check_record

FOLLOW_AGAIN_S = 5.0
"""How long to wait before reading on when Kafka was away."""

logger = logging.getLogger("overgrowth")

_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder(TopicRecord).decode

_EMPTY = Registry(())


class RegistryReader:
    """The registry as `social.topics` tells it. `registry` is replaced as a whole when something changes.

    A record that is no topic, or one that cannot be used, is logged and left out: the topic stays as it was.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._channel = named(TOPICS, namespace=settings.namespace)
        self._records: dict[str, TopicRecord] = {}
        self._next_offset: int | None = None
        self._pseudonyms = pseudonyms_of(settings)
        self.registry = _EMPTY

    @property
    def records(self) -> list[TopicRecord]:
        """The topics, in the order of their keys."""
        return [self._records[key] for key in sorted(self._records)]

    def _built(self) -> Registry:
        return Registry(self.records if self._pseudonyms is None else self._pseudonyms.topics(self.records))

    async def read(self) -> bool:
        """Read what is new up to the end of the channel; say whether anything changed. Raises `BrokerError`."""
        changed = False
        async for records in read_partition(
            self._settings, channel=self._channel, partition=0, offset=self._next_offset
        ):
            self._take_all(records)
            changed = True
        if changed:
            self.registry = self._built()
        return changed

    def _take_all(self, records: Iterable[Any]) -> None:
        for record in records:
            self._next_offset = record.offset + 1
            self._take((record.key or b"").decode(errors="replace"), record.value, offset=record.offset)

    def _take(self, key: str, value: bytes | None, *, offset: int) -> None:
        if value is None:
            self._records.pop(key, None)
            return
        try:
            record = _from_json(value)
            check_record(record)
            if key_of(record) != key:
                raise ValueError(f"the topic {key_of(record)}")
        except UNREADABLE as error:
            logger.error(
                "channel %s, offset %d: expected a topic under the key %r, got %s; left out: "
                "write it anew with `overgrowth seeds apply`",
                self._channel,
                offset,
                key,
                error,
            )
        else:
            self._records[key] = record

    async def follow(self) -> None:
        """Go on reading, for ever; while Kafka is away the registry stays as it is."""
        while True:
            try:
                async for records in follow_partition(
                    self._settings, channel=self._channel, partition=0, offset=self._next_offset
                ):
                    self._take_all(records)
                    self.registry = self._built()
                    logger.info("registry: %d topics, as %s tells", len(self._records), self._channel)
            except BrokerError as error:
                logger.error("%s", error)
            await asyncio.sleep(FOLLOW_AGAIN_S)


async def publish_topics(
    settings: Settings, producer: AIOKafkaProducer, new: Iterable[TopicRecord], *, known: Iterable[TopicRecord]
) -> list[TopicRecord]:
    """Add versions of topics to what is known of them and write the result; return what was written."""
    by_key = {key_of(record): record for record in known}
    written = [add_version(by_key.get(key_of(record)), record) for record in new]
    channel = named(TOPICS, namespace=settings.namespace)
    outgoing = [Outgoing(channel, key_of(record).encode(), _to_json(record), partition=0) for record in written]
    await asyncio.gather(*await send_all(producer, outgoing))
    return written
