"""Those who leave are followed from the escape of their topic until it is told what became of them, and no further."""

import pytest

from schemas.attributed import ADOPTED, SEEDED, WILD
from schemas.rules import DAY_MS, HOUR_MS
from schemas.vitals import Measures, State
from streams.measures.cohort_actor import home_of
from streams.measures.tag_actors import number_of
from streams.steps.leavers import Leavers
from tests.streams.steps.leavers.lives import (
    MEMBERS,
    NUMBERS,
    RULES,
    Join,
    Step,
    Table,
    Told,
    Turn,
    last,
    left,
    returned,
    said,
    take,
)
from tests.streams.steps.logs import MINUTE_MS, START_MS

# --- states -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["growing", "outgrown"])
def test_who_leaves_is_counted_from_the_escape_on(before: State) -> None:
    """Elsewhere before it is nobody gone; and as long as nothing has escaped there is nothing to tell."""
    early = take(Leavers(hour_ms=HOUR_MS), [*left(START_MS, "ana", "bo"), START_MS + 1])
    told = last([*left(START_MS, "ana", "bo"), Turn(before, "escaped", START_MS + 1),
                 *left(START_MS + 2, "bo", "cy", "di"), START_MS + 3])  # fmt: skip

    assert early == [Told(START_MS + 1, None, Measures())]
    assert told == Told(START_MS + 3, None, Measures(cohort=3))


@pytest.mark.parametrize(
    ("tags", "lineage", "leaving"),
    [
        (["#wild"], WILD, 1),
        (["#brand", "#other", "#wild"], WILD, 1),
        (["#other"], WILD, 0),
        ([], WILD, 0),
        (["#wild"], ADOPTED, 0),
        (["#wild"], SEEDED, 0),
    ],
)
def test_only_what_is_said_elsewhere_about_what_emerged_is_leaving(tags: list[str], lineage: int, leaving: int) -> None:
    """Not the same tag on the topic, and no other tag elsewhere; of several tags one is enough."""
    act = said(START_MS + 1, "ana", *tags, lineage=lineage)

    assert last([Turn("growing", "escaped", START_MS), act, START_MS + 2]).measures.cohort == leaving


def test_nobody_joins_and_people_return_once_the_escape_is_over() -> None:
    """Of three who left one was on topic before the end and one behind it: a third has returned, in six digits."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana", "bo", "cy"),
                 said(START_MS + 2, "ana"), Turn("escaped", "returning", START_MS + 3),
                 *left(START_MS + 4, "eve"), said(START_MS + 5, "bo"), START_MS + 6])  # fmt: skip

    assert (told.measures.cohort, told.measures.return_rate) == (3, 0.333333)


def test_who_comes_back_once_the_brand_has_come_has_returned_before_the_escape_is_over() -> None:
    """Of three who left one is on topic before the brand comes and one behind it; nobody waits before the end."""
    escape: list[Step] = [Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana", "bo", "cy")]
    escape += [said(START_MS + 2, "ana"), Join(START_MS + 3), said(START_MS + 4, "bo")]
    leavers = Leavers(hour_ms=HOUR_MS)
    (told,) = take(leavers, [*escape, START_MS + 5])

    assert (told.measures.cohort, told.measures.return_rate) == (3, 0.333333)
    assert not leavers.is_awaited(START_MS + 5, RULES)


def test_a_brand_that_comes_behind_the_end_begins_the_time_anew() -> None:
    """The outcome is awaited for fourteen days after it, and told then."""
    end_ms, join_ms = START_MS + DAY_MS, START_MS + 8 * DAY_MS
    leavers = Leavers(hour_ms=HOUR_MS)
    over_ms = join_ms + RULES.within_ms
    told = take(leavers, [Turn("growing", "escaped", START_MS), *left(START_MS + 1, *MEMBERS),
                          Turn("escaped", "returning", end_ms), Join(join_ms), over_ms - 1, over_ms])  # fmt: skip

    assert [one.outcome for one in told] == [None, "faded"]
    assert [leavers.is_awaited(at_ms, RULES) for at_ms in (over_ms - 1, over_ms)] == [True, False]


def test_members_belong_where_they_were_seen_first() -> None:
    """By the cascade of their first act on the topic; what they say elsewhere says nothing of it."""
    leavers = Leavers(hour_ms=HOUR_MS)
    one, other = (said(START_MS + n, "ana") for n in (1, 2))
    one.root, other.root = "first", "second"
    take(leavers, [Turn("growing", "escaped", START_MS), *left(START_MS, "ana", "bo"), one, other])

    assert leavers.homes(NUMBERS) == {}
    assert leavers.homes([number_of("ana"), number_of("bo")]) == {home_of("first"): 1}


def test_an_escape_without_rows_of_its_cohort_ends_without_one() -> None:
    """A table may have lost them, or never had any: nobody is waited for, and the next escape is followed again."""
    leavers = Leavers(hour_ms=HOUR_MS)
    take(leavers, [Turn("escaped", "returning", START_MS)])

    assert not leavers.is_awaited(START_MS + 1, RULES)
    (told,) = take(leavers, [Turn("returning", "escaped", START_MS + 2), *left(START_MS + 3, "ana"), START_MS + 4])
    assert told.measures.cohort == 1


def test_there_is_no_rate_of_return_while_the_topic_is_escaped() -> None:
    """Who is on topic again then has not come back from what goes on."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "a"), said(START_MS + 2, "a"), START_MS + 3])

    assert (told.measures.cohort, told.measures.return_rate, told.measures.return_rate_low) == (1, None, None)


def test_who_leaves_again_is_another_cohort() -> None:
    """An escape out of a return: those who left the first time are not counted, unless they leave again."""
    told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana", "bo", "cy"),
                 Turn("escaped", "returning", START_MS + 2), said(START_MS + 3, "ana"),
                 Turn("returning", "escaped", START_MS + 4), *left(START_MS + 5, "cy", "d"), START_MS + 6])  # fmt: skip

    assert told.measures.cohort == 2


@pytest.mark.parametrize("states", [("returned", "seeded"), ("returned", "growing"), ("returning", "seeded")])
def test_once_the_outcome_was_told_or_given_up_nothing_is_told_any_more(states: tuple[State, State]) -> None:
    """In `returned` the numbers are shown still; behind it neither they nor an outcome are, however long one waits."""
    at_ms = START_MS + DAY_MS + RULES.within_ms
    steps = [Turn("returning", "returned", at_ms)] if states[0] == "returned" else []
    shown_ms, after_ms = at_ms + MINUTE_MS, at_ms + DAY_MS
    told = take(Leavers(hour_ms=HOUR_MS), [*returned(at_ms=at_ms), *steps, shown_ms, Turn(*states, after_ms),
                                           after_ms + MINUTE_MS, after_ms + 20 * DAY_MS])  # fmt: skip

    assert {(one.outcome, one.measures.cohort, one.measures.return_rate) for one in told[:2]} == {("returned", 40, 1)}
    assert [(one.outcome, one.measures) for one in told[2:]] == [(None, Measures())] * 2


def test_a_state_that_stays_or_that_is_not_about_leaving_changes_nothing() -> None:
    """A topic grows and falls asleep; and it stays escaped at every tick but one."""
    leavers, table = Leavers(hour_ms=HOUR_MS), Table()
    take(leavers, [Turn("growing", "escaped", START_MS), *left(START_MS + 1, "ana"), START_MS + 2])
    table.take(leavers)
    take(leavers, [Turn("escaped", "escaped", START_MS + 3)])

    assert list(leavers.changed_rows()) == []
    assert last([Turn("seeded", "growing", START_MS), Turn("growing", "dormant", START_MS + 1),
                 *left(START_MS + 2, "ana"), START_MS + 3]).measures == Measures()  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------


def test_the_cohort_is_read_once_an_hour() -> None:
    """Who joins within the hour is seen at its end; whole hours of event time, whenever the first tick was."""
    steps: list[Step] = [Turn("growing", "escaped", START_MS)]
    for minute in range(10, 150, 10):
        at_ms = START_MS + minute * MINUTE_MS
        steps += [*left(at_ms - 1, f"member-{minute}"), at_ms]
    told = take(Leavers(hour_ms=HOUR_MS), steps)

    # The tick of an hour is its first: at minutes 10, 60 and 120, by when 1, 6 and 12 had left.
    assert [one.measures.cohort for one in told] == [1] * 5 + [6] * 6 + [12] * 3


def test_a_change_of_the_state_is_read_at_the_next_tick() -> None:
    """It does not wait for the hour: what was read is of another state."""
    told = take(Leavers(hour_ms=HOUR_MS), [Turn("growing", "escaped", START_MS), START_MS + 1,
                                           *left(START_MS + 2, "ana"), START_MS + 3,
                                           Turn("escaped", "returning", START_MS + 4), START_MS + 5])  # fmt: skip

    assert [(one.measures.cohort, one.measures.return_rate) for one in told] == [(0, None), (0, None), (1, 0.0)]


def test_an_outcome_that_is_due_within_an_hour_is_told_in_its_time() -> None:
    """What was read at the beginning of the hour is judged by every tick: fourteen days are over at its 30th minute."""
    half_past = START_MS + HOUR_MS // 2
    escape: list[Step] = [Turn("growing", "escaped", START_MS), *left(START_MS + 1, *MEMBERS)]
    steps, over_ms = [*escape, Turn("escaped", "returning", half_past)], half_past + RULES.within_ms
    told = take(Leavers(hour_ms=HOUR_MS), [*steps, over_ms - HOUR_MS // 2, over_ms - 1, over_ms])

    assert [one.outcome for one in told] == [None, None, "faded"]
