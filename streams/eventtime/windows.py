"""Add up integer vectors over several rolling windows of event time, at a cost that follows what happened.

A *pane* is the fixed slice [i·pane_ms, (i+1)·pane_ms) of event time and i is its index. A window of length L that ends
at pane e covers the panes e-L … e-1: a tick at the end of a pane covers what lies before it.
"""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from itertools import islice
from operator import add, sub
from typing import Generic, TypeVar

from schemas.measure_rows import CountsRow

Entry = TypeVar("Entry")

PANES_PER_ROW = 60
WIDTH_MAX = 100
"""Numbers in one vector: 60 panes of 100 numbers of at most 9 bytes each stay below the 64 KiB of a row."""


class Chunks(Generic[Entry]):
    """Entries by index, `size` neighbours to a chunk: which chunks changed and which expired since they were told.

    A chunk is what becomes one row. `put` and `changed` cost what they touch; `expire` looks at all chunks, but only
    when a whole one can have expired.

    >>> chunks = Chunks[str](size=10)
    >>> chunks.put(9, "a"), chunks.put(12, "b")
    (None, None)
    >>> chunks.changed(closed=0)
    [(0, [(9, 'a')]), (1, [(12, 'b')])]
    >>> chunks.expire(before=10)
    >>> chunks.changed(closed=0)
    [(0, None)]
    """

    def __init__(self, *, size: int) -> None:
        self.size = size
        self._chunks: dict[int, dict[int, Entry]] = {}
        self._changed: set[int] = set()
        self._told: set[int] = set()
        self._gone: list[int] = []
        self._first = 0

    def put(self, index: int, entry: Entry) -> None:
        """Set the entry at an index."""
        chunk = index // self.size
        self._chunks.setdefault(chunk, {})[index] = entry
        self._changed.add(chunk)

    def put_told(self, index: int, entry: Entry) -> None:
        """Set an entry that was read from a row, so that there is nothing to tell about it."""
        chunk = index // self.size
        self._chunks.setdefault(chunk, {})[index] = entry
        self._told.add(chunk)

    def rewrite(self, chunk: int, entries: Mapping[int, Entry]) -> None:
        """Set all that a chunk holds: one that was let go is told whole again."""
        self._chunks[chunk] = dict(entries)
        self._changed.add(chunk)

    def let_go(self, *, closed: int) -> None:
        """Hold no more than the names of whole chunks before `closed`, which is promised to change no more."""
        for chunk in self._chunks:
            if (chunk + 1) * self.size <= closed and chunk not in self._changed:
                self._chunks[chunk] = {}

    def expire(self, *, before: int) -> None:
        """Forget the chunks that lie wholly before an index."""
        first = before // self.size
        if first <= self._first:
            return
        self._first = first
        for chunk in [chunk for chunk in self._chunks if chunk < first]:
            del self._chunks[chunk]
            self._changed.discard(chunk)
            if chunk in self._told:
                self._told.remove(chunk)
                self._gone.append(chunk)

    def changed(self, *, closed: int) -> list[tuple[int, list[tuple[int, Entry]] | None]]:
        """Return (chunk, its entries by index, or None where it expired) since the last call, in the order of chunks.

        Entries before `closed` are promised to change no more: those of whole chunks are let go once told.
        """
        told: list[tuple[int, list[tuple[int, Entry]] | None]] = [(chunk, None) for chunk in self._gone]
        for chunk in sorted(self._changed):
            told.append((chunk, sorted(self._chunks[chunk].items(), key=lambda item: item[0])))
            if (chunk + 1) * self.size <= closed:
                self._chunks[chunk] = {}
        self._told |= self._changed
        self._changed.clear()
        self._gone.clear()
        return sorted(told, key=lambda item: item[0])


class RollingCounts:
    """Sums of integer vectors over several windows, named in `lengths` (name -> length in panes).

    `roll` costs the panes that enter and leave, never the gap between two calls: O(number of windows) per pane,
    amortised. Equal to adding up every vector of every pane anew.

    >>> counts = RollingCounts(2, {"1h": 60, "24h": 1440})
    >>> counts.add(7, [1, 10])
    >>> counts.roll(8)
    >>> counts.total("1h")
    [1, 10]
    >>> counts.roll(68)
    >>> counts.total("1h"), counts.total("24h")
    ([0, 0], [1, 10])
    """

    def __init__(self, width: int, lengths: Mapping[str, int]) -> None:
        if not 1 <= width <= WIDTH_MAX:
            raise ValueError(f"rolling counts: expected 1 to {WIDTH_MAX} numbers in a vector, got {width}: use two")
        self.width = width
        self._lengths = checked_lengths(lengths)
        self._longest = max(self._lengths.values())
        self._end = 0
        self._open: dict[int, list[int]] = {}
        # Each window holds the panes that it covers, oldest first, and their sum.
        self._panes: dict[str, deque[tuple[int, list[int]]]] = {name: deque() for name in self._lengths}
        self._totals: dict[str, list[int]] = {name: [0] * width for name in self._lengths}
        self._chunks = Chunks[list[int]](size=PANES_PER_ROW)

    @property
    def end(self) -> int:
        """The pane before which the windows end."""
        return self._end

    def add(self, pane: int, vector: Iterable[int]) -> None:
        """Add a vector to a pane that no window covers yet; several for one pane add up.

        Raises ValueError for a pane before the end or a vector of another width: both are errors of the caller.
        """
        added = list(vector)
        if len(added) != self.width:
            raise ValueError(f"rolling counts: expected {self.width} numbers, got {len(added)}")
        require_open(pane, end=self._end)
        known = self._open.get(pane)
        if known is not None:
            added = [a + b for a, b in zip(known, added, strict=True)]
        self._open[pane] = added
        self._chunks.put(pane, added)

    def roll(self, end: int) -> None:
        """Move all windows so that they end before pane `end`. Raises ValueError where that lies before their end."""
        require_forward(end, now=self._end)
        self._end = end
        for pane in sorted(pane for pane in self._open if pane < end):
            vector = self._open.pop(pane)
            for name, length in self._lengths.items():
                if pane >= end - length:
                    self._panes[name].append((pane, vector))
                    self._totals[name] = list(map(add, self._totals[name], vector))
        for name, length in self._lengths.items():
            panes = self._panes[name]
            while panes and panes[0][0] < end - length:
                self._totals[name] = list(map(sub, self._totals[name], panes.popleft()[1]))
        self._chunks.expire(before=end - self._longest)

    def take_back(self, pane: int, vector: Iterable[int]) -> None:
        """Take a vector that was added to a pane out of every window that covers that; of older ones nothing is left.

        Raises ValueError where a pane would hold less than nothing: an error of the caller.
        """
        longest = self._panes[max(self._lengths, key=self._lengths.__getitem__)]
        place = bisect_left(longest, pane, key=_pane_of_entry)
        if pane >= self._end or place == len(longest) or longest[place][0] != pane:
            return
        held, taken = longest[place][1], list(vector)
        left = [a - b for a, b in zip(held, taken, strict=True)]
        if min(left) < 0:
            raise ValueError(f"rolling counts: expected no more to be taken from pane {pane} than {held}, got {taken}")
        # All windows hold the same list.
        held[:] = left
        for name, length in self._lengths.items():
            if pane >= self._end - length:
                self._totals[name] = [a - b for a, b in zip(self._totals[name], taken, strict=True)]
        self._rewrite(pane // PANES_PER_ROW, longest)

    def _rewrite(self, chunk: int, panes: deque[tuple[int, list[int]]]) -> None:
        first = bisect_left(panes, chunk * PANES_PER_ROW, key=_pane_of_entry)
        stop = bisect_left(panes, (chunk + 1) * PANES_PER_ROW, key=_pane_of_entry)
        entries = dict(islice(panes, first, stop))
        entries.update((pane, vector) for pane, vector in self._open.items() if pane // PANES_PER_ROW == chunk)
        self._chunks.rewrite(chunk, entries)

    def total(self, window: str) -> list[int]:
        """Return the sum over a window. It is the list in use: read it before the next `roll`, do not change it."""
        return self._totals[window]

    def is_empty(self) -> bool:
        """Return whether no window covers anything and nothing waits to be covered."""
        return not self._open and not any(self._panes.values())

    def changed_rows(self) -> list[tuple[int, CountsRow | None]]:
        """Return (chunk of 60 panes, its row, or None where it expired) for the chunks that changed since last time."""
        return [
            (chunk, None if entries is None else _row_of(entries))
            for chunk, entries in self._chunks.changed(closed=self._end)
        ]

    def restore(self, rows: Iterable[CountsRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, in any order, as they stood when the windows ended at `end`."""
        for row in rows:
            for pane, vector in zip(row.panes, row.vectors, strict=True):
                self._open[pane] = list(vector)
                self._chunks.put_told(pane, self._open[pane])
        self.roll(end)
        self._chunks.let_go(closed=end)


def _pane_of_entry(entry: tuple[int, object]) -> int:
    return entry[0]


def _row_of(entries: list[tuple[int, list[int]]]) -> CountsRow:
    return CountsRow(
        panes=tuple(pane for pane, _ in entries),
        vectors=tuple(tuple(vector) for _, vector in entries),
    )


def checked_lengths(lengths: Mapping[str, int]) -> dict[str, int]:
    """Return a copy of the windows (name -> length in panes); raise ValueError where one covers nothing."""
    if not lengths or min(lengths.values()) < 1:
        raise ValueError(f"windows: expected names with lengths of at least one pane, got {dict(lengths)}")
    return dict(lengths)


def require_open(pane: int, *, end: int) -> None:
    """Raise ValueError where a pane is covered already, because what lies in the past was told and must not change."""
    if pane < end:
        raise ValueError(f"window: expected a pane from {end} on, got {pane}: it has been closed; signals came late")


def require_forward(end: int, *, now: int) -> None:
    """Raise ValueError where windows were to move back in time."""
    if end < now:
        raise ValueError(f"window: expected an end from pane {now} on, got {end}: event time never goes back")
