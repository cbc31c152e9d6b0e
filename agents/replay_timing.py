"""Tell when a replay sends what: records at their pace, and heartbeats of how far a source has come."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from schemas.signal import Heartbeat

TELL_EVERY_MS = 1_000
"""At a pace: how far event time may go on without that, unless that would be more often than 20 times a second."""
TELL_EVERY_S = 0.05
_NEVER_MS = 2**63


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

    A source is told of when it is new, after `every_records` records of all if it spoke, and after a record of its own
    with which event time has gone on by `every_ms` since it was told of.

    A partition that hears nothing of a source for `idle_ms` sets it aside (`streams.eventtime.clock`), and then runs
    ahead of it. So where there are several, at any speed, whoever spoke is told of after a quarter of that, and before
    a record that takes event time beyond it or comes from a new source.

    >>> progress = SourceProgress(every_records=500, every_ms=None, idle_ms=60_000)
    >>> progress.hear("a", 1_000), progress.hear("a", 2_000)
    ([Heartbeat(heartbeat='a', at=1000, end=False)], ())
    """

    def __init__(self, *, every_records: int, every_ms: int | None, idle_ms: int) -> None:
        self.largest_ms = 0
        self._round_due_ms = _NEVER_MS
        self._every_records = every_records
        self._every_ms = _NEVER_MS if every_ms is None else every_ms
        self._round_ms = max(1, idle_ms // 4)
        self._records = 0
        # source -> [its largest event time, the largest of all when it was told of, 1 if it spoke since]
        self._sources: dict[str, list[int]] = {}

    def is_round_due(self, source: str, at_ms: int) -> bool:
        """Return whether `tell_round` must come before a record of this source and event time."""
        # With the second source, partitions begin to compare.
        return at_ms >= self._round_due_ms or source not in self._sources

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
            return self.tell_round()
        if state[1] < 0 or self.largest_ms - state[1] >= self._every_ms:
            return [self._tell(source, state)]
        return ()

    def tell_round(self) -> list[Heartbeat]:
        """Return what tells every partition of all who spoke since they were told of, the furthest first.

        In this order each is heard when event time, as a partition knows it, has come as far as it has.
        """
        self._records = 0
        if len(self._sources) > 1:
            self._round_due_ms = self.largest_ms + self._round_ms
        spoke = [(name, state) for name, state in self._sources.items() if state[2]]
        return [self._tell(name, state) for name, state in sorted(spoke, key=lambda one: (-one[1][0], one[0]))]

    def pass_on(self, heartbeat: Heartbeat) -> None:
        """Take note of a heartbeat of the log, which every partition was sent."""
        state = self._note(heartbeat.heartbeat, heartbeat.at)
        state[1], state[2] = self.largest_ms, 0

    def ends(self) -> list[Heartbeat]:
        """Return what ends every source, at the largest event time of all: partitions agree where the log ends."""
        return [Heartbeat(source, at=self.largest_ms, end=True) for source in sorted(self._sources)]

    def _note(self, source: str, at_ms: int) -> list[int]:
        self.largest_ms = max(self.largest_ms, at_ms)
        state = self._sources.get(source)
        if state is None:
            state = self._sources[source] = [at_ms, -1, 1]
            if len(self._sources) == 2:
                self._every_ms = min(self._every_ms, self._round_ms)
                self._round_due_ms = self.largest_ms + self._round_ms
        state[0] = max(state[0], at_ms)
        return state

    def _tell(self, source: str, state: list[int]) -> Heartbeat:
        state[1], state[2] = self.largest_ms, 0
        return Heartbeat(source, at=state[0])
