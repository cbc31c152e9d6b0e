"""Pin what we rely upon in Faust, flaws included, and what our consumer makes of it: an upgrade that differs shows."""

import asyncio
from collections.abc import Mapping
from typing import Any, NamedTuple

import faust
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message

from agents.lane import Record
from agents.transport import (
    FETCH_WAIT_MS,
    BatchConsumer,
    BatchSchema,
    BatchTransport,
    FetchedBatch,
)

CHANNEL = TP("c", 0)
OTHER = TP("d", 1)


class Fetched(NamedTuple):
    """A record as aiokafka returns it, as far as we look."""

    offset: int
    value: bytes | None = b"v"
    key: bytes | None = b"k"
    timestamp: int = 5
    timestamp_type: int = 0
    topic: str = CHANNEL.topic
    partition: int = CHANNEL.partition


class Thread:
    """Stands for the thread that talks to Kafka."""

    def __init__(self) -> None:
        self.assigned = {CHANNEL}
        self.fetched: dict[TP, list[Fetched]] = {}
        self.commits: list[dict[TP, int]] = []
        self.is_refusing = False
        self.sought: list[tuple[TP, int]] = []
        self.during_fetch: Any = None

    def assignment(self) -> set[TP]:
        """Return what is assigned."""
        return self.assigned

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[Fetched]]:  # noqa: ASYNC109
        """Return what the test has put there."""
        if self.during_fetch is not None:
            await self.during_fetch()
        return self.fetched

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        """Take a commit, or refuse it as a group does that is rebalancing."""
        self.commits.append(dict(offsets))
        return not self.is_refusing

    def highwater(self, tp: TP) -> int:
        """Refuse as aiokafka does."""
        assert tp in self.assigned, "Partition is not assigned"
        return 42

    def seek(self, partition: TP, offset: int) -> None:
        """Note a seek."""
        self.sought.append((partition, offset))

    async def seek_to_committed(self) -> dict[TP, int]:
        """Note a seek to what is committed."""
        return {CHANNEL: 7}


async def nothing(*_: Any, **__: Any) -> None:
    """Stand for callbacks and for the producer, which do nothing here."""


def a_consumer(kind: type[driver.Transport]) -> Any:
    """Make a consumer with a thread that is none, of an app that connects to nothing."""
    app = faust.App("contract", broker="kafka://127.0.0.1:1", store="memory://", stream_wait_empty=False)
    producer: Any = app.producer
    producer.flush = nothing
    consumer: Any = kind(app.conf.broker_consumer, app).create_consumer(
        callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing
    )
    # The thread would run the client in a loop of its own.
    consumer._thread.thread_loop.close()
    consumer._thread = Thread()
    return consumer


def ours() -> Any:
    """Make a consumer of ours."""
    return a_consumer(BatchTransport)


# --- why we do not leave it to Faust ----------------------------------------------------------------------------------


def test_canary_stock_faust_commits_past_an_open_first_message() -> None:
    """37 is under way, 38 acknowledged: 39 is committed, and 37 lost if the worker ends (FAUST.md 2.1)."""

    async def work() -> None:
        consumer = a_consumer(driver.Transport)
        consumer._committed_offset[CHANNEL] = 37
        consumer._acked[CHANNEL] = [38]
        assert consumer._new_offset(CHANNEL) == 39

    asyncio.run(work())


def test_canary_stock_faust_looks_at_no_head_in_a_new_group() -> None:
    """Nothing is committed yet and 0 to 4 are under way: 5 and 6 acknowledged commit 7 (FAUST.md 2.1)."""

    async def work() -> None:
        consumer = a_consumer(driver.Transport)
        consumer._acked[CHANNEL] = [5, 6]
        assert consumer._new_offset(CHANNEL) == 7

    asyncio.run(work())


def test_canary_stock_faust_takes_the_record_behind_a_gap_for_acknowledged() -> None:
    """10 was read, then 20, and 20 is under way: 21 acknowledged commits 22 (FAUST.md 2.1)."""

    async def work() -> None:
        consumer = a_consumer(driver.Transport)
        consumer._committed_offset[CHANNEL] = 11
        await consumer._add_gap(CHANNEL, 11, 20)
        consumer._acked[CHANNEL] = [21]
        assert consumer._new_offset(CHANNEL) == 22

    asyncio.run(work())


def test_canary_stock_faust_takes_a_refused_commit_for_done() -> None:
    """It would not be tried again before there is something new to commit."""

    async def work() -> None:
        consumer = a_consumer(driver.Transport)
        consumer._thread.is_refusing = True
        assert await consumer._commit_offsets({CHANNEL: 9}) is False
        assert consumer._committed_offset[CHANNEL] == 9

    asyncio.run(work())


def test_canary_the_drain_loop_drops_what_lies_behind_the_last_read_offset() -> None:
    """The loop asks `_read_offset` before it delivers, which is why ours knows nothing."""
    names = driver.Consumer._drain_messages.__code__.co_names

    assert "_read_offset" in names


# --- ours -------------------------------------------------------------------------------------------------------------


def test_only_what_a_lane_acknowledged_is_committed() -> None:
    """Neither acknowledgements of Faust nor gaps move the offset."""

    async def work() -> None:
        consumer = ours()
        told: list[tuple[TP, int]] = []
        consumer.on_committed = lambda tp, offset: told.append((tp, offset))
        consumer._acked[CHANNEL] = [38]
        await consumer._add_gap(CHANNEL, 1, 50)
        assert consumer.ack(object()) is False
        assert await consumer.commit() is False
        consumer.acknowledge(CHANNEL, 41)
        assert await consumer.commit() is True
        assert await consumer.commit() is False
        assert (consumer._thread.commits, told) == ([{CHANNEL: 41}], [(CHANNEL, 41)])

    asyncio.run(work())


def test_commits_can_be_asked_for_by_channel_or_partition() -> None:
    """Faust does both."""

    async def work() -> None:
        consumer = ours()
        consumer.acknowledge(CHANNEL, 4)
        for wanted, found in ((None, [CHANNEL]), ({"c"}, [CHANNEL]), ({CHANNEL}, [CHANNEL]), ({"d", OTHER}, [])):
            assert list(consumer._filter_tps_with_pending_acks(wanted)) == found

    asyncio.run(work())


def test_a_refused_commit_is_tried_again() -> None:
    """The group was rebalancing; nothing new may ever come."""

    async def work() -> None:
        consumer = ours()
        consumer.acknowledge(CHANNEL, 4)
        consumer._thread.is_refusing = True
        assert await consumer.commit() is False
        consumer._thread.is_refusing = False
        assert await consumer.commit() is True
        assert consumer._thread.commits == [{CHANNEL: 4}, {CHANNEL: 4}]

    asyncio.run(work())


def test_what_is_not_assigned_is_not_noted_and_what_is_revoked_is_forgotten() -> None:
    """Its owner commits it now; Faust would tell of it at every commit."""

    async def work() -> None:
        consumer = ours()
        consumer.acknowledge(OTHER, 3)
        assert consumer._new_offset(OTHER) is None
        consumer.acknowledge(CHANNEL, 3)
        await consumer.on_partitions_revoked({CHANNEL})
        assert consumer._new_offset(CHANNEL) is None

    asyncio.run(work())


def test_a_partition_that_was_just_revoked_has_no_end() -> None:
    """A batch of it may still wait for its agent, and that must not end the worker."""
    consumer = a_consumer(BatchTransport)
    assert (consumer.highwater(CHANNEL), consumer.highwater(OTHER)) == (42, None)


def test_what_is_delivered_again_is_not_dropped() -> None:
    """A rewound partition begins behind what was read; Faust forgets nothing by itself."""

    async def work() -> None:
        consumer = ours()
        consumer._read_offset[CHANNEL] = 99
        consumer._read_offset.update({CHANNEL: 99})
        assert consumer._read_offset[CHANNEL] is None

    asyncio.run(work())


async def fetch(consumer: Any, *offsets: int) -> FetchedBatch:
    """Let a consumer fetch these records."""
    consumer._thread.fetched = {CHANNEL: [Fetched(offset) for offset in offsets], OTHER: []}
    batches = await consumer._getmany(active_partitions={CHANNEL}, timeout=1.0)
    assert list(batches) == [CHANNEL]
    assert len(batches[CHANNEL]) == 1
    batch: FetchedBatch = batches[CHANNEL][0]
    return batch


def test_a_fetch_becomes_one_message_that_a_lane_can_read() -> None:
    """Its offset is that of its last record; the records keep their own offsets, times, keys and bytes."""

    async def work() -> None:
        consumer = ours()
        fetched = await fetch(consumer, 3, 4, 9)
        message = consumer._to_message(CHANNEL, fetched)
        batch = message.value.batch()
        assert (message.topic, message.partition, message.offset, message.key) == ("c", 0, 9, None)
        assert batch.records == [Record(offset, 5, b"v", b"k") for offset in (3, 4, 9)]
        assert (batch.next_offset, batch.begins) == (10, None)

    asyncio.run(work())


def test_a_batch_tells_from_where_on_it_is_all_that_there_is() -> None:
    """Fetches follow each other without a hole of their own, until something moves the place of the next one."""

    async def work() -> None:
        consumer = ours()
        assert (await fetch(consumer, 3, 4)).begins is None
        assert (await fetch(consumer, 7)).begins == 5
        await consumer.seek(CHANNEL, 2)
        assert consumer._thread.sought == [(CHANNEL, 2)]
        assert (await fetch(consumer, 3)).begins is None
        assert (await fetch(consumer, 4)).begins == 4
        await consumer.perform_seek()
        assert (await fetch(consumer, 7)).begins is None
        await consumer.on_partitions_revoked({CHANNEL})
        assert (await fetch(consumer, 8)).begins is None

    asyncio.run(work())


def test_a_fetch_that_was_under_way_when_the_place_was_moved_tells_nothing() -> None:
    """Its records may be from before or from behind the move."""

    async def work() -> None:
        consumer = ours()
        await fetch(consumer, 3)

        async def seek() -> None:
            await consumer.seek(CHANNEL, 1)

        consumer._thread.during_fetch = seek
        assert (await fetch(consumer, 50)).begins is None
        consumer._thread.during_fetch = None
        assert (await fetch(consumer, 60)).begins is None

    asyncio.run(work())


@pytest.mark.parametrize("value", [None, b"", b"\xff\xfe", b"{", b"[" * 100_000, b"9" * 5_000])
def test_no_payload_fails_in_faust(value: bytes | None) -> None:
    """A codec that fails would have the record acknowledged early, and its agent restarted (FAUST.md 2.3)."""

    async def work() -> None:
        consumer = ours()
        fetched = FetchedBatch([Fetched(1, value, b"\xff")])
        message: Message = consumer._to_message(CHANNEL, fetched)
        decode = BatchSchema().compile(consumer.app, key_type=None, value_type=None)
        event = await decode(message, propagate=True)
        assert event.value is fetched
        assert event.message is message

    asyncio.run(work())


def test_the_transport_makes_our_consumer() -> None:
    """The app gives its transport, and the transport its consumer."""

    async def work() -> None:
        assert isinstance(ours(), BatchConsumer)

    asyncio.run(work())


def test_a_fetch_waits_no_longer_than_we_say() -> None:
    """Faust has no setting for it, so it is put where aiokafka reads it when the client starts."""

    async def waits_ms(consumer: Any) -> list[int]:
        threads = (driver.AIOKafkaConsumerThread(consumer), consumer._new_consumer_thread())
        clients = [thread._create_worker_consumer(consumer.transport) for thread in threads]
        for thread, client in zip(threads, clients, strict=True):
            thread.thread_loop.close()
            await client.stop()
        return [client._fetch_max_wait_ms for client in clients]

    assert asyncio.run(waits_ms(ours())) == [1_500, FETCH_WAIT_MS]
