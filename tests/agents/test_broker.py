"""Check how we talk to Kafka by ourselves: channels, sends, whole record batches of rows, reading to the end and on."""

import asyncio
import socket
from typing import Any, NamedTuple

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from agents.broker import (
    BATCH_BYTES_MAX,
    BrokerError,
    append_rows,
    channel_config,
    channel_specs,
    client_options,
    create_channels,
    follow_partition,
    read_end,
    read_partition,
    send_all,
    start_producer,
)
from agents.lane import Outgoing, SendFailed
from agents.settings import Settings
from agents.table import Change
from schemas.channels import REJECTIONS, SIGNALS, TABLE_WATCH, named

pytestmark = pytest.mark.kafka


async def read(settings: Settings, channel: str, partition: int = 0, offset: int | None = None) -> list[Any]:
    """Return all records of a partition."""
    return [
        record
        async for records in read_partition(settings, channel=channel, partition=partition, offset=offset)
        for record in records
    ]


def test_channels_are_created_once_with_their_partitions(own_settings: Settings) -> None:
    """Kafka must not make them up on first use, with settings of its own; two workers may start at once."""

    async def work() -> dict[str, int]:
        await asyncio.gather(create_channels(own_settings), create_channels(own_settings))
        await create_channels(own_settings)
        admin = AIOKafkaAdminClient(**client_options(own_settings))
        await admin.start()
        names = [named(spec, namespace=own_settings.namespace) for spec in channel_specs(own_settings)]
        described = await admin.describe_topics(names)
        await admin.close()
        return {entry["topic"]: len(entry["partitions"]) for entry in described}

    found = asyncio.run(work())

    assert found == {
        named(spec, namespace=own_settings.namespace): spec.partitions or 2 for spec in channel_specs(own_settings)
    }
    assert f"{own_settings.namespace}.social.raw.native" in found


def test_who_may_not_create_channels_is_told_which_are_missing(own_settings: Settings) -> None:
    """A worker without that right ends with what to do, and goes on once somebody has done it."""
    checking = msgspec.structs.replace(own_settings, create_channels=False)

    with pytest.raises(BrokerError, match=r"none of the name .*\.social\.signals.*; run `overgrowth channels apply`"):
        asyncio.run(create_channels(checking))
    created = asyncio.run(create_channels(own_settings))

    assert len(created) == len(channel_specs(own_settings))
    assert asyncio.run(create_channels(checking)) == []


@pytest.mark.parametrize(("replication", "expected"), [(1, None), (2, None), (3, "2"), (5, "2")])
def test_an_acknowledgement_means_two_copies_where_there_are_three(replication: int, expected: str | None) -> None:
    """With one of three brokers away everything goes on; with two copies in all it would not."""
    config = channel_config(SIGNALS, Settings(replication=replication))
    assert config.get("min.insync.replicas") == expected
    assert SIGNALS.config().items() <= config.items()


def test_channels_with_another_number_of_partitions_are_refused(own_settings: Settings) -> None:
    """State lies in partitions: with others, everything would be looked for in the wrong place."""
    asyncio.run(create_channels(own_settings))

    with pytest.raises(BrokerError) as caught:
        asyncio.run(create_channels(msgspec.structs.replace(own_settings, partitions=3)))

    assert str(caught.value).endswith(
        ": expected 3 partitions, got 2; set OVERGROWTH_PARTITIONS to the number it has, or use a new namespace"
    )


def test_a_broker_that_is_not_there_is_one_line() -> None:
    """Whatever we ask of it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = Settings(kafka=f"127.0.0.1:{nobody.getsockname()[1]}")

        async def follow() -> None:
            async for _ in follow_partition(settings, channel="c", partition=0):
                pass

        for work in (create_channels(settings), start_producer(settings), read(settings, "c"), follow()):
            with pytest.raises(BrokerError) as caught:
                asyncio.run(work)

            assert str(caught.value).startswith(
                f"Kafka: expected a broker at {settings.kafka}, got KafkaConnectionError"
            )
            assert str(caught.value).endswith("start one with `overgrowth stack up`, or set OVERGROWTH_KAFKA")
            assert "\n" not in str(caught.value)


def test_records_are_sent_in_order_and_read_to_the_end(own_settings: Settings) -> None:
    """Keys, bytes, partitions, timestamps and headers arrive as they were given."""
    channel = named(REJECTIONS, namespace=own_settings.namespace)
    sent = [
        Outgoing(
            channel, b"%d" % number, b"v" * number, partition=1, timestamp_ms=1_000 + number, headers=(("h", b"x"),)
        )
        for number in range(300)
    ]

    async def work() -> tuple[list[Any], list[Any], list[Any]]:
        await create_channels(own_settings)
        producer = await start_producer(own_settings)
        await asyncio.gather(*await send_all(producer, sent))
        await producer.stop()
        return (
            await read(own_settings, channel, 1),
            await read(own_settings, channel, 1, 290),
            await read(own_settings, channel, 0),
        )

    found, tail, nothing = asyncio.run(work())

    assert [(one.key, one.value, one.timestamp, one.headers) for one in found] == [
        (one.key, one.value, one.timestamp_ms, one.headers) for one in sent
    ]
    assert [one.offset for one in tail] == list(range(290, 300))
    assert nothing == []


def test_the_end_of_a_partition_is_what_a_fetch_tells(own_settings: Settings) -> None:
    """Not what is said to be the latest offset, which the embedded broker answers wrongly."""

    async def work() -> list[int]:
        await create_channels(own_settings)
        channel = named(REJECTIONS, namespace=own_settings.namespace)
        ends = [await read_end(own_settings, channel=channel, partition=1)]
        producer = await start_producer(own_settings)
        for count in (3, 4):
            sent = await send_all(producer, [Outgoing(channel, b"k", b"v", partition=1)] * count)
            await asyncio.gather(*sent)
            ends.append(await read_end(own_settings, channel=channel, partition=1))
        await producer.stop()
        return ends

    assert asyncio.run(work()) == [0, 3, 7]


def test_rows_of_any_number_arrive_in_order(own_settings: Settings) -> None:
    """A checkpoint may take several record batches; tombstones are rows too."""
    channel = named(TABLE_WATCH, namespace=own_settings.namespace)
    rows = [Change(b"%04d" % number, b"v" * 4_000 if number % 5 else None) for number in range(400)]

    async def work() -> list[Any]:
        await create_channels(own_settings)
        producer = await start_producer(own_settings)
        ends = [
            await append_rows(producer, channel=channel, partition=0, changes=part, timestamp_ms=7)
            for part in (rows[:1], rows[1:3], rows[3:])
        ]
        assert ends == [1, 3, len(rows)]
        await producer.stop()
        return await read(own_settings, channel)

    assert sum(len(row.value or b"") for row in rows) > 2 * BATCH_BYTES_MAX
    assert [Change(one.key, one.value) for one in asyncio.run(work())] == rows


class Place(NamedTuple):
    """What acknowledges a batch."""

    offset: int


class BatchOfOne:
    """A record batch in which one row has room."""

    def __init__(self) -> None:
        self.rows: list[bytes] = []

    def append(self, *, key: bytes, value: bytes | None, timestamp: int) -> object | None:
        """Take the first row."""
        if self.rows:
            return None
        self.rows.append(key)
        return object()

    def record_count(self) -> int:
        """Return how many rows are in it."""
        return len(self.rows)


class SlowProducer:
    """Notes what is sent and what of it is acknowledged; one batch may fail."""

    def __init__(self, failing: bytes = b"") -> None:
        self.failing = failing
        self.journal: list[str] = []

    def create_batch(self) -> BatchOfOne:
        """Return an empty batch."""
        return BatchOfOne()

    async def send_batch(self, batch: BatchOfOne, channel: str, *, partition: int) -> "asyncio.Future[Place]":
        """Acknowledge a little later."""
        (key,) = batch.rows
        self.journal.append(f"{key.decode()} sent")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Place] = loop.create_future()

        def settle() -> None:
            if key == self.failing:
                future.set_exception(OSError("gone"))
            else:
                self.journal.append(f"{key.decode()} acknowledged")
                future.set_result(Place(self.journal.index(f"{key.decode()} sent")))

        loop.call_later(0.001, settle)
        return future


ROWS = [Change(b"a", b"1"), Change(b"b", b"2"), Change(b"checkpoint", b"3")]


def test_the_last_batch_is_sent_when_all_others_are_acknowledged() -> None:
    """It holds the checkpoint row, which would make rows count that never arrived."""
    producer = SlowProducer()

    async def work() -> None:
        await append_rows(producer, channel="c", partition=0, changes=ROWS, timestamp_ms=0)

    asyncio.run(work())

    assert producer.journal.index("checkpoint sent") == 4
    assert sorted(producer.journal[:4]) == ["a acknowledged", "a sent", "b acknowledged", "b sent"]


def test_the_last_batch_is_not_sent_when_another_fails() -> None:
    """Then the checkpoint does not count, and the rows that did arrive lie in places that do not either."""
    producer = SlowProducer(failing=b"a")

    with pytest.raises(SendFailed, match="changelog"):
        asyncio.run(append_rows(producer, channel="c", partition=0, changes=ROWS, timestamp_ms=0))

    assert "checkpoint sent" not in producer.journal


def test_a_partition_is_followed_as_records_come(own_settings: Settings) -> None:
    """One consumer stays open; what is written later arrives without asking anew."""
    channel = named(REJECTIONS, namespace=own_settings.namespace)

    async def work() -> list[bytes]:
        await create_channels(own_settings)
        producer = await start_producer(own_settings)
        found: list[bytes] = []
        await producer.send_and_wait(channel, b"0", partition=0)
        async for records in follow_partition(own_settings, channel=channel, partition=0):
            found += [record.value for record in records]
            if len(found) == 3:
                break
            await producer.send_and_wait(channel, b"%d" % len(found), partition=0)
        await producer.stop()
        return found

    assert asyncio.run(asyncio.wait_for(work(), 30)) == [b"0", b"1", b"2"]
