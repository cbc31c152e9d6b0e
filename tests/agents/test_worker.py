"""Check the small things of a worker: what consumes what, whether it is ready, and what it knows of its group."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from faust.types import TP

from agents.lane import Fenced
from agents.settings import Settings
from agents.worker import GIVE_WAY_LOOKS, GIVE_WAY_S, Worker
from tests.simulation.loop import SeededLoop


@dataclass
class MemoryConsumer:
    """The part of Faust's consumer that a worker asks."""

    assigned: set[TP] = field(default_factory=set)
    settled: list[tuple[TP, int]] = field(default_factory=list)
    on_committed: Callable[[TP, int], None] = lambda tp, offset: None

    def assignment(self) -> set[TP]:
        """Return what the test set."""
        return self.assigned

    def acknowledge(self, tp: TP, offset: int) -> None:
        """Note what is settled."""
        self.settled.append((tp, offset))


@dataclass
class MemoryApp:
    """The part of a Faust app that a worker asks."""

    rebalancing: bool = False
    consumer_generation_id: int = 7
    consumer: MemoryConsumer = field(default_factory=MemoryConsumer)


def a_worker(app: MemoryApp, *, views: bool = False) -> Worker:
    """Make a worker that was not started."""
    return Worker(app, Settings(namespace="trial", raw_networks=("native",), views=views))


def test_consumers_come_in_the_order_of_the_flow() -> None:
    """Raw payloads first, views last; every channel bears the namespace."""
    consumers = [(name, channel) for name, channel, _ in a_worker(MemoryApp(), views=True).consumers()]
    assert consumers == [
        ("normalize_signals_trial.social.raw.native", "trial.social.raw.native"),
        ("attribute_signals", "trial.social.signals"),
        ("follow_members", "trial.social.attributed"),
        ("watch_topics", "trial.social.contributions"),
        ("publish_views_social.vitals", "trial.social.vitals"),
        ("publish_views_social.cascades", "trial.social.cascades"),
        ("publish_views_social.alerts", "trial.social.alerts"),
    ]


def test_without_views_nothing_consumes_vitals_and_alerts() -> None:
    """A worker that writes no read model does not read for it."""
    channels = [channel for _, channel, _ in a_worker(MemoryApp()).consumers()]
    assert channels == [
        "trial.social.raw.native",
        "trial.social.signals",
        "trial.social.attributed",
        "trial.social.contributions",
    ]


def test_there_is_no_generation_while_the_group_rebalances() -> None:
    """What was owned before may be another's already."""
    app = MemoryApp()
    worker = a_worker(app)
    assert worker.generation() == 7
    app.rebalancing = True
    assert worker.generation() is None


def test_a_worker_is_ready_when_it_runs_and_recovers_nothing() -> None:
    """Every other verdict says why not."""
    channels = ("trial.social.signals", "trial.social.contributions", "trial.social.raw.native")
    app = MemoryApp(consumer=MemoryConsumer(assigned={TP(channel, 1) for channel in channels}))
    worker = a_worker(app)
    assert worker.ready() == (False, "starting")
    worker.assigned()
    assert worker.ready() == (False, "recovering 2 partitions")
    lane: Any = object()
    worker.runners[0].lanes[1] = lane
    assert worker.ready() == (False, "recovering 1 partitions")
    worker.runners[2].lanes[1] = lane
    assert worker.ready() == (True, "")


def gave_way_s(*, opened_at_s: float | None) -> float:
    """Return how long the next slice waits, in virtual time, for the one lane that is opened then."""
    worker = a_worker(MemoryApp(consumer=MemoryConsumer(assigned={TP("trial.social.signals", 1)})))
    loop = SeededLoop(Random(1), steps_max=10_000)  # type: ignore[abstract]  # asyncio asks for no more
    lane: Any = object()

    async def work() -> float:
        if opened_at_s == 0.0:
            worker.runners[0].lanes[1] = lane
        elif opened_at_s is not None:
            loop.call_later(opened_at_s, worker.runners[0].lanes.__setitem__, 1, lane)
        await worker.give_way()
        return loop.time()

    return loop.run(work())


def test_slices_wait_for_lanes_that_are_still_to_be_opened() -> None:
    """A lane that opens late would read its table in what the others leave of the loop, and never catch up."""
    assert gave_way_s(opened_at_s=0.4) == pytest.approx(0.4, abs=GIVE_WAY_S / GIVE_WAY_LOOKS)


def test_a_lane_that_does_not_open_holds_the_others_up_but_not_for_ever() -> None:
    """Nothing may depend on its being opened: the others go on, a slice at a time."""
    assert gave_way_s(opened_at_s=None) == pytest.approx(GIVE_WAY_S)


def test_slices_do_not_wait_where_all_lanes_are_open() -> None:
    """It is the rule, and costs a turn of the loop."""
    assert gave_way_s(opened_at_s=0.0) == 0.0


def test_a_worker_is_not_ready_from_the_rebalance_to_the_assignment() -> None:
    """The verdict and the metrics tell the same state."""
    worker = a_worker(MemoryApp())
    sample = worker.metrics.registry.get_sample_value
    worker.assigned()
    worker.revoked()
    assert worker.ready() == (False, "rebalancing")
    assert sample("overgrowth_worker_state", {"state": "rebalancing"}) == 1
    assert sample("overgrowth_rebalances_total") == 1
    worker.assigned()
    assert worker.ready() == (True, "")
    assert sample("overgrowth_worker_state", {"state": "rebalancing"}) == 0


def test_a_worker_that_runs_is_not_ready_without_a_generation() -> None:
    """Faust may have begun to rebalance before it tells."""
    app = MemoryApp()
    worker = a_worker(app)
    worker.assigned()
    app.rebalancing = True
    is_ready, _ = worker.ready()
    assert not is_ready


def test_a_worker_owns_what_is_assigned_to_it() -> None:
    """A partition is known by channel and number."""
    app = MemoryApp(consumer=MemoryConsumer(assigned={TP("trial.social.signals", 1)}))
    worker = a_worker(app)
    assert worker.owns("trial.social.signals", 1)
    assert not worker.owns("trial.social.signals", 0)
    assert not worker.owns("trial.social.attributed", 1)


def test_what_is_settled_is_handed_to_the_consumer() -> None:
    """It is committed with the next commit."""
    app = MemoryApp()
    a_worker(app).acknowledge("trial.social.signals", 1, 42)
    assert app.consumer.settled == [(TP("trial.social.signals", 1), 42)]


def test_commits_of_lanes_are_told_to_the_metrics() -> None:
    """Channels without lanes have no checkpoint to compare a commit with, so theirs are not told."""
    app = MemoryApp()
    worker = a_worker(app)
    worker.assigned()
    app.consumer.on_committed(TP("trial.social.signals", 1), 42)
    app.consumer.on_committed(TP("trial.social.raw.native", 1), 42)
    sample = worker.metrics.registry.get_sample_value
    labels = {"channel": "trial.social.signals", "partition": "1"}
    assert sample("overgrowth_committed_offset", labels) == 42
    assert sample("overgrowth_committed_offset", labels | {"channel": "trial.social.raw.native"}) is None


def test_a_lane_is_fenced_when_a_group_that_was_forgotten_has_its_number_again() -> None:
    """Generations begin anew then, so that the number alone would let two lanes of one partition write."""
    worker = a_worker(MemoryApp())
    producer: Any = object()
    worker._producer = producer
    port = worker.port(7)
    port.fence()
    worker.revoked()
    worker.assigned()
    assert worker.generation() == 7
    with pytest.raises(Fenced):
        port.fence()


def test_a_worker_that_has_drained_takes_nothing_more() -> None:
    """No checkpoint would follow, so what still comes is left to the next owner."""
    worker = a_worker(MemoryApp())
    asyncio.run(worker.drain())
    assert worker.generation() is None
