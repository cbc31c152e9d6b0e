"""Check that what is remembered of a lifecycle comes back as it was put away."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import CascadeVitals
from schemas.lifecycle_rows import EpisodeRow, LifecycleRow, TimerRow, ViralRow

INSTANTS = st.integers(0, 2**53)
NAMES = st.text(max_size=20)
TIMERS = st.lists(st.builds(TimerRow, NAMES, INSTANTS, INSTANTS, st.none() | INSTANTS), max_size=4).map(tuple)
EPISODES = st.builds(
    EpisodeRow, NAMES, NAMES, INSTANTS, INSTANTS, INSTANTS, st.integers(1, 10), INSTANTS, st.none() | NAMES
)
FLOATS = st.none() | st.floats(allow_nan=False)
CASCADES = st.builds(
    CascadeVitals,
    forecast=FLOATS,
    at=INSTANTS,
    size=INSTANTS,
    depth=INSTANTS,
    breadth=INSTANTS,
    began_at=INSTANTS,
    shares=INSTANTS,
    **dict.fromkeys(
        ("structural_virality", "infectiousness", "low", "high", "forecast_low", "forecast_high", "reproduction"),
        FLOATS,
    ),
    flags=st.lists(NAMES, max_size=3).map(tuple),
)


@given(st.builds(LifecycleRow, NAMES, TIMERS, TIMERS, st.none() | INSTANTS, st.none() | EPISODES, st.none() | INSTANTS))
def test_a_row_survives_encoding(row: LifecycleRow) -> None:
    """Decoding is the inverse of encoding."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=LifecycleRow) == row


@given(st.builds(ViralRow, CASCADES, TIMERS, st.none() | INSTANTS, st.none() | EPISODES, FLOATS))
def test_the_row_of_a_cascade_survives_encoding(row: ViralRow) -> None:
    """Decoding is the inverse of encoding."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ViralRow) == row


def test_the_first_bytes_of_a_cascade_still_decode() -> None:
    """Vitals lie in it by name, so that new ones may come at any place; what is not stored is what it is at first."""
    known = dict.fromkeys(CascadeVitals.__struct_fields__[:18], None) | {
        "at": 9_000,
        "root": "post-1",
        "brand": "cern",
        "topic": "higgs",
        "network": "snap",
        "size": 80,
        "depth": 3,
        "breadth": 40,
        "edge": "star",
        "began_at": 1_000,
        "shares": 70,
        "forecast": 300.5,
    }
    stored = [known, [["fading", 2_000, 30]], 8_000, ["id", "viral", 9_000, 2_000, 3, 8, 9_500], 250.0]

    row = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=ViralRow)

    assert (row.vitals.root, row.vitals.size, row.vitals.forecast, row.vitals.flags) == ("post-1", 80, 300.5, ())
    assert (row.timers, row.stale_since_ms, row.told_forecast) == ((TimerRow("fading", 2_000, 30),), 8_000, 250.0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([known]), type=ViralRow) == ViralRow(row.vitals)


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
    assert (row.left_ms, row.leaving[0].halted_ms, row.episode and row.episode.outcome) == (None, None, None)
    assert row.episode == EpisodeRow(
        "id", "outgrown", entered_ms=9_000, since_ms=2_000, revision=3, severity=8, told_ms=9_500
    )


def test_an_empty_row_is_a_dormant_topic() -> None:
    """A topic of which nothing was ever stored is judged like one that has just fallen dormant."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode([]), type=LifecycleRow) == LifecycleRow(state="dormant")
