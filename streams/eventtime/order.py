"""Hold items back until their place in the total order is certain, then release them in stamp order."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Generic, TypeVar

from schemas.attributed import Position

Item = TypeVar("Item")
"""What is held: a signal, or what one of our own agents made of it."""

Context = TypeVar("Context")
"""What a restart needs in order to read a batch again exactly as it was read the first time."""

Tie = tuple[str, bytes]
"""What goes before what among items of one stamp."""

BUCKET_MS = 64
"""Items wait in buckets of so much event time, and only those that are released are sorted: what a release costs
follows what it releases, not what waits."""


class _Batch(Generic[Context]):
    """One batch of records: where it starts, the reader's context before it, and how many items it still holds."""

    __slots__ = ("context", "first_offset", "pending")

    def __init__(self, first_offset: int, context: Context) -> None:
        self.first_offset = first_offset
        self.context = context
        self.pending = 0


_Entry = tuple[Position, int, Item, _Batch[Context]]


class ReorderBuffer(Generic[Item, Context]):
    """Items that wait for their turn, and the offset from which a restart must read again to have them back.

    A restart reads from the first batch of which something still waits (`resume`), with the context of that time,
    and skips what the frontier of the checkpoint covers. So nothing that waits is ever written to a table.
    Items of one stamp go in the order of what `tie_of` says of them, if anything, then as they arrived.

    >>> buffer: ReorderBuffer[str, None] = ReorderBuffer()
    >>> buffer.begin_batch(first_offset=7, context=None)
    >>> buffer.hold((20, "b"), "second"); buffer.hold((10, "a"), "first")
    >>> buffer.release((15, ""))
    ['first']
    >>> buffer.resume(next_offset=9, context=None)
    (7, None)
    """

    def __init__(self, *, tie_of: Callable[[Item], Tie] | None = None) -> None:
        self._tie_of = tie_of
        self._buckets: dict[int, list[_Entry[Item, Context]]] = {}
        # A heap of the numbers of the buckets.
        self._order: list[int] = []
        self._arrivals = 0
        self._waiting = 0
        self._batches: deque[_Batch[Context]] = deque()

    def __len__(self) -> int:
        return self._waiting

    def begin_batch(self, *, first_offset: int, context: Context) -> None:
        """Say that what is held from now on came with the batch that starts at `first_offset`."""
        self._forget_settled()
        self._batches.append(_Batch(first_offset, context))

    def hold(self, stamp: Position, item: Item) -> None:
        """Hold one item back."""
        batch = self._batches[-1]
        batch.pending += 1
        self._waiting += 1
        self._arrivals += 1
        entry = (stamp, self._arrivals, item, batch)
        bucket = stamp[0] // BUCKET_MS
        entries = self._buckets.get(bucket)
        if entries is None:
            self._buckets[bucket] = [entry]
            heappush(self._order, bucket)
        else:
            entries.append(entry)

    def release(self, frontier: Position) -> list[Item]:
        """Return, in stamp order, every item with a stamp up to `frontier`, and hold them no longer."""
        released: list[Item] = []
        last, order = frontier[0] // BUCKET_MS, self._order
        while order and order[0] < last:
            self._settle(self._buckets.pop(heappop(order)), released)
        if order and order[0] == last:
            entries = self._buckets[last]
            # No two entries have the same arrival, so a comparison never comes to the items.
            entries.sort()
            # (frontier, arrivals + 1) lies behind every entry whose stamp equals the frontier.
            cut = bisect_left(entries, (frontier, self._arrivals + 1))
            self._settle(entries[:cut], released)
            del entries[:cut]
            if not entries:
                del self._buckets[heappop(order)]
        return released

    def _settle(self, entries: list[_Entry[Item, Context]], released: list[Item]) -> None:
        """Add what is released to the rest, in its order; no stamp has entries both here and elsewhere."""
        entries.sort()
        before: Position | None = None
        has_ties = False
        for stamp, _, _, batch in entries:
            batch.pending -= 1
            has_ties |= stamp == before
            before = stamp
        tie_of = self._tie_of
        if has_ties and tie_of is not None:
            entries.sort(key=lambda entry: (entry[0], tie_of(entry[2]), entry[1]))
        released.extend([entry[2] for entry in entries])
        self._waiting -= len(entries)

    def resume(self, *, next_offset: int, context: Context) -> tuple[int, Context]:
        """Return the offset to read again from after a restart, and the context to read it in.

        `next_offset` and `context` are the reader's own, used when nothing waits.
        """
        self._forget_settled()
        if self._batches:
            return self._batches[0].first_offset, self._batches[0].context
        return next_offset, context

    def _forget_settled(self) -> None:
        while self._batches and self._batches[0].pending == 0:
            self._batches.popleft()
