"""What Prometheus sees of partitions: base units, a lag that follows, and nothing of a partition that is gone."""

import pytest
from prometheus_client import CollectorRegistry

from agents.partition_metrics import TABLES, PartitionMetrics
from tests.agents.full_metrics import labels_of, series

PARTITION_GAUGES = {
    "overgrowth_watermark_timestamp_seconds",
    "overgrowth_consumer_lag_records",
    "overgrowth_consumer_lag_seconds",
    "overgrowth_reorder_buffer_records",
    "overgrowth_applied_offset",
    "overgrowth_committed_offset",
    "overgrowth_checkpoint_offset",
    "overgrowth_end_offset",
}
CASCADE_GAUGES = {"overgrowth_cascades_open", "overgrowth_orphans"}


@pytest.fixture
def metrics() -> PartitionMetrics:
    """Make the metrics of a worker that owns nothing yet."""
    return PartitionMetrics(CollectorRegistry())


def test_a_partition_is_told_in_base_units_and_its_lag_follows(metrics: PartitionMetrics) -> None:
    """Event time in seconds, offsets as they are, and the lag from the end and the applied offset."""
    metrics.observe_partition("social.signals", 3, watermark_ms=1_341_388_800_500, reorder_buffer_records=9)
    metrics.observe_partition("social.signals", 3, end_offset=100)

    assert labels_of(series(metrics), "overgrowth_consumer_lag_records") == set()

    metrics.observe_partition("social.signals", 3, applied_offset=60, committed_offset=40, checkpoint_offset=50)

    found = series(metrics)
    expected = [1_341_388_800.5, 40, 9, 60, 40, 50, 100]
    names = [
        "watermark_timestamp_seconds",
        "consumer_lag_records",
        "reorder_buffer_records",
        "applied_offset",
        "committed_offset",
        "checkpoint_offset",
        "end_offset",
    ]
    assert expected == [found[f"overgrowth_{name}", ("social.signals", "3")] for name in names]


def test_an_end_that_was_asked_for_earlier_gives_no_negative_lag(metrics: PartitionMetrics) -> None:
    """The applied offset can be ahead of the last known end."""
    metrics.observe_partition("social.signals", 0, applied_offset=60, end_offset=50)

    assert series(metrics)["overgrowth_consumer_lag_records", ("social.signals", "0")] == 0


def test_the_lag_in_time_is_the_age_of_what_was_taken_while_more_waits(metrics: PartitionMetrics) -> None:
    """Caught up, the age of the last record says nothing: nobody may have spoken since."""
    lag = ("overgrowth_consumer_lag_seconds", ("social.signals", "0"))
    metrics.observe_partition("social.signals", 0, applied_offset=60, end_offset=100)
    assert lag not in series(metrics)
    metrics.observe_partition("social.signals", 0, age_s=12.5)
    metrics.observe_partition("social.signals", 0, applied_offset=70)
    assert series(metrics)[lag] == 12.5
    metrics.observe_partition("social.signals", 0, applied_offset=100)
    assert series(metrics)[lag] == 0
    metrics.observe_partition("social.signals", 0, age_s=40.0)
    assert series(metrics)[lag] == 0


def test_a_revoked_partition_disappears_and_others_stay(metrics: PartitionMetrics) -> None:
    """Two workers that tell the same partition would make it look stuck; and what comes back starts from nothing."""
    for partition in (0, 1):
        metrics.observe_partition(
            "social.signals",
            partition,
            watermark_ms=1,
            reorder_buffer_records=1,
            applied_offset=1,
            committed_offset=1,
            checkpoint_offset=1,
            end_offset=1,
        )

    metrics.drop_partition("social.signals", 0)
    metrics.drop_partition("social.signals", 7)
    metrics.observe_partition("social.signals", 0, applied_offset=5)

    found = series(metrics)
    of_partition_0 = {name for name, labels in found if labels == ("social.signals", "0")}
    of_partition_1 = {name for name, labels in found if labels == ("social.signals", "1")}
    assert of_partition_0 == {"overgrowth_applied_offset"}
    assert of_partition_1 == PARTITION_GAUGES


def test_cascades_follow_the_partitions_of_the_signals(metrics: PartitionMetrics) -> None:
    """They go with their conversations, in any namespace; other channels' partitions may be another worker's."""
    for partition in (0, 1, 2):
        metrics.set_cascades(partition, open=9, orphans=8)
        metrics.set_cascades(partition, open=30 + partition, orphans=20)

    metrics.drop_partition("social.signals", 0)
    metrics.drop_partition("replay.social.signals", 1)
    metrics.drop_partition("social.attributed", 2)
    metrics.drop_partition("social.signals", 7)

    found = series(metrics)
    told = {key: value for key, value in found.items() if key[0] in CASCADE_GAUGES}
    assert told == {("overgrowth_cascades_open", ("2",)): 32, ("overgrowth_orphans", ("2",)): 20}


def test_tables_are_told_by_partition_and_go_with_the_channel_that_they_follow(metrics: PartitionMetrics) -> None:
    """Each lies by the partitions of one channel; the same numbers of another may be of another worker."""
    for table, _ in TABLES:
        metrics.set_table(table, 1, rows=7, size_bytes=900)
        metrics.set_table(table, 2, rows=5, size_bytes=600 + len(table))

    metrics.drop_partition("social.signals", 1)
    metrics.drop_partition("replay.social.attributed", 1)
    metrics.drop_partition("social.contributions", 2)
    metrics.drop_partition("social.raw.native", 2)

    found = series(metrics)
    told = {key: value for key, value in found.items() if key[0].startswith("overgrowth_state_")}
    assert told == {
        ("overgrowth_state_rows", ("2", "conversations")): 5,
        ("overgrowth_state_bytes", ("2", "conversations")): 613,
        ("overgrowth_state_rows", ("2", "members")): 5,
        ("overgrowth_state_bytes", ("2", "members")): 607,
        ("overgrowth_state_rows", ("1", "topics")): 7,
        ("overgrowth_state_bytes", ("1", "topics")): 900,
    }
