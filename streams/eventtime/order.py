"""Hold items back until their place in the total order is certain, then release them in stamp order."""

from bisect import bisect_left
from collections import deque
from typing import Generic, TypeVar

from schemas.attributed import Position

Item = TypeVar("Item")
"""What is held: a signal, or what one of our own agents made of it."""

Context = TypeVar("Context")
"""What a restart needs in order to read a batch again exactly as it was read the first time."""


class _Batch(Generic[Context]):
    """One batch of records: where it starts, the reader's context before it, and how many items it still holds."""

    __slots__ = ("context", "first_offset", "pending")

    def __init__(self, first_offset: int, context: Context) -> None:
        self.first_offset = first_offset
        self.context = context
        self.pending = 0


class ReorderBuffer(Generic[Item, Context]):
    """Items that wait for their turn, and the offset from which a restart must read again to have them back.

    A restart reads from the first batch of which something still waits (`resume`), with the context of that time,
    and skips what the frontier of the checkpoint covers. So nothing that waits is ever written to a table.

    >>> buffer: ReorderBuffer[str, None] = ReorderBuffer()
    >>> buffer.begin_batch(first_offset=7, context=None)
    >>> buffer.hold((20, "b"), "second"); buffer.hold((10, "a"), "first")
    >>> buffer.release((15, ""))
    ['first']
    >>> buffer.resume(next_offset=9, context=None)
    (7, None)
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Position, int, Item, _Batch[Context]]] = []
        self._sorted = True
        self._arrivals = 0
        self._batches: deque[_Batch[Context]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def begin_batch(self, *, first_offset: int, context: Context) -> None:
        """Say that what is held from now on came with the batch that starts at `first_offset`."""
        self._batches.append(_Batch(first_offset, context))

    def hold(self, stamp: Position, item: Item) -> None:
        """Hold one item back; of equal stamps the first to arrive goes first."""
        batch = self._batches[-1]
        batch.pending += 1
        self._arrivals += 1
        waiting = self._waiting
        if self._sorted and waiting and stamp < waiting[-1][0]:
            self._sorted = False
        waiting.append((stamp, self._arrivals, item, batch))

    def release(self, frontier: Position) -> list[Item]:
        """Return, in stamp order, every item with a stamp up to `frontier`, and hold them no longer."""
        waiting = self._waiting
        if not waiting:
            return []
        if not self._sorted:
            waiting.sort(key=_place)
            self._sorted = True
        # (frontier, arrivals + 1) lies behind every entry whose stamp equals the frontier.
        cut = bisect_left(waiting, (frontier, self._arrivals + 1), key=_place)
        if cut == 0:
            return []
        released = []
        for _, _, item, batch in waiting[:cut]:
            batch.pending -= 1
            released.append(item)
        del waiting[:cut]
        return released

    def resume(self, *, next_offset: int, context: Context) -> tuple[int, Context]:
        """Return the offset to read again from after a restart, and the context to read it in.

        `next_offset` and `context` are the reader's own, used when nothing waits.
        """
        while self._batches and self._batches[0].pending == 0:
            self._batches.popleft()
        if self._batches:
            return self._batches[0].first_offset, self._batches[0].context
        return next_offset, context


def _place(entry: tuple[Position, int, Item, _Batch[Context]]) -> tuple[Position, int]:
    return entry[0], entry[1]
