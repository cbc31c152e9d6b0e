"""Check what leads out of a topic and back into it, at and around every threshold."""

from typing import Any

import pytest

from schemas.alert import OUTCOMES
from schemas.rules import EscapedRules, ReturnedRules, Rules
from streams.lifecycle import escape_conditions
from streams.lifecycle.alerts import severity_of
from streams.lifecycle.conditions import satisfied, verdict
from tests.streams.lifecycle.readings import START_MS, mood, reading

RULES = Rules()


# --- escaped ----------------------------------------------------------------------------------------------------------


def test_an_escape_meets_every_condition_of_the_definition() -> None:
    """Divergence that is no chance, drift by its lower bound, a topic and members in it (MEASURES.md §4)."""
    found = escape_conditions.escaped_enter(mood("elsewhere", START_MS), RULES)

    assert {one.name: (one.relation, one.threshold, one.bound, one.guard) for one in found} == {
        "tag_divergence_bits": (">=", 0.2, "value", False),
        "tag_divergence_log_p": ("<=", -13.8, "value", True),
        "drift_share": (">=", 0.3, "low", False),
        "emergent_topics": (">=", 1.0, "value", True),
        "emergent_actors": (">=", 25.0, "value", True),
    }
    assert satisfied(found)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("tag_divergence_bits", {"tag_divergence_bits": 0.199}),
        ("tag_divergence_bits", {"tag_divergence_bits": None}),
        ("tag_divergence_log_p", {"tag_divergence_log_p": -13.7}),
        ("tag_divergence_log_p", {"tag_divergence_log_p": None}),
        ("drift_share", {"drift_share_low": 0.299}),
        ("drift_share", {"drift_share": 0.9, "drift_share_low": None}),
        ("emergent_topics", {"emergent_topics": 0}),
        ("emergent_actors", {"emergent_actors": 24}),
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
        "tag_divergence_bits": 0.2,
        "tag_divergence_log_p": -13.8,
        "drift_share_low": 0.3,
        "emergent_topics": 1,
        "emergent_actors": 25,
    }

    assert satisfied(escape_conditions.escaped_enter(mood("elsewhere", START_MS, **just), RULES))


def test_many_topics_in_many_heads_do_not_make_an_escape_more_severe() -> None:
    """By hand: 0.31 bits of 0.2 are 0.55 beyond it, 0.47 of 0.3 is 0.567, twice that rounded up is 2."""
    many = mood("elsewhere", START_MS, emergent_topics=40, emergent_actors=9_000, tag_divergence_log_p=-900.0)

    assert severity_of(escape_conditions.escaped_enter(many, RULES)) == 2


@pytest.mark.parametrize(
    ("bits", "drift", "leaves"),
    [
        (0.12, 0.2, False),
        (0.119, 0.9, True),
        (0.9, 0.199, True),
        (0.119, None, True),
        (None, 0.199, True),
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
    [(None, None, True), (0.11, None, True), (None, 0.1, True), (0.12, None, False), (None, 0.2, False)],
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


@pytest.mark.parametrize("outcome", [None, *OUTCOMES])
def test_a_return_is_entered_by_any_outcome_and_by_nothing_else(outcome: str | None) -> None:
    """Whoever measured the cohort decides what became of it."""
    found = escape_conditions.returned_enter(mood("back", START_MS, outcome=outcome), RULES)

    assert satisfied(found) is (outcome is not None)


@pytest.mark.parametrize(
    ("change", "missed"),
    [
        ({}, []),
        ({"return_rate_low": 0.3, "cohort": 25, "prolific_ratio": 1.2, "diversity_ratio": 1.1}, []),
        ({"return_rate_low": 0.299}, ["return_rate"]),
        ({"cohort": 24}, ["cohort"]),
        ({"prolific_ratio": 1.19}, ["prolific_ratio"]),
        ({"prolific_ratio_low": 1.0}, ["prolific_ratio_low"]),
        ({"diversity_ratio": 1.09}, ["diversity_ratio"]),
        ({"diversity_ratio": None}, ["diversity_ratio"]),
    ],
)
def test_the_numbers_of_a_return_say_what_was_missed(change: dict[str, Any], missed: list[str]) -> None:
    """At each threshold of MEASURES.md §7: a return is richer where nothing was."""
    found = escape_conditions.returned_numbers(mood("back", START_MS, **change), RULES)

    assert [one.name for one in found if not one.holds] == missed


def test_thresholds_of_a_return_come_from_the_rules() -> None:
    """Every threshold can be overridden per topic."""
    strict = Rules(returned=ReturnedRules(rate_enter=0.6, cohort_min=200, prolific_min=2.0, diverse_min=2.0))
    found = escape_conditions.returned_numbers(mood("back", START_MS), strict)

    assert [one.name for one in found if one.holds] == ["prolific_ratio_low"]


def test_a_state_of_passage_is_left_at_any_time_and_entered_by_no_condition() -> None:
    """What comes before it leads into it, and its duration out of it."""
    assert satisfied(escape_conditions.passing(mood("silent", START_MS), RULES))
    assert not satisfied(escape_conditions.never(mood("back", START_MS), RULES))
