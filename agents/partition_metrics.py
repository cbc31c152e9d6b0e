"""Tell Prometheus of the partitions that a worker owns, and forget each when it goes: another worker tells it then.

Offsets are all *next* offsets (of the record to be applied, committed, covered by a checkpoint, written), so that
`end - applied` is the lag and `committed > checkpoint` is the thing that must never be seen.
"""

from typing import Literal

from prometheus_client import CollectorRegistry, Gauge

from agents.topic_metrics import TopicMetrics
from schemas.channels import ATTRIBUTED, CONTRIBUTIONS, SIGNALS, ChannelSpec

PREFIX = "overgrowth"
TableName = Literal["conversations", "members", "topics"]
TABLES: tuple[tuple[TableName, ChannelSpec], ...] = (
    ("conversations", SIGNALS),
    ("members", ATTRIBUTED),
    ("topics", CONTRIBUTIONS),
)
"""Each table and the channel by whose partitions it lies."""


class PartitionMetrics:
    """The gauges that belong to a partition, those of its topics and cascades included, in a registry.

    >>> metrics = PartitionMetrics(CollectorRegistry())
    >>> metrics.observe_partition("social.signals", 0, applied_offset=60, end_offset=100)
    >>> where = {"channel": "social.signals", "partition": "0"}
    >>> metrics.registry.get_sample_value("overgrowth_consumer_lag_records", where)
    40.0
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.topics = TopicMetrics(registry)
        self._positions: dict[tuple[str, int], dict[str, int]] = {}
        where = ("channel", "partition")
        self._watermark = self._gauge(
            "watermark_timestamp_seconds", "Event time before which nothing more is expected.", *where
        )
        self._lag = self._gauge("consumer_lag_records", "Records written but not applied yet.", *where)
        self._lag_seconds = self._gauge(
            "consumer_lag_seconds", "Age of the last record applied while others wait behind it, else 0.", *where
        )
        self._reorder_buffer = self._gauge(
            "reorder_buffer_records", "Records held back until the watermark passes them.", *where
        )
        self._offsets = {
            "applied": self._gauge("applied_offset", "Next offset to be applied.", *where),
            "committed": self._gauge("committed_offset", "Next offset committed to the group.", *where),
            "checkpoint": self._gauge("checkpoint_offset", "Next offset after the last checkpoint.", *where),
            "end": self._gauge("end_offset", "Next offset to be written to the partition.", *where),
        }
        self._cascades_open = self._gauge(
            "cascades_open", "Cascades that go on, of the conversations of the partition.", "partition"
        )
        self._orphans = self._gauge("orphans", "Posts and shares that wait for their parent.", "partition")
        self._state_rows = self._gauge("state_rows", "Rows remembered.", "table", "partition")
        self._state_bytes = self._gauge("state_bytes", "Bytes of the rows remembered, as stored.", "table", "partition")
        self._partition_gauges = (
            self._watermark,
            self._lag,
            self._lag_seconds,
            self._reorder_buffer,
            *self._offsets.values(),
        )

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", text, labels, registry=self.registry)

    def observe_partition(
        self,
        channel: str,
        partition: int,
        *,
        watermark_ms: int | None = None,
        reorder_buffer_records: int | None = None,
        applied_offset: int | None = None,
        committed_offset: int | None = None,
        checkpoint_offset: int | None = None,
        end_offset: int | None = None,
        age_s: float | None = None,
    ) -> None:
        """Set what is known of an assigned partition; None leaves a gauge alone.

        All offsets are next offsets. The lag follows from the last known `end_offset` and `applied_offset`, in time as
        the age of the last record that was taken.
        """
        where = (channel, str(partition))
        if watermark_ms is not None:
            self._watermark.labels(*where).set(watermark_ms / 1000)
        if reorder_buffer_records is not None:
            self._reorder_buffer.labels(*where).set(reorder_buffer_records)
        positions = self._positions.setdefault((channel, partition), {})
        for name, offset in (
            ("applied", applied_offset),
            ("committed", committed_offset),
            ("checkpoint", checkpoint_offset),
            ("end", end_offset),
        ):
            if offset is not None:
                positions[name] = offset
                self._offsets[name].labels(*where).set(offset)
        if "applied" in positions and "end" in positions:
            # The end is asked for now and then, the applied offset is always current, so it can be ahead.
            behind = max(0, positions["end"] - positions["applied"])
            self._lag.labels(*where).set(behind)
            if age_s is not None or not behind:
                self._lag_seconds.labels(*where).set(max(0.0, age_s or 0.0) if behind else 0.0)

    def set_cascades(self, partition: int, *, open: int, orphans: int) -> None:  # noqa: A002  (as its gauge)
        """Tell how many cascades of a partition of the signals go on, and how many of their nodes wait for a parent."""
        self._cascades_open.labels(str(partition)).set(open)
        self._orphans.labels(str(partition)).set(orphans)

    def set_table(self, table: TableName, partition: int, *, rows: int, size_bytes: int) -> None:
        """Tell how much a table remembers of a partition: rows, and their bytes in the changelog, keys included."""
        self._state_rows.labels(table, str(partition)).set(rows)
        self._state_bytes.labels(table, str(partition)).set(size_bytes)

    def drop_partition(self, channel: str, partition: int) -> None:
        """Forget the gauges of a revoked partition: another worker tells them now. Unknown partitions are fine."""
        self._positions.pop((channel, partition), None)
        for gauge in self._partition_gauges:
            gauge.remove(channel, str(partition))
        for table, source in TABLES:
            if _is(channel, source):
                self._state_rows.remove(table, str(partition))
                self._state_bytes.remove(table, str(partition))
        # Conversations lie by the partitions of the signals; those of other channels may be another worker's.
        if _is(channel, SIGNALS):
            self._cascades_open.remove(str(partition))
            self._orphans.remove(str(partition))
        elif _is(channel, CONTRIBUTIONS):
            self.topics.drop(partition)


def _is(channel: str, spec: ChannelSpec) -> bool:
    """Say whether a channel is this one, in any namespace."""
    return channel == spec.name or channel.endswith(f".{spec.name}")
