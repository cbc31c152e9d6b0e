"""From one generation to the next: a lane whose partition comes back goes on, unless another may have had it."""

import asyncio
import gc
import weakref
from collections.abc import Coroutine
from typing import Any

import pytest

from agents.table import CLAIM_PLACE, TableError
from tests.agents.lane.trial import LANE, PLACE, batches, left
from tests.agents.memory_group import BEGIN, END, Group, after, gapless, runner_of

PARTITION = LANE.partition


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine."""
    asyncio.run(work)


@pytest.mark.parametrize("is_another", [False, True], ids=["the same lane", "another lane"])
def test_a_partition_goes_on_in_the_next_generation(is_another: bool) -> None:
    """With the lane that it had, or with one that reads its table: what is delivered again is told once."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        for batch in gapless(batches())[:5]:
            await runner.take(PARTITION, batch, end_offset=END)
        await runner.checkpoint()
        for batch in gapless(batches())[5:9]:
            await runner.take(PARTITION, batch, end_offset=END)
        before = runner.lanes[PARTITION]
        runner.leave()
        assert runner.lanes == {}
        group.now = 2
        runner = runner_of(group) if is_another else runner
        resume = group.kafka.acknowledged[PLACE]
        await runner.take(PARTITION, after(resume), end_offset=END)
        await runner.checkpoint()
        assert group.kafka.acknowledged == {PLACE: END}
        assert [port.generation for port in group.ports] == [1, 2]
        assert (runner.lanes[PARTITION] is before) == (not is_another)
        whole = Group()
        other = runner_of(whole)
        await other.take(PARTITION, after(BEGIN), end_offset=END)
        await other.checkpoint()
        assert left(group.kafka) == left(whole.kafka)

    run(work())


def test_a_lane_that_comes_back_reads_no_table_and_claims_it_again() -> None:
    """A big table takes long to read, and every change of the group would have all of them read."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        await runner.checkpoint()
        lane = runner.lanes[PARTITION]
        runner.leave()
        group.now, group.kafka.acknowledged = 2, {}
        (changelog,) = group.kafka.changelogs.values()
        written = len(changelog)
        await runner.open_assigned([PARTITION])
        assert (runner.lanes, group.ports[1].has_read) == ({PARTITION: lane}, False)
        assert [change.key for change in changelog[written:]] == [CLAIM_PLACE]
        assert group.kafka.acknowledged == {PLACE: lane.checkpoint_offset}

    run(work())


@pytest.mark.parametrize("has_written", [False, True], ids=["claimed", "claimed and written"])
def test_a_lane_does_not_go_on_where_another_had_its_partition(has_written: bool) -> None:
    """It would not know what the other has applied; the claim of the other's alone tells it."""

    async def work() -> None:
        group, other, (first, rest) = Group(), Group(), gapless(batches(20))
        other.kafka, other.now = group.kafka, 2
        runner, another = runner_of(group), runner_of(other)
        await runner.take(PARTITION, first, end_offset=END)
        lane = runner.lanes[PARTITION]
        runner.leave()
        await another.take(PARTITION, after(BEGIN) if has_written else first, end_offset=END)
        if has_written:
            await another.checkpoint()
        group.now = 3
        await runner.open_assigned([PARTITION])
        assert runner.lanes[PARTITION] is not lane
        assert runner.lanes[PARTITION].next_offset == (END if has_written else 0)
        await runner.take(PARTITION, after(BEGIN), end_offset=END)
        assert runner.lanes[PARTITION].next_offset == rest.next_offset == END

    run(work())


@pytest.mark.parametrize("is_kept", [True, False], ids=["between generations", "between workers"])
def test_a_channel_of_the_same_name_that_is_another_is_refused_however_long_it_is(is_kept: bool) -> None:
    """Once it has grown past what is settled, offsets would say that all of it was taken before."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        await runner.checkpoint()
        runner.leave()
        group.now, group.id_of_channel = 2, "AAAAAAAAAAAAAAAAAAAAAg"
        await (runner if is_kept else runner_of(group)).open_assigned([PARTITION])

    with pytest.raises(TableError, match=r"AAAAAAAAAAAAAAAAAAAAAg.*AAAAAAAAAAAAAAAAAAAAAQ.*re-created"):
        run(work())


def test_a_lane_that_was_cut_off_in_a_checkpoint_does_not_go_on() -> None:
    """The rows of that checkpoint were taken from the step, and no later one would be whole."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        lane = runner.lanes[PARTITION]
        group.ports[0].is_holding = True
        checkpoint = asyncio.create_task(runner.checkpoint())
        await asyncio.sleep(0)
        runner.leave()
        group.now = 2
        group.ports[0].release()
        await checkpoint
        await runner.open_assigned([PARTITION])
        assert runner.lanes[PARTITION] is not lane

    run(work())


def test_lanes_of_partitions_that_went_to_others_are_forgotten() -> None:
    """Their rows are most of the memory of a worker."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        lane = weakref.ref(runner.lanes[PARTITION])
        runner.leave()
        group.now = 2
        await runner.open_assigned([])
        gc.collect()
        assert lane() is None

    run(work())
