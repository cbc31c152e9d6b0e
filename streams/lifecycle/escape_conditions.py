"""Say which conditions lead out of a topic, when a community takes its talk elsewhere, and back into it.

A number that is missing leads neither away nor back: at night too few members are awake to measure anything, and that
says nothing about where they will talk in the morning. Only when nothing says any longer that they are elsewhere, and
for as long as a silence may last, is the escape over for want of anybody to measure.
"""

from schemas.alert import Condition
from schemas.rules import Rules
from streams.lifecycle.conditions import DEPARTURE, Reading, condition

SURE_RATIO = 1.0
"""More than before, where the lower end of the interval of a ratio lies above this."""


# --- escaped ----------------------------------------------------------------------------------------------------------


def escaped_enter(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Members surely talk elsewhere, in other tags than what was seeded, and together (MEASURES.md §4).

    That the difference is no chance, and that there is a topic with enough members in it, are guards: they say nothing
    about how far the community has gone.
    """
    rule, measures = rules.escaped, reading.measures
    return (
        condition("tag_divergence_bits", measures.tag_divergence_bits, ">=", rule.divergence_enter),
        condition("tag_divergence_log_p", measures.tag_divergence_log_p, "<=", rule.log_p_max, guard=True),
        condition(
            "drift_share",
            measures.drift_share,
            ">=",
            rule.drift_enter,
            low=measures.drift_share_low,
            bound="low",
        ),
        condition("emergent_topics", measures.emergent_topics, ">=", rule.topics_min, guard=True),
        condition("emergent_actors", measures.emergent_actors, ">=", rule.actors_min, guard=True),
    )


def escaped_leave(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Members talk of the same things again, or few of them talk elsewhere; it must have been measured."""
    rule, measures = rules.escaped, reading.measures
    return (
        condition("tag_divergence_bits", measures.tag_divergence_bits, "<", rule.divergence_exit, any_of=DEPARTURE),
        condition("drift_share", measures.drift_share, "<", rule.drift_exit, any_of=DEPARTURE),
    )


def escaped_silent(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Nothing says any longer that members talk elsewhere: each number is missing, or below its exit."""
    rule, measures = rules.escaped, reading.measures
    return (
        condition("tag_divergence_bits", measures.tag_divergence_bits, "<", rule.divergence_exit, when_unknown=True),
        condition("drift_share", measures.drift_share, "<", rule.drift_exit, when_unknown=True),
    )


# --- returning and returned -------------------------------------------------------------------------------------------


def never(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Nothing leads into the state: it is where another one leads when it is left."""
    return (condition("entered", 0, ">=", 1),)


def passing(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Nothing leads out of the state but time; how much of it is for its `keep` to say."""
    return (condition("passing", 1, ">=", 1),)


def given_up(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Nobody waits any longer for what becomes of those who had left: the time for it is over (MEASURES.md §7).

    It was not told then because too few had left to say anything.
    """
    return (condition("outcome_awaited", int(reading.is_awaited), "<", 1),)


def returned_enter(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """It is known what became of those who had left: any of `schemas.alert.OUTCOMES` (MEASURES.md §7)."""
    return (condition("outcome_known", int(reading.outcome is not None), ">=", 1, guard=True),)


def returned_numbers(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """How those who had left stand beside what they were: enough of them back, more prolific, more diverse.

    Shown beside `returned_enter`, and deciding nothing: the outcome does. A return is richer where all of them hold
    and the lower end of the diversity is above 1, too; where those who left faded or settled elsewhere, the first does
    not.
    """
    rule, measures = rules.returned, reading.measures
    return (
        condition(
            "return_rate",
            measures.return_rate,
            ">=",
            rule.rate_enter,
            low=measures.return_rate_low,
            bound="low",
        ),
        condition("cohort", measures.cohort, ">=", rule.cohort_min, guard=True),
        condition("prolific_ratio", measures.prolific_ratio, ">=", rule.prolific_min, low=measures.prolific_ratio_low),
        condition("prolific_ratio_low", measures.prolific_ratio_low, ">", SURE_RATIO, guard=True),
        condition(
            "diversity_ratio", measures.diversity_ratio, ">=", rule.diverse_min, low=measures.diversity_ratio_low
        ),
    )
