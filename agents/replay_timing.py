"""Tell when a replay sends what: records at their pace, and heartbeats of how far a source has come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from schemas.signal import Heartbeat

TELL_EVERY_MS = 1_000
"""At a pace: how far event time may go on without that, unless that would be more often than 20 times a second."""
TELL_EVERY_S = 0.05


class Pace:
    """When a record is due: event time runs `speed` times as fast as the clock from the first record on."""

    def __init__(
        self,
        speed: float,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        assert speed > 0, "event time must go on"
        self.tell_every_ms = max(TELL_EVERY_MS, round(speed * TELL_EVERY_S * 1000))
        self.sleep = sleep
        self._speed = speed
        self._now_s = now_s
        self._begun_s = 0.0
        self._first_ms: int | None = None

    def remaining_s(self, at_ms: int) -> float:
        """Return in how many seconds a record of this event time is due, 0 or less where it is."""
        if self._first_ms is None:
            self._first_ms, self._begun_s = at_ms, self._now_s()
        due_s = self._begun_s + (at_ms - self._first_ms) / 1000 / self._speed
        return due_s - self._now_s()


class SourceProgress:
    """How far each source of a log has come, and when that must be told to every partition.

    A source is told of where it is new, after `every_records` records of all if it spoke, and when it speaks and
    event time has gone on by `every_ms` since it was told of. Between several sources the last is needed at any speed:
    a partition that hears nothing of one for long sets it aside (`streams.eventtime.clock`), so `idle_ms` bounds it.

    >>> progress = SourceProgress(every_records=500, every_ms=None, idle_ms=60_000)
    >>> progress.hear("a", 1_000), progress.hear("a", 2_000)
    ([Heartbeat(heartbeat='a', at=1000, end=False)], ())
    """

    def __init__(self, *, every_records: int, every_ms: int | None, idle_ms: int) -> None:
        self.largest_ms = 0
        self._every_records = every_records
        self._every_ms = every_ms
        self._idle_ms = idle_ms
        self._records = 0
        # source -> [its largest event time, the largest of all when it was told of, 1 if it spoke since]
        self._sources: dict[str, list[int]] = {}

    def hear(self, source: str, at_ms: int) -> Sequence[Heartbeat]:
        """Take note of a record that was sent, and return what every partition must be told after it."""
        state = self._sources.get(source)
        if state is None:
            state = self._note(source, at_ms)
        elif at_ms > state[0]:
            state[0] = at_ms
            if at_ms > self.largest_ms:
                self.largest_ms = at_ms
        state[2] = 1
        self._records += 1
        if self._records >= self._every_records:
            self._records = 0
            return [self._tell(name, one) for name, one in self._sources.items() if one[2]]
        if state[1] < 0 or (self._every_ms is not None and self.largest_ms - state[1] >= self._every_ms):
            return [self._tell(source, state)]
        return ()

    def pass_on(self, heartbeat: Heartbeat) -> None:
        """Take note of a heartbeat of the log, which every partition was sent."""
        state = self._note(heartbeat.heartbeat, heartbeat.at)
        state[1], state[2] = self.largest_ms, 0

    def ends(self) -> list[Heartbeat]:
        """Return what ends every source, at the largest event time of all: partitions agree where the log ends."""
        return [Heartbeat(source, at=self.largest_ms, end=True) for source in sorted(self._sources)]

    def _note(self, source: str, at_ms: int) -> list[int]:
        if at_ms > self.largest_ms:
            self.largest_ms = at_ms
        state = self._sources.get(source)
        if state is None:
            state = self._sources[source] = [at_ms, -1, 1]
            if len(self._sources) == 2:
                self._every_ms = min(self._every_ms or self._idle_ms, self._idle_ms // 4)
        state[0] = max(state[0], at_ms)
        return state

    def _tell(self, source: str, state: list[int]) -> Heartbeat:
        state[1], state[2] = self.largest_ms, 0
        return Heartbeat(source, at=state[0])
