"""Check when a topic changes its state, what is told of it and when, and what its row holds."""

from collections.abc import Iterable
from typing import Any

import pytest

from schemas.alert import Alert
from schemas.lifecycle_rows import LifecycleRow, TimerRow
from schemas.rules import HOUR_MS, MINUTE_MS, GrowingRules, OutgrownRules, Rules, SeededRules
from streams.lifecycle.conditions import satisfied
from streams.lifecycle.states import Lifecycle
from tests.streams.lifecycle.readings import MOODS, at_minute, mood

RULES = Rules()
QUICK = Rules(
    seeded=SeededRules(silence_ms=40 * MINUTE_MS),
    growing=GrowingRules(for_ms=10 * MINUTE_MS, keep_ms=15 * MINUTE_MS),
    outgrown=OutgrownRules(for_ms=12 * MINUTE_MS, keep_ms=20 * MINUTE_MS),
)
"""Short durations, so that few random ticks meet every transition."""


def lifecycle(row: LifecycleRow | None = None) -> Lifecycle:
    """Return the lifecycle of the topic of these tests."""
    return Lifecycle(brand="cern", topic="higgs", row=row)


def live(found: Lifecycle, name: str, minutes: Iterable[int], rules: Rules = RULES, **more: Any) -> list[Alert]:
    """Judge a mood at each of these minutes and return all alerts."""
    return [
        alert for minute in minutes for alert in found.judge(mood(name, at_minute(minute), **more), rules, "f" * 16)
    ]


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    """Return state, status and time of day of each alert."""
    return [(alert.state, alert.status, alert.at[11:16]) for alert in alerts]


# --- ways up and down -------------------------------------------------------------------------------------------------


def test_a_few_actors_wake_a_topic_at_once_and_nothing_is_told() -> None:
    """Dormant and seeded are states of the vitals, not news."""
    one = lifecycle()

    assert live(one, "few", range(3)) == []
    assert one.state == "dormant"
    assert live(one, "seeded", [3]) == []
    assert one.state == "seeded"


def test_growing_is_told_after_its_for() -> None:
    """The audience is unusual from minute 5 on; one hour later it is told, with that beginning."""
    one = lifecycle()
    live(one, "seeded", range(5))

    alerts = live(one, "growing", range(5, 70))

    assert told(alerts)[0] == ("growing", "firing", "01:05")
    assert alerts[0].since == "2012-07-04T00:05:00Z"
    assert one.state == "growing"


def test_one_tick_below_threshold_restarts_the_for() -> None:
    """`for` means without a break: a single ordinary tick in the 119th minute costs two hours more."""
    one = lifecycle()
    rules = Rules(growing=GrowingRules(z_enter=99.0))

    alerts = live(one, "outgrown", range(119), rules)
    alerts += live(one, "undecided", [119], rules)
    alerts += live(one, "outgrown", range(120, 241), rules)

    assert told(alerts) == [("outgrown", "firing", "04:00")]
    assert alerts[0].since == "2012-07-04T02:00:00Z"


def test_outgrown_is_reached_without_growing_first() -> None:
    """Each state has its own timer, so a topic that is outgrown at once need not grow first."""
    one = lifecycle()

    alerts = live(one, "outgrown", range(121), Rules(growing=GrowingRules(for_ms=9 * HOUR_MS)))

    assert told(alerts) == [("outgrown", "firing", "02:00")]


def test_a_topic_of_one_huge_cascade_grows_and_is_not_outgrown() -> None:
    """One post that goes around makes a large audience; outgrown is told two hours after it is no longer most of it."""
    one = lifecycle()
    huge, usual = RULES.outgrown.top_cascade_share_max + 0.01, RULES.outgrown.top_cascade_share_max

    alerts = live(one, "outgrown", range(600), top_cascade_share=huge)
    assert {alert.state for alert in alerts} == {"growing"}

    alerts = live(one, "outgrown", range(600, 721), top_cascade_share=usual)
    assert told(alerts)[-1] == ("outgrown", "firing", "12:00")


def test_an_outgrown_topic_does_not_cease_to_be_one_by_a_huge_cascade() -> None:
    """It keeps from entering alone: a post that goes around in a community that is there makes nothing undone."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = live(one, "outgrown", range(121, 1_000), top_cascade_share=1.0)

    assert {(alert.state, alert.status) for alert in alerts} == {("outgrown", "updated")}


def test_outgrown_supersedes_growing() -> None:
    """One topic has one open episode: the higher state takes over and the lower one says so."""
    one = lifecycle()

    alerts = [alert for alert in live(one, "outgrown", range(121)) if alert.status != "updated"]

    assert told(alerts) == [
        ("growing", "firing", "01:00"),
        ("growing", "superseded", "02:00"),
        ("outgrown", "firing", "02:00"),
    ]
    assert "its community has now made it its own" in alerts[1].summary


@pytest.mark.parametrize("name", ["undecided", "outgrown", "outgrown far"])
def test_between_exit_and_enter_an_outgrown_topic_stays_outgrown(name: str) -> None:
    """Hysteresis: a ratio of 1.6 neither leads into the state nor out of it, for however long."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = live(one, name, range(121, 3_000, 7))

    assert {(alert.state, alert.status) for alert in alerts} == {("outgrown", "updated")}
    assert one.state == "outgrown"


def test_between_exit_and_enter_a_seeded_topic_stays_seeded() -> None:
    """The same band seen from below: undecided for two days is not outgrown."""
    one = lifecycle()

    assert live(one, "undecided", range(0, 3_000, 7)) == []
    assert one.state == "seeded"


def test_outgrown_is_resolved_after_its_keep_and_falls_to_growing_while_that_holds() -> None:
    """The brand is back but the audience is still unusual: one episode ends, another begins."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = [alert for alert in live(one, "growing", range(121, 500)) if alert.status != "updated"]

    assert told(alerts) == [("outgrown", "resolved", "08:01"), ("growing", "firing", "08:01")]
    # It did not begin with the fall, and must not be told as if it had.
    assert "has been growing since" not in alerts[1].summary
    # The audience has been unusual from the first minute on.
    assert alerts[1].since == "2012-07-04T00:00:00Z"
    assert {one.name for one in alerts[0].conditions} == {"outgrowth_ratio", "endogenous_share"}
    assert satisfied(alerts[0].conditions)


def test_outgrown_falls_to_seeded_when_nothing_grows() -> None:
    """Both reasons end at once, so only one episode ends and none begins."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = live(one, "seeded", range(121, 600))

    assert told(alerts)[-1] == ("outgrown", "resolved", "08:01")
    assert one.state == "seeded"


def test_one_tick_restarts_the_keep() -> None:
    """Leaving, too, needs its conditions without a break."""
    one = lifecycle()
    live(one, "growing", range(61))

    alerts = live(one, "seeded", range(61, 420))
    alerts += live(one, "wavering", [420])
    alerts += live(one, "seeded", range(421, 790))

    assert [alert for alert in told(alerts) if alert[1] == "resolved"] == [("growing", "resolved", "13:01")]


def test_a_silent_topic_is_dormant_after_its_silence_and_not_before() -> None:
    """Silence begins with the first tick without a signal in the shortest window: 72 hours after minute 1."""
    one = lifecycle()
    live(one, "seeded", [0])
    live(one, "silent", range(1, 72 * 60 + 1))
    assert one.state == "seeded"

    live(one, "silent", [72 * 60 + 1])

    assert one.state == "dormant"
    assert one.row() == LifecycleRow()


def test_silence_counts_while_an_episode_is_open() -> None:
    """A topic that was outgrown when it fell silent is dormant no later than another one."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = live(one, "silent", range(121, 121 + 72 * 60 + 1))

    assert told(alerts)[-1] == ("outgrown", "resolved", "08:01")
    assert one.state == "dormant"


def test_a_silence_shorter_than_a_day_does_not_make_a_topic_flap() -> None:
    """The day still holds the signals of the morning when the topic falls dormant; that must not wake it."""
    one = lifecycle()
    live(one, "seeded", [0], QUICK)

    states = []
    for minute in range(1, 200):
        live(one, "seeded", [minute], QUICK, recent=0)
        states.append(one.state)

    assert states == ["seeded"] * 40 + ["dormant"] * 159


def test_a_topic_that_falls_dormant_starts_anew() -> None:
    """What was pending when it fell silent is forgotten: ticks are left out from then on, so nobody saw it go on."""
    one, rules = lifecycle(), Rules(seeded=SeededRules(silence_ms=HOUR_MS), growing=GrowingRules(for_ms=2 * HOUR_MS))
    live(one, "growing", [0], rules)
    live(one, "growing", range(1, 62), rules, recent=0)
    assert one.row() == LifecycleRow()

    alerts = live(one, "growing", range(100, 230), rules)

    assert told(alerts) == [("growing", "firing", "03:40")]


# --- time -------------------------------------------------------------------------------------------------------------


def test_a_gap_between_ticks_counts_as_time() -> None:
    """Durations are differences of event time, not numbers of ticks."""
    one = lifecycle()

    alerts = live(one, "growing", [0, 61])

    assert told(alerts) == [("growing", "firing", "01:01")]


def test_stale_readings_stop_the_timers_into_a_state() -> None:
    """Forty minutes without data do not count towards the hour, and do not break it either."""
    one = lifecycle()
    alerts = live(one, "growing", range(30))
    alerts += live(one, "silent", range(30, 70), stale=True)
    alerts += live(one, "growing", range(70, 120))

    assert told(alerts) == [("growing", "firing", "01:40")]
    assert alerts[0].since == "2012-07-04T00:00:00Z"


def test_no_data_never_resolves_and_never_reminds() -> None:
    """A dead connector looks like silence; an episode that is open stays so, unchanged, for weeks."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    assert live(one, "silent", range(121, 30_000, 11), stale=True) == []
    assert one.state == "outgrown"
    # Data again: the keep starts now, not three weeks ago; one reminder is due.
    assert [alert.status for alert in live(one, "seeded", range(30_000, 30_360))] == ["updated"]
    assert [alert.status for alert in live(one, "seeded", [30_360])] == ["resolved"]


def test_a_tick_out_of_order_is_an_error_that_says_so() -> None:
    """Ticks are ours, so one that comes twice is a bug of the caller."""
    one = lifecycle()
    live(one, "seeded", [1])

    with pytest.raises(ValueError, match=r"cern/higgs: expected a tick after \d+ ms, got \d+: judge each tick once"):
        live(one, "seeded", [1])


# --- telling again ----------------------------------------------------------------------------------------------------


def test_reminders_fire_at_their_ticks() -> None:
    """Growing fires at 01:00 and is told again 30 minutes, 2 hours, 6 hours and then daily after that."""
    one = lifecycle()

    alerts = live(one, "growing", range(56 * 60))

    assert [alert.at for alert in alerts] == [
        "2012-07-04T01:00:00Z",
        "2012-07-04T01:30:00Z",
        "2012-07-04T03:00:00Z",
        "2012-07-04T07:00:00Z",
        "2012-07-05T07:00:00Z",
        "2012-07-06T07:00:00Z",
    ]
    assert [alert.status for alert in alerts] == ["firing", *["updated"] * 5]


def test_a_rise_in_severity_is_told_once_however_it_flaps() -> None:
    """z goes 4, 9, 4, 9, ...: severity 1, 4, 1, 4; the rise is news, its repetitions are not."""
    one = lifecycle()
    alerts = live(one, "growing", range(61))
    for minute in range(61, 90):
        alerts += live(one, "growing", [minute], baseline_z=9.0 if minute % 2 else 4.0)

    assert [(alert.status, alert.severity, alert.at[11:16]) for alert in alerts] == [
        ("firing", 1, "01:00"),
        ("updated", 4, "01:01"),
    ]
    assert "growing more strongly" in alerts[1].summary


def test_a_rise_and_a_reminder_at_one_tick_are_one_update() -> None:
    """At most one update per tick; the rise counts as the reminder."""
    one = lifecycle()
    live(one, "growing", range(90))

    alerts = live(one, "growing", range(90, 95), baseline_z=9.0)

    assert [(alert.status, alert.severity, alert.at[11:16]) for alert in alerts] == [("updated", 4, "01:30")]


def test_an_end_is_told_with_the_highest_severity_of_its_episode() -> None:
    """Whoever was told of a severe episode must be told of its end."""
    one = lifecycle()
    live(one, "growing", range(61), baseline_z=9.0)

    alerts = [alert for alert in live(one, "seeded", range(61, 500)) if alert.status == "resolved"]

    assert [alert.severity for alert in alerts] == [4]


def test_cold_start_is_flagged() -> None:
    """Who reads the alert must know that it was judged without a baseline."""
    cold = live(lifecycle(), "outgrown", range(121), baseline="learning", baseline_z=None, baseline_expected=None)
    warm = live(lifecycle(), "outgrown", range(121))

    assert told(cold) == [("outgrown", "firing", "02:00")]
    assert cold[0].evidence.flags == ("cold_start",)
    assert cold[0].evidence.baseline == "learning"
    assert {alert.evidence.flags for alert in warm} == {()}


# --- rows -------------------------------------------------------------------------------------------------------------


def test_a_row_of_a_newer_version_is_refused() -> None:
    """A state that this version does not know is never guessed."""
    with pytest.raises(ValueError, match="returning, returned, got `mythical`: it was written by a newer version"):
        lifecycle(LifecycleRow(state="mythical"))


@pytest.mark.parametrize("name", [*MOODS])
def test_a_row_stays_equal_while_a_topic_only_waits(name: str) -> None:
    """A checkpoint writes what changed, so running timers must not change the row at every tick."""
    one = lifecycle()
    live(one, "seeded", [0])
    live(one, name, [1])
    started = one.row()

    for minute in range(2, 59):
        live(one, name, [minute])
        assert one.row() == started


def test_a_row_has_its_timers_in_the_order_of_the_states() -> None:
    """Not in that in which they were started: equal lifecycles have equal bytes."""
    one = lifecycle()
    live(one, "seeded", [0])
    live(one, "outgrown", [1], baseline_z=None, baseline_expected=None)  # Cold: outgrown holds, growing does not.
    live(one, "outgrown", [2])

    assert one.row().entering == (TimerRow("growing", at_minute(2)), TimerRow("outgrown", at_minute(1)))
