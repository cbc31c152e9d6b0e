"""Check the way of a community out of its topic and back: when it is told, what ends it, and what is left untold."""

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from schemas.alert import OUTCOMES, Alert, JoinEvidence
from schemas.lifecycle_rows import LifecycleRow
from schemas.rules import HOUR_MS, Rules, SeededRules
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.conditions import satisfied
from streams.lifecycle.states import Lifecycle
from tests.streams.lifecycle.readings import AWAY_MOODS, at_minute, mood

RULES = Rules()
HOUR = 60
DAY = 24 * HOUR
ESCAPED_AT = 122
"""Growing fires after 60 minutes; from the tick after that on an escape counts, and 60 more fire it: 61 + 60, and 1."""


def lifecycle() -> Lifecycle:
    """Return the lifecycle of the topic of these tests."""
    return Lifecycle(brand="cern", topic="higgs")


def live(found: Lifecycle, name: str, minutes: Iterable[int], rules: Rules = RULES, **more: Any) -> list[Alert]:
    """Judge a mood at each of these minutes and return all alerts but reminders."""
    alerts = [
        alert for minute in minutes for alert in found.judge(mood(name, at_minute(minute), **more), rules, "f" * 16)
    ]
    return [alert for alert in alerts if alert.status != "updated"]


def told(alerts: list[Alert]) -> list[tuple[str, str, str]]:
    """Return state, status and time of each alert."""
    return [(alert.state, alert.status, alert.at[8:16]) for alert in alerts]


def escaped() -> Lifecycle:
    """Return the lifecycle of a topic that has just escaped."""
    one = lifecycle()
    live(one, "elsewhere", range(ESCAPED_AT))
    assert one.state == "escaped"
    return one


def returning() -> tuple[Lifecycle, int]:
    """Return the lifecycle of a topic whose people come back, and the minute from which on."""
    one = escaped()
    end = ESCAPED_AT + 6 * HOUR + 1
    live(one, "here", range(ESCAPED_AT, end))
    assert one.state == "returning"
    return one, end


# --- escaped ----------------------------------------------------------------------------------------------------------


def test_a_growing_topic_whose_members_talk_elsewhere_escapes() -> None:
    """Told an hour after it was growing and the drift was seen, with where they went; growing is superseded."""
    alerts = live(lifecycle(), "elsewhere", range(ESCAPED_AT))

    assert told(alerts) == [
        ("growing", "firing", "04T01:00"),
        ("growing", "superseded", "04T02:01"),
        ("escaped", "firing", "04T02:01"),
    ]
    assert alerts[2].since == "2012-07-04T01:01:00Z"
    assert [topic.name for topic in alerts[2].evidence.emergent] == ["nomowmay", "bees"]
    assert satisfied(alerts[2].conditions)


def test_an_outgrown_topic_is_superseded_by_its_escape() -> None:
    """What the community made its own goes on elsewhere: one episode ends, and the other begins, at one tick."""
    one = lifecycle()
    live(one, "outgrown", range(121))

    alerts = live(one, "elsewhere, outgrown", range(121, 182))

    assert told(alerts) == [("outgrown", "superseded", "04T03:01"), ("escaped", "firing", "04T03:01")]
    assert "goes on elsewhere" in alerts[0].summary


def test_a_seeded_topic_does_not_escape() -> None:
    """Members who talk elsewhere, while the topic itself is nothing special, have left nothing behind."""
    one = lifecycle()

    assert live(one, "elsewhere, seeded", range(3 * DAY)) == []
    assert one.state == "seeded"


def test_what_was_elsewhere_while_seeded_does_not_count_towards_the_escape() -> None:
    """A topic that begins to grow is told as growing for an hour, not for a minute."""
    one = lifecycle()
    live(one, "elsewhere, seeded", range(DAY))

    alerts = live(one, "elsewhere", range(DAY, DAY + 2 * HOUR + 2))

    assert told(alerts)[-1] == ("escaped", "firing", "05T02:01")


def test_a_tick_at_which_nothing_can_be_measured_restarts_the_way_out() -> None:
    """Unknown numbers never lead in."""
    one = lifecycle()
    live(one, "elsewhere", range(ESCAPED_AT - 1))
    live(one, "elsewhere", [ESCAPED_AT - 1], drift_share=None, drift_share_low=None)

    assert live(one, "elsewhere", range(ESCAPED_AT, ESCAPED_AT + HOUR)) == []
    assert told(live(one, "elsewhere", [ESCAPED_AT + HOUR]))[-1] == ("escaped", "firing", "04T03:02")


def test_an_escape_is_told_again_with_its_map() -> None:
    """Reminders of an escape name where the talk is by then."""
    one = escaped()

    alerts = one.judge(mood("elsewhere", at_minute(ESCAPED_AT + 40)), RULES, "")

    assert [(alert.state, alert.status) for alert in alerts] == [("escaped", "updated")]
    assert "#nomowmay" in alerts[0].summary


@pytest.mark.parametrize("name", ["half elsewhere", "elsewhere, seeded", "elsewhere, outgrown"])
def test_between_exit_and_enter_an_escaped_topic_stays_escaped(name: str) -> None:
    """Hysteresis; and whether the topic itself still grows is another matter."""
    one = escaped()

    assert live(one, name, range(ESCAPED_AT, 3 * DAY, 7)) == []
    assert one.state == "escaped"


def test_nights_at_which_nothing_can_be_measured_do_not_make_a_topic_flap() -> None:
    """Eight hours of sleep are longer than the keep of six; for a week the topic is escaped once, and stays so."""
    one = escaped()
    alerts = []
    for day in range(7):
        alerts += live(one, "asleep", range(ESCAPED_AT + day * DAY, ESCAPED_AT + day * DAY + 8 * HOUR, 10))
        alerts += live(one, "elsewhere", range(ESCAPED_AT + day * DAY + 8 * HOUR, ESCAPED_AT + (day + 1) * DAY, 10))

    assert alerts == []
    assert one.state == "escaped"


def test_a_moment_of_doubt_before_the_night_does_not_last_through_it() -> None:
    """Half an hour below the exit, and then eight hours of sleep, are half an hour."""
    one = escaped()
    live(one, "here", range(ESCAPED_AT, ESCAPED_AT + 30))
    live(one, "asleep", range(ESCAPED_AT + 30, ESCAPED_AT + 30 + 8 * HOUR))

    assert live(one, "elsewhere", range(ESCAPED_AT + 30 + 8 * HOUR, ESCAPED_AT + 2 * DAY)) == []


def test_a_return_goes_on_after_a_night() -> None:
    """Four hours of an evening and two of the next morning are the six that are asked for."""
    one = escaped()
    evening, night = ESCAPED_AT + 4 * HOUR, ESCAPED_AT + 12 * HOUR
    live(one, "here", range(ESCAPED_AT, evening))
    live(one, "asleep", range(evening, night))

    assert live(one, "here", range(night, night + 2 * HOUR)) == []
    assert [status for _, status, _ in told(live(one, "here", [night + 2 * HOUR]))] == ["resolved"]


def test_a_community_of_which_nothing_is_heard_any_more_is_escaped_no_longer() -> None:
    """After the silence after which a topic is dormant: an escape must not stay open for want of anybody to measure."""
    one = escaped()

    assert live(one, "asleep", range(ESCAPED_AT, ESCAPED_AT + 72 * HOUR)) == []
    alerts = live(one, "asleep", [ESCAPED_AT + 72 * HOUR])

    assert told(alerts) == [("escaped", "resolved", "07T02:02")]
    assert satisfied(alerts[0].conditions)
    assert "has fallen silent" in alerts[0].summary
    assert one.state == "returning"


def test_a_silent_topic_is_escaped_while_its_members_are_heard_elsewhere() -> None:
    """That nobody speaks on the topic itself is what an escape is about, not its end."""
    one = escaped()

    assert live(one, "elsewhere", range(ESCAPED_AT, ESCAPED_AT + 5 * DAY, 7), recent=0) == []
    assert one.state == "escaped"


def test_time_without_data_resolves_no_escape() -> None:
    """A dead connector looks like a community that is silent; the silence begins when it is heard again."""
    one = escaped()
    live(one, "asleep", range(ESCAPED_AT, ESCAPED_AT + 10 * DAY, 11), stale=True)

    assert live(one, "here", range(ESCAPED_AT + 10 * DAY, ESCAPED_AT + 10 * DAY + 6 * HOUR)) == []
    assert len(live(one, "here", [ESCAPED_AT + 10 * DAY + 6 * HOUR])) == 1


# --- returning --------------------------------------------------------------------------------------------------------


def test_an_escape_is_resolved_after_its_keep_and_people_are_returning() -> None:
    """Returning has no alert of its own: the end of the escape says it."""
    alerts = live(escaped(), "here", range(ESCAPED_AT, ESCAPED_AT + 6 * HOUR + 1))

    assert told(alerts) == [("escaped", "resolved", "04T08:02")]
    assert {one.name for one in alerts[0].conditions} == {"tag_divergence_bits", "drift_share"}
    assert "has ebbed" in alerts[0].summary


@pytest.mark.parametrize("name", ["here", "here, growing", "outgrown", "half elsewhere", "silent"])
def test_nothing_else_is_told_while_people_are_returning(name: str) -> None:
    """Growth within a return is the return; and silence may be the end of it, which the outcome will say."""
    one, end = returning()

    assert live(one, name, range(end, end + 13 * DAY, 7)) == []
    assert one.state == "returning"


def test_people_who_leave_again_have_escaped_again() -> None:
    """A new episode after its `for`; the community has been gone since the first."""
    one, end = returning()

    alerts = live(one, "elsewhere", range(end, end + HOUR + 1))

    assert [(alert.state, alert.status) for alert in alerts] == [("escaped", "firing")]
    assert one.row().left_ms == at_minute(61)


def test_a_return_of_which_nobody_can_tell_the_outcome_is_given_up() -> None:
    """A day after its time is over: where too few had left to say anything, the topic is free again."""
    one, end = returning()

    assert live(one, "here", range(end, end + 20 * DAY, 7)) == []
    over = end + 20 * DAY
    assert live(one, "here", range(over, over + DAY), is_awaited=False) == []
    assert one.state == "returning"
    assert live(one, "here", [over + DAY], is_awaited=False) == []
    assert one.state == "seeded"
    assert one.row() == LifecycleRow(state="seeded")


def test_giving_up_a_return_is_no_way_into_an_escape() -> None:
    """Half an hour elsewhere, when the wait ends, is not the hour that an escape takes."""
    one, end = returning()
    live(one, "here", range(end, end + DAY - 30), is_awaited=False)

    assert told(live(one, "elsewhere", range(end + DAY - 30, end + DAY + 1), is_awaited=False)) == [
        ("growing", "firing", "05T08:03")
    ]


# --- returned ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_became_of_those_who_left_is_told_once(outcome: str) -> None:
    """Each outcome, with both ratios and their lower ends, as one episode, resolved a day later."""
    one, end = returning()
    alerts = [
        alert
        for minute in range(end, end + DAY + 2)
        for alert in one.judge(mood("back", at_minute(minute), outcome=outcome), RULES, "f" * 16)
    ]

    assert told(alerts) == [("returned", "firing", "04T08:03"), ("returned", "resolved", "05T08:04")]
    assert {alert.outcome for alert in alerts} == {outcome}
    assert [found.name for found in alerts[0].conditions] == [
        "outcome_known",
        "return_rate",
        "cohort",
        "prolific_ratio",
        "prolific_ratio_low",
        "diversity_ratio",
    ]
    assert (alerts[0].conditions[-1].value, alerts[0].conditions[-1].low) == (1.3, 1.15)
    assert one.row() == LifecycleRow(state="seeded")


def test_an_outcome_is_told_when_the_topic_has_fallen_silent_too() -> None:
    """Those who faded are the ones of whom nothing is heard."""
    one, end = returning()

    alerts = live(one, "faded", [end])

    assert [(alert.state, alert.status, alert.outcome) for alert in alerts] == [("returned", "firing", "faded")]
    assert alerts[0].severity == 1


def test_an_outcome_of_another_time_is_not_heard() -> None:
    """Only while people are returning; a measure that says so before has counted somebody else."""
    alerts = live(lifecycle(), "elsewhere", range(ESCAPED_AT + DAY), outcome="returned")

    assert {alert.state for alert in alerts} == {"growing", "escaped"}


def test_the_outcome_stays_what_it_was() -> None:
    """The measure forgets once it is told, or changes its mind; the episode does not."""
    one, end = returning()
    live(one, "back", [end])

    alerts = live(one, "here", range(end + 1, end + DAY + 2), outcome="faded")

    assert [(alert.status, alert.outcome) for alert in alerts] == [("resolved", "returned-richer")]


def test_after_a_return_the_topic_is_what_it_is_by_then() -> None:
    """It falls to the state whose conditions hold, whose episode begins; and from there it may escape again."""
    one, end = returning()
    live(one, "back", [end])

    alerts = live(one, "here, growing", range(end + 1, end + DAY + 2))
    alerts += live(one, "elsewhere", range(end + DAY + 2, end + DAY + HOUR + 3))

    assert [(alert.state, alert.status) for alert in alerts] == [
        ("returned", "resolved"),
        ("growing", "firing"),
        ("growing", "superseded"),
        ("escaped", "firing"),
    ]


def test_an_outcome_without_a_name_is_an_error() -> None:
    """It would be told as it is; whoever measures it has a bug."""
    one, end = returning()

    with pytest.raises(
        AssertionError, match="expected one of returned-richer, returned, faded, settled-elsewhere, got"
    ):
        live(one, "back", [end], outcome="enriched")


# --- rows -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*AWAY_MOODS])
def test_a_row_stays_equal_while_an_escape_only_waits(name: str) -> None:
    """A halted timer must not change the row at every tick of a night either."""
    one = escaped()
    live(one, "here", [ESCAPED_AT])
    live(one, name, [ESCAPED_AT + 1])
    started = one.row()

    for minute in range(ESCAPED_AT + 2, ESCAPED_AT + 29):
        live(one, name, [minute])

        assert one.row() == started


def test_a_row_of_each_state_needs_ticks_and_comes_back() -> None:
    """Of a topic that is silent all through it, too."""
    one, end = returning()
    for found, minute in ((escaped(), ESCAPED_AT), (one, end)):
        row = msgspec.msgpack.decode(msgspec.msgpack.encode(found.row()), type=LifecycleRow)

        assert Lifecycle.from_row(row, brand="cern", topic="higgs").needs_ticks
        assert live(Lifecycle.from_row(row, brand="cern", topic="higgs"), "asleep", [minute]) == []
        assert found.row() == row


def test_durations_come_from_the_rules() -> None:
    """A season of minutes has an escape of minutes."""
    rules = Rules(seeded=SeededRules(silence_ms=2 * HOUR_MS))
    one = escaped()

    assert len(live(one, "asleep", range(ESCAPED_AT, ESCAPED_AT + 2 * HOUR + 1), rules)) == 1


# --- the brand joins --------------------------------------------------------------------------------------------------


def test_that_the_brand_has_joined_is_told_once_as_an_update_of_the_escape() -> None:
    """At the tick behind it, whatever the reminders; and not again with every tick."""
    one = escaped()
    joined_ms = at_minute(ESCAPED_AT + 3) + 500
    join = JoinEvidence("", "tag", tag="bees", root="p", joins=1)
    alerts = []
    for minute in range(ESCAPED_AT, ESCAPED_AT + 20):
        known = {"join": join, "joined_ms": joined_ms} if at_minute(minute) > joined_ms else {}
        alerts += one.judge(mood("elsewhere", at_minute(minute), **known), RULES, "f" * 16)

    (alert,) = alerts
    assert (alert.state, alert.status, alert.at) == ("escaped", "updated", rfc3339(at_minute(ESCAPED_AT + 4)))
    assert alert.summary.startswith("The brand has joined its community of cern/higgs elsewhere, ")
    assert alert.evidence.join == join


def test_a_join_on_the_way_back_is_told_with_the_return() -> None:
    """Nothing is told of people who are returning until it is known what became of them."""
    one, end = returning()
    join = JoinEvidence("", "reply", tag=None, root="p", joins=1)
    known: dict[str, Any] = {"join": join, "joined_ms": at_minute(end)}
    quiet = live(one, "here", range(end + 1, end + DAY, 7), **known)
    (alert,) = live(one, "back", [end + DAY], **known)

    assert quiet == []
    assert (alert.state, alert.evidence.join) == ("returned", join)
    assert "; the brand joined them there with an answer 24 hours ago" in alert.summary
