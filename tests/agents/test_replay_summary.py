"""What a replay says of itself adds up."""

from agents.replay_summary import ReplaySummary


def test_the_rate_is_that_of_what_was_sent() -> None:
    """Before any time has passed there is none."""
    assert ReplaySummary(signals=100).signals_per_second == 0
    assert ReplaySummary(signals=100, seconds=4.0).signals_per_second == 25
