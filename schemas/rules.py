"""Shape of the rules: every threshold, window, `for` and `keep` that decides about alerts, with its default and range.

A field that ends in `_ms` is a duration: a rules file names it without the ending and writes it with a unit
(`for: 2h`), and `Rules.scale` multiplies it.
"""

from typing import Annotated

from msgspec import Meta, Struct

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
TICK_MS_MIN = 1_000
"""Ticks never come closer than this, whatever the scale: each one judges every topic."""

Factor = Annotated[float, Meta(ge=0.0, le=1e6)]
"""A weight, a ratio or a z value."""
PositiveFactor = Annotated[float, Meta(ge=1e-3, le=1e6)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]
HistoryHours = Annotated[int, Meta(ge=0, le=10_000)]
SpanMs = Annotated[int, Meta(ge=0, le=3_650 * DAY_MS)]
"""A duration that may be 0: at once, or not at all."""
PositiveMs = Annotated[int, Meta(ge=1, le=3_650 * DAY_MS)]
TickMs = Annotated[int, Meta(ge=TICK_MS_MIN, le=DAY_MS)]
Scale = Annotated[float, Meta(ge=1e-6, le=1e3)]


class EngagementRules(Struct, forbid_unknown_fields=True, frozen=True):
    """Weight of each kind in engagement units, and how much one actor may count in an hour (MEASURES.md §2)."""

    post: Factor = 1.0
    reply: Factor = 1.0
    quote: Factor = 1.5
    share: Factor = 1.0
    like: Factor = 0.2
    follow: Factor = 0.5
    actor_cap: Factor = 5.0


class BaselineRules(Struct, forbid_unknown_fields=True, frozen=True):
    """How much history a baseline wants before it is used (MEASURES.md §§3, 10).

    Counted in slots of the baseline, which are hours times `Rules.scale`; so these two are not scaled themselves.
    """

    learning_hours: HistoryHours = 24
    weekly_after_hours: HistoryHours = 168


class SeededRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When a topic counts as seeded, and after how long a silence it is dormant again (MEASURES.md §8)."""

    actors_min: Count = 5
    silence_ms: PositiveMs = 72 * HOUR_MS


class GrowingRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When a topic is growing: an unusual audience, or a significant doubling (MEASURES.md §8).

    A doubling counts from `z_doubling` on, which by default is no less than is enough without one.
    """

    z_enter: Factor = 3.0
    z_exit: Factor = 1.0
    z_doubling: Factor = 3.0
    doubling_ms: PositiveMs = 24 * HOUR_MS
    cold_actors_min: Count = 100
    cold_signals_min: Count = 500
    for_ms: SpanMs = HOUR_MS
    keep_ms: SpanMs = 6 * HOUR_MS


class OutgrownRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When the community has outgrown what the brand seeded (MEASURES.md §§4, 10)."""

    ratio_enter: Factor = 2.0
    ratio_exit: Factor = 1.3
    share_enter: Share = 0.55
    share_exit: Share = 0.45
    audience_factor: Factor = 1.5
    z_enter: Factor = 3.0
    actors_min: Count = 50
    signals_min: Count = 100
    cold_actors_min: Count = 250
    cold_signals_min: Count = 500
    top_actor_share_max: Share = 0.25
    top_cascade_share_max: Share = 0.5
    for_ms: SpanMs = 2 * HOUR_MS
    keep_ms: SpanMs = 6 * HOUR_MS


class CascadeRules(Struct, forbid_unknown_fields=True, frozen=True):
    """How cascades are measured (MEASURES.md §§5, 6).

    A post whose parent was not seen waits for it for `orphan_ms`; a cascade that is silent for `silence_ms` has ended.
    `followers_per_share` is n*, how many follow whoever will share yet; `followers_imputed` stands for followers that
    nobody told. With both the same, infectiousness times n* is how many shares a share brings.
    """

    orphan_ms: PositiveMs = HOUR_MS
    silence_ms: PositiveMs = DAY_MS
    followers_per_share: PositiveFactor = 100.0
    followers_imputed: Count = 100


class ViralRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When a cascade is viral, when that is told again, and when it is over (MEASURES.md §6).

    Told again once the forecast has differed for `for_ms` from the one told by `forecast_change`, or by its decade.
    """

    size_min: Count = 50
    percentile_enter: Share = 0.95
    reproduction_below: Factor = 0.8
    forecast_change: PositiveFactor = 0.5
    for_ms: SpanMs = 10 * MINUTE_MS
    keep_ms: SpanMs = HOUR_MS
    age_max_ms: PositiveMs = 7 * DAY_MS


class BurstRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When the talk of an hour is a burst, and when it is over (MEASURES.md §3).

    A topic that is still learning is judged by the `cold_` numbers alone. An hour of which one account made more than
    `top_actor_share_max` is that account's, not the community's. After the end of a burst the next one waits for
    `cooldown_ms`.
    """

    z_enter: Factor = 5.0
    z_exit: Factor = 2.0
    signals_min: Count = 20
    actors_min: Count = 10
    top_actor_share_max: Share = 0.5
    cold_signals_min: Count = 500
    cold_actors_min: Count = 100
    for_ms: SpanMs = 10 * MINUTE_MS
    keep_ms: SpanMs = HOUR_MS
    cooldown_ms: SpanMs = 6 * HOUR_MS


class MemberRules(Struct, forbid_unknown_fields=True, frozen=True):
    """Who belongs to a topic's community (MEASURES.md §§1, 10).

    An actor with `events_min` on-topic acts on `days_min` UTC days within `window_ms`, or with `burst_events_min` in a
    day, for as long as that is so: by the latter alone until the first of these acts is a day old, whether the topic is
    still valid or not. Core members were there in `core_weeks_min` of the last four weeks.
    """

    events_min: Count = 2
    days_min: Count = 2
    window_ms: PositiveMs = 28 * DAY_MS
    burst_events_min: Count = 3
    core_weeks_min: Count = 3


class EmergentRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When a tag that members use elsewhere is a topic that emerged from the community (MEASURES.md §4).

    What members do now is what they did within `window_ms`; before is the `before_ms` before that.
    """

    window_ms: PositiveMs = 3 * HOUR_MS
    before_ms: PositiveMs = 7 * DAY_MS
    lift_min: Factor = 3.0
    g2_min: Factor = 15.14
    q_max: Share = 0.01
    actors_min: Count = 10
    cascades_min: Count = 2
    standout_min: Factor = 1.5


class EscapedRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When the community's talk has left for elsewhere, and when it has come back from there (MEASURES.md §§4, 8).

    The divergence of tags is told from `uses_min` uses on each side on.
    """

    divergence_enter: Share = 0.25
    divergence_exit: Share = 0.12
    log_p_max: Annotated[float, Meta(ge=-1e6, le=0.0)] = -13.8
    drift_enter: Share = 0.2
    drift_exit: Share = 0.1
    uses_min: Count = 60
    topics_min: Count = 1
    actors_min: Count = 25
    for_ms: SpanMs = HOUR_MS
    keep_ms: SpanMs = 6 * HOUR_MS


class ReturnedRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When those who had left count as having returned, and how (MEASURES.md §7)."""

    rate_enter: Share = 0.3
    cohort_min: Count = 25
    within_ms: PositiveMs = 14 * DAY_MS
    prolific_min: Factor = 1.2
    diverse_min: Factor = 1.1
    hold_ms: SpanMs = DAY_MS


class ReminderRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When a firing episode is told again: after each of `after_ms`, then every `every_ms`."""

    after_ms: tuple[PositiveMs, ...] = (30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS)
    every_ms: PositiveMs = DAY_MS


class Rules(Struct, forbid_unknown_fields=True, frozen=True):
    """All rules of one topic. `scale` multiplies every duration: 1/60 makes a season's day last 24 minutes.

    The durations here are as declared; `streams.lifecycle.rules.scaled` applies the scale.
    """

    scale: Scale = 1.0
    tick_ms: TickMs = MINUTE_MS
    engagement: EngagementRules = EngagementRules()
    baseline: BaselineRules = BaselineRules()
    seeded: SeededRules = SeededRules()
    growing: GrowingRules = GrowingRules()
    outgrown: OutgrownRules = OutgrownRules()
    cascade: CascadeRules = CascadeRules()
    viral: ViralRules = ViralRules()
    burst: BurstRules = BurstRules()
    member: MemberRules = MemberRules()
    emergent: EmergentRules = EmergentRules()
    escaped: EscapedRules = EscapedRules()
    returned: ReturnedRules = ReturnedRules()
    reminders: ReminderRules = ReminderRules()
