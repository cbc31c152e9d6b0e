"""Deliver records to Kafka in the order in which they came, and say so only once it has acknowledged them.

What is offered is sent until Kafka has it: while Kafka is away it waits here, bounded in bytes, and whoever offers has
to wait too. A record that Kafka will never take becomes a rejection, so that nothing is stopped by it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
)

from agents.connectors.backoff import Backoff
from agents.connectors.metrics import ConnectorMetrics
from agents.lane import Outgoing
from schemas.cursor import Cursor
from schemas.rejection import Place
from streams.networks.refusal import refuse, rejection

logger = logging.getLogger("overgrowth")

BYTES_MAX = 16 * 1024 * 1024
"""What may wait for Kafka at once."""
PAYLOAD_BYTES_MAX = 1024 * 1024
"""What is longer becomes a rejection at once: Kafka would not take it, and no format reads the sixteenth of it."""
SENT_AT_ONCE_MAX = 2_000
RECORD_BYTES = 128
"""What a record costs here besides its bytes."""
NEVER_TAKEN = (MessageSizeTooLargeError, RecordListTooLargeError, InvalidTimestampError)

_to_json = msgspec.json.Encoder().encode


class _Parcel(NamedTuple):
    records: Sequence[Outgoing]
    size_bytes: int
    cursor: Cursor | None
    network: str | None
    delivered: "asyncio.Future[None]"


class Delivery:
    """The one way of a connector to Kafka. `run` must run; `rejections` is the channel for what Kafka will not take."""

    def __init__(
        self,
        producer: AIOKafkaProducer,
        metrics: ConnectorMetrics,
        *,
        rejections: str,
        bytes_max: int = BYTES_MAX,
        backoff: Backoff | None = None,
    ) -> None:
        self.cursor: Cursor | None = None
        """Of the last payload with one that Kafka has, as it has all before it."""
        self.bytes_in_flight = 0
        self.failing = False
        """Whether Kafka did not acknowledge the last attempt."""
        self._producer = producer
        self._metrics = metrics
        self._rejections = rejections
        self._bytes_max = bytes_max
        self._backoff = backoff or Backoff(max_s=10.0)
        self._waiting: deque[_Parcel] = deque()
        self._is_offered = asyncio.Event()
        self._is_acknowledged = asyncio.Event()

    def has_room(self, size_bytes: int) -> bool:
        """Return whether so many bytes may be offered now; where nothing waits, anything may."""
        return self.bytes_in_flight == 0 or self.bytes_in_flight + size_bytes <= self._bytes_max

    async def room(self, size_bytes: int) -> None:
        """Wait until so many bytes may be offered."""
        while not self.has_room(size_bytes):
            self._is_acknowledged.clear()
            await self._is_acknowledged.wait()

    def offer(
        self, records: Sequence[Outgoing], *, cursor: Cursor | None = None, network: str | None = None
    ) -> "asyncio.Future[None]":
        """Take records over and return what resolves when Kafka has them all.

        `cursor` is where to go on once it has; `network` is whose payloads they are. What is no payload, a heartbeat,
        is not sent before Kafka has all that was offered before it.
        """
        size_bytes = sum(len(record.key) + len(record.value or b"") + RECORD_BYTES for record in records)
        delivered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Parcel(records, size_bytes, cursor, network, delivered))
        self._set_in_flight(self.bytes_in_flight + size_bytes)
        self._is_offered.set()
        return delivered

    async def drained(self) -> None:
        """Wait until Kafka has all that was offered."""
        while self.bytes_in_flight:
            self._is_acknowledged.clear()
            await self._is_acknowledged.wait()

    async def run(self) -> None:
        """Send what is offered, for ever."""
        while True:
            while not self._waiting:
                self._is_offered.clear()
                await self._is_offered.wait()
            parcels = self._take()
            await self._until_acknowledged([record for parcel in parcels for record in parcel.records])
            for parcel in parcels:
                self._settle(parcel)
            self._is_acknowledged.set()

    def _take(self) -> list[_Parcel]:
        """Return what is sent next: many payloads at once, or what speaks of all before it, which goes alone.

        Of what is sent at once, some may be lost on the way and come after the rest.
        """
        parcels = [self._waiting.popleft()]
        count = len(parcels[0].records)
        while parcels[-1].network and self._waiting and self._waiting[0].network:
            count += len(self._waiting[0].records)
            if count > SENT_AT_ONCE_MAX:
                break
            parcels.append(self._waiting.popleft())
        return parcels

    def _settle(self, parcel: _Parcel) -> None:
        self._set_in_flight(self.bytes_in_flight - parcel.size_bytes)
        if parcel.cursor is not None:
            self.cursor = parcel.cursor
        if parcel.network is not None:
            self._metrics.count_delivered(parcel.network, count=len(parcel.records))
        if not parcel.delivered.done():
            parcel.delivered.set_result(None)

    def _set_in_flight(self, size_bytes: int) -> None:
        self.bytes_in_flight = size_bytes
        self._metrics.set_in_flight(size_bytes)

    async def _until_acknowledged(self, records: list[Outgoing]) -> None:
        """Send until Kafka has every record, each time from the first that it has not on."""
        done = 0
        while done < len(records):
            count, error = await self._attempt(records[done:])
            done += count
            if isinstance(error, NEVER_TAKEN):
                # Others in its batch fail with it, so it must fail alone too.
                count, error = await self._attempt(records[done : done + 1])
                done += count
                if isinstance(error, NEVER_TAKEN):
                    records[done] = self._refused(records[done], error)
                    continue
            self.failing = error is not None
            if error is None:
                self._backoff.reset()
                continue
            self._metrics.count_send_error()
            wait_s = self._backoff.next_s()
            logger.warning(
                "expected Kafka to acknowledge %d records, got %s: %s; sending them again in %.1f s",
                len(records) - done,
                type(error).__name__,
                error,
                wait_s,
            )
            await asyncio.sleep(wait_s)

    async def _attempt(self, records: Sequence[Outgoing]) -> tuple[int, BaseException | None]:
        """Send records; return how many of the first of them Kafka has, and what became of the next one."""
        sent: list[asyncio.Future[object]] = []
        failure: BaseException | None = None
        try:
            for record in records:
                sent.append(
                    await self._producer.send(
                        record.channel,
                        value=record.value,
                        key=record.key,
                        partition=record.partition,
                        timestamp_ms=record.timestamp_ms,
                    )
                )
        except KafkaError as error:
            failure = error
        for count, result in enumerate(await asyncio.gather(*sent, return_exceptions=True)):
            if isinstance(result, BaseException):
                return count, result
        return len(sent), failure

    def _refused(self, record: Outgoing, error: BaseException) -> Outgoing:
        assert record.channel != self._rejections, "a rejection is short and bears no time of its own"
        detail = f"expected a payload that Kafka takes, got {len(record.value or b'')} bytes and {type(error).__name__}"
        logger.error("%s: %s; it went to %s", record.channel, detail, self._rejections)
        return self.rejected(record.value, channel=record.channel, detail=detail)

    def rejected(self, payload: bytes | None, *, channel: str, detail: str) -> Outgoing:
        """Return the record that tells of a payload which was not delivered to its channel, and count it."""
        self._metrics.count_rejection()
        refused = rejection(refuse("oversize", detail), payload, Place(channel=channel))
        return Outgoing(self._rejections, refused.reason.encode(), _to_json(refused))
