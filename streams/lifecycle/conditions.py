"""Say which conditions lead into each state and out of it, and what a reading of the measures makes of them.

Conditions combine in one way only: all must hold, but of those that share an `any_of` one is enough (`satisfied`).
Every number is rounded to `DIGITS` significant digits before it is compared, so an alert shows exactly what was
compared, and anybody can judge it again from the alert alone.
"""

import math
import operator
from collections.abc import Callable
from functools import lru_cache

import msgspec

from schemas.alert import (
    Bound,
    BreadthEvidence,
    CascadeEvidence,
    Condition,
    EmergentEvidence,
    JoinEvidence,
    Relation,
    ResonanceEvidence,
)
from schemas.rules import DAY_MS, Rules
from schemas.vitals import Measures, WindowVitals

DIGITS = 6

HOURS_A_DAY = 24
DAY = "24h"
"""The window that states are judged by."""
SHORTER_WINDOWS: tuple[tuple[str, int], ...] = (("5m", 288), ("1h", 24))
"""The windows that may tell whether anything happens at all, and how many of each make a day."""

ON_TOPIC = ("brand", "seeded", "adopted")
"""The lineages that keep a topic alive; wild talk of its members does not."""

GROWTH, DEPARTURE = "growth", "departure"

RELATIONS: dict[Relation, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


class Reading(msgspec.Struct, frozen=True):
    """What is known of a topic at the tick `at_ms` (epoch ms), which covers the signals before it.

    `windows` has all of `schemas.vitals.WINDOWS`. `stale` says that the sources of the topic are not heard: what looks
    like silence is missing data, and nothing is decided from it. `day_ms` is the length of the window called `24h`,
    shorter where a season is scaled. `flags` are remarks on the quality of the data that alerts pass on. `emergent` is
    where members talk elsewhere, the surest first. `outcome` is what became of those who had left, one of
    `schemas.alert.OUTCOMES`, None while that is open; `is_awaited` says that it may still be known. `breadth` is over
    which parts of the community those are spread who talk elsewhere, `join` how the brand went after them,
    for the first time at `joined_ms`. `resonance` is whether what they talked about there was new and lasted.
    `viral` are the roots of cascades that are told of as viral at the moment, `surge_ms` since when a burst is.
    """

    at_ms: int
    windows: dict[str, WindowVitals]
    measures: Measures
    cascades: tuple[CascadeEvidence, ...] = ()
    stale: bool = False
    day_ms: int = DAY_MS
    flags: tuple[str, ...] = ()
    emergent: tuple[EmergentEvidence, ...] = ()
    outcome: str | None = None
    is_awaited: bool = False
    breadth: BreadthEvidence | None = None
    join: JoinEvidence | None = None
    joined_ms: int | None = None
    resonance: ResonanceEvidence | None = None
    viral: frozenset[str] = frozenset()
    surge_ms: int | None = None

    @property
    def hour_ms(self) -> int:
        """How long the window called `1h` is: shorter than an hour where a season is scaled."""
        return self.day_ms // HOURS_A_DAY


# --- one condition, and several ---------------------------------------------------------------------------------------


@lru_cache(maxsize=4_096, typed=True)
def rounded(number: float | None) -> float | None:
    """Return a number with `DIGITS` significant digits, whole numbers unchanged; None where it is not finite.

    A tick asks several times for most numbers, and for every threshold: what was asked for lately is remembered.

    >>> rounded(0.123456789), rounded(41230123), rounded(float("inf"))
    (0.123457, 41230123.0, None)
    """
    if number is None or not math.isfinite(number):
        return None
    if isinstance(number, int):
        return float(number)
    return float(f"{number:.{DIGITS}g}") + 0.0  # Adding zero turns -0.0 into 0.0.


def condition(
    name: str,
    value: float | None,
    relation: Relation,
    threshold: float,
    *,
    low: float | None = None,
    high: float | None = None,
    bound: Bound = "value",
    any_of: str | None = None,
    guard: bool = False,
    when_unknown: bool = False,
) -> Condition:
    """Compare one number with its threshold; `when_unknown` is the answer where there is no number.

    A number is missing where there was too little to say anything. That never leads into a state, but does lead out
    of it: an audience that is too small to be measured holds nothing up.

    >>> condition("endogenous_share", 0.57, ">=", 0.55, low=0.54, bound="low").holds
    False
    """
    value = rounded(value)
    low = None if low is None else rounded(low)
    high = None if high is None else rounded(high)
    limit = rounded(threshold)
    if limit is None:
        raise ValueError(f"expected a finite threshold for the condition `{name}`, got {threshold}: refuse such a rule")
    compared = value if bound == "value" else low if bound == "low" else high
    holds = when_unknown if compared is None else RELATIONS[relation](compared, limit)
    return Condition(name, value, limit, holds, low, high, relation, bound, any_of, guard)


def compared(one: Condition) -> float | None:
    """Return the number of a condition that stands against its threshold; None where it was not to be had."""
    return one.value if one.bound == "value" else one.low if one.bound == "low" else one.high


def satisfied(conditions: tuple[Condition, ...]) -> bool:
    """Say whether all conditions hold, of those that share an `any_of` at least one.

    >>> either = condition("z", 1, ">=", 3, any_of="growth"), condition("t2", 60, "<=", 90, any_of="growth")
    >>> satisfied(either), satisfied((*either, condition("actors", 3, ">=", 5)))
    (True, False)
    """
    assert conditions, "a state without conditions would hold always"
    groups: dict[str, bool] = {}
    for one in conditions:
        if one.any_of is not None:
            groups[one.any_of] = groups.get(one.any_of, False) or one.holds
        elif not one.holds:
            return False
    return all(groups.values())


def verdict(conditions: tuple[Condition, ...]) -> bool | None:
    """Say whether conditions are satisfied; None where that depends on numbers that were not to be had.

    >>> low, none = condition("drift_share", 0.1, "<", 0.2), condition("tag_divergence_bits", None, "<", 0.1)
    >>> verdict((low,)), verdict((low, none)), verdict((condition("drift_share", 0.3, "<", 0.2), none))
    (True, None, False)
    """
    if satisfied(conditions):
        return True
    if all(compared(one) is not None for one in conditions):
        return False
    hopeful = (msgspec.structs.replace(one, holds=True) if compared(one) is None else one for one in conditions)
    return None if satisfied(tuple(hopeful)) else False


def is_cold(reading: Reading) -> bool:
    """Say whether the topic is too young to be compared with what is usual for it (MEASURES.md §10)."""
    measures = reading.measures
    return measures.baseline == "learning" or measures.baseline_expected is None or measures.baseline_z is None


def on_topic(window: WindowVitals) -> int:
    """Return how many signals of a window are of the topic itself: brand, seeded or adopted."""
    return sum(window.by_lineage.get(lineage, 0) for lineage in ON_TOPIC)


def recent_signals(reading: Reading, rules: Rules) -> int:
    """Return how many on-topic signals the shortest window holds that no signal between two ticks can slip through."""
    for name, per_day in SHORTER_WINDOWS:
        if reading.day_ms >= per_day * rules.tick_ms:
            return on_topic(reading.windows[name])
    return on_topic(reading.windows[DAY])


def _doubling_time_s(reading: Reading) -> float | None:
    """Return the significant doubling time in seconds; shrinking, a negative one, is no doubling."""
    doubling_time_s = reading.measures.doubling_time_s
    return doubling_time_s if doubling_time_s is not None and doubling_time_s > 0 else None


# --- seeded -----------------------------------------------------------------------------------------------------------


def seeded_enter(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Something happens on the topic, and a few actors took part within the day (MEASURES.md §8).

    "Something" is looked for in the shortest window (5 minutes), not in the day, so that entering and leaving are
    opposites: with a silence rule shorter than a day, a topic just fallen dormant would otherwise come back by itself.
    """
    return (
        condition("recent_signals", recent_signals(reading, rules), ">=", 1),
        condition("actors", reading.windows[DAY].actors, ">=", rules.seeded.actors_min),
    )


def seeded_leave(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """Nothing happens on the topic; the rule `silence_ms` says for how long that must last."""
    return (condition("recent_signals", recent_signals(reading, rules), "<", 1),)


# --- growing ----------------------------------------------------------------------------------------------------------


def growing_enter(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """The audience is unusual, or by `z_doubling` and doubling; without a baseline it must be large and double.

    In cold start the absolute numbers stand in for the baseline, so they are no guards (MEASURES.md §§8, 10).
    """
    rule, day = rules.growing, reading.windows[DAY]
    doubling_s = rule.doubling_ms / 1000
    if is_cold(reading):
        return (
            condition("doubling_time_s", _doubling_time_s(reading), "<=", doubling_s),
            condition("actors", day.actors, ">=", rule.cold_actors_min),
            condition("signals", day.signals, ">=", rule.cold_signals_min),
        )
    return (
        condition("baseline_z", reading.measures.baseline_z, ">=", rule.z_enter, any_of=GROWTH),
        condition("doubling_time_s", _doubling_time_s(reading), "<=", doubling_s, any_of=GROWTH),
        # Doubling counts what is said, and a few who flood the topic can double that; an audience they are not.
        condition("baseline_z", reading.measures.baseline_z, ">=", rule.z_doubling, guard=True),
    )


def growing_leave(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """The audience is usual again and does not double any more."""
    rule = rules.growing
    return (
        condition("baseline_z", reading.measures.baseline_z, "<", rule.z_exit, when_unknown=True),
        condition("doubling_time_s", _doubling_time_s(reading), ">", rule.doubling_ms / 1000, when_unknown=True),
    )


# --- outgrown ---------------------------------------------------------------------------------------------------------


def outgrown_enter(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """The community makes more of the topic than the brand seeded, surely, and many take part (MEASURES.md §§4, 10).

    The ratio by actors guards the one by engagement, where it is measured: a few busy actors must not carry it.
    """
    rule, measures, day = rules.outgrown, reading.measures, reading.windows[DAY]
    made = [
        condition(
            "outgrowth_ratio",
            measures.outgrowth_ratio,
            ">=",
            rule.ratio_enter,
            low=measures.outgrowth_ratio_low,
            high=measures.outgrowth_ratio_high,
        ),
        condition(
            "endogenous_share",
            measures.endogenous_share,
            ">=",
            rule.share_enter,
            low=measures.endogenous_share_low,
            bound="low",
        ),
    ]
    if measures.actor_outgrowth_ratio is not None:
        made.append(
            condition("actor_outgrowth_ratio", measures.actor_outgrowth_ratio, ">=", rule.ratio_enter, guard=True)
        )
    if is_cold(reading):
        made += [
            condition("actors", day.actors, ">=", max(rule.cold_actors_min, rule.actors_min)),
            condition("signals", day.signals, ">=", max(rule.cold_signals_min, rule.signals_min)),
        ]
    else:
        expected = measures.baseline_expected or 0.0
        made += [
            condition("audience", day.actors, ">=", rule.audience_factor * expected),
            condition("baseline_z", measures.baseline_z, ">=", rule.z_enter),
            condition("actors", day.actors, ">=", rule.actors_min, guard=True),
            condition("signals", day.signals, ">=", rule.signals_min, guard=True),
        ]
    made.append(condition("top_actor_share", day.top_actor_share, "<=", rule.top_actor_share_max, guard=True))
    # One post that goes around is viral; a community is more than its audience.
    if measures.top_cascade_share is not None:
        most = rule.top_cascade_share_max
        made.append(condition("top_cascade_share", measures.top_cascade_share, "<=", most, guard=True))
    return tuple(made)


def outgrown_leave(reading: Reading, rules: Rules) -> tuple[Condition, ...]:
    """The brand's part is large again, by engagement or by signals."""
    rule, measures = rules.outgrown, reading.measures
    return (
        condition(
            "outgrowth_ratio", measures.outgrowth_ratio, "<", rule.ratio_exit, any_of=DEPARTURE, when_unknown=True
        ),
        condition(
            "endogenous_share", measures.endogenous_share, "<", rule.share_exit, any_of=DEPARTURE, when_unknown=True
        ),
    )
