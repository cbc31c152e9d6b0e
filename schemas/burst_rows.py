"""Shape of what is remembered of a topic's bursts: running timers, the open episode, when the last one ended.

Part of the row of a topic; brand and topic are in the key of that row, and its version in the envelope.
"""

import msgspec

from schemas.lifecycle_rows import EpisodeRow, TimerRow


class BurstRow(msgspec.Struct, array_like=True, frozen=True):
    """Where the bursts of one topic stand; `entering` runs while none is open, `leaving` while one is.

    `resolved_ms` is the tick at which the last burst ended. Data has been missing since `stale_since_ms` where that is
    set; `heard_ms` is the tick at which it came again after the last gap.
    """

    entering: TimerRow | None = None
    leaving: TimerRow | None = None
    episode: EpisodeRow | None = None
    resolved_ms: int | None = None
    stale_since_ms: int | None = None
    heard_ms: int | None = None
