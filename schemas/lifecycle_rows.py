"""Shape of what is remembered of a topic's lifecycle: its state, its running timers and its open episode.

Part of the row of a topic, or, of a cascade that may be viral, a row of its own; brand and topic are in the key of a
row, and its version in the envelope.
"""

import msgspec

from schemas.cascade import CascadeVitals


class TimerRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How long conditions have held without a break: since `since_ms`, of which `paused_ms` went without data.

    Since `halted_ms`, where that is set, nobody can tell whether they hold.
    """

    state: str
    since_ms: int
    paused_ms: int = 0
    halted_ms: int | None = None


class EpisodeRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An open episode: what names it, and what of it was told.

    `entered_ms` is the tick at which it fired, `since_ms` the one from which on its conditions held. `revision` is
    the last one told, at `told_ms`; `severity` the highest one told. `outcome` is what a `returned` said first.
    """

    id: str
    state: str
    entered_ms: int
    since_ms: int
    revision: int
    severity: int
    told_ms: int
    outcome: str | None = None


class LifecycleRow(msgspec.Struct, array_like=True, frozen=True):
    """Where one topic stands. `entering` and `leaving` are in the order of the states, one timer at most for each way
    in or out. `left_ms` is since when the community has been elsewhere, until its return is told and settled.
    """

    state: str = "dormant"
    entering: tuple[TimerRow, ...] = ()
    leaving: tuple[TimerRow, ...] = ()
    stale_since_ms: int | None = None
    episode: EpisodeRow | None = None
    left_ms: int | None = None


class ViralRow(msgspec.Struct, array_like=True, frozen=True):
    """One cascade that is watched: how it stood when it was last told of, running timers, and its open episode.

    The states of the timers are those of `streams.lifecycle.viral.TIMERS`, in that order, one of each at most; they
    have stood still since `stale_since_ms` where that is set. `told_forecast` is the forecast that the episode told
    last.
    """

    vitals: CascadeVitals
    timers: tuple[TimerRow, ...] = ()
    stale_since_ms: int | None = None
    episode: EpisodeRow | None = None
    told_forecast: float | None = None
