"""Check that what is remembered of bursts comes back as it was put away."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.burst_rows import BurstRow
from schemas.lifecycle_rows import EpisodeRow, TimerRow

INSTANTS = st.integers(0, 2**53)
MAYBE = st.none() | INSTANTS
TIMERS = st.none() | st.builds(TimerRow, st.text(max_size=20), INSTANTS, INSTANTS)
EPISODES = st.none() | st.builds(
    EpisodeRow, st.text(max_size=20), st.text(max_size=20), INSTANTS, INSTANTS, INSTANTS, st.integers(1, 10), INSTANTS
)


@given(st.builds(BurstRow, TIMERS, TIMERS, EPISODES, MAYBE, MAYBE, MAYBE))
def test_a_row_survives_encoding(row: BurstRow) -> None:
    """Decoding is the inverse of encoding."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=BurstRow) == row


def test_bytes_of_the_first_version_still_decode() -> None:
    """Tables outlive releases: fields may be added at the end with a default, never moved."""
    stored = [None, ["burst", 4_000, 30], ["id", "burst", 9_000, 2_000, 3, 8, 9_500], 1_000, None, 1_500]

    row = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=BurstRow)

    assert row == BurstRow(
        entering=None,
        leaving=TimerRow("burst", since_ms=4_000, paused_ms=30),
        episode=EpisodeRow("id", "burst", entered_ms=9_000, since_ms=2_000, revision=3, severity=8, told_ms=9_500),
        resolved_ms=1_000,
        stale_since_ms=None,
        heard_ms=1_500,
    )


def test_an_empty_row_is_a_topic_that_never_burst() -> None:
    """Topics that were stored before there were bursts are judged from now on."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([]), type=BurstRow) == BurstRow()
