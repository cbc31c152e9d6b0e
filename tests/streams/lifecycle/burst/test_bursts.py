"""Check when a burst is told, when it is over, and that missing data decides nothing."""

import random
from collections.abc import Iterable
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert
from schemas.burst_rows import BurstRow
from schemas.rules import HOUR_MS, BurstRules, ReminderRules
from streams.lifecycle.burst import BurstWatch
from streams.measures.baseline import Baseline, BaselineReading
from tests.streams.lifecycle.burst.hours import LEARNING, hour, usual
from tests.streams.lifecycle.readings import START_MS, at_minute

RULES = BurstRules()
SILENT = ReminderRules(after_ms=(), every_ms=0)


def watch(row: BurstRow | None = None) -> BurstWatch:
    """Return the watch of the topic of these tests."""
    return BurstWatch(brand="cern", topic="higgs", row=row)


def live(
    one: BurstWatch,
    z: float | None,
    minutes: Iterable[int],
    *,
    rules: BurstRules = RULES,
    reminders: ReminderRules = SILENT,
    stale: bool = False,
    signals: int = 900,
) -> list[Alert]:
    """Judge an hour that is so unusual (None: nobody knows yet) at each of these minutes; return all alerts."""
    baseline = LEARNING if z is None else usual(z)
    return [
        alert
        for minute in minutes
        for alert in one.judge(
            hour(minute, signals=signals, stale=stale), baseline, rules=rules, reminders=reminders, rules_hash="f" * 16
        )
    ]


def told(alerts: list[Alert]) -> list[tuple[str, str]]:
    """Return status and time of day of each alert."""
    return [(alert.status, alert.at[11:16]) for alert in alerts]


# --- in and out -------------------------------------------------------------------------------------------------------


def test_a_burst_is_told_after_ten_minutes() -> None:
    """It is unusual from minute 5 on, told at 15, with that beginning."""
    one = watch()

    alerts = live(one, 1.0, range(5)) + live(one, 8.0, range(5, 40))

    assert told(alerts) == [("firing", "00:15")]
    assert alerts[0].since == "2012-07-04T00:05:00Z"


def test_one_ordinary_tick_restarts_the_ten_minutes() -> None:
    """`for` means without a break."""
    one = watch()

    alerts = live(one, 8.0, range(10)) + live(one, 4.9, [10]) + live(one, 8.0, range(11, 40))

    assert told(alerts) == [("firing", "00:21")]


def test_it_is_over_after_a_calm_hour() -> None:
    """z between 2 and 5 neither leads in nor out, and starts the hour anew."""
    one = watch()
    live(one, 8.0, range(11))

    alerts = live(one, 3.0, range(11, 200)) + live(one, 1.9, range(200, 255)) + live(one, 2.0, [255])
    alerts += live(one, 1.9, range(256, 330))

    assert told(alerts) == [("resolved", "05:16")]
    assert alerts[0].id.endswith(".2")


def test_the_next_burst_waits_six_hours() -> None:
    """Over at 01:11; what comes at once is told at 07:11, and said to have lasted since it began."""
    one = watch()
    live(one, 8.0, range(11))
    assert told(live(one, 0.0, range(11, 72))) == [("resolved", "01:11")]

    alerts = live(one, 8.0, range(72, 500))

    assert told(alerts) == [("firing", "07:11")]
    assert alerts[0].since == "2012-07-04T01:12:00Z"


def test_a_second_burst_is_another_episode() -> None:
    """Each has its own id and counts its own revisions."""
    one, quick = watch(), BurstRules(cooldown_ms=0)
    first = live(one, 8.0, range(11), rules=quick) + live(one, 0.0, range(11, 72), rules=quick)
    second = live(one, 8.0, range(72, 90), rules=quick)

    assert [alert.status for alert in first + second] == ["firing", "resolved", "firing"]
    assert first[0].episode == first[1].episode != second[0].episode
    assert second[0].id == f"{second[0].episode}.1"


def test_a_learning_topic_bursts_by_size_and_goes_on_by_what_is_usual() -> None:
    """Told by its 900 signals; once the day has shown that this is usual, it is over."""
    one = watch()
    alerts = live(one, None, range(60))
    small = live(watch(), None, range(60), signals=499)

    assert told(alerts) == [("firing", "00:10")]
    assert small == []
    assert told(live(one, 0.3, range(60, 130))) == [("resolved", "02:00")]


def test_a_tick_comes_once_and_in_order() -> None:
    """Anything else is an error of the caller."""
    one = watch()
    live(one, 1.0, [5])

    with pytest.raises(ValueError, match="judge each tick once and in order"):
        live(one, 1.0, [5])


# --- told again -------------------------------------------------------------------------------------------------------


def test_an_open_burst_is_told_again_when_it_rises_clearly() -> None:
    """From z = 8, severity ceil(2·3/5) = 2, to z = 13, ceil(2·8/5) = 4; falling and rising again is no news."""
    one = watch()
    alerts = live(one, 8.0, range(20)) + live(one, 13.0, range(20, 30)) + live(one, 8.0, range(30, 40))
    alerts += live(one, 13.0, range(40, 50))

    assert told(alerts) == [("firing", "00:10"), ("updated", "00:20")]
    assert [alert.severity for alert in alerts] == [2, 4]
    assert "surging more strongly" in alerts[1].summary


def test_an_open_burst_is_told_again_by_the_schedule() -> None:
    """After 30 minutes, 2 hours and 6 hours from its telling at 00:10 (MEASURES.md §8)."""
    alerts = live(watch(), 8.0, range(500), reminders=ReminderRules())

    assert told(alerts) == [("firing", "00:10"), ("updated", "00:40"), ("updated", "02:10"), ("updated", "06:10")]


# --- missing data -----------------------------------------------------------------------------------------------------


def test_without_data_nothing_is_decided() -> None:
    """A silence of sources tells nothing and ends nothing, however long it lasts."""
    one = watch()
    live(one, 8.0, range(11))

    assert live(one, -9.0, range(11, 600), stale=True) == []
    assert one.is_unusual


def test_time_without_data_does_not_count() -> None:
    """Unusual for 6 minutes, an hour without data, then 4 minutes more make the ten."""
    one = watch()
    live(one, 8.0, range(7))
    live(one, 8.0, range(7, 67), stale=True)

    assert told(live(one, 8.0, range(67, 90))) == [("firing", "01:10")]


def test_the_hour_after_a_gap_is_no_calm_hour() -> None:
    """Data is back at 01:10: until 02:10 the hour lacks what was not heard, and only then calm begins to count."""
    one = watch()
    live(one, 8.0, range(11))
    live(one, 0.0, range(11, 70), stale=True)

    assert told(live(one, 0.0, range(70, 300))) == [("resolved", "03:10")]


def test_an_hour_with_a_gap_is_not_whole() -> None:
    """So nobody learns half an hour as a whole one; without a gap every hour is."""
    one = watch()

    def whole_at(minute: int) -> bool:
        return one.is_whole(at_ms=at_minute(minute), hour_ms=HOUR_MS)

    live(one, 0.0, range(3))
    assert whole_at(2)
    live(one, 0.0, [3], stale=True)
    assert not whole_at(3)
    live(one, 0.0, range(4, 70))
    assert [whole_at(minute) for minute in (4, 63, 64)] == [False, False, True]


# --- with a baseline --------------------------------------------------------------------------------------------------


def season(hourly: list[int]) -> tuple[list[Alert], Baseline]:
    """Live hours with these counts, twelve ticks each and evenly filled; return what was told, and the baseline."""
    one, baseline, alerts = watch(), Baseline(), list[Alert]()
    first = START_MS // HOUR_MS
    for index, (before, count) in enumerate(pairwise([hourly[0], *hourly]), start=first):
        for part in range(1, 13):
            at_ms = index * HOUR_MS + part * HOUR_MS // 12
            signals = (before * (12 - part) + count * part) // 12
            reading = baseline.read_at(
                at_ms=at_ms, hour_ms=HOUR_MS, count=signals, learning_hours=24, weekly_after_hours=168
            )
            judged = hour((at_ms - START_MS) // 60_000, signals=signals)
            alerts += one.judge(judged, reading, rules=RULES, reminders=SILENT, rules_hash="f" * 16)
        baseline.observe(hour=index + 1, count=count, firing=one.is_unusual)
    return alerts, baseline


def rhythm(days: int, seed: int) -> list[int]:
    """Return hourly counts that follow the day and scatter as chance does, a little more on weekends."""
    chance = random.Random(seed)
    counts = []
    for index in range(24 * days):
        mean = (30 + 25 * (8 <= index % 24 <= 20)) * (1.3 if index // 24 % 7 >= 5 else 1.0)
        counts.append(max(0, round(chance.gauss(mean, mean**0.5))))
    return counts


@pytest.mark.parametrize("seed", range(3))
def test_weeks_with_nothing_but_their_rhythm_are_quiet(seed: int) -> None:
    """Day after day, from the first: no alert."""
    assert season(rhythm(28, seed))[0] == []


def test_six_hours_of_fivefold_talk_are_one_burst_and_teach_nothing() -> None:
    """Told in the hour in which it begins, over soon after it ends; next week the same hours expect no more."""
    calm = rhythm(28, 1)
    loud = [5 * count if 24 * 16 + 9 <= index < 24 * 16 + 15 else count for index, count in enumerate(calm)]

    alerts, after = season(loud)
    _, untouched = season(calm)
    usual_then, usual_calm = (
        one.read_at(
            at_ms=START_MS + (24 * 28 + 12) * HOUR_MS,
            hour_ms=HOUR_MS,
            count=50,
            learning_hours=24,
            weekly_after_hours=168,
        )
        for one in (after, untouched)
    )

    assert [(alert.status, alert.at[:13]) for alert in alerts if alert.status != "updated"] == [
        ("firing", "2012-07-20T09"),
        ("resolved", "2012-07-20T16"),
    ]
    assert usual_then.expected == pytest.approx(usual_calm.expected, rel=0.05)


def test_a_level_that_stays_becomes_usual() -> None:
    """A topic that grows tenfold for good is a burst for a while, not for ever."""
    counts = [count * (10 if index >= 24 * 16 else 1) for index, count in enumerate(rhythm(40, 2))]

    alerts, _ = season(counts)

    assert alerts[0].status == "firing"
    assert alerts[-1].status == "resolved"
    assert alerts[-1].at < "2012-08-03"  # Two weeks after the rise.


# --- rows -------------------------------------------------------------------------------------------------------------

MOODS: list[tuple[BaselineReading, bool]] = [
    (usual(0.5), False),
    (usual(3.0), False),
    (usual(7.0), False),
    (usual(30.0), False),
    (LEARNING, False),
    (usual(0.5), True),
]


@given(st.lists(st.tuples(st.sampled_from(MOODS), st.integers(1, 25)), min_size=5, max_size=40), st.data())
def test_a_restored_watch_goes_on_as_the_one_that_wrote_its_row(
    lives: list[tuple[tuple[BaselineReading, bool], int]], data: st.DataObject
) -> None:
    """Wherever a worker stops, the alerts are the same, and at most one burst is open at a time."""
    ticks = [mood for mood, ticks in lives for _ in range(ticks)]
    stop = data.draw(st.integers(0, len(ticks) - 1))
    quick = BurstRules(for_ms=180_000, keep_ms=600_000, cooldown_ms=1_200_000)
    kept, moved, alerts = watch(), watch(), list[Alert]()
    for minute, (baseline, stale) in enumerate(ticks):
        if minute == stop:
            moved = watch(msgspec.msgpack.decode(msgspec.msgpack.encode(moved.row()), type=BurstRow))
        reading = hour(minute, signals=900, stale=stale)
        both = [
            one.judge(reading, baseline, rules=quick, reminders=ReminderRules(), rules_hash="f" * 16)
            for one in (kept, moved)
        ]
        alerts += both[0]

        assert both[0] == both[1]
        assert kept.row() == moved.row()
        assert kept.is_unusual == moved.is_unusual
    edges = [alert.status for alert in alerts if alert.status != "updated"]
    assert edges == (["firing", "resolved"] * len(edges))[: len(edges)]


def test_a_row_stays_equal_while_nothing_happens() -> None:
    """Rows are written when they change: a quiet topic, or a burst that goes on, writes none."""
    one = watch()
    live(one, 0.0, range(5))
    assert one.row() == BurstRow()
    live(one, 8.0, range(5, 20))
    before = one.row()
    live(one, 8.0, range(20, 60))

    assert one.row() == before
    assert one.needs_ticks
