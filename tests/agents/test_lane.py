"""Check that a lane writes in the one order that survives crashes, and nothing once the partition is another's."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.lane import (
    SLICE_BYTES_MAX,
    SLICE_RECORDS_MAX,
    Batch,
    Fenced,
    LaneBroken,
    Record,
    SendFailed,
    slices,
)
from agents.table import CLAIM_PLACE, TableError
from tests.agents.memory_port import SETTINGS, Crash, MemoryLog, MemoryPort, batch_of, opened

NUMBERS = ("a 1", "b 2", "a 3", "c 4", "b 5", "a 6", "c 7", "a 8")
SUMS = [("a", b"18"), ("b", b"7"), ("c", b"11")]
TOLD = dict(enumerate((b"a 1", b"b 2", b"a 4", b"c 4", b"b 7", b"a 10", b"c 11", b"a 18")))
"""The running sums, added up by hand."""


def ending_at(number: int | None, places: list[str]) -> Callable[[str], None]:
    """Return a `reach` that notes where a process was and ends it at the place with this number."""

    def reach(place: str) -> None:
        places.append(place)
        if len(places) - 1 == number:
            raise Crash(place)

    return reach


async def go_on(port: MemoryPort, generation: int) -> None:
    """Take all input that is left in batches of two, with a checkpoint after every second batch and at the end."""
    lane, _ = await opened(port, SETTINGS._replace(generation=generation))
    for count, first in enumerate(range(lane.next_offset, len(NUMBERS), 2)):
        await lane.take(batch_of(first, *NUMBERS[first : first + 2]))
        if count % 2:
            await lane.checkpoint()
    await lane.checkpoint()


def check_whole(log: MemoryLog) -> None:
    """Assert that everything is as if nothing had happened."""
    recovery = log.recovered()
    assert recovery.rows() == SUMS
    assert recovery.checkpoint is not None
    assert recovery.checkpoint.offset == len(NUMBERS) == log.settled[-1]
    assert log.told() == {b"%d" % offset: value for offset, value in TOLD.items()}


def test_outputs_are_acknowledged_before_rows_are_sent_and_rows_before_the_input_is_settled() -> None:
    """Each part of a checkpoint waits for the acknowledgement of the part before."""
    log = MemoryLog()

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log))
        log.events.clear()
        await lane.take(batch_of(0, "a 1", "b 2"))
        assert await lane.checkpoint()

    asyncio.run(scenario())
    assert log.events == [
        "outputs sent",
        "outputs acknowledged",
        "rows sent",
        "rows acknowledged",
        "input settled up to 2",
    ]


def test_the_checkpoint_row_is_the_last_record_of_a_checkpoint() -> None:
    """What stands before it counts only once it is there."""
    log = MemoryLog()

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log))
        await lane.take(batch_of(0, "a 1", "b 2"))
        await lane.checkpoint()

    asyncio.run(scenario())
    assert [change.key[1:] for change in log.changelog] == [b"!owner", b"a", b"b", b"!checkpoint"]


def test_without_a_crash_the_sums_are_right() -> None:
    """The run that all others are compared with is itself compared with sums added up by hand."""
    log = MemoryLog()
    asyncio.run(go_on(MemoryPort(log), generation=1))
    check_whole(log)


def test_a_crash_anywhere_and_another_in_the_recovery_change_nothing() -> None:
    """Whatever was cut off, the next owner ends with the same rows and, each taken once, the same outputs."""
    places: list[str] = []
    asyncio.run(go_on(MemoryPort(MemoryLog(), reach=ending_at(None, places)), generation=1))
    # The lane's own way through the port, but for reading: there is nothing to read at first.
    assert set(places) == {"fence", "output", "outputs acknowledged", "row", "rows acknowledged", "settle"}

    async def scenario(first: int, second: int) -> MemoryLog:
        log = MemoryLog()
        for generation, end in enumerate((first, second), start=1):
            try:
                await go_on(MemoryPort(log, reach=ending_at(end, [])), generation)
            except (Crash, SendFailed):
                checkpoint = log.recovered().checkpoint
                assert max(log.settled, default=0) <= (checkpoint.offset if checkpoint is not None else 0)
        await go_on(MemoryPort(log), generation=3)
        return log

    for first in range(len(places)):
        for second in range(0, len(places), 3):
            check_whole(asyncio.run(scenario(first, second)))


def test_once_fenced_nothing_more_is_written() -> None:
    """Wherever the lane learns that it lost the partition, no output, row or acknowledgement follows."""

    async def scenario(number: int) -> bool:
        log, seen = MemoryLog(), 0
        frozen: tuple[int, int, int] | None = None

        def fence() -> None:
            nonlocal seen, frozen
            seen += 1
            if seen > number:
                frozen = frozen or log.written()
                raise Fenced("expected generation 1 of the group, got 2")

        lane, _ = await opened(MemoryPort(log, fence=fence))
        for first in range(0, len(NUMBERS), 2):
            for work in (lane.take(batch_of(first, *NUMBERS[first : first + 2])), lane.checkpoint()):
                try:
                    await work
                except (Fenced, LaneBroken):
                    assert frozen is not None
        assert frozen is None or log.written() == frozen
        return frozen is not None

    fenced = [asyncio.run(scenario(number)) for number in range(2, 15)]
    # Two fences on opening and, for each of four batches, one for taking and two for the checkpoint: fourteen in all.
    assert fenced == [True] * 12 + [False]


def test_a_lane_that_is_fenced_on_opening_settles_nothing() -> None:
    """Its checkpoint may already be older than that of the next owner."""
    log = MemoryLog()

    def fence() -> None:
        raise Fenced("another owner")

    async def scenario() -> None:
        await go_on(MemoryPort(log), generation=1)
        before = log.written()
        with pytest.raises(Fenced):
            await opened(MemoryPort(log, fence=fence))
        assert log.written() == before

    asyncio.run(scenario())


def test_records_that_were_taken_before_are_skipped() -> None:
    """Batches that overlap, or lie wholly behind, count each record once."""

    async def scenario() -> None:
        lane, shell = await opened(MemoryPort(MemoryLog()))
        await lane.take(batch_of(0, *NUMBERS[0:4]))
        await lane.take(batch_of(2, *NUMBERS[2:6]))
        await lane.take(batch_of(1, *NUMBERS[1:3]))
        assert shell.taken == [0, 1, 2, 3, 4, 5]
        assert lane.next_offset == 6

    asyncio.run(scenario())


def test_a_batch_that_is_taken_while_a_checkpoint_waits_belongs_to_the_next() -> None:
    """The checkpoint holds the rows and the offset of the moment at which it began."""
    log = MemoryLog()

    async def scenario() -> None:
        port = MemoryPort(log)
        lane, _ = await opened(port)
        await lane.take(batch_of(0, "a 1"))
        port.may_acknowledge.clear()
        checkpoint = asyncio.create_task(lane.checkpoint())
        for _ in range(20):
            await asyncio.sleep(0)
        await lane.take(batch_of(1, "a 10", "b 2"))
        assert not checkpoint.done()
        assert lane.next_offset == 3
        port.may_acknowledge.set()
        assert await checkpoint
        assert log.recovered().rows() == [("a", b"1")]
        assert log.settled == [lane.checkpoint_offset] == [1]
        assert await lane.checkpoint()
        assert log.recovered().rows() == [("a", b"11"), ("b", b"2")]
        assert log.settled == [1, 3]

    asyncio.run(scenario())


def test_a_checkpoint_of_nothing_new_writes_nothing() -> None:
    """A silent partition costs nothing."""
    log = MemoryLog()

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log))
        assert not await lane.checkpoint()
        await lane.take(batch_of(0, "a 1"))
        assert await lane.checkpoint()
        written = log.written()
        assert not await lane.checkpoint()
        assert log.written() == written

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("changed", "was", "now"),
    [
        ({"partitions": 8}, ("adding", 4, 4, "one"), ("adding", 8, 4, "one")),
        ({"origins": 2}, ("adding", 4, 4, "one"), ("adding", 4, 2, "one")),
        ({"channel_id": "two"}, ("adding", 4, 4, "one"), ("adding", 4, 4, "two")),
    ],
)
def test_state_of_another_shape_is_refused(
    changed: dict[str, Any], was: tuple[object, ...], now: tuple[object, ...]
) -> None:
    """Where the channel is not the one that the table was made from, the error says what differs and what to do."""

    async def scenario() -> None:
        log = MemoryLog()
        await go_on(MemoryPort(log), generation=1)
        before = log.written()
        text = (
            "table table.numbers, partition 0: expected the state of (step, partitions, origins, channel id) = "
            f"{now}, got {was}; the channel was re-created or its partitions changed: replay into a new namespace"
        )
        with pytest.raises(TableError, match=re.escape(text)):
            await opened(MemoryPort(log), SETTINGS._replace(**changed))
        assert log.written() == before

    asyncio.run(scenario())


@pytest.mark.parametrize("told", [("", "one"), ("one", ""), ("one", "", "one")])
def test_an_id_that_kafka_does_not_tell_is_no_other_channel(told: tuple[str, ...]) -> None:
    """An older release knew none, and some brokers tell none; what was known once is remembered."""

    async def scenario() -> None:
        log = MemoryLog()
        for generation, channel_id in enumerate(told, 1):
            lane, _ = await opened(MemoryPort(log), SETTINGS._replace(generation=generation, channel_id=channel_id))
            await lane.take(batch_of(lane.next_offset, "a 1"))
            await lane.checkpoint()
        checkpoint = log.recovered().checkpoint
        assert checkpoint is not None
        assert checkpoint.channel_id == "one"
        with pytest.raises(TableError, match="the channel was re-created"):
            await opened(MemoryPort(log), SETTINGS._replace(generation=9, channel_id="two"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("event", "destination"), [("outputs acknowledged", "output"), ("rows acknowledged", "changelog")]
)
def test_what_the_broker_does_not_acknowledge_breaks_the_lane(event: str, destination: str) -> None:
    """The input is not settled, the error tells what was lost, and the lane does no more work."""
    log = MemoryLog()

    def reach(place: str) -> None:
        if place == event and log.outputs:
            raise TimeoutError("no answer")

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log, reach=reach))
        await lane.take(batch_of(0, "a 1"))
        text = f"expected Kafka to acknowledge 1 more {destination} records, got TimeoutError: no answer"
        with pytest.raises(SendFailed, match=re.escape(text)) as failure:
            await lane.checkpoint()
        assert (failure.value.destination, failure.value.count) == (destination, 1)
        assert log.settled == []
        with pytest.raises(LaneBroken, match=re.escape("numbers[0]: expected a lane whose last batch")):
            await lane.take(batch_of(1, "a 1"))

    asyncio.run(scenario())


def test_a_lane_that_was_cut_off_in_a_batch_makes_no_checkpoint() -> None:
    """Its step is ahead of what it told, so a checkpoint would lose outputs."""
    log, places = MemoryLog(), list[str]()

    def reach(place: str) -> None:
        places.append(place)
        if places.count("output") == 2:
            raise Crash(place)

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log, reach=reach))
        with pytest.raises(Crash):
            await lane.take(batch_of(0, "a 1", "b 2"))
        with pytest.raises(LaneBroken):
            await lane.checkpoint()
        assert [change.key for change in log.changelog] == [CLAIM_PLACE]

    asyncio.run(scenario())


def test_a_lane_that_was_fenced_stays_fenced() -> None:
    """Another checkpoint of it, as one that a drain asks for, is left to the next owner too and is no crash."""
    log = MemoryLog()

    def fence() -> None:
        if "outputs acknowledged" in log.events:
            raise Fenced("the group shares anew")

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log, fence=fence))
        await lane.take(batch_of(0, "a 1"))
        first = asyncio.create_task(lane.checkpoint())
        await asyncio.sleep(0)
        await lane.take(batch_of(1, "a 2"))
        for checkpoint in (first, asyncio.create_task(lane.checkpoint())):
            with pytest.raises(Fenced):
                await checkpoint
        assert [change.key for change in log.changelog] == [CLAIM_PLACE]

    asyncio.run(scenario())


def test_settling_waits_for_outputs_that_no_checkpoint_waited_for() -> None:
    """A lane that is given up still hears the broker out, so that the next one reads all that arrived."""
    log = MemoryLog()

    async def scenario() -> None:
        lane, _ = await opened(MemoryPort(log))
        log.events.clear()
        await lane.take(batch_of(0, "a 1"))
        assert log.events == ["outputs sent"]
        await lane.settle()
        assert log.events == ["outputs sent", "outputs acknowledged"]

    asyncio.run(scenario())


@given(
    sizes=st.lists(st.sampled_from([0, 1, SLICE_BYTES_MAX // 3, SLICE_BYTES_MAX + 1]), min_size=1, max_size=30),
    repeats=st.integers(1, 60),
    first=st.integers(0, 1_000),
)
def test_slices_are_bounded_and_together_the_batch(sizes: list[int], repeats: int, first: int) -> None:
    """No slice but for its last record is too large, and no record is lost, doubled or moved."""
    payloads = {size: bytes(size) for size in sizes}
    records = [Record(first + at, None, payloads[size]) for at, size in enumerate(sizes * repeats)]
    pieces = list(slices(Batch(records, records[-1].offset + 7)))
    assert [record for piece in pieces for record in piece.records] == records
    for piece in pieces:
        assert 0 < len(piece.records) <= SLICE_RECORDS_MAX
        assert sum(len(record.value or b"") for record in piece.records[:-1]) < SLICE_BYTES_MAX
    assert [piece.next_offset for piece in pieces[:-1]] == [piece.records[0].offset for piece in pieces[1:]]
    assert pieces[-1].next_offset == records[-1].offset + 7


def test_each_slice_of_a_batch_gives_way_to_what_is_more_urgent() -> None:
    """A batch can be seconds of work, and a lane that opens meanwhile would have to wait for all of it."""

    async def scenario() -> int:
        port = MemoryPort(MemoryLog())
        lane, _ = await opened(port)
        await lane.take(batch_of(0, *["a 1"] * (2 * SLICE_RECORDS_MAX + 1)))
        return port.gave_way

    assert asyncio.run(scenario()) == 3
