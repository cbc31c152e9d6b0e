"""The pulse of an event loop: beats are measured, a loop that hangs ends the process, a paused process does not."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

import pytest

from agents import pulse
from agents.metrics import Metrics
from agents.pulse import Pulse, Wedged


class Ended:
    """Stands for the end of the process: it would not let the test go on."""

    def __init__(self) -> None:
        self.reasons: list[BaseException] = []
        self.came = threading.Event()

    def __call__(self, reason: BaseException) -> None:
        """Note the end."""
        self.reasons.append(reason)
        self.came.set()


def a_pulse(
    ended: Ended, refresh: Callable[[], None] = lambda: None, *, wedged_s: float = 0.05
) -> tuple[Pulse, Metrics]:
    """Make a pulse that beats and looks every few milliseconds."""
    metrics = Metrics(version="1")
    return Pulse(metrics, refresh=refresh, end=ended, beat_s=0.001, tick_s=0.001, wedged_s=wedged_s), metrics


def test_every_beat_is_measured_and_refreshes() -> None:
    """What is refreshed is never older than a beat."""
    beats = 0

    async def until_ten_beats() -> None:
        done = asyncio.Event()

        def refresh() -> None:
            nonlocal beats
            beats += 1
            if beats >= 10:
                done.set()

        made, metrics = a_pulse(ended, refresh, wedged_s=60)
        beating = asyncio.get_running_loop().create_task(made.beat_for_ever())
        await asyncio.wait_for(done.wait(), timeout=30)
        assert made.live() == (True, "")
        beating.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beating
        assert (metrics.registry.get_sample_value("overgrowth_event_loop_lag_seconds_count") or 0) >= beats

    ended = Ended()
    asyncio.run(until_ten_beats())
    assert ended.reasons == []


def test_a_loop_that_hangs_ends_the_process(capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing in it could say so itself; where it hangs is written down first."""

    async def hang() -> None:
        made, _ = a_pulse(ended)
        beating = asyncio.get_running_loop().create_task(made.beat_for_ever())
        await asyncio.sleep(0)
        assert ended.came.wait(timeout=30)
        beating.cancel()

    ended = Ended()
    asyncio.run(hang())

    assert isinstance(ended.reasons[0], Wedged)
    assert "in hang" in capfd.readouterr().err


def test_a_silent_loop_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orchestrator that asks from outside hears it before the process ends by itself."""
    monkeypatch.setattr(pulse, "LATE_S", 0.02)
    made, _ = a_pulse(Ended(), wedged_s=60)
    assert made.live() == (True, "")
    while made.silent_s < 0.02:
        # The ticks of the thread, by hand: no beat comes between.
        made._ticks_since_beat += 1
    is_alive, reason = made.live()
    assert not is_alive
    assert "silent" in reason


def test_a_watchdog_that_ended_is_told() -> None:
    """Nobody would notice a hanging loop any more."""

    async def run() -> tuple[bool, str]:
        made, _ = a_pulse(ended)
        beating = asyncio.get_running_loop().create_task(made.beat_for_ever())
        await asyncio.sleep(0)
        ended.came.wait(timeout=30)
        made._watchdog.join(timeout=30)
        made._ticks_since_beat = 0
        verdict = made.live()
        beating.cancel()
        return verdict

    ended = Ended()
    assert asyncio.run(run()) == (False, "the watchdog has ended")
