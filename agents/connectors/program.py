"""Run a connector: prepare Kafka, answer /metrics, work until told to stop, and end with everything delivered."""

import asyncio
import logging
import signal
import time
from collections.abc import Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer

from agents.broker import create_channels, start_producer
from agents.connectors.delivery import Delivery
from agents.connectors.metrics import ConnectorMetrics
from agents.health import HealthServer, Verdict
from agents.settings import Settings
from schemas.channels import CURSORS, REJECTIONS, named, raw_channel

logger = logging.getLogger("overgrowth")

TICK_S = 1.0
"""How often heartbeats and cursors are told."""
DRAIN_S = 20.0
"""How long the end waits for Kafka; what it has not by then, the cursor does not cover and the feed gives again."""


class Connector(Protocol):
    """What a program runs."""

    @property
    def networks(self) -> Sequence[str]:
        """The networks that it delivers payloads of."""

    async def open(self, delivery: Delivery, producer: AIOKafkaProducer) -> None:
        """Prepare, once Kafka can be reached; raises what ends the program before it began."""

    async def work(self) -> None:
        """Take payloads and offer them, for ever."""

    async def close(self) -> None:
        """Take nothing any more; what was offered is delivered after that."""

    async def tick(self) -> None:
        """Tell what is told once a second, and a last time when all is delivered."""

    def ready(self) -> Verdict:
        """Say whether payloads can come now."""


def now_ms() -> int:
    """Return wall time: connectors are where it may be read."""
    return time.time_ns() // 1_000_000


async def run(
    settings: Settings, connector: Connector, metrics: ConnectorMetrics, *, bytes_max: int, tick_s: float = TICK_S
) -> None:
    """Run a connector until SIGTERM or SIGINT; raises `BrokerError`, `ConnectorError`, `HealthError`."""
    raws = [raw_channel(network) for network in connector.networks]
    await create_channels(settings, [*raws, CURSORS, REJECTIONS])
    for network in connector.networks:
        if network not in settings.raw_networks:
            logger.warning(
                "social.raw.%s: expected OVERGROWTH_RAW_NETWORKS to name it, got %s; workers set like this do not "
                "read it",
                network,
                ",".join(settings.raw_networks),
            )
    producer = await start_producer(settings)
    try:
        rejections = named(REJECTIONS, namespace=settings.namespace)
        delivery = Delivery(producer, metrics, rejections=rejections, bytes_max=bytes_max)

        def ready() -> Verdict:
            return (False, "Kafka does not acknowledge") if delivery.failing else connector.ready()

        health = HealthServer(
            metrics,
            settings.metrics_host,
            settings.metrics_port,
            ready=ready,
            state=lambda: "running" if ready()[0] else "waiting",
        )
        await health.start()
        logger.info("http://%s:%d/metrics /live /ready", settings.metrics_host, health.port)
        try:
            await connector.open(delivery, producer)
            await _work(connector, delivery, tick_s=tick_s)
        finally:
            await health.stop()
    finally:
        await producer.stop()


async def _work(connector: Connector, delivery: Delivery, *, tick_s: float) -> None:
    """Work until told to stop, or until a part of it fails, and deliver what was taken."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    sending = loop.create_task(delivery.run())
    parts: list[asyncio.Task[Any]] = [
        loop.create_task(one) for one in (connector.work(), _tick(connector, tick_s), _until(stop))
    ]
    try:
        done, _ = await asyncio.wait([sending, *parts], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        logger.info("stopping: waiting for Kafka to acknowledge %d bytes", delivery.bytes_in_flight)
    finally:
        for task in parts:
            task.cancel()
        await asyncio.gather(*parts, return_exceptions=True)
        await connector.close()
        try:
            async with asyncio.timeout(DRAIN_S):
                await delivery.drained()
                await connector.tick()
                await delivery.drained()
        except TimeoutError:
            logger.error(
                "stopped with %d bytes that Kafka has not acknowledged; no cursor covers them, no sender was told so",
                delivery.bytes_in_flight,
            )
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _until(stop: asyncio.Event) -> None:
    await stop.wait()


async def _tick(connector: Connector, tick_s: float) -> None:
    while True:
        await asyncio.sleep(tick_s)
        await connector.tick()


def heartbeat_ms(*, progress_ms: int, lateness_ms: int, now_ms: int) -> int:
    """Return what a source that has come to `progress_ms` can say that it will say nothing more from before.

    What it said of itself may lie in the future, and what comes next may be older by the allowed lateness.

    >>> heartbeat_ms(progress_ms=100_000, lateness_ms=10_000, now_ms=60_000)
    50000
    """
    return min(progress_ms, now_ms) - lateness_ms
