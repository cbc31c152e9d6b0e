"""Tell how much of what a window saw came from its busiest actor: one bot must not look like a community."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from operator import itemgetter
from struct import Struct

from schemas.measure_rows import ConcentrationRow
from streams.eventtime.windows import Chunks, checked_lengths, require_forward, require_open

ACTORS_PER_PANE_MAX = 64
PANES_PER_ROW = 15

_PACKED = Struct("<QI")


def pack_busiest(counts: Mapping[str, int]) -> bytes:
    """Return the busiest `ACTORS_PER_PANE_MAX` actors of a pane: by count, then by id, so that ties have one outcome.

    An actor is kept as 8 bytes that stand for its id: rows have a bounded size whatever ids look like, and no ids.
    """
    busiest = [(actor, count) for actor, count in counts.items() if count > 0]
    if len(busiest) > ACTORS_PER_PANE_MAX:
        busiest.sort(key=lambda item: (-item[1], item[0]))
        del busiest[ACTORS_PER_PANE_MAX:]
    busiest.sort()
    return b"".join(_PACKED.pack(_number_of(actor), count) for actor, count in busiest)


def _number_of(actor: str) -> int:
    # Two of a million actors of one window share a number with a chance of 3 in 100 million.
    return int.from_bytes(blake2b(actor.encode(), digest_size=8).digest(), "little")


class Sums:
    """Sums by actor, with the largest of them at hand.

    `_holders` counts the actors that have each sum. The largest is looked for again only after its last holder has
    lost it, and only when it is asked for, among the distinct sums: at most sqrt(2n) of them where n signals are.
    """

    def __init__(self) -> None:
        self._sums: dict[int, int] = {}
        self._holders: dict[int, int] = {}
        self._largest = 0

    def add(self, packed: bytes, *, sign: int = 1) -> None:
        """Add the packed counts of a pane to the sums of their actors, or take them away with `sign` -1."""
        sums, holders = self._sums, self._holders
        for actor, count in _PACKED.iter_unpack(packed):
            old = sums.get(actor, 0)
            new = old + sign * count
            assert new >= 0, f"sums: more was taken from an actor than it had: {old} - {count}"
            if old:
                if holders[old] == 1:
                    del holders[old]
                else:
                    holders[old] -= 1
            if new:
                sums[actor] = new
                holders[new] = holders.get(new, 0) + 1
            else:
                del sums[actor]
            if new > self._largest:
                self._largest = new

    def largest(self) -> int:
        """Return the largest sum, 0 where there is none."""
        if self._largest not in self._holders:
            self._largest = max(self._holders, default=0)
        return self._largest


class Concentration:
    """The busiest actor's share of the signals per window, named in `lengths` (name -> length in panes).

    Exact while no pane has more than 64 actors. Of a busier pane only the busiest 64 are kept; the share is then a
    lower bound, short by at most 1/65: whoever was left out had no more than each of the 64 that were not.

    >>> concentration = Concentration({"5m": 5})
    >>> concentration.add(0, {"ana": 3, "bo": 1})
    >>> concentration.roll(1)
    >>> concentration.read("5m", 4)
    0.75
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        self._lengths = checked_lengths(lengths)
        self._longest = max(self._lengths.values())
        self._end = 0
        self._open: dict[int, dict[str, int]] = {}
        # Each window holds the panes that it covers, oldest first, and what their actors add up to.
        self._panes: dict[str, deque[tuple[int, bytes]]] = {name: deque() for name in self._lengths}
        self._sums = {name: Sums() for name in self._lengths}
        self._chunks = Chunks[bytes](size=PANES_PER_ROW)

    @property
    def end(self) -> int:
        """The pane before which the windows end."""
        return self._end

    def add(self, pane: int, counts: Mapping[str, int]) -> None:
        """Add counts of signals by actor to a pane that no window covers yet; several calls for one pane add up.

        Raises ValueError for a pane before the end: an error of the caller.
        """
        require_open(pane, end=self._end)
        known = self._open.get(pane)
        if known is None:
            self._open[pane] = dict(counts)
            return
        for actor, count in counts.items():
            known[actor] = known.get(actor, 0) + count

    def roll(self, end: int) -> None:
        """Move all windows so that they end before pane `end`. Raises ValueError where that lies before their end."""
        require_forward(end, now=self._end)
        self._end = end
        for pane in sorted(pane for pane in self._open if pane < end):
            packed = pack_busiest(self._open.pop(pane))
            if packed:
                self._chunks.put(pane, packed)
                self._take(pane, packed)
        for name, length in self._lengths.items():
            panes, sums = self._panes[name], self._sums[name]
            while panes and panes[0][0] < end - length:
                sums.add(panes.popleft()[1], sign=-1)
        self._chunks.expire(before=end - self._longest)

    def _take(self, pane: int, packed: bytes) -> None:
        for name, length in self._lengths.items():
            if pane >= self._end - length:
                self._panes[name].append((pane, packed))
                self._sums[name].add(packed)

    def take_back(self, pane: int, actor: str) -> None:
        """Take one signal of an actor out of every window that covers a pane, if the pane has kept any of the actor."""
        number = _number_of(actor)
        longest = self._panes[max(self._lengths, key=self._lengths.__getitem__)]
        place = _place_of(longest, pane)
        if place < 0:
            return
        counts = dict(_PACKED.iter_unpack(longest[place][1]))
        if not counts.get(number):
            return
        counts[number] -= 1
        left = b"".join(_PACKED.pack(kept, count) for kept, count in counts.items() if count)
        taken = _PACKED.pack(number, 1)
        for name in self._lengths:
            place = _place_of(self._panes[name], pane)
            if place >= 0:
                self._panes[name][place] = (pane, left)
                self._sums[name].add(taken, sign=-1)
        chunk = pane // PANES_PER_ROW
        self._chunks.rewrite(chunk, {held: packed for held, packed in longest if held // PANES_PER_ROW == chunk})

    def read(self, window: str, signals: int) -> float:
        """Return the busiest actor's part, 0 to 1, of the `signals` that the window counted; 0 where it has none."""
        # What nobody knows the actor of may have been taken out of the signals, but not out of the sums.
        return min(1.0, self._sums[window].largest() / signals) if signals else 0.0

    def is_empty(self) -> bool:
        """Return whether no window covers anything and nothing waits to be covered."""
        return not self._open and not any(self._panes.values())

    def changed_rows(self) -> list[tuple[int, ConcentrationRow | None]]:
        """Return (chunk of 15 panes, its row, or None where it expired) for the chunks that changed since last time.

        Raises ValueError while a pane waits to be covered: all its actors do not fit in a row, so `roll` first.
        """
        if self._open:
            raise ValueError(f"concentration: expected every pane before {self._end}, got {sorted(self._open)}: roll")
        return [
            (chunk, None if entries is None else _row_of(entries))
            for chunk, entries in self._chunks.changed(closed=self._end)
        ]

    def restore(self, rows: Iterable[ConcentrationRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, in any order, as they stood when the windows ended at `end`."""
        self._end = end
        for pane, packed in sorted(pair for row in rows for pair in zip(row.panes, row.actors, strict=True)):
            self._chunks.put_told(pane, packed)
            self._take(pane, packed)
        self.roll(end)
        self._chunks.let_go(closed=end)


def _place_of(panes: deque[tuple[int, bytes]], pane: int) -> int:
    """Return where a pane lies among others in ascending order, -1 where it does not."""
    place = bisect_left(panes, pane, key=itemgetter(0))
    return place if place < len(panes) and panes[place][0] == pane else -1


def _row_of(entries: list[tuple[int, bytes]]) -> ConcentrationRow:
    return ConcentrationRow(panes=tuple(pane for pane, _ in entries), actors=tuple(packed for _, packed in entries))
