"""Check what leads out of a topic and back into it, at and around every threshold."""

from math import ceil
from typing import Any

import pytest

from schemas.alert import OUTCOMES
from schemas.rules import EscapedRules, ReturnedRules, Rules
from streams.lifecycle import escape_conditions
from streams.lifecycle.alerts import severity_of
from streams.lifecycle.conditions import satisfied, verdict
from tests.streams.lifecycle.readings import START_MS, mood, reading

RULES = Rules()
ESCAPED = RULES.escaped
RETURNED = RULES.returned
LITTLE = 0.001
"""By how much a number of these tests misses a threshold."""


# --- escaped ----------------------------------------------------------------------------------------------------------


def test_an_escape_meets_every_condition_of_the_definition() -> None:
    """As published (MEASURES.md §4): divergence that is no chance, drift by its lower bound, a topic, members in it."""
    found = escape_conditions.escaped_enter(mood("elsewhere", START_MS), RULES)
    left = escape_conditions.escaped_leave(mood("elsewhere", START_MS), RULES)

    assert {one.name: (one.relation, one.threshold, one.bound, one.guard) for one in found} == {
        "tag_divergence_bits": (">=", 0.25, "value", False),
        "tag_divergence_log_p": ("<=", -13.8, "value", True),
        "drift_share": (">=", 0.2, "low", False),
        "emergent_topics": (">=", 1.0, "value", True),
        "emergent_actors": (">=", 25.0, "value", True),
    }
    assert satisfied(found)
    assert {one.name: (one.relation, one.threshold, one.bound) for one in left} == {
        "tag_divergence_bits": ("<", 0.12, "value"),
        "drift_share": ("<", 0.1, "value"),
    }


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tag_divergence_bits", {"tag_divergence_bits": ESCAPED.divergence_enter - LITTLE}),
        ("tag_divergence_bits", {"tag_divergence_bits": None}),
        ("tag_divergence_log_p", {"tag_divergence_log_p": ESCAPED.log_p_max + LITTLE}),
        ("tag_divergence_log_p", {"tag_divergence_log_p": None}),
        ("drift_share", {"drift_share_low": ESCAPED.drift_enter - LITTLE}),
        ("drift_share", {"drift_share": 0.9, "drift_share_low": None}),
        ("emergent_topics", {"emergent_topics": ESCAPED.topics_min - 1}),
        ("emergent_actors", {"emergent_actors": ESCAPED.actors_min - 1}),
    ],
)
def test_each_condition_of_an_escape_can_prevent_it_alone(name: str, change: dict[str, Any]) -> None:
    """None of the conditions is there for show; and what is not known leads nowhere."""
    found = escape_conditions.escaped_enter(mood("elsewhere", START_MS, **change), RULES)

    assert [one.name for one in found if not one.holds] == [name]
    assert not satisfied(found)


def test_at_its_thresholds_an_escape_is_one() -> None:
    """Each number that must be at least, or at most, may be just that."""
    just: dict[str, Any] = {
        "tag_divergence_bits": ESCAPED.divergence_enter,
        "tag_divergence_log_p": ESCAPED.log_p_max,
        "drift_share_low": ESCAPED.drift_enter,
        "emergent_topics": ESCAPED.topics_min,
        "emergent_actors": ESCAPED.actors_min,
    }

    assert satisfied(escape_conditions.escaped_enter(mood("elsewhere", START_MS, **just), RULES))


def test_many_topics_in_many_heads_do_not_make_an_escape_more_severe() -> None:
    """The mood has 0.31 bits, and surely 0.47 elsewhere: twice what is further beyond its threshold, rounded up."""
    many = mood("elsewhere", START_MS, emergent_topics=40, emergent_actors=9_000, tag_divergence_log_p=-900.0)

    furthest = max(0.31 / ESCAPED.divergence_enter, 0.47 / ESCAPED.drift_enter)

    assert severity_of(escape_conditions.escaped_enter(many, RULES)) == ceil(2 * (furthest - 1))


@pytest.mark.parametrize(
    ("bits", "drift", "leaves"),
    [
        (ESCAPED.divergence_exit, ESCAPED.drift_exit, False),
        (ESCAPED.divergence_exit - LITTLE, 0.9, True),
        (0.9, ESCAPED.drift_exit - LITTLE, True),
        (ESCAPED.divergence_exit - LITTLE, None, True),
        (None, ESCAPED.drift_exit - LITTLE, True),
        (0.9, None, None),
        (None, 0.9, None),
        (None, None, None),
    ],
)
def test_an_escape_is_left_by_either_number_and_never_by_a_missing_one(
    bits: float | None, drift: float | None, leaves: bool | None
) -> None:
    """At night too few are awake to be measured: that is neither a return nor the contrary."""
    one = reading(START_MS, tag_divergence_bits=bits, drift_share=drift)

    assert verdict(escape_conditions.escaped_leave(one, RULES)) is leaves


@pytest.mark.parametrize(
    ("bits", "drift", "silent"),
    [
        (None, None, True),
        (ESCAPED.divergence_exit - LITTLE, None, True),
        (None, ESCAPED.drift_exit - LITTLE, True),
        (ESCAPED.divergence_exit, None, False),
        (None, ESCAPED.drift_exit, False),
    ],
)
def test_silence_is_when_no_number_says_that_they_are_elsewhere(
    bits: float | None, drift: float | None, silent: bool
) -> None:
    """One that is known to be at its exit or above speaks for the community."""
    one = reading(START_MS, tag_divergence_bits=bits, drift_share=drift)

    assert satisfied(escape_conditions.escaped_silent(one, RULES)) is silent


def test_thresholds_of_an_escape_come_from_the_rules() -> None:
    """Every threshold can be overridden per topic (MEASURES.md §10)."""
    strict = Rules(escaped=EscapedRules(divergence_enter=0.35, drift_enter=0.5, topics_min=3, actors_min=200))
    found = escape_conditions.escaped_enter(mood("elsewhere", START_MS), strict)

    assert {one.name for one in found if one.holds} == {"tag_divergence_log_p"}


# --- returned ---------------------------------------------------------------------------------------------------------

JUST_BACK = {
    "return_rate_low": RETURNED.rate_enter,
    "cohort": RETURNED.cohort_min,
    "prolific_ratio": RETURNED.prolific_min,
    "diversity_ratio": RETURNED.diverse_min,
}
"""Numbers of a return at their thresholds."""


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
def test_a_return_is_entered_by_any_outcome_and_by_nothing_else(outcome: str | None) -> None:
    """Whoever measured the cohort decides what became of it."""
    found = escape_conditions.returned_enter(mood("back", START_MS, outcome=outcome), RULES)

    assert satisfied(found) is (outcome is not None)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, []),
        (JUST_BACK, []),
        ({"return_rate_low": RETURNED.rate_enter - LITTLE}, ["return_rate"]),
        ({"cohort": RETURNED.cohort_min - 1}, ["cohort"]),
        ({"prolific_ratio": RETURNED.prolific_min - LITTLE}, ["prolific_ratio"]),
        ({"prolific_ratio_low": 1.0}, ["prolific_ratio_low"]),
        ({"diversity_ratio": RETURNED.diverse_min - LITTLE}, ["diversity_ratio"]),
        ({"diversity_ratio": None}, ["diversity_ratio"]),
    ],
)
def test_the_numbers_of_a_return_say_what_was_missed(change: dict[str, Any], missed: list[str]) -> None:
    """At each threshold of MEASURES.md §7."""
    found = escape_conditions.returned_numbers(mood("back", START_MS, **change), RULES)

    assert [one.name for one in found if not one.holds] == missed


def test_the_numbers_of_a_return_are_those_of_the_definition() -> None:
    """As published (MEASURES.md §7): each with its threshold, and with what it is compared by."""
    found = escape_conditions.returned_numbers(mood("back", START_MS), RULES)

    assert {one.name: (one.relation, one.threshold, one.bound) for one in found} == {
        "return_rate": (">=", 0.3, "low"),
        "cohort": (">=", 25.0, "value"),
        "prolific_ratio": (">=", 1.2, "value"),
        "prolific_ratio_low": (">", 1.0, "value"),
        "diversity_ratio": (">=", 1.1, "value"),
    }


@pytest.mark.parametrize(
    ("name", "value", "low"),
    [("return_rate", 0.64, 0.58), ("prolific_ratio", 1.4, 1.25), ("diversity_ratio", 1.3, 1.15)],
)
def test_the_numbers_of_a_return_are_shown_with_their_lower_ends(name: str, value: float, low: float) -> None:
    """How diverse a return is, too: 1.3 times means little to a reader who cannot see that it might be less than 1."""
    found = {one.name: one for one in escape_conditions.returned_numbers(mood("back", START_MS), RULES)}

    assert (found[name].value, found[name].low) == (value, low)
    of_unknown = escape_conditions.returned_numbers(mood("back", START_MS, **{f"{name}_low": None}), RULES)
    assert next(one for one in of_unknown if one.name == name).low is None


def test_thresholds_of_a_return_come_from_the_rules() -> None:
    """Every threshold can be overridden per topic."""
    strict = Rules(returned=ReturnedRules(rate_enter=0.6, cohort_min=200, prolific_min=2.0, diverse_min=2.0))
    found = escape_conditions.returned_numbers(mood("back", START_MS), strict)

    assert [one.name for one in found if one.holds] == ["prolific_ratio_low"]


def test_a_state_of_passage_is_left_at_any_time_and_entered_by_no_condition() -> None:
    """What comes before it leads into it, and its duration out of it."""
    assert satisfied(escape_conditions.passing(mood("silent", START_MS), RULES))
    assert not satisfied(escape_conditions.never(mood("back", START_MS), RULES))
