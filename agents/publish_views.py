"""Publish views: vitals, cascades and alerts -> the Redis read model; when Redis is away only the views wait."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from agents.access import redis_options
from agents.broker import BrokerError, read_partition
from agents.cascade_views import WaitingCascades, is_live
from agents.lane import Batch
from agents.metrics import Metrics
from agents.settings import Settings
from agents.views import OPEN_STATUSES, Views, ViewsBatch, ViewsUnavailable
from schemas.alert import Alert
from schemas.cascade import CascadeVitals
from schemas.channels import ALERT_STATE, CASCADES, VITALS, named
from schemas.vitals import Vitals

logger = logging.getLogger("overgrowth")

_decode_vitals = msgspec.json.Decoder(Vitals).decode
_decode_cascade = msgspec.json.Decoder(CascadeVitals).decode
_decode_alert = msgspec.json.Decoder(Alert).decode

GATHER_S = 0.05
"""How long to gather before writing, so that a burst of records costs one transaction."""
DRAIN_S = 2.0
"""How long the last writing may take when the worker stops; what is not written then is read again."""
FORGET_AGAIN_S = 1.0


class Publisher:
    """Takes every batch at once and writes in the background, so that an absent Redis holds nothing else up.

    What waits stays small: of vitals only the newest per topic or cascade, and alerts are few. Input is acknowledged
    once it is written; after a crash it is read again, and writing it again changes nothing. A store that was found
    empty (a new one, or one that was flushed) is filled from the compacted channels.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.acknowledge: Callable[[str, int, int], None] = lambda channel, partition, offset: None
        self._settings = settings
        self._vitals_channel = named(VITALS, namespace=settings.namespace)
        self._cascades_channel = named(CASCADES, namespace=settings.namespace)
        self._views = Views(settings.redis, settings.namespace, options=redis_options(settings), metrics=metrics)
        self._vitals: dict[str, tuple[Vitals, bytes]] = {}
        self._cascades = WaitingCascades()
        self._alerts: list[tuple[Alert, bytes]] = []
        self._forgotten: set[str] = set()
        self._offsets: dict[tuple[str, int], int] = {}
        self._waiting = asyncio.Event()
        self._stopped = asyncio.Event()
        self._writing = asyncio.Lock()

    async def check(self) -> None:
        """Raise `ViewsError` where Redis does not let us in."""
        await self._views.check()

    def take(self, channel: str, partition: int, batch: Batch) -> None:
        """Take the records of one batch; what cannot be read as what its channel carries is logged and left out."""
        for record in batch.records:
            if record.value is not None:
                where = f"{channel}[{partition}] at offset {record.offset}"
                if channel == self._vitals_channel:
                    _keep_newest(self._vitals, record.value, where=where)
                elif channel == self._cascades_channel:
                    _keep_cascade(self._cascades, record.value, where=where)
                elif (alert := _read_alert(record.value, where=where)) is not None:
                    self._alerts.append((alert, record.value))
            elif channel == self._vitals_channel and record.key:
                self._forget(record.key.decode(errors="replace"))
        self._offsets[channel, partition] = batch.next_offset
        self._waiting.set()

    def _forget(self, topic: str) -> None:
        """Have everything about a topic removed, as its emptied vitals tell."""
        self._vitals.pop(topic, None)
        self._cascades.forget(topic)
        self._alerts = [(alert, json) for alert, json in self._alerts if f"{alert.brand}/{alert.topic}" != topic]
        self._forgotten.add(topic)

    async def publish_for_ever(self) -> None:
        """Write what waits, as long as it takes."""
        while not self._stopped.is_set():
            await self._waiting.wait()
            await asyncio.sleep(GATHER_S)
            await self._publish()

    async def _publish(self) -> None:
        async with self._writing:
            self._waiting.clear()
            vitals, self._vitals = self._vitals, {}
            cascades = self._cascades.take()
            alerts, self._alerts = self._alerts, []
            forgotten, self._forgotten = self._forgotten, set()
            offsets, self._offsets = self._offsets, {}
            # What came after a topic was forgotten is written after it.
            await self._forget_until_done(forgotten)
            written = await self._views.write_until_done(
                ViewsBatch(vitals=tuple(vitals.values()), alerts=tuple(alerts), cascades=cascades),
                stopped=self._stopped,
            )
            if written is None:
                return
            if written.store_was_empty:
                await self._refill()
            for (channel, partition), offset in offsets.items():
                self.acknowledge(channel, partition, offset)

    async def _forget_until_done(self, topics: set[str]) -> None:
        for topic in sorted(topics):
            while not self._stopped.is_set():
                try:
                    logger.info("views of %s forgotten: %d", topic, await self._views.forget_topic(topic))
                    break
                except ViewsUnavailable as error:
                    logger.warning("%s", error)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopped.wait(), FORGET_AGAIN_S)

    async def _refill(self) -> None:
        """Write the newest vitals of all topics and cascades, and all open episodes, from the channels."""
        vitals: dict[str, tuple[Vitals, bytes]] = {}
        forgotten: set[str] = set()
        waiting = WaitingCascades()
        episodes: dict[bytes, tuple[Alert, bytes]] = {}
        try:
            async for record, where in self._records(self._vitals_channel):
                topic = (record.key or b"").decode(errors="replace")
                if record.value is None:
                    vitals.pop(topic, None)
                    forgotten.add(topic)
                else:
                    _keep_newest(vitals, record.value, where=where)
                    forgotten.discard(topic)
            async for record, where in self._records(self._cascades_channel):
                if record.value is not None:
                    _keep_cascade(waiting, record.value, where=where)
            async for record, where in self._records(named(ALERT_STATE, namespace=self._settings.namespace)):
                episodes.pop(record.key, None)
                alert = None if record.value is None else _read_alert(record.value, where=where)
                if alert is not None and alert.status in OPEN_STATUSES:
                    episodes[record.key] = (alert, record.value)
        except BrokerError as error:
            logger.warning("the views were empty and could not be filled again: %s", error)
            return
        for topic in forgotten:
            waiting.forget(topic)
        # Also what ended, so that the same is known of it as before.
        cascades = waiting.take()
        batch = ViewsBatch(vitals=tuple(vitals.values()), alerts=tuple(episodes.values()), cascades=cascades)
        if await self._views.write_until_done(batch, stopped=self._stopped) is not None:
            logger.info(
                "the views were empty: filled with %d topics, %d open episodes, %d live cascades",
                len(vitals),
                len(episodes),
                sum(is_live(cascade) for cascade, _ in cascades),
            )

    async def _records(self, channel: str) -> AsyncIterator[tuple[Any, str]]:
        """Yield every record of a channel, with its place in words."""
        for partition in range(self._settings.partitions):
            async for records in read_partition(self._settings, channel=channel, partition=partition):
                for record in records:
                    yield record, f"{channel}[{partition}] at offset {record.offset}"

    def leave(self) -> None:
        """Forget what waits: the next owner of the partitions reads it again."""
        self._vitals.clear()
        self._cascades.clear()
        self._alerts.clear()
        self._forgotten.clear()
        self._offsets.clear()

    async def drain(self) -> None:
        """Write what waits, if Redis takes it soon."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self._publish()

    async def stop(self) -> None:
        """End the writing and close the connection."""
        self._stopped.set()
        self._waiting.set()
        await self._views.close()


def _keep_newest(known: dict[str, tuple[Vitals, bytes]], json: bytes, *, where: str) -> None:
    """Keep vitals unless newer ones of the topic are there: what is sent again comes behind them."""
    try:
        vitals = _decode_vitals(json)
    except (ValueError, RecursionError) as error:
        _leave_out("vitals", error, where=where)
        return
    topic = f"{vitals.brand}/{vitals.topic}"
    if topic not in known or known[topic][0].at <= vitals.at:
        known[topic] = (vitals, json)


def _keep_cascade(known: WaitingCascades, json: bytes, *, where: str) -> None:
    try:
        known.keep(_decode_cascade(json), json)
    except (ValueError, RecursionError) as error:
        _leave_out("vitals of a cascade", error, where=where)


def _read_alert(json: bytes, *, where: str) -> Alert | None:
    try:
        return _decode_alert(json)
    except (ValueError, RecursionError) as error:
        _leave_out("an alert", error, where=where)
        return None


def _leave_out(expected: str, error: Exception, *, where: str) -> None:
    logger.warning("%s: expected %s, got %s; left out of the views", where, expected, error)
