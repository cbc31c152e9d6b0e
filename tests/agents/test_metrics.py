"""What Prometheus sees: names, units, closed label sets, and gauges that follow their partition."""

import itertools
from importlib.metadata import version
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.metrics import (
    AGENTS,
    ALERT_STATES,
    DESTINATIONS,
    OPS,
    OUTCOMES,
    REDIS_OPERATIONS,
    TABLE_NAMES,
    WORKER_STATES,
    Metrics,
)
from schemas.alert import Status
from schemas.rejection import REASONS
from schemas.signal import KINDS
from schemas.vitals import STATES

Series = dict[tuple[str, tuple[str, ...]], float]
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


def series(metrics: Metrics) -> Series:
    """Return what a scrape finds: (name, label values in the order of their names) -> value."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def labels_of(found: Series, name: str) -> set[tuple[str, ...]]:
    """Return the label values under which a name is found."""
    return {labels for found_name, labels in found if found_name == name}


@pytest.fixture
def metrics() -> Metrics:
    """Make the metrics of a worker that reads one channel."""
    return Metrics(version="1.2.3", channels=["social.signals"])


def test_every_value_of_a_closed_label_is_there_from_the_start(metrics: Metrics) -> None:
    """A rate over a series that appears with its first event misses that event."""
    found = series(metrics)

    assert {("social.signals", outcome) for outcome in OUTCOMES} == labels_of(found, "overgrowth_records_total")
    assert {(reason,) for reason in REASONS} == labels_of(found, "overgrowth_rejections_total")
    assert set(itertools.product(ALERT_STATES, get_args(Status))) == labels_of(found, "overgrowth_alerts_total")
    assert {(name,) for name in DESTINATIONS} == labels_of(found, "overgrowth_send_errors_total")
    assert {(name,) for name in REDIS_OPERATIONS} == labels_of(found, "overgrowth_redis_errors_total")
    assert {(name,) for name in TABLE_NAMES} == labels_of(found, "overgrowth_state_rows")
    assert {(name,) for name in AGENTS} == labels_of(found, "overgrowth_processing_duration_seconds_count")
    assert {(name,) for name in REDIS_OPERATIONS} == labels_of(found, "overgrowth_redis_duration_seconds_count")
    assert set(itertools.product(KINDS, OPS)) == labels_of(found, "overgrowth_signals_total")
    assert {(name,) for name in STATES} == labels_of(found, "overgrowth_topics")
    for name in ("record_bytes_total", "packet_gaps_total", "input_gap_records_total"):
        assert labels_of(found, f"overgrowth_{name}") == {("social.signals",)}
    assert {(name,) for name in WORKER_STATES} == labels_of(found, "overgrowth_worker_state")
    counters = {key: value for key, value in found.items() if key[0].endswith("_total") and "process" not in key[0]}
    assert set(counters.values()) == {0.0}


def test_counters_count_under_their_labels(metrics: Metrics) -> None:
    """Each method reaches the series that its arguments name."""
    metrics.count_records("social.signals", outcome="late", count=3)
    metrics.count_records("social.signals", outcome="late")
    metrics.count_rejections("not_json", count=2)
    metrics.count_alert(state="outgrown", status="firing")
    metrics.count_send_errors("changelog")
    metrics.count_redis_error("write")
    metrics.count_rebalance()
    metrics.set_state_rows("members", 7)
    metrics.set_config("abc")
    metrics.count_signals({("post", "create"): 5})
    metrics.count_clamped(2)
    metrics.count_lost("social.signals", count=6)
    metrics.count_stale(3)
    metrics.observe_batch("attribute_signals", channel="social.signals", size_bytes=100, duration_s=0.1)

    found = series(metrics)
    assert {
        ("overgrowth_records_total", ("social.signals", "late")): 4,
        ("overgrowth_rejections_total", ("not_json",)): 2,
        ("overgrowth_alerts_total", ("outgrown", "firing")): 1,
        ("overgrowth_send_errors_total", ("changelog",)): 1,
        ("overgrowth_redis_errors_total", ("write",)): 1,
        ("overgrowth_rebalances_total", ()): 1,
        ("overgrowth_state_rows", ("members",)): 7,
        ("overgrowth_build_info", (version("faust-streaming"), "1.2.3")): 1,
        ("overgrowth_config_info", ("abc",)): 1,
        ("overgrowth_signals_total", ("post", "create")): 5,
        ("overgrowth_timestamps_clamped_total", ()): 2,
        ("overgrowth_input_gap_records_total", ("social.signals",)): 6,
        ("overgrowth_changelog_stale_records_total", ()): 3,
        ("overgrowth_record_bytes_total", ("social.signals",)): 100,
    }.items() <= found.items()
    counted = {key: value for key, value in found.items() if key[0].startswith("overgrowth_") and "_total" in key[0]}
    assert sum(counted.values()) == 4 + 2 + 1 + 1 + 1 + 1 + 5 + 2 + 6 + 3 + 100


def test_a_state_that_came_with_data_makes_no_series_of_its_own(metrics: Metrics) -> None:
    """Whatever stands on the channel of alerts, the number of series stays bounded."""
    metrics.count_alert(state="x" * 10_000, status="firing")
    metrics.count_alert(state="y", status="firing")

    found = series(metrics)
    assert found["overgrowth_alerts_total", ("other", "firing")] == 2
    assert len(labels_of(found, "overgrowth_alerts_total")) == len(ALERT_STATES) * len(get_args(Status)) + 1


def test_a_partition_is_told_in_base_units_and_its_lag_follows(metrics: Metrics) -> None:
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


def test_an_end_that_was_asked_for_earlier_gives_no_negative_lag(metrics: Metrics) -> None:
    """The applied offset can be ahead of the last known end."""
    metrics.observe_partition("social.signals", 0, applied_offset=60, end_offset=50)

    assert series(metrics)["overgrowth_consumer_lag_records", ("social.signals", "0")] == 0


def test_the_lag_in_time_is_the_age_of_what_was_taken_while_more_waits(metrics: Metrics) -> None:
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


def test_a_revoked_partition_disappears_and_others_stay(metrics: Metrics) -> None:
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


def test_cascades_follow_the_partitions_of_the_signals(metrics: Metrics) -> None:
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


def test_the_worker_is_in_exactly_one_state(metrics: Metrics) -> None:
    """It starts as starting; an unknown state is our bug, and is told."""

    def current() -> list[str]:
        return [labels[0] for (name, labels), value in series(metrics).items() if "worker_state" in name and value == 1]

    assert current() == ["starting"]
    for state in WORKER_STATES:
        metrics.set_worker_state(state)
        assert [state] == current()
    with pytest.raises(ValueError, match=r"worker state: expected one of starting, recovering, .*, got `asleep`"):
        metrics.set_worker_state("asleep")  # type: ignore[arg-type]


def test_durations_and_moments_are_what_was_given(metrics: Metrics) -> None:
    """No clock is read here; buckets count what is not longer than their bound."""
    metrics.observe_checkpoint(duration_s=0.2, now_s=1_000.5)
    metrics.observe_checkpoint(duration_s=0.02, now_s=1_001.5)
    metrics.observe_recovery(duration_s=4.0)
    metrics.observe_progress(now_s=1_002.5)
    metrics.observe_event_lag(lag_s=-3.0)
    metrics.observe_alert_latency(latency_s=7.0)
    metrics.observe_rebalance(duration_s=4.0)
    metrics.observe_redis("write", duration_s=0.3)
    metrics.observe_loop_lag(lag_s=0.2)
    metrics.set_recovering(3)
    metrics.set_unsettled(age_s=1.5)
    metrics.set_in_flight(8)
    metrics.set_memory_limit(512)

    found = series(metrics)
    assert found["overgrowth_last_checkpoint_timestamp_seconds", ()] == 1_001.5
    assert found["overgrowth_last_progress_timestamp_seconds", ()] == 1_002.5
    assert found["overgrowth_checkpoint_duration_seconds_bucket", ("0.1",)] == 1
    assert found["overgrowth_checkpoint_duration_seconds_bucket", ("0.25",)] == 2
    assert found["overgrowth_checkpoint_duration_seconds_sum", ()] == pytest.approx(0.22)
    assert found["overgrowth_recovery_duration_seconds_bucket", ("2.5",)] == 0
    assert found["overgrowth_recovery_duration_seconds_bucket", ("5.0",)] == 1
    # A clock that is a little behind makes an event look as if it came from the future: that is no lag.
    assert found["overgrowth_event_lag_seconds_sum", ()] == 0
    assert found["overgrowth_end_to_end_latency_seconds_sum", ()] == 7
    assert found["overgrowth_rebalance_duration_seconds_sum", ()] == 4
    assert found["overgrowth_redis_duration_seconds_sum", ("write",)] == 0.3
    assert found["overgrowth_event_loop_lag_seconds_sum", ()] == 0.2
    assert found["overgrowth_recovering_partitions", ()] == 3
    assert found["overgrowth_unsettled_seconds", ()] == 1.5
    assert found["overgrowth_send_inflight_records", ()] == 8
    assert found["overgrowth_memory_limit_bytes", ()] == 512


def test_two_workers_in_one_process_do_not_meet(metrics: Metrics) -> None:
    """Each has a registry of its own, so tests and an embedded worker count for themselves."""
    other = Metrics(version="1.2.3", channels=["social.signals"])

    other.count_records("social.signals", outcome="applied")

    assert series(metrics)["overgrowth_records_total", ("social.signals", "applied")] == 0
