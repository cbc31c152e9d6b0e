"""Measure in event time for how long something has held without a break, with the time taken out in which nobody knew.

A timer is a row (`TimerRow`), so whoever keeps it puts it away and takes it up as it is.
"""

from schemas.lifecycle_rows import TimerRow


def run(timer: TimerRow | None, name: str, holds: bool | None, *, at_ms: int) -> TimerRow | None:
    """Start a timer, let it go on, stop it (None), or halt it: that is for `holds` None, where nobody can tell.

    One tick at which it fails ends it. One at which nobody can tell does not, and the time from there to the next
    one that is known does not count; such a tick starts no timer either.

    >>> timer = run(None, "calm", True, at_ms=0)
    >>> timer = run(timer, "calm", None, at_ms=60)
    >>> has_lasted(run(timer, "calm", True, at_ms=100), 70, at_ms=110), run(timer, "calm", False, at_ms=100)
    (True, None)
    """
    if holds is False or timer is None:
        return TimerRow(name, at_ms) if holds else None
    if holds is None:
        return timer if timer.halted_ms is not None else TimerRow(name, timer.since_ms, timer.paused_ms, at_ms)
    if timer.halted_ms is None:
        return timer
    return TimerRow(name, timer.since_ms, timer.paused_ms + at_ms - timer.halted_ms)


def run_among(timers: dict[str, TimerRow], name: str, holds: bool | None, *, at_ms: int) -> None:
    """Start, halt, stop or go on with one of several timers, as `run` does."""
    timer = run(timers.get(name), name, holds, at_ms=at_ms)
    if timer is None:
        timers.pop(name, None)
    else:
        timers[name] = timer


def has_lasted(timer: TimerRow | None, duration_ms: int, *, at_ms: int) -> bool:
    """Say whether a timer runs and has run for the duration; one that is halted at the moment has not."""
    return timer is not None and timer.halted_ms is None and at_ms - timer.since_ms - timer.paused_ms >= duration_ms


def resumed(timer: TimerRow, *, stale_ms: int) -> TimerRow:
    """Return a timer with time without data taken out of it; a halted one does not count that time anyway."""
    if timer.halted_ms is not None:
        return timer
    return TimerRow(timer.state, timer.since_ms, timer.paused_ms + stale_ms)
