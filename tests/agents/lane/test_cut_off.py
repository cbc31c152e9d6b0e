"""Check that a lane which is cut off anywhere leaves enough for the next one to end as if nothing had happened."""

import asyncio
from collections.abc import Callable

import pytest

from agents.lane import Batch, Fenced, Lane, Record
from tests.agents.lane.trial import BEGIN_MS, PLACE, Left, batches, left, log, new_lane, run_to_the_end, signal
from tests.agents.memory_kafka import Cut, MemoryKafka, MemoryPort, Plan


@pytest.fixture(scope="module")
def undisturbed() -> Left:
    """Return what a lane leaves that nothing happens to."""
    kafka = MemoryKafka()
    asyncio.run(run_to_the_end(kafka))
    return left(kafka)


def test_the_log_of_these_tests_is_worth_the_name(undisturbed: Left) -> None:
    """There are items for both partitions, a rejection, a late signal and rows to lose."""
    assert [len(items) > 5 for items in undisturbed.items] == [True, True]
    assert {channel for channel, _ in undisturbed.others} == {"social.late", "social.rejections"}
    assert len(undisturbed.rows) > 3
    assert undisturbed.offset == log()[-1].offset + 1


def number_of(count: Callable[[MemoryPort], int]) -> int:
    """Return how often an undisturbed lane reaches a kind of point."""
    return count(asyncio.run(run_to_the_end(MemoryKafka())))


@pytest.mark.parametrize("is_kept", [True, False], ids=["kept", "lost"])
@pytest.mark.parametrize("by", ["exception", "cancel"])
def test_a_lane_that_is_cut_off_anywhere_changes_nothing(undisturbed: Left, by: str, is_kept: bool) -> None:
    """At every call of the port the process ends; what was under way is kept or lost; the next lane makes it good."""
    calls = number_of(lambda port: port.calls)
    for at_call in range(calls):
        kafka = MemoryKafka()
        plan = Plan(at_call=at_call, by="cancel" if by == "cancel" else "exception", is_kept=is_kept)
        with pytest.raises((Cut, asyncio.CancelledError)):
            asyncio.run(run_to_the_end(kafka, plan))
        asyncio.run(run_to_the_end(kafka, generation=2))

        assert left(kafka) == undisturbed, f"cut off at call {at_call} of {calls}"


def test_a_lane_that_is_cut_off_again_and_again_changes_nothing(undisturbed: Left) -> None:
    """Every lane gets a little further than the one before it, or not even that."""
    kafka = MemoryKafka()
    for generation in range(1, 30):
        try:
            asyncio.run(run_to_the_end(kafka, Plan(at_call=generation % 9 + 2), generation=generation))
        except Cut:
            continue
    asyncio.run(run_to_the_end(kafka, generation=30))

    assert left(kafka) == undisturbed


def test_a_lane_that_is_fenced_anywhere_changes_nothing(undisturbed: Left) -> None:
    """At every fence another worker takes over; nothing of the fenced lane's later work gets out."""
    fences = number_of(lambda port: port.fences)
    for at_fence in range(fences):
        kafka = MemoryKafka()
        with pytest.raises(Fenced):
            asyncio.run(run_to_the_end(kafka, Plan(at_fence=at_fence)))
        asyncio.run(run_to_the_end(kafka, generation=2))

        assert left(kafka) == undisturbed, f"fenced at {at_fence} of {fences}"


def test_a_fenced_lane_neither_sends_nor_writes_nor_acknowledges() -> None:
    """Its partition has another owner, whose work it would overwrite."""

    async def run() -> list[str]:
        kafka = MemoryKafka()
        port = MemoryPort(kafka)
        lane = new_lane(port)
        await lane.open()
        kafka.journal.clear()
        await lane.take(batches()[0])
        port.plan = Plan(at_fence=0)
        with pytest.raises(Fenced):
            await lane.take(batches()[1])
        with pytest.raises(Fenced):
            await lane.checkpoint()
        return kafka.journal

    journal = asyncio.run(run())

    assert [event for event in journal if event != "outputs acknowledged"] == ["outputs sent"] * len(
        [event for event in journal if event == "outputs sent"]
    )


def test_records_that_were_taken_before_are_skipped(undisturbed: Left) -> None:
    """Kafka delivers again from the committed offset, which may lie in the middle of what a lane has."""

    async def run(kafka: MemoryKafka) -> None:
        lane = new_lane(MemoryPort(kafka))
        await lane.open()
        for size in (4, 7, 3, 40):
            for batch in batches(size):
                await lane.take(batch)
            await lane.checkpoint()

    kafka = MemoryKafka()
    asyncio.run(run(kafka))

    assert left(kafka) == undisturbed


def test_an_opened_lane_acknowledges_what_its_predecessor_had_settled() -> None:
    """The predecessor may have ended between its checkpoint and the commit, and nothing new may ever come."""
    kafka = MemoryKafka()
    asyncio.run(run_to_the_end(kafka))
    kafka.acknowledged.clear()

    async def run() -> Lane:
        lane = new_lane(MemoryPort(kafka))
        await lane.open()
        return lane

    lane = asyncio.run(run())

    assert kafka.acknowledged == {PLACE: log()[-1].offset + 1}
    assert (lane.next_offset, lane.recovered_records > 0, lane.rows > 0) == (log()[-1].offset + 1, True, True)


def test_a_big_batch_is_taken_in_slices_with_a_fence_before_each() -> None:
    """Between two slices other tasks get their turn, and the group may move on."""

    async def run() -> tuple[int, int]:
        port = MemoryPort(MemoryKafka())
        lane = new_lane(port)
        await lane.open()
        begun = port.fences
        many = [Record(offset, None, signal(offset, BEGIN_MS + offset)) for offset in range(1_300)]
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(count_turns())
        await lane.take(Batch(many, 1_300))
        other.cancel()
        return port.fences - begun, turns

    fences, turns = asyncio.run(run())

    assert fences == 3
    assert turns >= 2
