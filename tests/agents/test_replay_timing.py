"""Check when a replay sends what: records at their pace, and heartbeats that promise no more than was sent."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.replay_timing import TELL_EVERY_MS, Pace, SourceProgress
from schemas.signal import Heartbeat
from streams.eventtime.clock import ClockSettings, SourceClock

LATENESS_MS = 10_000
BEGIN_MS = 1_341_388_800_000


# --- pace -------------------------------------------------------------------------------------------------------------


def test_event_time_runs_so_many_times_as_fast_as_the_clock() -> None:
    """Ten minutes at 60 times the pace take ten seconds; what the sender was slower by is not waited for again."""
    now_s = [100.0]
    pace = Pace(60.0, now_s=lambda: now_s[0])

    first = pace.remaining_s(BEGIN_MS)
    ten_minutes_on = pace.remaining_s(BEGIN_MS + 600_000)
    now_s[0] += 12.5
    behind = pace.remaining_s(BEGIN_MS + 600_000)

    assert (first, ten_minutes_on, behind) == (0.0, 10.0, -2.5)


def test_partitions_are_told_every_second_of_event_time_or_twenty_times_a_second() -> None:
    """At 9,000 times the pace a second of event time is a ninth of a millisecond, which nobody needs."""
    assert Pace(1.0).tell_every_ms == Pace(20.0).tell_every_ms == TELL_EVERY_MS
    assert Pace(9_000.0).tell_every_ms == 450_000


def test_waiting_is_done_by_the_loop() -> None:
    """The default sleep lets the producer send meanwhile."""
    assert Pace(1.0).sleep is asyncio.sleep


# --- progress ---------------------------------------------------------------------------------------------------------


def progress(every_records: int = 500, every_ms: int | None = None) -> SourceProgress:
    """Return a progress with the time after which the clocks set a source aside."""
    return SourceProgress(every_records=every_records, every_ms=every_ms, idle_ms=60_000)


def test_a_new_source_is_told_of_at_once() -> None:
    """A partition that knows one source of two would run ahead of the other."""
    told = progress()

    assert told.hear("a", 1_000) == [Heartbeat("a", at=1_000)]
    assert told.hear("b", 900) == [Heartbeat("b", at=900)]
    assert told.hear("a", 1_100) == ()


def test_after_so_many_records_all_who_spoke_are_told_of() -> None:
    """A source that said nothing new has nothing to tell, and must be allowed to fall silent."""
    told = progress(every_records=4)
    for source, at_ms in (("a", 1_000), ("b", 1_000), ("a", 1_300)):
        told.hear(source, at_ms)

    assert told.hear("a", 1_200) == [Heartbeat("a", at=1_300)]


def test_at_a_pace_a_source_is_told_of_when_event_time_went_on() -> None:
    """A watermark that moves with the log shows alerts when they are due."""
    told = progress(every_ms=1_000)
    told.hear("a", 5_000)

    assert [told.hear("a", at_ms) for at_ms in (5_999, 6_000, 6_500, 7_001)] == [
        (),
        [Heartbeat("a", at=6_000)],
        (),
        [Heartbeat("a", at=7_001)],
    ]


def test_the_ends_name_every_source_and_one_time() -> None:
    """Partitions that disagree on where the log ends would release different signals."""
    told = progress()
    told.hear("b", 7_000)
    told.hear("a", 9_000)
    told.pass_on(Heartbeat("c", at=8_000))

    assert told.ends() == [Heartbeat(source, at=9_000, end=True) for source in ("a", "b", "c")]
    assert progress().ends() == []


RECORDS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(
            [0, 1, 1_000, 5_000, 14_000, 15_000, 45_000, 59_000]
        ),  # how much later than the one before it happened
        st.integers(0, LATENESS_MS),  # how late it was written down
        st.integers(0, 3),  # the partition of its conversation
    ),
    max_size=60,
)


@given(
    RECORDS,
    st.sampled_from([2, 5, 500]),
    st.sampled_from([None, 1_000]),
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(0, 40_000)),
)
def test_no_partition_runs_ahead_of_the_log(
    records: list[tuple[str, int, int, int]], every_records: int, every_ms: int | None, behind_ms: dict[str, int]
) -> None:
    """While each source is in order but for the allowed lateness nothing is late, however partitions share it.

    Sources may lie behind each other by more than that, as long as none falls silent.
    """
    told = progress(every_records=every_records, every_ms=every_ms)
    clocks = [SourceClock(ClockSettings(lateness_ms=LATENESS_MS, idle_ms=60_000)) for _ in range(4)]
    whole = SourceClock(ClockSettings(lateness_ms=LATENESS_MS, idle_ms=60_000))
    sent_ms: dict[str, int] = {}
    now_ms = BEGIN_MS
    for source, step_ms, late_ms, partition in records:
        now_ms += step_ms
        at_ms = now_ms - late_ms - behind_ms.get(source, 0)
        if at_ms < whole.watermark_ms:
            # Late for a reader of the whole log too: what comes late there may come late anywhere.
            continue
        due = told.tell_round() if told.is_round_due(source, at_ms) else []
        for heartbeat in due:
            for clock in clocks:
                clock.hear(heartbeat.heartbeat, at_ms=heartbeat.at)
        whole.hear(source, at_ms=at_ms)
        assert at_ms >= clocks[partition].watermark_ms
        clocks[partition].hear(source, at_ms=at_ms)
        sent_ms[source] = max(sent_ms.get(source, 0), at_ms)
        for heartbeat in told.hear(source, at_ms):
            assert heartbeat.at == sent_ms[heartbeat.heartbeat], "a promise beyond what was sent"
            for clock in clocks:
                clock.hear(heartbeat.heartbeat, at_ms=heartbeat.at)
    for heartbeat in told.ends():
        for clock in [*clocks, whole]:
            clock.hear(heartbeat.heartbeat, at_ms=heartbeat.at, end=True)

    assert {clock.watermark_ms for clock in clocks} == {whole.watermark_ms}
    assert not sent_ms or whole.watermark_ms > max(sent_ms.values())


@pytest.mark.parametrize("sources", [1, 2])
def test_several_sources_are_told_of_before_a_partition_sets_one_aside(sources: int) -> None:
    """At full speed records are no measure of time; a single source has nobody to be compared with."""
    told = progress()
    told.hear("a", BEGIN_MS)
    if sources == 2:
        told.hear("b", BEGIN_MS)
    told.hear("a", BEGIN_MS + 14_000)

    due = told.tell_round() if told.is_round_due("a", BEGIN_MS + 70_000) else []
    after = told.hear("a", BEGIN_MS + 70_000)

    several = ([Heartbeat("a", at=BEGIN_MS + 14_000)], [Heartbeat("a", at=BEGIN_MS + 70_000)])
    # `b` has said nothing since it was told of.
    assert (due, after) == (several if sources == 2 else ([], ()))


def test_in_a_round_the_furthest_source_comes_first() -> None:
    """A partition takes a source to have spoken when event time was where it then knows it to be."""
    told = progress(every_records=6)
    for source, at_ms in (("a", 1_000), ("b", 1_000), ("c", 1_000), ("a", 1_100), ("c", 1_300)):
        told.hear(source, at_ms)

    assert [(one.heartbeat, one.at) for one in told.hear("b", 1_200)] == [("c", 1_300), ("b", 1_200), ("a", 1_100)]
