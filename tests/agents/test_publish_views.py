"""Claims about the publishing of views, on real servers: Valkey and Redis, and the embedded Kafka to refill from."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any

import msgspec
import pytest

from agents import publish_views
from agents.broker import create_channels, send_all, start_producer
from agents.lane import Batch, Outgoing, Record, acknowledged
from agents.metrics import Metrics, RedisOperation
from agents.publish_views import Publisher
from agents.settings import Settings
from agents.stack.ports import free_ports
from agents.stack.tansu import TansuBroker
from agents.stack.valkey import ValkeyServer
from agents.views import Views
from schemas.alert import Alert
from schemas.cascade import CascadeVitals
from schemas.channels import DAY_MS
from schemas.vitals import Vitals
from tests.agents.sample_views import TOPIC, a_cascade, a_vitals, an_alert, batch, client

VITALS_CHANNEL, CASCADES_CHANNEL, ALERTS_CHANNEL = "social.vitals", "social.cascades", "social.alerts"
HANGS_AFTER_S = 60.0

_encode = msgspec.json.encode
_numbers = itertools.count(1)


class WatchedMetrics(Metrics):
    """Metrics that tell a test when a second failure was counted, so that an attempt was repeated."""

    def __init__(self) -> None:
        super().__init__(version="test")
        self.failures = 0
        self.failed_again = asyncio.Event()

    def count_redis_error(self, operation: RedisOperation) -> None:
        """Count, and tell."""
        super().count_redis_error(operation)
        self.failures += 1
        if self.failures == 2:
            self.failed_again.set()


class Acknowledgements:
    """What a publisher acknowledged, in order; `check` looks at the world at that moment."""

    def __init__(self, check: Callable[[], object] = lambda: None) -> None:
        self.told: list[tuple[str, int, int]] = []
        self.seen: list[object] = []
        self._check = check
        self._came = asyncio.Event()

    def __call__(self, channel: str, partition: int, offset: int) -> None:
        """Note one."""
        self.seen.append(self._check())
        self.told.append((channel, partition, offset))
        self._came.set()

    async def until(self, channel: str, partition: int, offset: int) -> None:
        """Wait for one."""
        while (channel, partition, offset) not in self.told:
            self._came.clear()
            await self._came.wait()


@contextlib.asynccontextmanager
async def publishing(publisher: Publisher) -> AsyncIterator[None]:
    """Publish in the background, as a worker does."""
    task = asyncio.create_task(publisher.publish_for_ever())
    try:
        yield
    finally:
        await publisher.stop()
        await task


def run(scenario: Coroutine[Any, Any, None]) -> None:
    """Run a scenario; one that waits for what never comes fails."""
    asyncio.run(asyncio.wait_for(scenario, HANGS_AFTER_S))


def values(first_offset: int, *shapes: Vitals | CascadeVitals | Alert | bytes | None) -> Batch:
    """Put values on consecutive offsets; None is a tombstone of the topic."""
    records = [
        Record(offset, 0, shape if isinstance(shape, bytes | None) else _encode(shape), TOPIC.encode())
        for offset, shape in enumerate(shapes, first_offset)
    ]
    return Batch(records, first_offset + len(records))


def settings_for(server: ValkeyServer) -> Settings:
    """Return settings with this Redis, and with no Kafka."""
    return Settings(redis=server.url, kafka="127.0.0.1:1", partitions=1)


@pytest.fixture
def filled(redis_server: ValkeyServer) -> ValkeyServer:
    """Return a server that holds views already, so that nothing is filled again from Kafka."""

    async def fill() -> None:
        views = Views(redis_server.url)
        await views.write(batch(a_vitals(1, "other/topic")))
        await views.close()

    asyncio.run(fill())
    return redis_server


@pytest.fixture(scope="module")
def kafka_url() -> Iterator[str]:
    """Start an embedded Kafka for this module."""
    with TansuBroker() as broker:
        yield broker.url


async def views_of(settings: Settings, topic: str = TOPIC) -> tuple[Vitals | None, list[Alert], list[Alert]]:
    """Return what readers see: the latest vitals, the open episodes, the last alerts."""
    views = Views(settings.redis, settings.namespace)
    try:
        return await views.latest_vitals(topic), await views.open_episodes(topic), await views.alerts(1_000)
    finally:
        await views.close()


async def cascades_of(settings: Settings, topic: str = TOPIC) -> list[CascadeVitals]:
    """Return the live cascades that readers see."""
    views = Views(settings.redis, settings.namespace)
    try:
        return await views.live_cascades(topic)
    finally:
        await views.close()


@pytest.mark.parametrize("ticks", list(itertools.permutations([1_000, 2_000, 3_000])))
def test_the_newest_vitals_win(filled: ValkeyServer, ticks: Sequence[int]) -> None:
    """In whatever order ticks come, together or one after the other, the newest is what readers see."""
    settings = settings_for(filled)

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        async with publishing(publisher):
            publisher.take(VITALS_CHANNEL, 0, values(0, *map(a_vitals, ticks)))
            await done.until(VITALS_CHANNEL, 0, 3)
            assert (await views_of(settings))[0] == a_vitals(3_000)
            for offset, at in enumerate(ticks, 3):
                publisher.take(VITALS_CHANNEL, 0, values(offset, a_vitals(at + 3_000)))
                await done.until(VITALS_CHANNEL, 0, offset + 1)
            assert (await views_of(settings))[0] == a_vitals(6_000)

    run(scenario())


def test_live_cascades_are_ranked_and_an_end_removes_one(filled: ValkeyServer) -> None:
    """The newest of each cascade is written; an emptied record says nothing, and what comes late changes nothing."""
    settings = settings_for(filled)
    a, b, late = a_cascade("a", 3, 5), a_cascade("b", 3, 9), a_cascade("a", 2, 99)

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        async with publishing(publisher):
            publisher.take(CASCADES_CHANNEL, 0, values(0, a_cascade("a", 1, 4), b, a, None, late))
            await done.until(CASCADES_CHANNEL, 0, 5)
            assert await cascades_of(settings) == [b, a]
            publisher.take(CASCADES_CHANNEL, 0, values(5, a_cascade("b", 4, 9, "ended"), late, b))
            await done.until(CASCADES_CHANNEL, 0, 8)
            assert await cascades_of(settings) == [a]
            publisher.take(CASCADES_CHANNEL, 0, values(8, b))
            await done.until(CASCADES_CHANNEL, 0, 9)
        assert await cascades_of(settings) == [a]

    run(scenario())


def test_an_alert_that_comes_again_is_told_once(filled: ValkeyServer) -> None:
    """A worker that died before its offsets were committed reads alerts again: readers see each one once."""
    settings = settings_for(filled)
    alerts = [an_alert("e1", 1), an_alert("e2", 1), an_alert("e1", 2, "resolved")]

    async def scenario() -> None:
        for _ in range(2):
            publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
            publisher.acknowledge = done
            async with publishing(publisher):
                publisher.take(ALERTS_CHANNEL, 0, values(0, *alerts, alerts[0]))
                await done.until(ALERTS_CHANNEL, 0, 4)
        assert await views_of(settings) == (None, [alerts[1]], alerts)

    run(scenario())


def test_what_cannot_be_read_is_left_out_with_its_place(filled: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    """One line per broken record says where it lies; those around it are written, and all are acknowledged."""
    caplog.set_level(logging.WARNING, logger="overgrowth")
    settings = settings_for(filled)
    nested = b"[" * 100_000

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        async with publishing(publisher):
            publisher.take(VITALS_CHANNEL, 0, values(5, a_vitals(1), b"\xff\x00", nested, a_vitals(2), b""))
            publisher.take(ALERTS_CHANNEL, 3, values(9, b"{}", an_alert("e", 1), b'{"id":"\xff"}'))
            await done.until(VITALS_CHANNEL, 0, 10)
            publisher.take(CASCADES_CHANNEL, 1, values(2, _encode(a_vitals(1)), a_cascade("a", 1)))
            await done.until(ALERTS_CHANNEL, 3, 12)
            await done.until(CASCADES_CHANNEL, 1, 4)
            assert await cascades_of(settings) == [a_cascade("a", 1)]
        assert await views_of(settings) == (a_vitals(2), [an_alert("e", 1)], [an_alert("e", 1)])

    run(scenario())

    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(", got ")[0] for line in lines] == [
        "social.vitals[0] at offset 6: expected vitals",
        "social.vitals[0] at offset 7: expected vitals",
        "social.vitals[0] at offset 9: expected vitals",
        "social.alerts[3] at offset 9: expected an alert",
        "social.alerts[3] at offset 11: expected an alert",
        "social.cascades[1] at offset 2: expected vitals of a cascade",
    ]
    assert all(line.endswith("; left out of the views") and "\n" not in line for line in lines)


def test_offsets_are_acknowledged_once_redis_has_the_records(filled: ValkeyServer) -> None:
    """At the moment of every acknowledgement both vitals and alert are there, whichever channel it is for."""
    settings = settings_for(filled)

    async def scenario() -> None:
        with client(filled) as outside:
            done = Acknowledgements(lambda: outside.exists(f"overgrowth:vitals:{TOPIC}", "overgrowth:alert:e.1"))
            publisher = Publisher(settings, Metrics(version="test"))
            publisher.acknowledge = done
            publisher.take(VITALS_CHANNEL, 0, values(0, a_vitals(1)))
            publisher.take(ALERTS_CHANNEL, 0, values(7, an_alert("e", 1)))
            publisher.take(VITALS_CHANNEL, 0, values(1, a_vitals(2)))
            assert done.told == [], "taken is not written"
            async with publishing(publisher):
                await done.until(VITALS_CHANNEL, 0, 2)
                await done.until(ALERTS_CHANNEL, 0, 8)
            assert sorted(done.told) == [(ALERTS_CHANNEL, 0, 8), (VITALS_CHANNEL, 0, 2)]
            assert done.seen == [2, 2]

    run(scenario())


def test_an_emptied_topic_is_forgotten(filled: ValkeyServer) -> None:
    """A tombstone of its vitals removes all its views, also what waited; what comes after it is written."""
    settings = settings_for(filled)

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        async with publishing(publisher):
            publisher.take(ALERTS_CHANNEL, 0, values(0, an_alert("e1", 1)))
            publisher.take(CASCADES_CHANNEL, 0, values(0, a_cascade("a", 1)))
            publisher.take(VITALS_CHANNEL, 0, values(0, a_vitals(5_000)))
            await done.until(VITALS_CHANNEL, 0, 1)
            assert await cascades_of(settings) == [a_cascade("a", 1)]
            publisher.take(ALERTS_CHANNEL, 0, values(1, an_alert("e2", 1)))
            publisher.take(CASCADES_CHANNEL, 0, values(1, a_cascade("b", 1)))
            publisher.take(VITALS_CHANNEL, 0, values(1, a_vitals(6_000), None))
            await done.until(VITALS_CHANNEL, 0, 3)
            assert await views_of(settings) == (None, [], [])
            assert await cascades_of(settings) == []
            publisher.take(VITALS_CHANNEL, 0, values(3, None, a_vitals(1_000)))
            await done.until(VITALS_CHANNEL, 0, 5)
        assert (await views_of(settings))[0] == a_vitals(1_000)
        assert (await views_of(settings, "other/topic"))[0] == a_vitals(1, "other/topic")

    run(scenario())


def test_what_waits_is_left_to_the_next_owner(filled: ValkeyServer) -> None:
    """After a revocation neither the records nor their offsets are ours; what is taken from then on is."""
    settings = settings_for(filled)

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        publisher.take(VITALS_CHANNEL, 1, values(0, a_vitals(1)))
        publisher.take(ALERTS_CHANNEL, 1, values(0, an_alert("e", 1)))
        publisher.take(CASCADES_CHANNEL, 1, values(0, a_cascade("a", 1)))
        publisher.leave()
        async with publishing(publisher):
            publisher.take(VITALS_CHANNEL, 2, values(4, a_vitals(2, "cern/lhc")))
            await done.until(VITALS_CHANNEL, 2, 5)
        assert done.told == [(VITALS_CHANNEL, 2, 5)]
        assert await views_of(settings) == (None, [], [])
        assert await cascades_of(settings) == []

    run(scenario())


def test_draining_does_not_wait_for_an_absent_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that stops gives up after a while, and acknowledges nothing that was not written."""
    monkeypatch.setattr(publish_views, "DRAIN_S", 0.01)
    [port] = free_ports(1)
    settings = Settings(redis=f"redis://127.0.0.1:{port}/0", kafka="127.0.0.1:1")

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        publisher.take(VITALS_CHANNEL, 0, values(0, a_vitals(1)))
        await publisher.drain()
        await publisher.stop()
        assert done.told == []

    run(scenario())


def refilled(vitals_channel: str, state_channel: str, cascades_channel: str, cascade: CascadeVitals) -> list[Outgoing]:
    """Return what channels keep: topics, episodes and cascades that go on, are over, gone or broken."""
    return [
        Outgoing(vitals_channel, b"cern/lhc", _encode(a_vitals(3, "cern/lhc")), 0),
        Outgoing(vitals_channel, b"cern/gone", _encode(a_vitals(3, "cern/gone")), 1),
        Outgoing(vitals_channel, b"cern/gone", None, 1),
        Outgoing(vitals_channel, b"cern/broken", b"{", 1),
        Outgoing(state_channel, b"open", _encode(an_alert("open", 1, topic="cern/lhc")), 0),
        Outgoing(state_channel, b"over", _encode(an_alert("over", 1, topic="cern/lhc")), 1),
        Outgoing(state_channel, b"over", _encode(an_alert("over", 2, "resolved", topic="cern/lhc")), 1),
        Outgoing(cascades_channel, b"cern/lhc|a", _encode(a_cascade("a", 1, 9, topic="cern/lhc")), 1),
        Outgoing(cascades_channel, b"cern/lhc|a", _encode(cascade), 1),
        Outgoing(cascades_channel, b"cern/lhc|b", _encode(a_cascade("b", DAY_MS, topic="cern/lhc")), 0),
        Outgoing(cascades_channel, b"cern/lhc|b", _encode(a_cascade("b", DAY_MS + 9, 2, "ended", topic="cern/lhc")), 0),
        Outgoing(cascades_channel, b"cern/lhc|c", _encode(a_cascade("c", 8, 9, topic="cern/lhc")), 0),
        Outgoing(cascades_channel, b"cern/gone|d", _encode(a_cascade("d", 1, topic="cern/gone")), 0),
    ]


@pytest.mark.kafka
def test_an_absent_redis_that_comes_back_empty_is_filled_again(
    redis_server: ValkeyServer, kafka_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is acknowledged while it is away; after that readers see what waited and what the channels keep."""
    caplog.set_level(logging.INFO, logger="overgrowth")
    namespace = f"refill{next(_numbers)}"
    settings = Settings(redis=redis_server.url, kafka=kafka_url, namespace=namespace, partitions=2, compression="")
    names = ("social.vitals", "social.alert-state", "social.cascades")
    vitals_channel, state_channel, cascades_channel = (f"{namespace}.{name}" for name in names)
    cascade = a_cascade("a", DAY_MS, topic="cern/lhc")
    kept = refilled(vitals_channel, state_channel, cascades_channel, cascade)

    async def scenario() -> None:
        await create_channels(settings)
        producer = await start_producer(settings)
        await acknowledged("output", list(await send_all(producer, kept)))
        await producer.stop()
        metrics, done = WatchedMetrics(), Acknowledgements()
        publisher = Publisher(settings, metrics)
        publisher.acknowledge = done
        redis_server.kill()
        async with publishing(publisher):
            publisher.take(vitals_channel, 0, values(1, a_vitals(9)))
            await metrics.failed_again.wait()
            assert done.told == []
            await asyncio.to_thread(redis_server.start)
            await done.until(vitals_channel, 0, 2)
        opened = [an_alert("open", 1, topic="cern/lhc")]
        assert await views_of(settings) == (a_vitals(9), [], opened)
        assert await views_of(settings, "cern/lhc") == (a_vitals(3, "cern/lhc"), opened, opened)
        assert (await views_of(settings, "cern/gone"))[0] is None
        assert await cascades_of(settings, "cern/lhc") == [cascade]
        assert await cascades_of(settings, "cern/gone") == []

    run(scenario())

    told = [record.getMessage() for record in caplog.records if record.name == "overgrowth"]
    assert "the views were empty: filled with 1 topics, 1 open episodes, 1 live cascades" in told
    assert any(line.startswith(f"{vitals_channel}[1] at offset 2: expected vitals, got ") for line in told)


def test_a_refill_without_kafka_does_not_hold_up_the_views(
    redis_server: ValkeyServer, caplog: pytest.LogCaptureFixture
) -> None:
    """What waited is written and acknowledged; that the rest is missing is one line."""
    settings = settings_for(redis_server)

    async def scenario() -> None:
        publisher, done = Publisher(settings, Metrics(version="test")), Acknowledgements()
        publisher.acknowledge = done
        async with publishing(publisher):
            publisher.take(VITALS_CHANNEL, 0, values(0, a_vitals(1)))
            await done.until(VITALS_CHANNEL, 0, 1)
        assert (await views_of(settings))[0] == a_vitals(1)

    run(scenario())

    told = [record.getMessage() for record in caplog.records if record.name == "overgrowth"]
    assert len(told) == 1
    assert told[0].startswith("the views were empty and could not be filled again: Kafka: expected a broker at ")
