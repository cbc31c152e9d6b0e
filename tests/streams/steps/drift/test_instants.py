"""A topic's drift is evaluated at fixed instants, and what is over is forgotten, also while nobody evaluates."""

from random import Random

from schemas.rules import DAY_MS
from schemas.vitals import Measures
from streams.steps.drift import EVALUATIONS, LAG_PANES, NOW_PANES, TopicDrift
from tests.streams.steps.drift.talk import (
    BEFORE_PANES,
    END_MS,
    MEMBERS,
    PANE_MS,
    SEEDS,
    START_MS,
    WINDOW_MS,
    Table,
    after_quiet_days,
    evaluate,
    planted,
    quiet_days,
    said,
    take,
    told,
    wild,
)


def test_evaluation_happens_every_third_of_a_pane_however_often_it_is_asked_for() -> None:
    """Ticks come every minute, or every ten: what is found, and what belongs to the topic, is the same throughout."""
    minute_ms = 60_000
    log = sorted([*quiet_days(Random(1)), *planted(Random(2), 0.6)], key=lambda one: (one.at, one.id))
    drifts = {
        every_ms: TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES) for every_ms in (minute_ms, 10 * minute_ms)
    }
    seen: dict[int, list[object]] = {}
    for every_ms, drift in drifts.items():
        seen[every_ms] = []
        take(drift, [one for one in log if one.at < END_MS - WINDOW_MS])
        for at_ms in range(END_MS - WINDOW_MS, END_MS, every_ms):
            evaluate(drift, at_ms)
            if at_ms % (10 * minute_ms) == 0:
                seen[every_ms].append((told(drift), drift.emergent()))
            seen[every_ms] += [drift.add(one, SEEDS) for one in log if at_ms <= one.at < at_ms + every_ms]

    assert seen[minute_ms] == seen[10 * minute_ms]
    assert EVALUATIONS * 10 * minute_ms == PANE_MS
    assert any(told_then[1] for told_then in seen[minute_ms] if isinstance(told_then, tuple))


def test_what_was_found_holds_until_the_next_third() -> None:
    """What comes in between waits."""
    drift = after_quiet_days(Random(1))
    quiet = told(drift)
    take(drift, [wild(END_MS, member, "#wild") for member in MEMBERS])
    evaluate(drift, END_MS + PANE_MS // EVALUATIONS - 1)
    waiting = told(drift)
    evaluate(drift, END_MS + PANE_MS // EVALUATIONS)

    assert waiting == quiet
    assert told(drift).emergent_actors == 200


def test_what_has_emerged_stays_so_as_long_as_members_use_it() -> None:
    """Nine days on it is usual, but nobody has come back; three hours and a half behind the last use it is over."""
    drift = after_quiet_days(Random(1), planted(Random(2), 0.5))
    for pane in range(9 * 48):
        at_ms = END_MS + pane * PANE_MS
        for member in MEMBERS[pane % 8 : 160 : 8]:
            drift.add(wild(at_ms, member, "#wild"), SEEDS)
        if pane % 12 == 0:
            evaluate(drift, at_ms + PANE_MS)
    last_ms = at_ms
    evaluate(drift, last_ms + PANE_MS)
    usual = told(drift)
    evaluate(drift, last_ms + WINDOW_MS)
    last = told(drift)
    evaluate(drift, last_ms + WINDOW_MS + PANE_MS)

    assert (usual.emergent_topics, usual.emergent_actors) == (1, 120)
    assert (last.emergent_topics, last.emergent_actors) == (1, 20)
    assert (told(drift).emergent_topics, told(drift).emergent_actors, drift.emergent()) == (0, 0, ())


def test_rows_are_told_anew_only_where_something_changed() -> None:
    """A topic ticks every minute, and most of its ticks find nothing out."""
    drift, table = after_quiet_days(Random(1)), Table()
    table.take(drift)
    evaluate(drift, END_MS + 1)

    assert list(drift.changed_rows()) == []


def test_a_topic_that_sleeps_forgets_what_its_members_say_elsewhere() -> None:
    """Nobody evaluates it, for weeks: what is held and stored is no more than the windows cover."""
    drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=48), Table()
    for pane in range(600):
        drift.add(wild(START_MS + pane * PANE_MS, "member-0", "#talk0"), SEEDS)
        table.take(drift)

    panes = {letter: sum(name.startswith(letter + "|") for name in table.rows) for letter in "MWx"}
    assert panes == {"M": 48 + LAG_PANES + 1, "W": NOW_PANES + 1, "x": NOW_PANES + 1}


def test_a_topic_that_slept_is_judged_by_its_last_hours_alone() -> None:
    """Behind a year of silence what had emerged is over."""
    drift = after_quiet_days(Random(1), planted(Random(2), 0.5))
    assert told(drift).emergent_topics == 1
    later_ms = END_MS + 365 * DAY_MS
    drift.add(said(later_ms, "member-0", ["#brand"]), SEEDS)
    evaluate(drift, later_ms + PANE_MS)
    table = Table()
    table.take(drift)

    assert (drift.emergent(), told(drift).drift_share) == ((), None)


def test_a_topic_of_which_nothing_is_left_has_nothing_to_tell() -> None:
    """Its row says so, and all others are gone."""
    drift, table = after_quiet_days(Random(1), planted(Random(2), 0.5)), Table()
    table.take(drift)
    evaluate(drift, END_MS + 8 * DAY_MS)
    table.take(drift)

    assert told(drift) == Measures()
    assert table.rows.keys() == {"d"}
