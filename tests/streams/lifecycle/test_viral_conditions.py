"""Check what makes a cascade viral, what lets it fade, and what ends it, at and around every threshold."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import DAY_MS, CascadeRules, Rules, ViralRules
from streams.lifecycle import viral_conditions as conditions
from streams.lifecycle.conditions import satisfied
from tests.streams.lifecycle.conditions.test_states import holding
from tests.streams.lifecycle.readings import CASCADE_MOODS, START_MS, vitals

RULES = Rules()
VIRAL = RULES.viral
LITTLE = 0.001
"""By how much a number of these tests misses a threshold."""
CRITICAL = 1 / RULES.cascade.followers_per_share
"""The infectiousness by which each share brings one."""
SPREADS = VIRAL.reproduction_below * CRITICAL
"""The least by which a cascade spreads."""
LARGEST = {"forecast_percentile": VIRAL.percentile_enter, "low": SPREADS}
"""What just makes a cascade one of the largest that surely spreads."""


def test_a_viral_cascade_meets_every_condition_of_the_definition() -> None:
    """As published (MEASURES.md §6): surely critical or among the largest, and surely spreading, and not small."""
    found = conditions.viral_enter(vitals("spreading", START_MS, forecast_percentile=0.99), RULES)

    assert {one.name: (one.relation, one.threshold, one.bound, one.any_of) for one in found} == {
        "infectiousness": (">", 0.01, "low", "viral"),
        "forecast_percentile": (">=", 0.95, "value", "viral"),
        "reproduction": (">=", 0.8, "low", None),
        "cascade_size": (">=", 50.0, "value", None),
    }
    assert satisfied(found)


@pytest.mark.parametrize(
    ("changes", "enters"),
    [
        ({"low": CRITICAL * (1 + LITTLE)}, True),
        ({"low": CRITICAL}, False),  # The bound must lie above 1/n*, not at it.
        (LARGEST, True),
        (LARGEST | {"forecast_percentile": VIRAL.percentile_enter - LITTLE}, False),
        (LARGEST | {"low": SPREADS * (1 - LITTLE)}, False),
        (LARGEST | {"size": VIRAL.size_min}, True),
        (LARGEST | {"size": VIRAL.size_min - 1}, False),
        (LARGEST | {"forecast_percentile": None}, False),
        (LARGEST | {"low": None}, False),
        ({"infectiousness": None, "low": None, "high": None, "forecast_percentile": 0.99}, False),
    ],
)
def test_a_viral_cascade_is_surely_critical_or_among_the_largest(changes: dict[str, Any], enters: bool) -> None:
    """At each threshold of the rules; what is not known leads nowhere."""
    found = conditions.viral_enter(vitals("quiet", START_MS, **{"high": 2 * CRITICAL} | changes), RULES)

    assert satisfied(found) is enters


def test_a_cascade_that_may_fade_is_not_viral_by_its_percentile() -> None:
    """Where most are small, any of fifty is among the largest: 99 of 100, and each share perhaps brings 0.72."""
    found = conditions.viral_enter(vitals("unsure", START_MS), RULES)

    assert holding(found) == {
        "infectiousness": False,
        "forecast_percentile": True,
        "reproduction": False,
        "cascade_size": True,
    }
    assert not satisfied(found)


def test_only_how_viral_a_cascade_is_counts_for_its_severity() -> None:
    """A thousand posts are enough to judge by, and no measure of how fast they came."""
    found = conditions.viral_enter(vitals("spreading", START_MS), RULES)

    assert {one.name: one.guard for one in found} == {
        "infectiousness": False,
        "forecast_percentile": False,
        "reproduction": True,
        "cascade_size": True,
    }


@pytest.mark.parametrize(("high", "fades"), [(SPREADS * (1 - LITTLE), True), (SPREADS, False), (None, True)])
def test_a_cascade_fades_where_each_share_surely_brings_less_than_the_rule(high: float | None, fades: bool) -> None:
    """By the upper end of the interval; what cannot be measured any more holds nothing up."""
    assert conditions.viral_fading(vitals("quiet", START_MS, high=high), RULES).holds is fades


def test_what_a_share_brings_follows_from_the_followers_of_the_rules() -> None:
    """n* = 250 makes 0.004 to 0.006 of it 1 to 1.5."""
    found = conditions.viral_fading(vitals("quiet", START_MS), Rules(cascade=CascadeRules(followers_per_share=250.0)))

    assert (found.low, found.value, found.high) == (1.0, 1.25, 1.5)


ENDS = st.none() | st.floats(0.0, 2 * CRITICAL) | st.sampled_from([SPREADS, CRITICAL])


@given(ENDS, ENDS, st.none() | st.floats(0.0, 1.0))
def test_no_cascade_enters_and_fades_at_once(one: float | None, other: float | None, percentile: float | None) -> None:
    """Entering is judged by the lower end of an interval and fading by the upper, so that no interval does both."""
    low, high = (one, other) if one is None or other is None else (min(one, other), max(one, other))
    if low is None or high is None:
        low = high = None
    found = vitals("quiet", START_MS, low=low, high=high, forecast_percentile=percentile)

    assert not (satisfied(conditions.viral_enter(found, RULES)) and conditions.viral_fading(found, RULES).holds)


@pytest.mark.parametrize("name", [*CASCADE_MOODS])
def test_no_mood_of_these_tests_enters_and_fades_at_once(name: str) -> None:
    """Or it would be told as begun and as over in turns for a week."""
    one = vitals(name, START_MS)

    assert not (satisfied(conditions.viral_enter(one, RULES)) and conditions.viral_fading(one, RULES).holds)


@pytest.mark.parametrize("name", ["spreading", "large", "larger"])
def test_what_makes_the_viral_moods_viral_is_what_their_names_say(name: str) -> None:
    """The lives of cascades are made of these: the first is surely critical, the others surely spread and are large."""
    found = {one.name: one for one in conditions.viral_enter(vitals(name, START_MS), RULES)}
    reproduction = found["reproduction"]

    assert reproduction.low is not None
    assert reproduction.low >= VIRAL.reproduction_below
    assert (found["infectiousness"].holds, found["forecast_percentile"].holds) == (
        name == "spreading",
        name != "spreading",
    )


@pytest.mark.parametrize(
    ("age_ms", "is_old"), [(7 * DAY_MS, False), (7 * DAY_MS + 999, False), (7 * DAY_MS + 1_000, True)]
)
def test_a_cascade_is_too_old_after_seven_days(age_ms: int, is_old: bool) -> None:
    """Counted in whole seconds, so that the alert shows what decided; the short way says the same."""
    one = vitals("large", START_MS)
    by_age, by_end = conditions.viral_over(one, RULES, at_ms=START_MS + age_ms)

    assert (by_age.holds, by_end.holds) == (is_old, False)
    assert conditions.is_too_old(one, RULES, at_ms=START_MS + age_ms) is is_old


def test_no_digit_of_a_great_age_is_lost() -> None:
    """A limit of 100 days has more seconds than an alert has digits for a float."""
    rules = Rules(viral=ViralRules(age_max_ms=100 * DAY_MS))
    by_age, _ = conditions.viral_over(vitals("large", START_MS), rules, at_ms=START_MS + 100 * DAY_MS + 1_000)

    assert (by_age.value, by_age.threshold, by_age.holds) == (8_640_001.0, 8_640_000.0, True)


def test_each_way_out_of_viral_is_enough() -> None:
    """They are alternatives; an end is told by its flag."""
    found = conditions.viral_leave(vitals("large", START_MS, flags=("truncated", "ended")), RULES, at_ms=START_MS)

    assert holding(found) == {"reproduction": False, "cascade_age_s": False, "cascade_ended": True}
    assert satisfied(found)
