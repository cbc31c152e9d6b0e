"""A pace is what counting all nodes anew would tell, from no more than two hours of them."""

from collections import Counter
from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import Pace
from schemas.conversation_rows import PaceRow
from streams.measures.pace import CascadePace

START_MS = 1_341_360_000_000
LATEST_MS = 5 * 3_600_000

instants = st.lists(st.integers(0, LATEST_MS), max_size=60).map(sorted)
dense_instants = st.lists(st.integers(0, LATEST_MS // 20), max_size=60).map(sorted)
minutes_ms = st.sampled_from((1_000, 7_000, 60_000))


def pace_by_brute_force(times_ms: Sequence[int], at_ms: int, *, began_ms: int, minute_ms: int) -> Pace | None:
    """Return the pace from all instants, as its definition says; spans begin and end with whole minutes."""
    spans = [minutes * minute_ms for minutes in (60, 15, 5) if at_ms - began_ms >= 2 * minutes * minute_ms]
    if not spans:
        return None
    span_ms = max(spans)
    end_ms = at_ms - at_ms % minute_ms
    units = Counter(time_ms // (5 * minute_ms) for time_ms in times_ms)
    peak = max(units.values(), default=0)
    return Pace(
        recent=sum(time_ms >= end_ms - span_ms for time_ms in times_ms),
        before=sum(end_ms - 2 * span_ms <= time_ms < end_ms - span_ms for time_ms in times_ms),
        span_ms=span_ms,
        unit_ms=5 * minute_ms,
        peak=peak,
        peak_at_ms=min((unit for unit, count in units.items() if count == peak), default=0) * 5 * minute_ms,
    )


def fed(times_ms: Sequence[int], *, minute_ms: int) -> CascadePace:
    """Return a pace that has counted these instants."""
    pace = CascadePace(minute_ms=minute_ms)
    for time_ms in times_ms:
        pace.add(START_MS + time_ms)
    return pace


def restored(row: PaceRow, *, minute_ms: int) -> CascadePace:
    """Return a pace that goes on from a row, after that was stored and read."""
    pace = CascadePace(minute_ms=minute_ms)
    pace.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=PaceRow))
    return pace


@given(instants | dense_instants, minutes_ms, st.data())
def test_pace_is_what_counting_all_nodes_anew_tells(times_ms: list[int], minute_ms: int, data: st.DataObject) -> None:
    """At every instant of a cascade's life, counted from when it began, which may be before its first node."""
    pace = CascadePace(minute_ms=minute_ms)
    began_ms = START_MS + data.draw(st.integers(-1_000_000, times_ms[0] if times_ms else 0))
    for counted, time_ms in enumerate(times_ms, 1):
        pace.add(START_MS + time_ms)
        next_ms = times_ms[counted] if counted < len(times_ms) else 2 * LATEST_MS
        at_ms = START_MS + data.draw(st.integers(time_ms, next_ms))
        expected = pace_by_brute_force(
            [START_MS + known_ms for known_ms in times_ms[:counted]], at_ms, began_ms=began_ms, minute_ms=minute_ms
        )
        assert pace.read(at_ms, began_ms=began_ms) == expected


@given(instants | dense_instants, minutes_ms, st.data())
def test_going_on_from_a_row_is_the_same_as_going_on(times_ms: list[int], minute_ms: int, data: st.DataObject) -> None:
    """A row may be taken between any two nodes, and taking it changes nothing for the one that goes on."""
    cut = data.draw(st.integers(0, len(times_ms)))
    whole, broken = fed(times_ms, minute_ms=minute_ms), fed(times_ms[:cut], minute_ms=minute_ms)
    anew = restored(broken.row(), minute_ms=minute_ms)
    for time_ms in times_ms[cut:]:
        broken.add(START_MS + time_ms)
        anew.add(START_MS + time_ms)

    at_ms = START_MS + 2 * LATEST_MS - data.draw(st.integers(0, LATEST_MS))
    expected = whole.read(at_ms, began_ms=START_MS)
    assert broken.read(at_ms, began_ms=START_MS) == expected
    assert anew.read(at_ms, began_ms=START_MS) == expected
    assert anew.row() == broken.row() == whole.row()


def test_a_row_holds_two_hours_whatever_came_before() -> None:
    """A cascade of a month weighs no more than one of two hours; what is older is in no span that can be told."""
    pace = CascadePace(minute_ms=60_000)
    for minute in range(30 * 24 * 60):
        pace.add(START_MS + minute * 60_000)
    row = pace.row()

    last_minute = START_MS // 60_000 + 30 * 24 * 60 - 1
    assert row.minutes == tuple(range(last_minute - 120, last_minute + 1))
    assert row.counts == (1,) * 121
    assert len(msgspec.msgpack.encode(row)) < 1_024


def test_two_hours_are_there_at_any_minute_of_a_long_life() -> None:
    """What is older is forgotten now and then, and never too much of it."""
    pace = CascadePace(minute_ms=60_000)
    for minute in range(10 * 60):
        pace.add(START_MS + minute * 60_000, count=2)
        told = pace.read(START_MS + (minute + 1) * 60_000, began_ms=START_MS)
        if minute >= 119:
            assert told is not None
            assert (told.recent, told.before) == (120, 120)


def test_only_what_was_fed_has_to_be_told_again() -> None:
    """A row is written after something was counted, not after something was asked."""
    pace = CascadePace(minute_ms=60_000)
    told = [pace.has_changed]
    pace.add(START_MS)
    told.append(pace.has_changed)
    row = pace.row()
    pace.read(START_MS + 3_600_000, began_ms=START_MS)
    told.append(pace.has_changed)
    assert told == [False, True, False]
    assert not restored(row, minute_ms=60_000).has_changed


def test_the_span_is_an_hour_as_soon_as_there_were_two() -> None:
    """Young cascades are told over a quarter of an hour, then five minutes; below ten minutes there is no pace."""
    pace = fed([0], minute_ms=60_000)
    spans = {}
    for minutes in (9, 10, 29, 30, 119, 120, 1_000):
        told = pace.read(START_MS + minutes * 60_000, began_ms=START_MS)
        spans[minutes] = told and told.span_ms // 60_000
    assert spans == {9: None, 10: 5, 29: 5, 30: 15, 119: 15, 120: 60, 1_000: 60}


def test_the_first_of_equal_peaks_is_told_and_stays() -> None:
    """The busiest five minutes are known after they have left the two hours that are kept."""
    pace = fed([0, 1, 2, 300_000, 300_001, 300_002], minute_ms=60_000)
    pace.add(START_MS + 4 * 3_600_000, count=2)
    told = pace.read(START_MS + 5 * 3_600_000, began_ms=START_MS)
    assert told == Pace(recent=2, before=0, span_ms=3_600_000, unit_ms=300_000, peak=3, peak_at_ms=START_MS)
