"""The watermark of a partition follows from the records alone: each source's largest time, and who is waited for."""

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import SourceClockRow
from schemas.signal import CLOCK_SOURCE
from streams.eventtime.clock import SKEW_MS_MAX, SOURCES_MAX, ClockSettings, SourceClock, clamp_to_record

SETTINGS = ClockSettings(lateness_ms=10, idle_ms=60, tick_ms=50)
START_MS = 1_000


class Heard(NamedTuple):
    """One record, as far as a clock is concerned."""

    source: str
    at_ms: int
    end: bool = False


records = st.lists(
    st.builds(
        Heard,
        st.sampled_from(["a", "b", "c", CLOCK_SOURCE]),
        st.integers(START_MS, START_MS + 200),
        st.integers(0, 7).map(lambda n: n == 0),
    ),
    max_size=30,
)


def clock_after(*heard: Heard) -> SourceClock:
    """Return a clock that has heard these records."""
    clock = SourceClock(SETTINGS)
    for record in heard:
        clock.hear(record.source, at_ms=record.at_ms, end=record.end)
    return clock


def wanted_now_ms(prefix: list[Heard]) -> int:
    """Return what the last record of a prefix entitles to, from the definition and from the whole prefix."""
    logged_ms = max(record.at_ms for record in prefix)
    waited_for = []
    any_goes_on = False
    for source in {record.source for record in prefix}:
        last = max(index for index, record in enumerate(prefix) if record.source == source)
        if prefix[last].end:
            continue
        any_goes_on = True
        if max(record.at_ms for record in prefix[: last + 1]) >= logged_ms - SETTINGS.idle_ms:
            waited_for.append(max(record.at_ms for record in prefix if record.source == source))
    if waited_for:
        return min(waited_for) - SETTINGS.lateness_ms
    if any_goes_on:
        return 0
    return next(tick_ms for tick_ms in range(0, 10_000, SETTINGS.tick_ms) if tick_ms > logged_ms)


@given(records)
def test_the_watermark_is_the_highest_that_any_prefix_entitles_to(heard: list[Heard]) -> None:
    """Recomputed from the whole prefix at every record, it is the same, and so it depends on no batch."""
    clock, highest_ms = SourceClock(SETTINGS), 0
    for index, record in enumerate(heard):
        clock.hear(record.source, at_ms=record.at_ms, end=record.end)
        highest_ms = max(highest_ms, wanted_now_ms(heard[: index + 1]))
        assert clock.watermark_ms == highest_ms


@given(records, st.data())
def test_a_clock_restored_at_any_point_goes_on_as_if_nothing_had_happened(
    heard: list[Heard], data: st.DataObject
) -> None:
    """A restart continues from the row, after any record and through its bytes, with the same readings ever after."""
    cut = data.draw(st.integers(0, len(heard)))
    whole, restored = clock_after(*heard[:cut]), SourceClock(SETTINGS)
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(whole.row()), type=SourceClockRow))
    assert restored.row() == whole.row()
    for record in heard[cut:]:
        for clock in (whole, restored):
            clock.hear(record.source, at_ms=record.at_ms, end=record.end)
        assert restored.row() == whole.row()
        assert restored.silent_sources() == whole.silent_sources()


def test_one_source_holds_back_its_largest_time_less_the_lateness() -> None:
    """A record out of order neither moves the watermark nor takes it back."""
    assert clock_after(Heard("a", 1_100)).watermark_ms == 1_090
    assert clock_after(Heard("a", 1_100), Heard("a", 1_050)).watermark_ms == 1_090


def test_the_slowest_source_decides() -> None:
    """The watermark is the minimum over the sources, and follows the slowest when it moves."""
    heard = [Heard("a", 1_020), Heard("b", 1_050)]
    assert clock_after(*heard).watermark_ms == 1_010
    assert clock_after(*heard, Heard("a", 1_040)).watermark_ms == 1_030


def test_a_source_that_appears_late_does_not_take_the_watermark_back() -> None:
    """What was announced stays announced; a new and slower source only holds it where it is."""
    heard = [Heard("a", 1_100), Heard("b", 1_050)]
    assert clock_after(*heard).watermark_ms == 1_090
    assert clock_after(*heard, Heard("a", 1_105)).watermark_ms == 1_090


def test_a_silent_source_is_set_aside_until_it_speaks_again() -> None:
    """Nobody waits for a source silent for longer than the idle time; as soon as it speaks it is waited for again."""
    waiting = [Heard("a", 1_000), Heard("b", 1_060)]
    assert clock_after(*waiting).silent_sources() == []
    assert clock_after(*waiting).watermark_ms == 990
    without = [*waiting, Heard("b", 1_061)]
    assert clock_after(*without).silent_sources() == ["a"]
    assert clock_after(*without).watermark_ms == 1_051
    back = [*without, Heard("a", 1_055), Heard("b", 1_100)]
    assert clock_after(*back).silent_sources() == []
    assert clock_after(*back).watermark_ms == 1_051
    assert clock_after(*back, Heard("a", 1_080)).watermark_ms == 1_070


def test_wall_time_sets_a_silent_source_aside_and_is_itself_never_missed() -> None:
    """The heartbeats of the clock move logged time, and their absence is nothing that anybody must be told of."""
    heard = [Heard("a", 1_000), Heard(CLOCK_SOURCE, 1_061)]
    assert clock_after(*heard).silent_sources() == ["a"]
    assert clock_after(*heard).watermark_ms == 1_051
    assert clock_after(*heard, Heard("a", 1_200)).silent_sources() == []


def test_the_end_of_all_sources_releases_the_last_tick_whole() -> None:
    """A finished log is released up to the end of the tick in which its last signal lies, not merely up to it."""
    one_ended = [Heard("a", 1_020), Heard("b", 1_049), Heard("b", 1_049, end=True)]
    assert clock_after(*one_ended).watermark_ms == 1_010
    assert clock_after(*one_ended, Heard("a", 1_020, end=True)).watermark_ms == 1_050
    assert clock_after(Heard("a", 1_050, end=True)).watermark_ms == 1_100


def test_an_ended_source_is_not_silent() -> None:
    """A source that said good-bye is expected to say nothing."""
    assert clock_after(Heard("a", 1_000, end=True), Heard("b", 1_100)).silent_sources() == []


@pytest.mark.parametrize(
    ("at_ms", "record_ms", "used"),
    [
        (1_000_000 + SKEW_MS_MAX, 1_000_000, (1_000_000 + SKEW_MS_MAX, False)),
        (1_000_001 + SKEW_MS_MAX, 1_000_000, (1_000_000, True)),
        (10, 1_000_000, (10, False)),
        (1_000_000 + SKEW_MS_MAX, None, (1_000_000 + SKEW_MS_MAX, False)),
        (1_000_000 + SKEW_MS_MAX, -1, (1_000_000 + SKEW_MS_MAX, False)),
    ],
)
def test_a_time_far_in_the_future_of_its_record_is_replaced(
    at_ms: int, record_ms: int | None, used: tuple[int, bool]
) -> None:
    """One wrong clock cannot race the watermark; the past, and a record without a timestamp, are left as they are."""
    assert clamp_to_record(at_ms, record_ms=record_ms) == used


def test_names_of_sources_without_end_do_not_make_the_clock_grow_without_end() -> None:
    """Of too many the ended and the silent are forgotten, which changes no watermark; what goes on is waited for."""
    clock, unbounded_ms = SourceClock(SETTINGS), 0
    for number in range(5 * SOURCES_MAX):
        at_ms = START_MS + number
        clock.hear("steady", at_ms=at_ms - 5)
        clock.hear(f"once {number}", at_ms=at_ms, end=number % 2 == 0)
        # The oldest that still counts spoke within the idle time.
        spoke_ms = [START_MS + n for n in range(1, number + 1, 2) if n >= number - SETTINGS.idle_ms]
        unbounded_ms = max(unbounded_ms, min([*spoke_ms, at_ms - 5]) - SETTINGS.lateness_ms)
        assert clock.watermark_ms == unbounded_ms
    assert len(clock.row().sources) <= SOURCES_MAX


def test_a_source_left_alone_behind_what_another_said_counts_by_its_own_time() -> None:
    """Logged time is not the time of the one source that is left, so its own largest time decides."""
    clock = SourceClock(SETTINGS)
    for number in range(SOURCES_MAX):
        clock.hear(f"ended {number}", at_ms=START_MS + 500, end=True)
    clock.restore(SourceClockRow(watermark_ms=0, logged_ms=clock.logged_ms, sources=clock.row().sources))
    clock.hear("left", at_ms=START_MS + 100)
    assert list(clock.row().sources) == ["left"]
    clock.hear("left", at_ms=START_MS + 200)
    assert clock.watermark_ms == START_MS + 190
