"""Hold the numbers that Prometheus scrapes: one registry per worker, base units, closed sets of label values.

What is told of single partitions stands in `agents.partition_metrics`. No label holds anything that came with data: no
actor, tag, link or post. Topics are named, for brands declare them (`agents.topic_metrics`).
"""

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version as version_of
from typing import Literal, get_args

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector

from agents.partition_metrics import PREFIX, PartitionMetrics
from schemas.alert import Status
from schemas.rejection import REASONS, Reason
from schemas.signal import KINDS, Kind, Op

Outcome = Literal["applied", "late", "rejected", "duplicate", "heartbeat", "ignored", "unmatched", "foreign", "erased"]
WorkerState = Literal["starting", "recovering", "running", "rebalancing", "draining", "failed"]
Destination = Literal["output", "changelog"]
RedisOperation = Literal["write", "read", "forget"]
AgentName = Literal["normalize_signals", "attribute_signals", "follow_members", "watch_topics", "publish_views"]

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
WORKER_STATES: tuple[WorkerState, ...] = get_args(WorkerState)
DESTINATIONS: tuple[Destination, ...] = get_args(Destination)
REDIS_OPERATIONS: tuple[RedisOperation, ...] = get_args(RedisOperation)
AGENTS: tuple[AgentName, ...] = get_args(AgentName)
OPS: tuple[Op, ...] = get_args(Op)
ALERT_STATES = ("burst", "viral", "growing", "outgrown", "escaped", "returned")
OTHER = "other"
"""Stands for every label value that came with data and is in no closed set, so that data cannot make series."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHECKPOINT_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
RECOVERY_BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)
PROCESSING_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
LATENCY_BUCKETS_S = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
LOOP_LAG_BUCKETS_S = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
REDIS_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class Metrics(PartitionMetrics):
    """All metrics of one worker, in a registry of its own, so that two workers (or tests) in one process do not meet.

    `channels` are the channels that the worker reads; their outcomes start at 0, so that a rate exists before the
    first record. Times are given, never read here.

    >>> metrics = Metrics(version="1.2.3", channels=["social.signals"])
    >>> metrics.count_records("social.signals", outcome="applied", count=3)
    >>> b'overgrowth_records_total{channel="social.signals",outcome="applied"} 3.0' in metrics.render()
    True
    """

    def __init__(self, *, version: str, channels: Iterable[str] = ()) -> None:
        # A series `_created` beside every counter doubles what Prometheus stores, and the text format cannot use it.
        # The switch is the library's and holds for the process; it carries no annotations, hence the typed name.
        disable_created: Callable[[], None] = prometheus_client.disable_created_metrics
        disable_created()
        super().__init__(CollectorRegistry())
        ProcessCollector(registry=self.registry)
        self._add_flow()
        self._add_latency()
        self._add_durability()
        self._add_group()
        self._add_views()
        self._add_worker(version)
        for channel in channels:
            self.add_channel(channel)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)

    def _add_flow(self) -> None:
        self._records = self._counter("records_total", "Records read, by what became of them.", "channel", "outcome")
        self._bytes = self._counter("record_bytes_total", "Bytes of the records read, keys not counted.", "channel")
        self._signals = self._counter("signals_total", "Signals that arrived, by what they are.", "kind", "op")
        for kind in KINDS:
            for op in OPS:
                self._signals.labels(kind, op)
        self._clamped = self._counter(
            "timestamps_clamped_total", "Event times ahead of their record, replaced by its timestamp."
        )
        self._gaps = self._counter(
            "packet_gaps_total", "Packets not taken because their predecessor was lost; they are sent again.", "channel"
        )
        self._rejections = self._counter("rejections_total", "Input that was refused, by reason.", "reason")
        for reason in REASONS:
            self._rejections.labels(reason)
        self._alerts = self._counter("alerts_total", "Alert revisions raised.", "state", "status")
        for state in ALERT_STATES:
            for status in get_args(Status):
                self._alerts.labels(state, status)

    def _add_latency(self) -> None:
        self._processing = self._histogram(
            "processing_duration_seconds", "Time that one fetched batch took.", PROCESSING_BUCKETS_S, "agent"
        )
        for agent in AGENTS:
            self._processing.labels(agent)
        self._event_lag = self._histogram(
            "event_lag_seconds", "Age of the last signal of each batch when it was taken.", LATENCY_BUCKETS_S
        )
        self._alert_latency = self._histogram(
            "end_to_end_latency_seconds", "From the tick that an alert is about to its sending.", LATENCY_BUCKETS_S
        )

    def _add_durability(self) -> None:
        self._checkpoint_duration = self._histogram(
            "checkpoint_duration_seconds", "Time a checkpoint took.", CHECKPOINT_BUCKETS_S
        )
        self._last_checkpoint = self._gauge(
            "last_checkpoint_timestamp_seconds", "When a checkpoint was last completed, 0 for never."
        )
        self._last_progress = self._gauge(
            "last_progress_timestamp_seconds", "When a record was last applied, 0 for never."
        )
        self._unsettled = self._gauge(
            "unsettled_seconds", "How long ago the oldest record was taken that no checkpoint covers, 0 for none."
        )
        self._send_errors = self._counter(
            "send_errors_total", "Records that the broker did not acknowledge.", "destination"
        )
        for destination in DESTINATIONS:
            self._send_errors.labels(destination)
        self._in_flight = self._gauge("send_inflight_records", "Records sent and not covered by a checkpoint yet.")
        self._stale = self._counter(
            "changelog_stale_records_total", "Rows of former owners that were found in the changelog and left out."
        )
        self._lost = self._counter(
            "input_gap_records_total", "Records that Kafka removed before they were read: they are lost.", "channel"
        )

    def _add_group(self) -> None:
        self._recovery_duration = self._histogram(
            "recovery_duration_seconds", "Time a recovery took.", RECOVERY_BUCKETS_S
        )
        self._recovering = self._gauge("recovering_partitions", "Assigned partitions whose table is not read yet.")
        self._rebalances = self._counter("rebalances_total", "Rebalances that this worker took part in.")
        self._rebalance_duration = self._histogram(
            "rebalance_duration_seconds", "From the loss of partitions to the next assignment.", RECOVERY_BUCKETS_S
        )

    def _add_views(self) -> None:
        self._redis_duration = self._histogram(
            "redis_duration_seconds", "Time of an operation on the read model.", REDIS_BUCKETS_S, "operation"
        )
        self._redis_errors = self._counter(
            "redis_errors_total", "Operations on the read model that failed.", "operation"
        )
        for operation in REDIS_OPERATIONS:
            self._redis_duration.labels(operation)
            self._redis_errors.labels(operation)

    def _add_worker(self, version: str) -> None:
        self._worker_state = self._gauge("worker_state", "1 for the state that the worker is in.", "state")
        self.set_worker_state("starting")
        self._loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop came back to a task that slept.", LOOP_LAG_BUCKETS_S
        )
        self._memory_limit = self._gauge("memory_limit_bytes", "Memory that the container may take, 0 for no limit.")
        self._config = Info(f"{PREFIX}_config", "Settings that all workers must share.", registry=self.registry)
        build = {"version": version, "faust_version": version_of("faust-streaming")}
        Info(f"{PREFIX}_build", "What runs here.", registry=self.registry).info(build)

    def add_channel(self, channel: str) -> None:
        """Start the counters of a channel at 0."""
        for outcome in OUTCOMES:
            self._records.labels(channel, outcome)
        for counter in (self._bytes, self._gaps, self._lost):
            counter.labels(channel)

    def count_records(self, channel: str, *, outcome: Outcome, count: int = 1) -> None:
        """Count records of a channel by what became of them; once per batch, not per record."""
        self._records.labels(channel, outcome).inc(count)

    def observe_batch(self, agent: AgentName, *, channel: str, size_bytes: int, duration_s: float) -> None:
        """Tell of one fetched batch how large it was and how long its agent took for it."""
        self._bytes.labels(channel).inc(size_bytes)
        self._processing.labels(agent).observe(duration_s)

    def observe_event_lag(self, *, lag_s: float) -> None:
        """Tell how old the last signal of a batch was when it was taken."""
        self._event_lag.observe(max(0.0, lag_s))

    def observe_alert_latency(self, *, latency_s: float) -> None:
        """Tell how long after its tick an alert was sent."""
        self._alert_latency.observe(max(0.0, latency_s))

    def count_signals(self, counts: Mapping[tuple[Kind, Op], int]) -> None:
        """Count signals that arrived, by kind and operation; once per batch."""
        for (kind, op), count in counts.items():
            self._signals.labels(kind, op).inc(count)

    def count_clamped(self, count: int) -> None:
        """Count event times that were replaced by the timestamp of their record."""
        self._clamped.inc(count)

    def count_lost(self, channel: str, *, count: int) -> None:
        """Count records that Kafka removed before they were read."""
        self._lost.labels(channel).inc(count)

    def count_stale(self, count: int) -> None:
        """Count rows of former owners that a recovery left out."""
        self._stale.inc(count)

    def count_packet_gaps(self, channel: str, *, count: int) -> None:
        """Count packets of our own agents whose predecessor was lost. If it goes on, an origin does not send again."""
        self._gaps.labels(channel).inc(count)

    def count_rejections(self, reason: Reason, *, count: int = 1) -> None:
        """Count refused input by its reason."""
        self._rejections.labels(reason).inc(count)

    def count_alert(self, *, state: str, status: Status) -> None:
        """Count one alert revision; a state that is none of `ALERT_STATES` counts as `other`."""
        self._alerts.labels(state if state in ALERT_STATES else OTHER, status).inc()

    def count_send_errors(self, destination: Destination, *, count: int = 1) -> None:
        """Count records that the broker did not acknowledge."""
        self._send_errors.labels(destination).inc(count)

    def observe_redis(self, operation: RedisOperation, *, duration_s: float) -> None:
        """Tell how long one operation on the read model took, failed ones too."""
        self._redis_duration.labels(operation).observe(duration_s)

    def count_redis_error(self, operation: RedisOperation) -> None:
        """Count one failed operation on the read model."""
        self._redis_errors.labels(operation).inc()

    def observe_checkpoint(self, *, duration_s: float, now_s: float) -> None:
        """Tell that a checkpoint was completed at `now_s` (epoch seconds) and how long it took."""
        self._checkpoint_duration.observe(duration_s)
        self._last_checkpoint.set(now_s)

    def observe_progress(self, *, now_s: float) -> None:
        """Tell that records were applied at `now_s` (epoch seconds)."""
        self._last_progress.set(now_s)

    def observe_recovery(self, *, duration_s: float) -> None:
        """Tell how long a recovery took."""
        self._recovery_duration.observe(duration_s)

    def count_rebalance(self) -> None:
        """Count a rebalance that this worker took part in."""
        self._rebalances.inc()

    def observe_rebalance(self, *, duration_s: float) -> None:
        """Tell how long it took from the loss of the partitions to the next assignment."""
        self._rebalance_duration.observe(duration_s)

    def set_recovering(self, partitions: int) -> None:
        """Tell how many assigned partitions have no table yet."""
        self._recovering.set(partitions)

    def set_unsettled(self, *, age_s: float) -> None:
        """Tell how long the oldest record waits for a checkpoint."""
        self._unsettled.set(age_s)

    def set_in_flight(self, records: int) -> None:
        """Tell how many records were sent since the last checkpoints."""
        self._in_flight.set(records)

    def observe_loop_lag(self, *, lag_s: float) -> None:
        """Tell how late the event loop came back to a task that slept."""
        self._loop_lag.observe(lag_s)

    def set_memory_limit(self, limit_bytes: int) -> None:
        """Tell how much memory the container may take; 0 for no limit."""
        self._memory_limit.set(limit_bytes)

    def set_config(self, fingerprint: str) -> None:
        """Tell which settings hold here, as a text that is the same where they are."""
        self._config.info({"hash": fingerprint})

    def set_worker_state(self, state: WorkerState) -> None:
        """Put the worker into exactly one of `WORKER_STATES`."""
        if state not in WORKER_STATES:
            raise ValueError(f"worker state: expected one of {', '.join(WORKER_STATES)}, got `{state}`")
        for name in WORKER_STATES:
            self._worker_state.labels(name).set(name == state)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4 (`CONTENT_TYPE`)."""
        return prometheus_client.generate_latest(self.registry)
