"""Publish views: vitals and alerts -> the Redis read model; when Redis is away only the views wait."""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from agents.lane import Batch
from agents.metrics import Metrics
from agents.settings import Settings
from agents.views import Views, ViewsBatch
from schemas.alert import Alert
from schemas.channels import ALERTS, VITALS, named
from schemas.vitals import Vitals

logger = logging.getLogger("overgrowth")

_decode_vitals = msgspec.json.Decoder(Vitals).decode
_decode_alert = msgspec.json.Decoder(Alert).decode

GATHER_S = 0.05
"""How long to gather before writing, so that a burst of records costs one transaction."""


class Publisher:
    """Takes every batch at once and writes in the background, so that an absent Redis holds nothing else up.

    What waits stays small: of vitals only the latest per topic, and alerts are few. Input is acknowledged once it is
    written; after a crash it is read again, and writing it again changes nothing.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.acknowledge: Callable[[str, int, int], None] = lambda channel, partition, offset: None
        self._vitals_channel = named(VITALS, namespace=settings.namespace)
        self._alerts_channel = named(ALERTS, namespace=settings.namespace)
        self._views = Views(settings.redis, settings.namespace, metrics=metrics)
        self._vitals: dict[str, tuple[Vitals, bytes]] = {}
        self._alerts: list[tuple[Alert, bytes]] = []
        self._offsets: dict[tuple[str, int], int] = {}
        self._waiting = asyncio.Event()
        self._stopped = asyncio.Event()

    def take(self, channel: str, partition: int, batch: Batch) -> None:
        """Take the records of one batch; what cannot be read as vitals or alert is logged and left out."""
        for record in batch.records:
            if record.value is None:
                continue
            try:
                if channel == self._vitals_channel:
                    vitals = _decode_vitals(record.value)
                    self._vitals[f"{vitals.brand}/{vitals.topic}"] = (vitals, record.value)
                else:
                    self._alerts.append((_decode_alert(record.value), record.value))
            except msgspec.DecodeError as error:
                logger.warning(
                    "%s[%d] at offset %d: expected vitals or an alert, got %s; left out of the views",
                    channel,
                    partition,
                    record.offset,
                    error,
                )
        self._offsets[channel, partition] = batch.next_offset
        self._waiting.set()

    async def publish_for_ever(self) -> None:
        """Write what waits, as long as it takes."""
        while not self._stopped.is_set():
            await self._waiting.wait()
            await asyncio.sleep(GATHER_S)
            await self._publish()

    async def _publish(self) -> None:
        self._waiting.clear()
        vitals, self._vitals = self._vitals, {}
        alerts, self._alerts = self._alerts, []
        offsets, self._offsets = self._offsets, {}
        written = await self._views.write_until_done(
            ViewsBatch(vitals=tuple(vitals.values()), alerts=tuple(alerts)), stopped=self._stopped
        )
        if written is not None:
            for (channel, partition), offset in offsets.items():
                self.acknowledge(channel, partition, offset)

    def leave(self) -> None:
        """Forget what waits: the next owner of the partitions reads it again."""
        self._vitals.clear()
        self._alerts.clear()
        self._offsets.clear()

    async def stop(self) -> None:
        """End the writing and close the connection."""
        self._stopped.set()
        self._waiting.set()
        await self._views.close()
