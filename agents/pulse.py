"""Feel the pulse of the event loop: how late it comes back to a task, and end the process where it never does.

A task beats in the loop; a thread outside of it counts its own ticks since the last beat. So a process that was paused
as a whole (SIGSTOP, a virtual machine that moved) is not taken for one whose loop hangs: while paused, neither goes on.
"""

import asyncio
import faulthandler
import logging
import threading
import time
from collections.abc import Callable

from agents.metrics import Metrics

logger = logging.getLogger("overgrowth")

BEAT_S = 0.5
LATE_S = 30.0
"""How long the loop may be silent before the process counts as not alive."""
WEDGED_S = 300.0
"""How long it may be silent before the process ends by itself, where nobody asks whether it is alive."""


class Wedged(Exception):
    """The event loop does not come back to its tasks."""


class Pulse:
    """The heartbeat of one event loop; every beat calls `refresh`, which must be quick.

    `end` is called from another thread once the loop was silent for `WEDGED_S`, after the stacks of all threads were
    written to standard error; it must end the process. `tick_s` is how often the thread looks.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        refresh: Callable[[], None],
        end: Callable[[BaseException], None],
        beat_s: float = BEAT_S,
        tick_s: float = 1.0,
        wedged_s: float = WEDGED_S,
    ) -> None:
        self._metrics = metrics
        self._refresh = refresh
        self._end = end
        self._beat_s = beat_s
        self._tick_s = tick_s
        self._wedged_ticks = max(1, round(wedged_s / tick_s))
        self._ticks_since_beat = 0
        self._stopped = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    async def beat_for_ever(self) -> None:
        """Beat until cancelled, and watch the beats meanwhile."""
        self._watchdog.start()
        try:
            while True:
                slept_at_s = time.monotonic()
                await asyncio.sleep(self._beat_s)
                self._metrics.observe_loop_lag(lag_s=max(0.0, time.monotonic() - slept_at_s - self._beat_s))
                self._ticks_since_beat = 0
                self._refresh()
        finally:
            self._stopped.set()

    def _watch(self) -> None:
        while not self._stopped.wait(self._tick_s):
            self._ticks_since_beat += 1
            if self._ticks_since_beat >= self._wedged_ticks:
                faulthandler.dump_traceback(all_threads=True)
                self._end(Wedged(f"expected the event loop to turn, got nothing of it for {self.silent_s:.0f} s"))
                return

    @property
    def silent_s(self) -> float:
        """Return how long the loop has been silent, as far as the watchdog saw."""
        return self._ticks_since_beat * self._tick_s

    def live(self) -> tuple[bool, str]:
        """Say whether the process is alive, and if not why; Kafka and Redis have no part in it."""
        if self._watchdog.ident is not None and not self._stopped.is_set() and not self._watchdog.is_alive():
            return False, "the watchdog has ended"
        if self.silent_s >= LATE_S:
            return False, f"the event loop was silent for {self.silent_s:.0f} s"
        return True, ""
