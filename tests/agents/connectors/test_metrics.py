"""Check the numbers of a connector: there before anything happens, with closed sets of labels."""

from agents.connectors.errors import CUT_REASONS
from agents.connectors.metrics import ANSWERS, ConnectorMetrics


def test_every_series_is_there_from_the_beginning() -> None:
    """A rate exists before the first event, and nothing that comes can add a series."""
    metrics = ConnectorMetrics(version="1.2.3", networks=["bluesky"])
    before = metrics.render().decode()

    assert 'overgrowth_connector_records_total{network="bluesky"} 0.0' in before
    assert all(f'overgrowth_connector_reconnects_total{{reason="{reason}"}} 0.0' in before for reason in CUT_REASONS)
    assert all(f'overgrowth_connector_answers_total{{status="{status}"}} 0.0' in before for status in ANSWERS)
    assert 'overgrowth_build_info{version="1.2.3"} 1.0' in before
    for status in (*ANSWERS, 999):
        metrics.count_answer(status)
    assert metrics.render().decode().count("\n") == before.count("\n")


def test_lag_is_the_time_on_the_way() -> None:
    """A clock that is ahead of ours is no lag."""
    metrics = ConnectorMetrics(version="0", networks=[])

    metrics.observe_event(at_ms=1_000, now_ms=3_500)
    assert "overgrowth_connector_lag_seconds 2.5" in metrics.render().decode()
    metrics.observe_event(at_ms=9_000, now_ms=3_500)
    assert "overgrowth_connector_lag_seconds 0.0" in metrics.render().decode()
