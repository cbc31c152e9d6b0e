"""Say which conditions lead a cascade into being viral and out of it."""

from schemas.alert import Bound, Condition, Relation
from schemas.cascade import ENDED, FLAG_GUESSED, FLAG_NAMES, ROOT_MISSING, CascadeVitals
from schemas.rules import Rules
from streams.lifecycle.conditions import condition

VIRAL, FINISH = "viral", "finish"
ENDED_NAME = dict(FLAG_NAMES)[ENDED]
GUESSES = {dict(FLAG_NAMES)[ROOT_MISSING], FLAG_GUESSED}


def viral_enter(vitals: CascadeVitals, rules: Rules) -> tuple[Condition, ...]:
    """Each share surely brings more than one, or the cascade will be among the largest; and it surely spreads.

    That it spreads is asked of every cascade: where most are small, any of fifty is among the largest. Seasons without
    news raised dozens of alerts for cascades that were about to end (MEASURES.md §6 has the rest). Where both
    the root was not seen and most followers were guessed, the infectiousness is told, but decides nothing.
    """
    rule, per_share = rules.viral, rules.cascade.followers_per_share
    known = not {*vitals.flags} >= GUESSES
    return (
        condition(
            "infectiousness",
            vitals.infectiousness if known else None,
            ">",
            1 / per_share,
            low=vitals.low if known else None,
            high=vitals.high if known else None,
            bound="low",
            any_of=VIRAL,
        ),
        condition("forecast_percentile", vitals.forecast_percentile, ">=", rule.percentile_enter, any_of=VIRAL),
        _reproduction(vitals, ">=", rules, bound="low", guard=True),
        condition("cascade_size", vitals.size, ">=", rule.size_min, guard=True),
    )


def viral_fading(vitals: CascadeVitals, rules: Rules) -> Condition:
    """Each share surely brings clearly less than one, or too few came lately to measure how many."""
    return _reproduction(vitals, "<", rules, any_of=FINISH, when_unknown=True)


def viral_age_s(vitals: CascadeVitals, *, at_ms: int) -> int:
    """Return how old a cascade is at `at_ms` (epoch ms), in whole seconds, so that a condition loses no digit of it."""
    return (at_ms - vitals.began_at) // 1000


def is_too_old(vitals: CascadeVitals, rules: Rules, *, at_ms: int) -> bool:
    """Say whether a cascade is past the age up to which it can be viral: `cascade_age_s`, at a fraction of its cost."""
    return viral_age_s(vitals, at_ms=at_ms) > rules.viral.age_max_ms // 1000


def viral_over(vitals: CascadeVitals, rules: Rules, *, at_ms: int) -> tuple[Condition, Condition]:
    """At `at_ms` (epoch ms) the cascade is too old, or has ended: each for good, and at once."""
    age_s = viral_age_s(vitals, at_ms=at_ms)
    return (
        condition("cascade_age_s", age_s, ">", rules.viral.age_max_ms // 1000, any_of=FINISH),
        condition("cascade_ended", int(ENDED_NAME in vitals.flags), ">=", 1, any_of=FINISH),
    )


def viral_leave(vitals: CascadeVitals, rules: Rules, *, at_ms: int) -> tuple[Condition, ...]:
    """The cascade fades, which must last for `keep_ms`, or is over, which need not (MEASURES.md §6)."""
    return viral_fading(vitals, rules), *viral_over(vitals, rules, at_ms=at_ms)


def _reproduction(
    vitals: CascadeVitals,
    relation: Relation,
    rules: Rules,
    *,
    bound: Bound = "high",
    any_of: str | None = None,
    guard: bool = False,
    when_unknown: bool = False,
) -> Condition:
    """Compare an end of how many shares a share brings: infectiousness times followers of whoever shares."""
    value, low, high = (
        None if one is None else one * rules.cascade.followers_per_share
        for one in (vitals.infectiousness, vitals.low, vitals.high)
    )
    return condition(
        "reproduction",
        value,
        relation,
        rules.viral.reproduction_below,
        low=low,
        high=high,
        bound=bound,
        any_of=any_of,
        guard=guard,
        when_unknown=when_unknown,
    )
