"""What Prometheus sees: names, units and closed label sets, each method at the series that it names."""

import itertools
from importlib.metadata import version
from typing import get_args

import pytest

from agents.metrics import (
    AGENTS,
    ALERT_STATES,
    DESTINATIONS,
    OPS,
    OUTCOMES,
    REDIS_OPERATIONS,
    WORKER_STATES,
    Metrics,
)
from schemas.alert import Status
from schemas.rejection import REASONS
from schemas.signal import KINDS
from schemas.vitals import STATES
from tests.agents.full_metrics import labels_of, series


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
