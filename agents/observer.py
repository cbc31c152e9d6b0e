"""Look at a worker twice a second: tell the metrics what no batch tells, and say whether the worker does its job.

Ends of partitions and states change without a batch: a worker that hangs would otherwise look as if it had caught up.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from agents.lane import Batch, Lane
from agents.metrics import AGENTS, AgentName, Metrics, WorkerState
from agents.runner import Runner
from agents.settings import Settings
from schemas.channels import SIGNALS, named

UNSETTLED_S_MAX = 60.0
"""How long a record may wait for its checkpoint before the worker counts as not ready."""
MEMORY_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED_BYTES = 1 << 60
"""The older of the two files tells a number near 2^63 where there is no limit."""
SHARED_SETTINGS = (
    "namespace",
    "partitions",
    "replication",
    "raw_networks",
    "clock",
    "lateness_ms",
    "source_idle_ms",
    "duplicate_ms",
)
"""Workers that differ in one of these tell different alerts. Addresses and secrets are not among them."""

Verdict = tuple[bool, str]


class Observed(Protocol):
    """What is looked at of a worker."""

    settings: Settings
    metrics: Metrics
    state: str

    @property
    def app(self) -> Any:
        """The Faust app, whose consumer knows the partitions."""

    @property
    def runners(self) -> list[Runner]:
        """The runners of its agents."""

    def ready(self) -> Verdict:
        """Say whether the worker has its partitions and their tables."""


class Observer:
    """The view of one worker from outside; `now_s` is a clock that never goes back."""

    def __init__(self, worker: Observed, now_s: Callable[[], float] = time.monotonic) -> None:
        self._worker = worker
        self._now_s = now_s
        self._has_started = False
        self._revoked_at_s: float | None = None
        # Lane -> when its last checkpoint was, and since when something waits for the next one.
        self._waiting: dict[Lane, tuple[float, float]] = {}
        # Partitions without a table, of raw payloads and for the views, that were read since the last rebalance.
        self._stateless: set[tuple[str, int]] = set()
        worker.metrics.set_memory_limit(memory_limit_bytes())
        worker.metrics.set_config(fingerprint(worker.settings))

    def look(self) -> None:
        """Refresh the gauges of the worker."""
        worker, metrics = self._worker, self._worker.metrics
        lanes = [lane for runner in worker.runners for lane in runner.lanes.values()]
        self._note_waiting(lanes)
        metrics.set_unsettled(age_s=self._unsettled_s())
        metrics.set_in_flight(sum(lane.in_flight for lane in lanes))
        recovering = 0
        if worker.state == "running":
            by_channel = {runner.channel: runner for runner in worker.runners}
            for tp in worker.app.consumer.assignment():
                runner = by_channel.get(tp.topic)
                is_known = tp.partition in runner.lanes if runner is not None else tuple(tp) in self._stateless
                recovering += runner is not None and not is_known
                if is_known and (end := worker.app.consumer.highwater(tp)) is not None:
                    metrics.observe_partition(tp.topic, tp.partition, end_offset=end)
        metrics.set_recovering(recovering)
        metrics.set_worker_state(_told_state(worker.state, recovering=recovering))
        self._has_started = self._has_started or worker.ready()[0]

    def _note_waiting(self, lanes: Iterable[Lane]) -> None:
        waiting = {}
        for lane in lanes:
            if lane.is_unsettled:
                checkpoint_at_s, since_s = self._waiting.get(lane, (None, self._now_s()))
                if checkpoint_at_s != lane.checkpoint_at_s:
                    since_s = self._now_s()
                waiting[lane] = (lane.checkpoint_at_s, since_s)
        self._waiting = waiting

    def _unsettled_s(self) -> float:
        now_s = self._now_s()
        return max((now_s - since_s for _, since_s in self._waiting.values()), default=0.0)

    def ready(self) -> Verdict:
        """Say whether the worker does its job now: it runs, has its tables, and its checkpoints get through."""
        is_ready, reason = self._worker.ready()
        if is_ready and (unsettled_s := self._unsettled_s()) > UNSETTLED_S_MAX:
            return False, f"no checkpoint for {unsettled_s:.0f} s"
        return is_ready, reason

    def started(self) -> Verdict:
        """Say whether the worker has been ready once: until then its tables may take long to read."""
        return (True, "") if self._has_started else (False, self._worker.state)

    def revoked(self) -> None:
        """Note that the group shares its partitions out anew."""
        self._revoked_at_s = self._now_s()
        for channel, partition in self._stateless:
            self._worker.metrics.drop_partition(channel, partition)
        self._stateless.clear()

    def assigned(self) -> None:
        """Note that the partitions are shared out."""
        if self._revoked_at_s is not None:
            self._worker.metrics.observe_rebalance(duration_s=self._now_s() - self._revoked_at_s)
            self._revoked_at_s = None

    def took(self, agent: str, channel: str, partition: int, batch: Batch, *, duration_s: float) -> None:
        """Tell the metrics of a batch that an agent took; `agent` is the name that Faust knows it by."""
        worker, records = self._worker, batch.records
        size_bytes = sum(len(record.value) for record in records if record.value is not None)
        worker.metrics.observe_batch(agent_name(agent), channel=channel, size_bytes=size_bytes, duration_s=duration_s)
        has_table = any(channel == runner.channel for runner in worker.runners)
        if not has_table:
            self._stateless.add((channel, partition))
            worker.metrics.observe_partition(channel, partition, applied_offset=batch.next_offset)
        last_ms = records[-1].timestamp_ms if records else None
        # Where time passes in the log alone, ages by the wall clock say nothing.
        if last_ms is None or last_ms < 0 or worker.settings.clock == "log":
            return
        age_s = time.time() - last_ms / 1000
        if channel == named(SIGNALS, namespace=worker.settings.namespace):
            worker.metrics.observe_event_lag(lag_s=age_s)
        if has_table:
            worker.metrics.observe_partition(channel, partition, age_s=age_s)


def _told_state(state: str, *, recovering: int) -> WorkerState:
    """Return the state as the metrics know it.

    >>> _told_state("running", recovering=2), _told_state("stopped", recovering=0)
    ('recovering', 'draining')
    """
    match state:
        case "running":
            return "recovering" if recovering else "running"
        case "rebalancing":
            return "rebalancing"
        case "draining" | "stopped":
            return "draining"
        case _:
            return "starting"


def agent_name(name: str) -> AgentName:
    """Return which of our agents a Faust agent is; some exist once for each channel.

    >>> agent_name("publish_views_social.alerts")
    'publish_views'
    """
    for agent in AGENTS:
        if name.startswith(agent):
            return agent
    raise ValueError(f"agent: expected one of {', '.join(AGENTS)}, with or without a channel, got {name!r}")


def memory_limit_bytes(places: Sequence[Path] = MEMORY_LIMITS) -> int:
    """Return how much memory the container may take (cgroup, version 2 or 1), 0 where there is no limit."""
    for place in places:
        try:
            text = place.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        limit = int(text) if text.isdecimal() else 0
        return limit if limit < UNLIMITED_BYTES else 0
    return 0


def fingerprint(settings: Settings) -> str:
    """Return a short text that is the same for workers whose settings lead to the same alerts.

    >>> fingerprint(Settings()) == fingerprint(Settings(kafka="elsewhere:9092", metrics_port=0))
    True
    """
    shared = {name: getattr(settings, name) for name in SHARED_SETTINGS}
    return hashlib.sha256(msgspec.json.encode(shared, order="sorted")).hexdigest()[:16]
