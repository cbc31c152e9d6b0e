"""Check the life of a connector as a process: it says how it is, and its end loses nothing."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from agents.connectors.cursors import read_cursor
from agents.connectors.delivery import Delivery
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import now_ms, run
from agents.lane import Outgoing
from agents.settings import Settings
from agents.stack.ports import free_ports
from schemas.channels import named, raw_channel
from streams.networks.bluesky import SOURCE
from tests.agents.connectors.jetstream_server import JetstreamServer
from tests.agents.connectors.trial import WITHIN_S, holds, payloads, told

pytestmark = pytest.mark.kafka

RAW = raw_channel("bluesky")


def test_a_process_says_how_it_is_and_ends_with_everything_delivered(
    own_settings: Settings, project_root: Path
) -> None:
    """SIGTERM: what was taken is in Kafka, the cursor covers it, and the exit code is 0."""
    (port,) = free_ports(1)
    environment = {
        **os.environ,
        "OVERGROWTH_KAFKA": own_settings.kafka,
        "OVERGROWTH_NAMESPACE": own_settings.namespace,
        "OVERGROWTH_PARTITIONS": str(own_settings.partitions),
    }
    command = ("-m", "agents.cli", "connect", "jetstream", "--metrics-port", str(port), "--server")

    async def page(name: str) -> str:
        async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/{name}") as answer:
            return await answer.text()

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                server.url,
                env=environment,
                cwd=project_root,
                stderr=asyncio.subprocess.PIPE,
            )
            await server.asked_times(1)
            await server.say(100, begin_us=(now_ms() - 60_000) * 1000)
            frames = [event.first() for event in server.log]
            found = await told(own_settings, RAW, holds(frames[-1]))
            assert '"ready":true' in await page("ready")
            assert '"live":true' in await page("live")
            assert "overgrowth_connector_connected 1.0" in await page("metrics")
            process.terminate()
            _, said = await process.communicate()
            assert process.returncode == 0, said.decode()
            assert payloads(found) == frames
            cursor = await read_cursor(own_settings, SOURCE)
            assert cursor is not None
            assert cursor.position == str(server.log[-1].time_us)

    asyncio.run(work())


class Failing:
    """A connector whose work fails once it has offered something."""

    networks: Sequence[str] = ("native",)

    def __init__(self, settings: Settings) -> None:
        self._channel = named(raw_channel("native"), namespace=settings.namespace)
        self.told: list[str] = []

    async def open(self, delivery: Delivery, producer: AIOKafkaProducer) -> None:
        """Keep the delivery."""
        self.delivery = delivery
        self.told.append("opened")

    async def work(self) -> None:
        """Offer, and fail."""
        self.delivery.offer([Outgoing(self._channel, b"k", b"{}")], network="native")
        raise ValueError("a bug")

    async def close(self) -> None:
        """Note it."""
        self.told.append("closed")

    async def tick(self) -> None:
        """Note it."""
        self.told.append("tick")

    def ready(self) -> tuple[bool, str]:
        """Never mind."""
        return True, ""


def test_a_bug_ends_the_program_and_what_was_taken_is_delivered(own_settings: Settings) -> None:
    """An orchestrator starts it anew; nobody else would notice a connector that does nothing."""
    settings = Settings(kafka=own_settings.kafka, namespace=own_settings.namespace, partitions=2, metrics_port=0)
    connector = Failing(settings)

    async def work() -> None:
        async with asyncio.timeout(WITHIN_S):
            metrics = ConnectorMetrics(version="0", networks=["native"])
            with pytest.raises(ValueError, match="a bug"):
                await run(settings, connector, metrics, bytes_max=1_000, tick_s=60.0)
        assert payloads(await told(settings, raw_channel("native"), bool)) == [b"{}"]

    asyncio.run(work())
    assert connector.told == ["opened", "closed", "tick"]


def test_a_connector_of_what_its_workers_do_not_read_says_so(
    own_settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """By themselves workers read every network; whoever has them read fewer is told by the connector of another."""
    caplog.set_level(logging.WARNING, logger="overgrowth")

    async def work(settings: Settings) -> None:
        metrics = ConnectorMetrics(version="0", networks=["native"])
        with pytest.raises(ValueError, match="a bug"):
            await run(settings, Failing(settings), metrics, bytes_max=1_000, tick_s=60.0)

    settings = msgspec.structs.replace(own_settings, metrics_port=0)
    asyncio.run(work(settings))
    assert caplog.messages == []
    asyncio.run(work(msgspec.structs.replace(settings, raw_networks=("bluesky", "mastodon"))))
    (said,) = caplog.messages
    assert said.startswith(
        "social.raw.native: expected OVERGROWTH_RAW_NETWORKS to name it, got bluesky,mastodon; workers set like this do"
    )
