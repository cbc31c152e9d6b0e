"""Check what a timer counts: event time in which something was known to hold, against a count over all ticks."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.lifecycle_rows import TimerRow
from streams.lifecycle.timers import has_lasted, resumed, run, run_among

TICKS = st.lists(st.tuples(st.integers(1, 50), st.sampled_from([True, True, True, None, None, False])), max_size=40)
"""Ticks: (time since the one before, what is known)."""


def counted(ticks: list[tuple[int, bool | None]]) -> int | None:
    """Return how long it has held by the last tick: the gaps that follow a tick at which it held; None where it fails.

    From the first tick at which it held after the last at which it failed; None where it is not known either.
    """
    failed = max((i for i, (_, holds) in enumerate(ticks) if holds is False), default=-1)
    since = next((i for i, (_, holds) in enumerate(ticks) if i > failed and holds), None)
    if since is None or ticks[-1][1] is None:
        return None
    return sum(ticks[i + 1][0] for i in range(since, len(ticks) - 1) if ticks[i][1])


@given(TICKS)
def test_a_timer_counts_the_time_in_which_it_was_known_to_hold(ticks: list[tuple[int, bool | None]]) -> None:
    """At every tick it has lasted exactly as long as a look back over all ticks says."""
    timer, at_ms = None, 0
    for now, (gap_ms, holds) in enumerate(ticks):
        at_ms += gap_ms
        timer = run(timer, "calm", holds, at_ms=at_ms)
        lasted_ms = counted(ticks[: now + 1])

        assert has_lasted(timer, lasted_ms or 0, at_ms=at_ms) == (lasted_ms is not None)
        assert not has_lasted(timer, (lasted_ms or 0) + 1, at_ms=at_ms)


def test_a_timer_that_goes_on_is_the_same_row() -> None:
    """A row must not change at every tick, neither while it runs nor while it is halted."""
    running = TimerRow("calm", 1_000, 30)
    halted = TimerRow("calm", 1_000, 30, 2_000)

    assert run(running, "calm", True, at_ms=3_000) is running
    assert run(halted, "calm", None, at_ms=3_000) is halted


def test_time_without_data_counts_once_for_a_halted_timer() -> None:
    """Halted at 2, no data from 3 to 7, known again at 9: seven are taken out, not eleven."""
    halted = resumed(TimerRow("calm", 0, 0, 2), stale_ms=4)

    assert run(halted, "calm", True, at_ms=9) == TimerRow("calm", 0, 7)
    assert resumed(TimerRow("calm", 0, 1), stale_ms=4) == TimerRow("calm", 0, 5)


def test_among_several_timers_those_that_stop_are_gone() -> None:
    """The names of those that run are the names that are there."""
    running: dict[str, TimerRow] = {}
    run_among(running, "a", True, at_ms=1)
    run_among(running, "b", None, at_ms=1)
    assert running == {"a": TimerRow("a", 1)}

    run_among(running, "a", False, at_ms=2)

    assert running == {}
