"""Make one log of the partitions of a channel, in the order in which event time went on in them.

Each partition keeps its own order, which decides what was late there. Among partitions the one goes first whose event
time, the largest that it has told so far, is least. So a signal that lies behind what the one log has told before it
lies as far behind what its own partition told: nothing becomes late by being merged.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Generic, TypeVar

from schemas.signal import Erasure, Heartbeat, Signal

Item = TypeVar("Item")
"""What a partition holds: a record, or what it was decoded to."""

COPIES_WAITING_MAX = 100_000
"""Signals told to every partition of which copies are waited for; of more, the oldest are forgotten."""


class Merge(Generic[Item]):
    """The partitions of a channel as they are read, and what of them can be taken by now.

    The order depends on what the partitions hold alone, not on how much of each was known when.

    >>> merge: Merge[str] = Merge([0, 1])
    >>> merge.add(0, [(10, "a"), (30, "c"), (20, "late")])
    >>> merge.add(1, [(15, "b")])
    >>> list(merge.take()), merge.starving()
    (['a', 'b'], [1])
    >>> merge.end(1)
    >>> list(merge.take()), merge.starving()
    (['c', 'late'], [0])
    """

    def __init__(self, partitions: Sequence[int]) -> None:
        self._waiting: dict[int, deque[tuple[int, Item]]] = {partition: deque() for partition in partitions}
        self._reached_ms = dict.fromkeys(partitions, 0)
        # The next item of each partition that has one: (event time of the partition, of the item, the partition).
        self._heads: list[tuple[int, int, int]] = []
        self._starving = dict.fromkeys(sorted(partitions))
        self._ended: dict[int, None] = {}

    def add(self, partition: int, items: Iterable[tuple[int | None, Item]]) -> None:
        """Add what a partition holds next, as (event time in ms, item); None stands for as far as that has come."""
        waiting = self._waiting[partition]
        waiting.extend((0 if at_ms is None else at_ms, item) for at_ms, item in items)
        if partition in self._starving and waiting:
            del self._starving[partition]
            self._put_head(partition)

    def end(self, partition: int) -> None:
        """Say that nothing more comes of a partition."""
        self._starving.pop(partition, None)
        self._ended[partition] = None

    def starving(self) -> list[int]:
        """Return the partitions, in their order, of which more must be known before anything can be taken."""
        return sorted(self._starving)

    def take(self) -> Iterator[Item]:
        """Yield the items whose turn it is, as far as that is certain."""
        while self._heads and not self._starving:
            _, _, partition = heappop(self._heads)
            waiting = self._waiting[partition]
            _, item = waiting.popleft()
            if waiting:
                self._put_head(partition)
            elif partition not in self._ended:
                self._starving[partition] = None
            yield item

    def _put_head(self, partition: int) -> None:
        at_ms = self._waiting[partition][0][0]
        reached_ms = self._reached_ms[partition] = max(self._reached_ms[partition], at_ms)
        heappush(self._heads, (reached_ms, at_ms or reached_ms, partition))


class Copies:
    """What `social.signals` tells every partition, taken once: heartbeats, erasures, changes without a conversation.

    What a source has promised holds for the one log as soon as every partition was told: before, one may still hold
    what the promise says there is none of.

    >>> copies = Copies(2)
    >>> copies.heard(0, Heartbeat("a", at=5)), copies.heard(1, Heartbeat("a", at=7))
    (None, Heartbeat(heartbeat='a', at=5, end=False))
    >>> copies.rest()
    [Heartbeat(heartbeat='a', at=7, end=False)]
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        # source -> partition -> how far it has come there, and whether it ended there.
        self._told: dict[str, dict[int, tuple[int, bool]]] = {}
        self._passed: dict[str, tuple[int, bool]] = {}
        # (id, op, event time) of a change -> the partitions that had it.
        self._changes: dict[tuple[str, str, int], dict[int, None]] = {}

    def heard(self, partition: int, heartbeat: Heartbeat) -> Heartbeat | None:
        """Take a heartbeat of a partition; return what all of them have been told of its source by now, if new."""
        told = self._told.setdefault(heartbeat.heartbeat, {})
        was_ms, _ = told.get(partition, (0, False))
        told[partition] = max(was_ms, heartbeat.at), heartbeat.end
        if len(told) < self._partitions:
            return None
        return self._pass(heartbeat.heartbeat, min(at_ms for at_ms, _ in told.values()))

    def is_first(self, partition: int, change: Signal | Erasure) -> bool:
        """Return whether a change or an erasure has to be taken, which may lie in every partition; copies need not."""
        if isinstance(change, Erasure):
            key = f"{len(change.network)}:{change.network}{change.erase}", "erase", change.at
        else:
            key = change.id, change.op, change.at
        had = self._changes.setdefault(key, {})
        is_first = not had or partition in had
        had[partition] = None
        if len(had) == self._partitions:
            del self._changes[key]
        elif len(self._changes) > COPIES_WAITING_MAX:
            del self._changes[next(iter(self._changes))]
        return is_first

    def rest(self) -> list[Heartbeat]:
        """Return how far the sources have come at the end of all partitions, where that is further than was told."""
        found = (self._pass(source, max(at_ms for at_ms, _ in told.values())) for source, told in self._told.items())
        return [heartbeat for heartbeat in found if heartbeat is not None]

    def _pass(self, source: str, at_ms: int) -> Heartbeat | None:
        told = self._told[source]
        has_ended = len(told) == self._partitions and all(ended for _, ended in told.values())
        passed_ms, had_ended = self._passed.get(source, (0, False))
        if at_ms <= passed_ms and has_ended <= had_ended:
            return None
        self._passed[source] = max(at_ms, passed_ms), has_ended
        return Heartbeat(source, at=max(at_ms, passed_ms), end=has_ended)
