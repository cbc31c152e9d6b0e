"""Follow a feed: connect again when it is cut, deliver what it gives, remember how far it was, tell how far it is."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

import aiohttp
import msgspec
from aiokafka import AIOKafkaProducer

from agents.broker import partition_of, read_end, read_partition
from agents.connectors.backoff import Backoff
from agents.connectors.cursors import CursorWriter, read_cursor
from agents.connectors.delivery import PAYLOAD_BYTES_MAX, Delivery
from agents.connectors.errors import ConnectorError, FeedCut
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import heartbeat_ms, now_ms
from agents.health import Verdict
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.channels import named, raw_channel
from schemas.cursor import Cursor
from schemas.signal import AT_MS_MIN, Heartbeat

logger = logging.getLogger("overgrowth")

_to_json = msgspec.json.Encoder().encode


class Outlet:
    """Where a feed puts what it gets.

    All of a feed goes under one key, its name, and so into one partition: heartbeats then cannot overtake payloads on
    their way through `normalize_signals`, and what an author said stays in its order.
    """

    def __init__(self, delivery: Delivery, metrics: ConnectorMetrics, *, channel: str, name: str, network: str) -> None:
        self.cursor: Cursor | None = None
        """Where to go on in this process: after the last payload that was offered."""
        self.progress_ms = 0
        self.taken = 0
        self.metrics = metrics
        self._delivery = delivery
        self._channel = channel
        self._key = name.encode()
        self._network = network

    async def deliver(self, payload: bytes, *, cursor: Cursor | None = None) -> None:
        """Offer a payload as it came, whatever it is; wait where Kafka is behind. `cursor` is where to go on after."""
        if len(payload) > PAYLOAD_BYTES_MAX:
            detail = f"expected a payload of at most {PAYLOAD_BYTES_MAX} bytes, got {len(payload)}"
            logger.error("%s: %s", self._channel, detail)
            record = self._delivery.rejected(payload, channel=self._channel, detail=detail)
        else:
            record = Outgoing(self._channel, self._key, payload, timestamp_ms=now_ms())
        await self._delivery.room(len(payload))
        self._delivery.offer([record], cursor=cursor, network=self._network)
        self.taken += 1
        if cursor is not None:
            self.cursor = cursor

    def advance(self, at_ms: int) -> None:
        """Take note that the feed has come to an instant: what it gives from now on is hardly older."""
        if at_ms > self.progress_ms:
            self.progress_ms = at_ms
            self.metrics.set_progress(at_ms)

    def tell(self, source: str, *, lateness_ms: int) -> int:
        """Offer a heartbeat of how far the feed has come, behind all that it gave; return that."""
        at_ms = heartbeat_ms(progress_ms=self.progress_ms, lateness_ms=lateness_ms, now_ms=now_ms())
        if at_ms >= AT_MS_MIN:
            beat = Outgoing(self._channel, self._key, _to_json(Heartbeat(source, at_ms)), timestamp_ms=now_ms())
            self._delivery.offer([beat])
        return self.progress_ms


class Feed(Protocol):
    """A stream of a network that can be connected to."""

    @property
    def name(self) -> str:
        """What its cursor is kept under; no two that run at once have the same."""

    @property
    def source(self) -> str:
        """The source that its payloads, as signals, bear: its heartbeats are told for it."""

    @property
    def network(self) -> str:
        """The format of its payloads."""

    @property
    def recalls(self) -> int:
        """How many of the records that were delivered last it wants to be told again when it begins, 0 for none."""

    def recall(self, payload: bytes) -> None:
        """Take note of one of them: a payload, or a heartbeat."""

    async def session(self, outlet: Outlet, connected: Callable[[], None]) -> None:
        """Connect once, call `connected`, and deliver until the connection ends; raises `FeedCut` when it does."""


class FeedConnector:
    """The connector of a feed."""

    def __init__(
        self, settings: Settings, feed: Feed, metrics: ConnectorMetrics, *, backoff: Backoff | None = None
    ) -> None:
        self._settings = settings
        self._feed = feed
        self._metrics = metrics
        self._backoff = backoff or Backoff()
        self._is_connected = self._ever_connected = False
        self._told_ms = 0

    @property
    def networks(self) -> Sequence[str]:
        """The one network of the feed."""
        return [self._feed.network]

    async def open(self, delivery: Delivery, producer: AIOKafkaProducer) -> None:
        """Read where the feed was left, and what it wants to know of what it delivered last."""
        feed = self._feed
        channel = named(raw_channel(feed.network), namespace=self._settings.namespace)
        cursor = await read_cursor(self._settings, feed.name)
        if feed.recalls:
            await self._recall(channel)
        self._delivery = delivery
        self._cursors = CursorWriter(self._settings, producer, cursor)
        self._outlet = Outlet(delivery, self._metrics, channel=channel, name=feed.name, network=feed.network)
        self._outlet.cursor = cursor
        logger.info("%s: going on %s", feed.name, f"after {cursor.position}" if cursor else "with what is new")

    async def _recall(self, channel: str) -> None:
        key = self._feed.name.encode()
        partition = partition_of(key, partitions=self._settings.partitions)
        end = await read_end(self._settings, channel=channel, partition=partition)
        first = max(0, end - self._feed.recalls)
        recalled = 0
        async for records in read_partition(self._settings, channel=channel, partition=partition, offset=first):
            for record in records:
                if record.key == key and record.value is not None:
                    self._feed.recall(record.value)
                    recalled += 1
        logger.info("%s: remembers %d records that it had delivered", self._feed.name, recalled)

    async def work(self) -> None:
        """Connect, and connect again, for ever; what never worked and is refused for good ends it."""
        name = self._feed.name
        while True:
            taken = self._outlet.taken
            try:
                await self._feed.session(self._outlet, self._connected)
                cut = FeedCut("closed", "the server ended the stream")
            except FeedCut as error:
                cut = error
            except (aiohttp.ClientError, OSError) as error:
                cut = FeedCut("unreachable", f"{type(error).__name__}: {error}")
            self._is_connected = False
            self._metrics.set_connected(False)
            self._metrics.count_cut(cut.reason)
            if cut.final and not self._ever_connected:
                raise ConnectorError(f"{name}: expected a feed, got {cut}; check address, filters and token")
            if self._outlet.taken > taken:
                self._backoff.reset()
            wait_s = self._backoff.next_s()
            logger.warning("%s: the connection ended (%s: %s); again in %.1f s", name, cut.reason, cut, wait_s)
            await asyncio.sleep(wait_s)

    def _connected(self) -> None:
        self._is_connected = self._ever_connected = True
        self._metrics.set_connected(True)

    async def close(self) -> None:
        """Nothing is open here: a session ends when it is cancelled."""

    async def tick(self) -> None:
        """Tell a heartbeat if the feed has come further, and write the cursor if Kafka has more than it says."""
        if self._outlet.progress_ms > self._told_ms:
            self._told_ms = self._outlet.tell(self._feed.source, lateness_ms=self._settings.lateness_ms)
        await self._cursors.write(self._delivery.cursor)

    def ready(self) -> Verdict:
        """Say whether the feed is connected."""
        return (True, "") if self._is_connected else (False, "not connected to the feed")
