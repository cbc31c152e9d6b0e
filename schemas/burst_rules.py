"""Shape of the rules that decide about bursts: thresholds, `for`, `keep` and cooldown, with defaults and ranges."""

from msgspec import Struct

from schemas.rules import HOUR_MS, MINUTE_MS, Count, Factor, SpanMs


class BurstRules(Struct, forbid_unknown_fields=True, frozen=True):
    """When the talk of an hour is a burst, and when it is over (MEASURES.md §3).

    A topic that is still learning is judged by the `cold_` numbers alone. After the end of a burst the next one waits
    for `cooldown_ms`.
    """

    z_enter: Factor = 5.0
    z_exit: Factor = 2.0
    signals_min: Count = 20
    actors_min: Count = 10
    cold_signals_min: Count = 500
    cold_actors_min: Count = 100
    for_ms: SpanMs = 10 * MINUTE_MS
    keep_ms: SpanMs = HOUR_MS
    cooldown_ms: SpanMs = 6 * HOUR_MS
