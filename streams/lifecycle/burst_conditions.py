"""Say which conditions lead into a burst and out of it.

What is counted are the on-topic signals of the hour that ends at the tick, compared with what is usual for such an
hour (`Baseline.read_at`). A topic that is still learning has no usual, so only large numbers count there.
"""

from schemas.alert import Condition
from schemas.rules import BurstRules
from streams.lifecycle.conditions import DEPARTURE, Reading, condition, on_topic
from streams.measures.baseline import BaselineReading

HOUR = "1h"
"""The window that bursts are judged by."""


def is_unread(baseline: BaselineReading) -> bool:
    """Say whether the topic is too young to say what is usual for an hour.

    >>> is_unread(BaselineReading("learning", None, None)), is_unread(BaselineReading("hour_of_day", 20.0, 3.7))
    (True, False)
    """
    return baseline.expected is None or baseline.z is None


def burst_enter(reading: Reading, baseline: BaselineReading, rules: BurstRules) -> tuple[Condition, ...]:
    """The hour is far above what is usual, no handful of signals or actors, and not one account's (MEASURES.md §3)."""
    hour = reading.windows[HOUR]
    # A flood by one account is no talk of many, however many others are there as well.
    shared = condition("hour_top_actor_share", hour.top_actor_share, "<=", rules.top_actor_share_max, guard=True)
    if is_unread(baseline):
        return (
            condition("hour_signals", on_topic(hour), ">=", max(rules.cold_signals_min, rules.signals_min)),
            condition("hour_actors", hour.actors, ">=", max(rules.cold_actors_min, rules.actors_min)),
            shared,
        )
    return (
        condition("hour_z", baseline.z, ">=", rules.z_enter),
        condition("hour_signals", on_topic(hour), ">=", rules.signals_min, guard=True),
        condition("hour_actors", hour.actors, ">=", rules.actors_min, guard=True),
        shared,
    )


def burst_leave(reading: Reading, baseline: BaselineReading, rules: BurstRules) -> tuple[Condition, ...]:
    """The hour is as usual again; in a topic that is still learning, one of the large numbers is missing."""
    if not is_unread(baseline):
        return (condition("hour_z", baseline.z, "<", rules.z_exit),)
    hour = reading.windows[HOUR]
    signals_min, actors_min = (
        max(rules.cold_signals_min, rules.signals_min),
        max(rules.cold_actors_min, rules.actors_min),
    )
    return (
        condition("hour_signals", on_topic(hour), "<", signals_min, any_of=DEPARTURE),
        condition("hour_actors", hour.actors, "<", actors_min, any_of=DEPARTURE),
    )
