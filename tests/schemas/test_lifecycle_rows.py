"""Check that what is remembered of a lifecycle comes back as it was put away."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.lifecycle_rows import EpisodeRow, LifecycleRow, TimerRow

INSTANTS = st.integers(0, 2**53)
NAMES = st.text(max_size=20)
TIMERS = st.lists(st.builds(TimerRow, NAMES, INSTANTS, INSTANTS), max_size=4).map(tuple)
EPISODES = st.builds(EpisodeRow, NAMES, NAMES, INSTANTS, INSTANTS, INSTANTS, st.integers(1, 10), INSTANTS)


@given(st.builds(LifecycleRow, NAMES, TIMERS, TIMERS, st.none() | INSTANTS, st.none() | EPISODES))
def test_a_row_survives_encoding(row: LifecycleRow) -> None:
    """Decoding is the inverse of encoding."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=LifecycleRow) == row


def test_bytes_of_the_first_version_still_decode() -> None:
    """Tables outlive releases: fields may be added at the end with a default, never moved."""
    stored = [
        "outgrown",
        [["growing", 1_000], ["outgrown", 2_000, 30]],
        [["seeded", 4_000, 0]],
        None,
        ["id", "outgrown", 9_000, 2_000, 3, 8, 9_500],
    ]

    row = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=LifecycleRow)

    assert row.entering == (TimerRow("growing", since_ms=1_000, paused_ms=0), TimerRow("outgrown", 2_000, 30))
    assert row.leaving == (TimerRow("seeded", 4_000),)
    assert row.episode == EpisodeRow(
        "id", "outgrown", entered_ms=9_000, since_ms=2_000, revision=3, severity=8, told_ms=9_500
    )


def test_an_empty_row_is_a_dormant_topic() -> None:
    """A topic of which nothing was ever stored is judged like one that has just fallen dormant."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([]), type=LifecycleRow) == LifecycleRow(state="dormant")
