"""Check the life of lanes: opened when a batch comes, rewound where something is missing, dropped with the group."""

import asyncio
import logging
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from agents.lane import Fenced, SendFailed
from agents.table import TableError
from tests.agents.lane.trial import LANE, PLACE, batches
from tests.agents.memory_group import BEGIN, END, Group, after, gapless, runner_of
from tests.agents.memory_kafka import MemoryKafka, MemoryPort, Plan

PARTITION = LANE.partition


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine."""
    asyncio.run(work)


def test_a_batch_that_begins_behind_what_is_needed_is_delivered_again_from_there() -> None:
    """Faust may have committed more than the checkpoint covers, or dropped a batch on the way: nothing is left out."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        needed = runner.lanes[PARTITION].next_offset
        await runner.take(PARTITION, after(needed + 20), end_offset=END)
        assert (group.rewound, runner.lanes[PARTITION].next_offset) == ([needed], needed)
        await runner.take(PARTITION, after(needed), end_offset=END)
        await runner.checkpoint()
        assert group.kafka.acknowledged == {PLACE: END}
        assert group.rewound == [needed]

    run(work())


def test_a_hole_in_the_log_is_asked_for_once_and_then_passed(caplog: pytest.LogCaptureFixture) -> None:
    """Markers and removed records leave holes; what comes again from the same place shows that it is one."""
    caplog.set_level(logging.WARNING)

    async def work() -> None:
        group = Group()
        group.first_held = 0
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        assert group.rewound == [0]
        await runner.take(PARTITION, batches()[0], end_offset=END)
        assert group.rewound == [0]
        assert runner.lanes[PARTITION].next_offset == batches()[0].next_offset

    run(work())

    assert [record.getMessage() for record in caplog.records] == [f"social.signals[1]: rewound from {BEGIN} to 0"]


def test_a_hole_with_batches_queued_behind_it_does_not_rewind_for_ever() -> None:
    """Batches that were fetched before the rewind still come; none may be taken, and none may hide the hole."""

    async def work() -> None:
        group = Group()
        group.first_held = 0
        runner = runner_of(group)
        pieces = gapless(batches())
        for batch in pieces[:4]:
            await runner.take(PARTITION, batch, end_offset=END)
        assert runner.lanes[PARTITION].next_offset == 0
        for batch in pieces:
            await runner.take(PARTITION, batch, end_offset=END)
        await runner.checkpoint()
        assert group.kafka.acknowledged == {PLACE: END}
        assert set(group.rewound) == {0}

    run(work())


def test_what_was_fetched_twice_before_a_rewind_does_not_look_like_a_hole() -> None:
    """The second of them begins where the first did, but is known to: it tells nothing of what is needed."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        needed = runner.lanes[PARTITION].next_offset
        behind = after(needed + 20)
        await runner.take(PARTITION, behind, end_offset=END)
        await runner.take(PARTITION, behind._replace(begins=behind.records[0].offset), end_offset=END)
        assert (group.rewound, runner.lanes[PARTITION].next_offset) == ([needed, needed], needed)
        await runner.take(PARTITION, after(needed), end_offset=END)
        await runner.checkpoint()
        assert group.kafka.acknowledged == {PLACE: END}

    run(work())


def test_a_hole_that_the_fetch_has_seen_is_passed_at_once() -> None:
    """Behind every transaction lies a marker: to ask again for each would read every batch twice."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        for before, batch in pairwise(batches()):
            assert batch.records[0].offset > before.next_offset
            await runner.take(PARTITION, batch._replace(begins=before.next_offset), end_offset=END)
        await runner.checkpoint()
        assert (group.rewound, group.kafka.acknowledged) == ([], {PLACE: END})

    run(work())


def test_what_retention_has_removed_is_told_and_gone_past(caplog: pytest.LogCaptureFixture) -> None:
    """It is a loss that nothing here can make good; to wait for it would be another."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        group.first_held = BEGIN + 40
        await runner.take(PARTITION, after(BEGIN + 40), end_offset=END)
        assert (group.rewound, runner.lanes[PARTITION].next_offset) == ([], END)
        lost = runner._metrics.registry.get_sample_value(
            "overgrowth_input_gap_records_total", {"channel": "social.signals"}
        )
        assert lost == BEGIN + 40 - batches()[0].next_offset

    run(work())
    needed = batches()[0].next_offset

    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    text = (
        f"social.signals[1]: expected the record at offset {needed}, got {BEGIN + 40} as the first that Kafka still "
        f"holds: {BEGIN + 40 - needed} records are lost to its retention; raise retention.ms, "
        "replay them from an archive"
    )
    assert errors == [text]


def test_what_lies_between_the_gap_and_the_batch_is_read() -> None:
    """Only what Kafka no longer holds is lost, not what it would deliver."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        group.first_held = BEGIN + 40
        await runner.take(PARTITION, after(BEGIN + 60), end_offset=END)
        assert group.rewound == [BEGIN + 40]

    run(work())


def test_a_channel_that_ends_before_what_is_settled_is_refused() -> None:
    """It was re-created: its records would be taken for ones that were taken before, and dropped without a word."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, after(BEGIN), end_offset=END)
        await runner.checkpoint()
        group.ends_at = 5
        await runner.take(PARTITION, batches()[0], end_offset=5)

    with pytest.raises(TableError) as caught:
        run(work())

    assert str(caught.value) == (
        f"social.signals[1]: expected the channel to reach offset {END}, which social.table.attribute has settled, "
        "got its end at 5: it was re-created or lost records; replay into a new namespace"
    )


def test_an_end_that_is_known_from_long_ago_refuses_nothing() -> None:
    """A worker that was paused still knows the end of that time; the channel itself is asked before it is refused."""

    async def work() -> None:
        runner, (first, second, *_) = runner_of(Group()), gapless(batches())
        await runner.take(PARTITION, first, end_offset=END)
        await runner.checkpoint()
        await runner.take(PARTITION, second, end_offset=BEGIN + 1)
        assert runner.lanes[PARTITION].next_offset == second.next_offset

    run(work())


def test_a_lane_is_opened_only_when_what_its_predecessor_sent_has_arrived() -> None:
    """Otherwise the changelog would be read before the last rows of our own are in it."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, after(BEGIN), end_offset=END)
        first = group.ports[0]
        first.is_holding = True
        checkpoint = asyncio.create_task(runner.checkpoint())
        await asyncio.sleep(0.01)
        runner.leave()
        group.now = 2
        opening = asyncio.create_task(runner.open_assigned([PARTITION]))
        await asyncio.sleep(0.01)
        assert (runner.lanes, runner.recovering) == ({}, 1)
        first.release()
        await asyncio.gather(checkpoint, opening)
        assert (list(runner.lanes), runner.recovering) == ([PARTITION], 0)

    run(work())


def test_a_lane_that_others_wrote_behind_is_opened_anew_and_its_input_delivered_again() -> None:
    """The group may stay as it is, and no later batch may ever come to show that something is missing."""

    async def work() -> None:
        group, other, (begin, rest) = Group(), Group(), gapless(batches(20))
        other.kafka, other.now = group.kafka, 9
        runner, late = runner_of(group), runner_of(other)
        await late.take(PARTITION, begin, end_offset=END)
        await runner.take(PARTITION, begin, end_offset=END)
        await late.checkpoint()
        checkpoint = asyncio.create_task(runner.checkpoint())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await runner.take(PARTITION, rest, end_offset=END)
        taken = runner.lanes[PARTITION].next_offset
        await checkpoint
        assert PARTITION not in runner.lanes
        await runner.open_assigned([PARTITION])
        assert group.rewound == [runner.lanes[PARTITION].next_offset]
        assert group.rewound[0] < taken == END
        await runner.take(PARTITION, after(group.rewound[0]), end_offset=END)
        await runner.checkpoint()
        assert group.kafka.acknowledged == {PLACE: END}

    run(work())


@pytest.mark.parametrize(("now", "owned"), [(None, True), (2, False)])
def test_no_lane_is_opened_for_a_partition_that_is_not_ours(now: int | None, owned: bool) -> None:
    """A batch of a former generation may still be at hand when its partition has gone to another worker."""

    async def work() -> None:
        group = Group()
        group.now, group.owned = now, owned
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        await runner.open_assigned([PARTITION])
        assert (runner.lanes, group.kafka.journal, group.ports) == ({}, [], [])

    run(work())


def test_a_batch_that_came_before_its_lane_could_be_opened_is_delivered_again() -> None:
    """It may be the last of its partition, and what was fetched already is not fetched again by itself."""

    async def work() -> None:
        group = Group()
        group.now = None
        runner = runner_of(group)
        await runner.take(PARTITION, after(BEGIN), end_offset=END)
        group.now = 2
        await runner.open_assigned([PARTITION])
        assert group.rewound == [BEGIN]

    run(work())


def test_a_lane_that_was_being_opened_when_the_group_moved_on_is_not_kept() -> None:
    """It would be fenced for ever, and its partition would stand still until the next change."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        opening = asyncio.create_task(runner.take(PARTITION, batches()[0], end_offset=END))
        await asyncio.sleep(0)
        runner.leave()
        group.now = 2
        await opening
        assert runner.lanes == {}
        await runner.take(PARTITION, batches()[0], end_offset=END)
        assert list(runner.lanes) == [PARTITION]

    run(work())


def test_a_fenced_lane_is_dropped_so_that_the_partition_can_be_opened_anew() -> None:
    """The group may come back to this worker without a word in between."""

    async def work() -> None:
        group = Group()
        runner = runner_of(group)
        await runner.take(PARTITION, batches()[0], end_offset=END)
        group.now = 2
        await runner.checkpoint()
        assert runner.lanes == {}
        await runner.take(PARTITION, batches()[0], end_offset=END)
        group.now = 3
        await runner.take(PARTITION, batches()[1], end_offset=END)
        assert runner.lanes == {}

    run(work())


def test_a_failed_send_is_counted_and_ends_the_checkpoint() -> None:
    """The process ends of it (agents/worker.py); the count is there for whoever scrapes before that."""
    group = Group()
    runner = runner_of(group)
    metrics = runner._metrics

    async def work() -> None:
        await runner.take(PARTITION, batches()[0], end_offset=END)
        group.ports[0].error = OSError("gone")
        await runner.checkpoint()

    with pytest.raises(SendFailed):
        run(work())

    assert b'overgrowth_send_errors_total{destination="output"} 1.0' in metrics.render()


def test_the_metrics_follow_a_partition_and_forget_it_when_it_goes() -> None:
    """Lag and offsets are of the worker that owns the partition."""
    group = Group()
    runner = runner_of(group)

    async def work() -> None:
        await runner.take(PARTITION, batches()[0], end_offset=END + 3)
        await runner.take(PARTITION, after(BEGIN), end_offset=END + 3)
        await runner.checkpoint()

    run(work())
    page = runner._metrics.render().decode()
    where = '{channel="social.signals",partition="1"}'
    held = (runner.lanes[PARTITION].rows, runner.lanes[PARTITION].size_bytes)
    runner.leave()

    assert f"overgrowth_consumer_lag_records{where} 3.0" in page
    assert f"overgrowth_checkpoint_offset{where} {END:.1f}" in page
    assert 'overgrowth_records_total{channel="social.signals",outcome="rejected"} 1.0' in page
    table = '{partition="1",table="conversations"}'
    assert f"overgrowth_state_rows{table} {float(held[0])}" in page
    assert f"overgrowth_state_bytes{table} {float(held[1])}" in page
    assert 0 < held[0] < held[1]
    left = runner._metrics.render().decode()
    assert f"overgrowth_checkpoint_offset{where}" not in left
    assert f"overgrowth_state_bytes{table}" not in left
    assert (runner.lanes, runner.recovering) == ({}, 0)


def test_a_plan_of_the_test_port_is_kept() -> None:
    """The port of these tests ends a lane where the plan says so; otherwise they would prove nothing."""
    with pytest.raises(Fenced):
        MemoryPort(MemoryKafka(), Plan(at_fence=0)).fence()
