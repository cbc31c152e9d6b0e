"""What is seen of a worker from outside: ends, states, waiting checkpoints, and the verdicts that probes ask for."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from faust.types import TP

from agents.lane import Batch, Record
from agents.metrics import WORKER_STATES, Metrics
from agents.observer import SHARED_SETTINGS, Observer, fingerprint, memory_limit_bytes
from agents.settings import Settings

SIGNALS = "social.signals"


@dataclass(eq=False)
class SeenLane:
    """The part of a lane that is looked at."""

    is_unsettled: bool = False
    checkpoint_at_s: float = 0.0
    in_flight: int = 0


@dataclass
class SeenRunner:
    """The part of a runner that is looked at."""

    channel: str = SIGNALS
    lanes: dict[int, SeenLane] = field(default_factory=dict)


@dataclass
class SeenWorker:
    """The part of a worker that is looked at; it is its own app and consumer."""

    settings: Settings = field(default_factory=Settings)
    metrics: Metrics = field(default_factory=lambda: Metrics(version="1", channels=[SIGNALS]))
    state: str = "running"
    is_ready: bool = True
    ends: dict[TP, int | None] = field(default_factory=dict)
    runner: SeenRunner = field(default_factory=SeenRunner)

    @property
    def runners(self) -> list[Any]:
        """Return the one runner."""
        return [self.runner]

    @property
    def app(self) -> Any:
        """Return what has a consumer."""
        return self

    @property
    def consumer(self) -> Any:
        """Return what has an assignment."""
        return self

    def assignment(self) -> set[TP]:
        """Return the partitions that have an end."""
        return set(self.ends)

    def highwater(self, tp: TP) -> int | None:
        """Return the end of a partition."""
        return self.ends[tp]

    def ready(self) -> tuple[bool, str]:
        """Return what the test set."""
        return (True, "") if self.is_ready else (False, "recovering")

    def sample(self, name: str, **labels: str) -> float | None:
        """Return the value of one series."""
        return self.metrics.registry.get_sample_value(f"overgrowth_{name}", labels)


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def test_the_end_of_a_partition_is_seen_without_a_batch() -> None:
    """A worker that hangs takes no batch, and would look as if it had caught up."""
    worker = SeenWorker(ends={TP(SIGNALS, 0): 50, TP(SIGNALS, 1): None, TP("social.alerts", 0): 9})
    worker.runner.lanes = {0: SeenLane(), 1: SeenLane()}
    worker.metrics.observe_partition(SIGNALS, 0, applied_offset=20)

    Observer(worker).look()

    assert worker.sample("end_offset", channel=SIGNALS, partition="0") == 50
    assert worker.sample("consumer_lag_records", channel=SIGNALS, partition="0") == 30
    assert worker.sample("end_offset", channel=SIGNALS, partition="1") is None
    assert worker.sample("end_offset", channel="social.alerts", partition="0") is None


@pytest.mark.parametrize(
    ("state", "lanes", "told", "recovering"),
    [
        ("starting", 0, "starting", 0),
        ("running", 1, "recovering", 1),
        ("running", 2, "running", 0),
        ("rebalancing", 0, "rebalancing", 0),
        ("draining", 2, "draining", 0),
        ("stopped", 0, "draining", 0),
    ],
)
def test_the_states_are_told_one_hot(state: str, lanes: int, told: str, recovering: int) -> None:
    """A worker recovers while any of its partitions has no table yet."""
    worker = SeenWorker(state=state, ends={TP(SIGNALS, 0): 1, TP(SIGNALS, 1): 1})
    worker.runner.lanes = {number: SeenLane() for number in range(lanes)}

    Observer(worker).look()

    assert [name for name in WORKER_STATES if worker.sample("worker_state", state=name)] == [told]
    assert worker.sample("recovering_partitions") == recovering


def test_a_worker_whose_checkpoints_hang_is_not_ready() -> None:
    """What waits is counted from when it was first seen to wait, and a finished checkpoint begins it anew."""
    clock, worker, lane = Clock(), SeenWorker(), SeenLane(is_unsettled=True, in_flight=3)
    worker.runner.lanes = {0: lane}
    observer = Observer(worker, clock)
    observer.look()
    assert worker.sample("send_inflight_records") == 3
    clock.now_s += 59
    observer.look()
    assert observer.ready() == (True, "")
    clock.now_s += 2
    observer.look()
    assert observer.ready() == (False, "no checkpoint for 61 s")
    assert worker.sample("unsettled_seconds") == 61

    lane.checkpoint_at_s = clock.now_s
    observer.look()
    assert observer.ready() == (True, "")
    clock.now_s += 61
    lane.is_unsettled = False
    observer.look()
    assert (observer.ready(), worker.sample("unsettled_seconds")) == ((True, ""), 0)


def test_startup_is_over_once_it_was_ready() -> None:
    """A rebalance later on is no start."""
    worker = SeenWorker(is_ready=False, state="starting")
    observer = Observer(worker)
    observer.look()
    assert observer.started() == (False, "starting")
    worker.is_ready = True
    observer.look()
    worker.is_ready = False
    observer.look()
    assert observer.started() == (True, "")
    assert observer.ready() == (False, "recovering")


def test_a_rebalance_lasts_from_the_loss_to_the_assignment() -> None:
    """The first assignment of all ends none."""
    clock, worker = Clock(), SeenWorker()
    observer = Observer(worker, clock)
    observer.assigned()
    assert worker.sample("rebalance_duration_seconds_count") == 0
    observer.revoked()
    clock.now_s += 4
    observer.assigned()
    assert worker.sample("rebalance_duration_seconds_sum") == 4


def test_a_batch_is_told_by_size_duration_and_age() -> None:
    """Where time passes in the log alone there is no age: it would be that of the log."""
    for clock, ages in (("wall", 1), ("log", 0)):
        worker = SeenWorker(settings=msgspec.convert({"clock": clock}, Settings))
        observer = Observer(worker)
        batch = Batch([Record(7, 1_000, b"12345"), Record(8, 2_000, None)], 9)
        worker.metrics.observe_partition(SIGNALS, 0, applied_offset=9, end_offset=12)
        observer.took("attribute_signals", SIGNALS, 0, batch, duration_s=0.2)
        assert worker.sample("record_bytes_total", channel=SIGNALS) == 5
        assert worker.sample("processing_duration_seconds_sum", agent="attribute_signals") == 0.2
        assert worker.sample("event_lag_seconds_count") == ages
        assert (worker.sample("consumer_lag_seconds", channel=SIGNALS, partition="0") is not None) == bool(ages)


def test_a_channel_without_a_table_is_watched_from_its_first_batch_to_the_rebalance() -> None:
    """Raw payloads that are not taken would otherwise be seen by nobody."""
    raw = "social.raw.native"
    worker = SeenWorker(ends={TP(raw, 0): 50, TP(raw, 1): 50})
    observer = Observer(worker)
    observer.took("normalize_signals_x", raw, 0, Batch([Record(7, 1_000, b"x")], 8), duration_s=0.1)
    observer.look()
    assert worker.sample("recovering_partitions") == 0
    assert worker.sample("consumer_lag_records", channel=raw, partition="0") == 42
    assert worker.sample("end_offset", channel=raw, partition="1") is None

    observer.revoked()
    observer.look()
    assert worker.sample("applied_offset", channel=raw, partition="0") is None


@pytest.mark.parametrize(
    ("text", "limit_bytes"), [("max\n", 0), ("536870912\n", 536_870_912), ("9223372036854771712\n", 0), (None, 0)]
)
def test_the_limit_of_the_container_is_read(tmp_path: Path, text: str | None, limit_bytes: int) -> None:
    """Both versions of cgroups say in their own way that there is none."""
    place = tmp_path / "memory.max"
    if text is not None:
        place.write_text(text)
    assert memory_limit_bytes([tmp_path / "absent", place]) == limit_bytes


def test_workers_that_would_tell_different_alerts_have_different_fingerprints() -> None:
    """Each setting that counts changes it; addresses, which may hold secrets, do not."""
    changed = {
        "namespace": "replay",
        "partitions": 8,
        "replication": 3,
        "raw_networks": ("native",),
        "clock": "log",
        "lateness_ms": 1,
        "source_idle_ms": 1,
        "duplicate_ms": 1,
    }
    assert set(changed) == set(SHARED_SETTINGS)
    prints = {fingerprint(msgspec.structs.replace(Settings(), **{name: value})) for name, value in changed.items()}
    assert len(prints | {fingerprint(Settings())}) == len(changed) + 1
    assert fingerprint(Settings(redis="redis://:secret@elsewhere:6379/0")) == fingerprint(Settings())
