"""Shape of a topic's vitals: all its measures at one evaluation tick, as `social.vitals` carries them."""

import msgspec

State = str
"""One of `STATES`."""

STATES: tuple[State, ...] = ("dormant", "seeded", "growing", "outgrown", "escaped", "returning", "returned")

WINDOWS: tuple[str, ...] = ("5m", "1h", "24h", "7d")


class WindowVitals(msgspec.Struct):
    """One window [t - length, t) of a topic: raw counts, weighted engagement, distinct actors, the busiest actor's
    share of the signals.
    """

    signals: int
    by_kind: dict[str, int]
    by_lineage: dict[str, int]
    engagement: float
    actors: int
    top_actor_share: float


class Measures(msgspec.Struct):
    """The measures of a topic; null where there is too little to say anything (MEASURES.md §§3, 4, 6).

    `top_cascade_share` is the size of the largest cascade of two days, as a part of a day's posts and shares.
    `reproduction_number` is how many further acts each act brings, over 70 minutes, with its 95 % interval. `velocity`
    counts signals an hour, `acceleration` its change an hour; `peak_velocity` is the highest since it last slept.
    `drift_share` is the part of active members who talk in topics that emerged elsewhere: `emergent_topics` of them,
    with `emergent_actors` in all, who came to the topic by as many cascades as `breadth_hill` of one size would be
    (e^`breadth_entropy_nats`), the largest of which has the share `breadth_concentration`. `members` have been on the
    topic itself lately, `core_members` of them in most of the last weeks, too. A `cohort` are members who had left,
    compared before and after. The brand went after them `brand_joins` times, at `brand_joined_at` (epoch ms) first;
    `response_lift` is how many times as active members were in the day after that as in the day before, with its 95 %
    interval. After an escape: how new what members said meanwhile was beside the time before (`novelty_bits`) and,
    later, beside the time after (`transience_bits`); `resonance_bits`, the one less the other, is above 0 where it
    lasted.
    """

    outgrowth_ratio: float | None = None
    outgrowth_ratio_low: float | None = None
    outgrowth_ratio_high: float | None = None
    actor_outgrowth_ratio: float | None = None
    endogenous_share: float | None = None
    endogenous_share_low: float | None = None
    top_cascade_share: float | None = None
    baseline: str = "learning"
    baseline_expected: float | None = None
    baseline_z: float | None = None
    doubling_time_s: float | None = None
    drift_share: float | None = None
    drift_share_low: float | None = None
    tag_divergence_bits: float | None = None
    tag_divergence_log_p: float | None = None
    emergent_topics: int = 0
    emergent_actors: int = 0
    breadth_entropy_nats: float | None = None
    breadth_hill: float | None = None
    breadth_concentration: float | None = None
    members: int | None = None
    core_members: int | None = None
    return_rate: float | None = None
    return_rate_low: float | None = None
    cohort: int | None = None
    prolific_ratio: float | None = None
    prolific_ratio_low: float | None = None
    diversity_ratio: float | None = None
    diversity_ratio_low: float | None = None
    brand_joins: int = 0
    brand_joined_at: int | None = None
    response_lift: float | None = None
    response_lift_low: float | None = None
    response_lift_high: float | None = None
    novelty_bits: float | None = None
    transience_bits: float | None = None
    resonance_bits: float | None = None
    reproduction_number: float | None = None
    reproduction_low: float | None = None
    reproduction_high: float | None = None
    velocity: float | None = None
    acceleration: float | None = None
    peak_velocity: float | None = None
    peak_at: int | None = None


class Vitals(msgspec.Struct):
    """All measures of one topic at the tick `at` (epoch ms), which covers the signals before it."""

    at: int
    brand: str
    topic: str
    state: State
    watermark: int
    windows: dict[str, WindowVitals]
    measures: Measures
    flags: tuple[str, ...] = ()
