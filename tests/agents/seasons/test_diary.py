"""The diary lets things happen in the order of time, and people be as lively as the rhythm says."""

import random
from collections import Counter

from agents.seasons.diary import Act, Diary
from agents.seasons.scribe import Planted
from schemas.rules import DAY_MS, HOUR_MS
from schemas.signal import Signal
from tests.agents.seasons.small_season import small_season


def diary_of(**replaced: str) -> Diary:
    """Return an empty diary of the small season."""
    return Diary(small_season(**replaced), random.Random(1))


def act_named(name: str) -> Act:
    """Return an act that plants a signal of this actor."""

    def act(at_ms: int) -> Planted:
        return Planted(Signal(name, "garden", "post", at_ms, name), None)

    return act


def test_what_is_planned_happens_in_the_order_of_time_and_of_planning() -> None:
    """Two acts of one instant happen in the order in which they were planned."""
    diary = diary_of()
    for name, after_ms in (("c", 9), ("a", 5), ("b", 5)):
        diary.note(diary.start_ms + after_ms, act_named(name))

    assert [planted.signal.actor for planted in diary.live()] == ["a", "b", "c"]


def test_what_comes_to_nothing_or_after_the_end_is_not_told() -> None:
    """The end itself is after the season."""
    diary = diary_of()
    diary.note(diary.end_ms, act_named("late"))
    diary.note(diary.end_ms - 1, act_named("last"))
    diary.note(diary.start_ms, lambda at_ms: None)

    assert [planted.signal.actor for planted in diary.live()] == ["last"]


def test_scattered_acts_are_as_many_as_asked_for_within_their_hours() -> None:
    """From the hour of the season on, for so many hours."""
    diary = diary_of()
    diary.scatter(act_named("s"), hour=1.5, hours=2, count=500)
    at_ms = [planted.signal.at - diary.start_ms for planted in diary.live()]

    assert len(at_ms) == 500
    assert 1.5 * HOUR_MS <= min(at_ms) < 1.6 * HOUR_MS
    assert 3.4 * HOUR_MS < max(at_ms) < 3.5 * HOUR_MS


def test_a_weekend_brings_less_where_the_rhythm_says_so() -> None:
    """Monday to Sunday: half as much on each of the last two days, within five standard errors of 10 an hour."""
    rhythm = "rhythm: {peak_hour: 18, depth: 0.5"
    text = {"old": f"{rhythm}}}", "new": f"{rhythm}, weekend: 0.5}}"}
    diary = diary_of(**text)
    diary.end_ms = diary.start_ms + 7 * DAY_MS
    rates = (10.0,) * len(diary.phases)

    def act(at_ms: int) -> Planted:
        diary.next_own_accord(at_ms, act, rates)
        return Planted(Signal("s", "garden", "post", at_ms, "a"), None)

    diary.next_own_accord(diary.start_ms, act, rates)
    by_day = Counter((planted.signal.at - diary.start_ms) // DAY_MS for planted in diary.live())

    # 2026-05-04 was a Monday.
    assert all(abs(by_day[day] - 240) < 5 * 240**0.5 for day in range(5))
    assert all(abs(by_day[day] - 120) < 5 * 120**0.5 for day in (5, 6))
