"""Check what leads into a burst and out of it, in a grown topic and in one that is still learning."""

import pytest

from schemas.rules import BurstRules
from streams.lifecycle.burst_conditions import burst_enter, burst_leave
from streams.lifecycle.conditions import satisfied
from streams.measures.baseline import BaselineReading
from tests.streams.lifecycle.burst.hours import LEARNING, hour, usual

RULES = BurstRules()


@pytest.mark.parametrize(
    ("z", "signals", "actors", "enters"),
    [(5.0, 20, 10, True), (4.999, 900, 900, False), (50.0, 19, 10, False), (50.0, 20, 9, False)],
)
def test_an_hour_must_be_unusual_and_made_by_several(z: float, signals: int, actors: int, enters: bool) -> None:
    """z >= 5 and x >= 20 and U >= 10 (MEASURES.md §3): each just there, and each just not."""
    assert satisfied(burst_enter(hour(0, signals=signals, actors=actors), usual(z), RULES)) == enters


@pytest.mark.parametrize(
    ("signals", "actors", "enters"), [(500, 100, True), (499, 400, False), (9_000, 99, False), (300, 120, False)]
)
def test_a_learning_topic_must_be_large(signals: int, actors: int, enters: bool) -> None:
    """x >= 500 and U >= 100 (MEASURES.md §3), and below either of them it is over."""
    reading = hour(0, signals=signals, actors=actors)

    assert satisfied(burst_enter(reading, LEARNING, RULES)) == enters
    assert satisfied(burst_leave(reading, LEARNING, RULES)) != enters


@pytest.mark.parametrize("baseline", [LEARNING, usual(9.0)])
@pytest.mark.parametrize(("share", "enters"), [(0.5, True), (0.51, False)])
def test_a_flood_by_one_account_is_no_burst(baseline: BaselineReading, share: float, enters: bool) -> None:
    """An hour of which one account made more than half is that account's, however many others are there."""
    reading = hour(0, signals=9_000, actors=4_000, top_actor_share=share)

    assert satisfied(burst_enter(reading, baseline, RULES)) == enters


def test_wild_talk_is_no_burst_of_the_topic() -> None:
    """Members who talk about something else make no signal of the topic."""
    assert not satisfied(burst_enter(hour(0, signals=10, wild=5_000), usual(9.0), RULES))


@pytest.mark.parametrize(("z", "leaves"), [(1.999, True), (2.0, False), (-3.0, True)])
def test_an_hour_is_usual_below_two(z: float, leaves: bool) -> None:
    """z < 2, however many signals there are: what is usual for a large topic is much."""
    assert satisfied(burst_leave(hour(0, signals=9_000, actors=4_000), usual(z), RULES)) == leaves


def test_the_numbers_of_the_guards_hold_for_a_learning_topic_too() -> None:
    """Who asks for 50 accounts always asks for them on the first day as well."""
    strict = BurstRules(actors_min=300, signals_min=900)

    assert not satisfied(burst_enter(hour(0, signals=950, actors=299), LEARNING, strict))
    assert not satisfied(burst_enter(hour(0, signals=899, actors=300), LEARNING, strict))
    assert satisfied(burst_enter(hour(0, signals=900, actors=300), LEARNING, strict))


@pytest.mark.parametrize("baseline", [LEARNING, usual(3.0)])
def test_entering_and_leaving_never_hold_together(baseline: BaselineReading) -> None:
    """A burst that is over in the moment in which it begins would be told for nothing."""
    for signals in (0, 19, 20, 499, 500, 5_000):
        reading = hour(0, signals=signals + 1, actors=signals)
        found = burst_enter(reading, baseline, RULES), burst_leave(reading, baseline, RULES)

        assert not (satisfied(found[0]) and satisfied(found[1]))
