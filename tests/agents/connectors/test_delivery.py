"""Check the way of a connector to Kafka: in order, whole, bounded, and never called done before Kafka has it."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import msgspec
import pytest

from agents.connectors.delivery import RECORD_BYTES, Delivery
from agents.connectors.metrics import ConnectorMetrics
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.channels import REJECTIONS, named, raw_channel
from schemas.cursor import Cursor
from schemas.rejection import Rejection
from tests.agents.connectors.flaky import FlakyProducer
from tests.agents.connectors.trial import BYTES_MAX, WITHIN_S, holds, impatient, metric, prepared, producing, told

pytestmark = pytest.mark.kafka

RAW = raw_channel("native")


@asynccontextmanager
async def delivering(
    settings: Settings, *, bytes_max: int = BYTES_MAX, refused: Collection[int] = (), lost: Collection[int] = ()
) -> AsyncIterator[tuple[Delivery, FlakyProducer, ConnectorMetrics]]:
    """Yield a delivery that runs, over a producer that fails at those sends."""
    await prepared(settings, "native")
    async with producing(settings) as producer, asyncio.timeout(WITHIN_S):
        flaky = FlakyProducer(producer, refused=refused, lost=lost)
        metrics = ConnectorMetrics(version="0", networks=["native"])
        rejections = named(REJECTIONS, namespace=settings.namespace)
        delivery = Delivery(flaky, metrics, rejections=rejections, bytes_max=bytes_max, backoff=impatient())
        task = asyncio.ensure_future(delivery.run())
        yield delivery, flaky, metrics
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def record(settings: Settings, value: bytes) -> Outgoing:
    """Return a record of the raw channel."""
    return Outgoing(named(RAW, namespace=settings.namespace), b"k", value)


def cursor(position: int) -> Cursor:
    """Return a cursor."""
    return Cursor("s", str(position), position)


def test_what_is_offered_arrives_in_order_and_is_told_then(own_settings: Settings) -> None:
    """The cursor of what Kafka has goes with it."""

    async def work() -> None:
        async with delivering(own_settings) as (delivery, flaky, metrics):
            flaky.is_open.clear()
            offered = [
                delivery.offer([record(own_settings, b"%d" % number)], cursor=cursor(number), network="native")
                for number in range(5_000)
            ]
            await asyncio.sleep(0)
            assert not any(one.done() for one in offered)
            flaky.is_open.set()
            await asyncio.gather(*offered)
            assert delivery.cursor == cursor(4_999)
            assert (delivery.bytes_in_flight, metric(metrics, "in_flight_bytes")) == (0, 0)
            assert metric(metrics, 'records_total{network="native"}') == 5_000
        found = await told(own_settings, RAW, lambda records: len(records) >= 5_000)
        assert [one.value for one in found] == [b"%d" % number for number in range(5_000)]

    asyncio.run(work())


def test_what_kafka_does_not_acknowledge_is_sent_again_with_all_after_it(own_settings: Settings) -> None:
    """Refused at once, or lost on the way while the rest arrives; the rest comes twice then, behind it as well."""

    async def work() -> None:
        async with delivering(own_settings, refused=[0, 7], lost=[3, 9, 10]) as (delivery, _, metrics):
            offered = delivery.offer([record(own_settings, b"%d" % number) for number in range(5)], cursor=cursor(1))
            await offered
            assert delivery.cursor == cursor(1)
            assert metric(metrics, "send_errors_total") == 5
            assert not delivery.failing
        found = await told(own_settings, RAW, holds(b"4"))
        # Send 3 was that of record 2.
        assert [one.value for one in found] == [b"0", b"1", b"3", b"4", b"2", b"3", b"4"]

    asyncio.run(work())


def test_a_heartbeat_waits_until_kafka_has_what_it_speaks_of(own_settings: Settings) -> None:
    """It would say that nothing more comes, before what was lost on the way comes."""

    async def work() -> None:
        async with delivering(own_settings, lost=[0, 2]) as (delivery, _, _):
            for value in (b"0", b"1"):
                delivery.offer([record(own_settings, value)], network="native")
            delivery.offer([record(own_settings, b"heartbeat")])
            await delivery.offer([record(own_settings, b"2")], network="native")
        found = await told(own_settings, RAW, holds(b"2"))
        assert [one.value for one in found] == [b"1", b"1", b"0", b"1", b"heartbeat", b"2"]

    asyncio.run(work())


def test_what_kafka_will_never_take_becomes_a_rejection(own_settings: Settings) -> None:
    """Nothing waits behind it for ever."""
    too_large = b"x" * 3_000_000

    async def work() -> None:
        async with delivering(own_settings) as (delivery, _, metrics):
            records = [record(own_settings, value) for value in (b"before", too_large, b"after")]
            await delivery.offer(records, cursor=cursor(3))
            assert delivery.cursor == cursor(3)
            assert metric(metrics, "rejections_total") == 1
        found = await told(own_settings, RAW, holds(b"before", b"after"))
        assert [one.value for one in found] == [b"before", b"after"]
        (refused,) = await told(own_settings, REJECTIONS, bool)
        rejection = msgspec.json.decode(refused.value, type=Rejection)
        assert (rejection.reason, rejection.size, rejection.payload) == ("oversize", 3_000_000, None)
        assert rejection.place.channel == f"{own_settings.namespace}.social.raw.native"

    asyncio.run(work())


def test_what_waits_is_bounded(own_settings: Settings) -> None:
    """Whoever has more waits for room; a single one that is larger than the bound goes alone."""

    async def work() -> None:
        async with delivering(own_settings, bytes_max=1_000) as (delivery, flaky, _):
            flaky.is_open.clear()
            assert delivery.has_room(5_000)
            delivery.offer([record(own_settings, b"x" * 800)])
            assert delivery.bytes_in_flight == 800 + len(b"k") + RECORD_BYTES
            assert delivery.has_room(71)
            assert not delivery.has_room(72)
            room = asyncio.ensure_future(delivery.room(500))
            drained = asyncio.ensure_future(delivery.drained())
            await asyncio.sleep(0)
            assert not room.done()
            flaky.is_open.set()
            await asyncio.gather(room, drained)

    asyncio.run(work())
