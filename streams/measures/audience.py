"""Count the distinct actors of rolling windows: exactly while they are few, by HyperLogLog beyond."""

from collections.abc import Iterable, Mapping

from datasketches import hll_sketch, hll_union, tgt_hll_type

from schemas.measure_rows import AudienceRow
from streams.eventtime.windows import Chunks, checked_lengths, require_forward, require_open

LG_REGISTERS = 12
"""2^12 registers: a relative standard error of 1.04/sqrt(4096) = 1.6 %, in 4 KiB."""

BLOCK_PANES = 5
"""Windows longer than `FINE_PANES_MAX` are made of blocks of so many panes."""
FINE_PANES_MAX = 60

PANES_PER_ROW = 5
BLOCKS_PER_ROW = 12
"""Twelve sketches of at most 4,136 bytes stay below the 64 KiB of a row."""


def feed(sketch: hll_sketch, actors: Iterable[str]) -> hll_sketch:
    """Show actors (ids, not empty) to a sketch and return it; sorted, so that equal actors make equal bytes."""
    for actor in sorted(actors):
        sketch.update(actor)
    return sketch


def empty_sketch() -> hll_sketch:
    """Return a sketch that has seen nobody."""
    return hll_sketch(LG_REGISTERS, tgt_hll_type.HLL_8)


def estimate(sketches: Iterable[hll_sketch]) -> float:
    """Return how many distinct actors some sketches have seen together, whatever way each of them came about.

    Up to 384 actors a sketch keeps a coupon of 32 bits for each, so that the estimate rounds to the exact number, but
    for the chance of at most 4 in 10,000 that two of them share a coupon.

    A sketch with registers estimates in one of two ways: from the history of its updates (HIP), which differs with the
    order of merges, or from its registers alone. Merging one sketch with registers into another marks the result as
    out of order and leaves it the second way only; hence a part with registers is merged a second time, which changes
    none of them. Where no part has any, the union is merged with itself: to copy registers costs ten times a merge.

    Source: Flajolet et al. 2007, "HyperLogLog"; Lang 2017, "Back to the Future: an Even More Nearly Optimal
    Cardinality Estimation Algorithm" (arXiv 1708.06839), for both ways.
    """
    union = hll_union(LG_REGISTERS)
    with_registers: hll_sketch | None = None
    for sketch in sketches:
        union.update(sketch)
        if sketch.get_compact_serialization_bytes() > 1 << LG_REGISTERS:
            with_registers = sketch
    union.update(union.get_result(tgt_hll_type.HLL_8) if with_registers is None else with_registers)
    estimated: float = union.get_estimate()
    return estimated


def distinct(sketches: Iterable[hll_sketch]) -> int:
    """Return `estimate`, rounded.

    >>> distinct([feed(empty_sketch(), ["a", "b"]), feed(empty_sketch(), ["b", "c"])])
    3
    """
    return round(estimate(sketches))


class SlidingUnion:
    """The union of the sketches in a queue, at O(1) unions per sketch that enters and leaves, amortised.

    Two stacks make the queue: what enters is merged into `_back_union`; when the front runs empty, the back is turned
    over into unions of each sketch with all that came after it, the oldest on top (Tangwongsan et al. 2015, "General
    Incremental Sliding-Window Aggregation").
    """

    def __init__(self) -> None:
        self._front: list[tuple[int, hll_sketch]] = []
        self._back: list[tuple[int, hll_sketch]] = []
        self._back_union: hll_union | None = None
        # What `_back_union` holds, once it has been asked for.
        self._back_result: hll_sketch | None = None

    def push(self, index: int, sketch: hll_sketch) -> None:
        """Take in a sketch with an index above all others."""
        if self._back_union is None:
            self._back_union = hll_union(LG_REGISTERS)
        self._back.append((index, sketch))
        self._back_union.update(sketch)
        self._back_result = None

    def drop(self, *, before: int) -> bool:
        """Leave out the sketches with an index before this one; return whether there were any."""
        dropped = False
        while True:
            while self._front and self._front[-1][0] < before:
                self._front.pop()
                dropped = True
            if self._front or not self._back or self._back[0][0] >= before:
                return dropped
            dropped = True
            self._turn_over([entry for entry in self._back if entry[0] >= before])

    def _turn_over(self, kept: list[tuple[int, hll_sketch]]) -> None:
        union = hll_union(LG_REGISTERS)
        for index, sketch in reversed(kept):
            union.update(sketch)
            self._front.append((index, union.get_result(tgt_hll_type.HLL_8)))
        self._back.clear()
        self._back_union = self._back_result = None

    def parts(self) -> list[hll_sketch]:
        """Return at most two sketches that together have seen all that is in the queue."""
        parts = [self._front[-1][1]] if self._front else []
        if self._back_union is not None:
            if self._back_result is None:
                self._back_result = self._back_union.get_result(tgt_hll_type.HLL_8)
            parts.append(self._back_result)
        return parts

    def is_empty(self) -> bool:
        """Return whether the queue is empty."""
        return not self._front and not self._back


class Audience:
    """Distinct actors per window, named in `lengths` (name -> length in panes).

    A window of up to 60 panes covers exactly the panes of its name. A longer one is made of blocks of five panes and
    its start is rounded down to a block, so that it covers at most four panes more than its name says. Actors never
    leave before their pane does: an undone act does not lower an audience.

    >>> audience = Audience({"5m": 5, "24h": 1440})
    >>> audience.add(0, ["ana", "bo"])
    >>> audience.add(4, ["bo", "cy"])
    >>> audience.roll(6)
    >>> audience.read("5m"), audience.read("24h")
    (2, 3)
    """

    def __init__(self, lengths: Mapping[str, int]) -> None:
        lengths = checked_lengths(lengths)
        self._fine_lengths = {name: length for name, length in lengths.items() if length <= FINE_PANES_MAX}
        self._block_lengths = {name: length for name, length in lengths.items() if length > FINE_PANES_MAX}
        # Panes of the last block are kept too, because a block is told only once it is whole.
        self._fine_longest = max(self._fine_lengths.values(), default=0)
        self._block_longest = max(self._block_lengths.values(), default=0)
        self._end = 0
        self._unions = {name: SlidingUnion() for name in lengths}
        self._open: dict[int, hll_sketch] = {}
        self._block = 0
        self._block_union: hll_union | None = None
        self._panes = Chunks[hll_sketch](size=PANES_PER_ROW)
        self._blocks = Chunks[hll_sketch](size=BLOCKS_PER_ROW)
        self._readings: dict[str, int] = {}
        # What the blocks of a window have seen together, until they are others: that is for several panes.
        self._whole: dict[str, list[hll_sketch]] = {}

    @property
    def end(self) -> int:
        """The pane before which the windows end."""
        return self._end

    def add(self, pane: int, actors: Iterable[str]) -> None:
        """Add actors (ids, not empty) to a pane that no window covers yet; several calls for one pane add up.

        Raises ValueError for a pane before the end: an error of the caller.
        """
        require_open(pane, end=self._end)
        sketch = feed(self._open.get(pane) or empty_sketch(), actors)
        if not sketch.is_empty():
            self._open[pane] = sketch
            self._panes.put(pane, sketch)

    def roll(self, end: int) -> None:
        """Move all windows so that they end before pane `end`. Raises ValueError where that lies before their end."""
        require_forward(end, now=self._end)
        self._end = end
        if self._open:
            for pane in sorted(pane for pane in self._open if pane < end):
                self._close(pane, self._open.pop(pane))
        self._complete_block(before=end // BLOCK_PANES)
        for name, length in self._fine_lengths.items():
            if self._unions[name].drop(before=end - length):
                self._readings.pop(name, None)
        for name, length in self._block_lengths.items():
            if self._unions[name].drop(before=(end - length) // BLOCK_PANES):
                self._readings.pop(name, None)
                self._whole.pop(name, None)
        self._expire()

    def _close(self, pane: int, sketch: hll_sketch) -> None:
        self._readings.clear()
        for name in self._fine_lengths:
            self._unions[name].push(pane, sketch)
        if not self._block_lengths:
            return
        self._complete_block(before=pane // BLOCK_PANES)
        if self._block_union is None:
            self._block = pane // BLOCK_PANES
            self._block_union = hll_union(LG_REGISTERS)
        self._block_union.update(sketch)

    def _complete_block(self, *, before: int) -> None:
        if self._block_union is None or self._block >= before:
            return
        sketch = self._block_union.get_result(tgt_hll_type.HLL_8)
        self._block_union = None
        self._take_block(self._block, sketch)
        self._blocks.put(self._block, sketch)

    def _take_block(self, block: int, sketch: hll_sketch) -> None:
        self._whole.clear()
        for name in self._block_lengths:
            self._unions[name].push(block, sketch)

    def _expire(self) -> None:
        block_start = self._end // BLOCK_PANES * BLOCK_PANES if self._block_longest else self._end
        self._panes.expire(before=min(self._end - self._fine_longest, block_start))
        self._blocks.expire(before=(self._end - self._block_longest) // BLOCK_PANES)

    def read(self, window: str) -> int:
        """Return how many distinct actors a window has seen (`distinct`)."""
        reading = self._readings.get(window)
        if reading is None:
            parts = self._parts(window)
            reading = self._readings[window] = distinct(parts) if parts else 0
        return reading

    def _parts(self, window: str) -> list[hll_sketch]:
        if window not in self._block_lengths:
            return self._unions[window].parts()
        whole = self._whole.get(window)
        if whole is None:
            whole = self._unions[window].parts()
            if len(whole) > 1:
                union = hll_union(LG_REGISTERS)
                for sketch in whole:
                    union.update(sketch)
                whole = [union.get_result(tgt_hll_type.HLL_8)]
            self._whole[window] = whole
        if self._block_union is None:
            return whole
        return [*whole, self._block_union.get_result(tgt_hll_type.HLL_8)]

    def is_empty(self) -> bool:
        """Return whether no window covers anything and nothing waits to be covered."""
        return not self._open and self._block_union is None and all(union.is_empty() for union in self._unions.values())

    def changed_rows(self) -> list[tuple[int, AudienceRow | None]]:
        """Return (number of the row, the row, or None where it expired) for the rows that changed since last time.

        Rows with an even number hold sketches of panes, those with an odd number sketches of blocks.
        """
        panes = [
            (2 * chunk, None if entries is None else _row_of(1, entries))
            for chunk, entries in self._panes.changed(closed=self._end)
        ]
        blocks = [
            (2 * chunk + 1, None if entries is None else _row_of(BLOCK_PANES, entries))
            for chunk, entries in self._blocks.changed(closed=self._end // BLOCK_PANES)
        ]
        return panes + blocks

    def restore(self, rows: Iterable[AudienceRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, in any order, as they stood when the windows ended at `end`."""
        blocks: dict[int, hll_sketch] = {}
        for row in rows:
            held = blocks if row.grain == BLOCK_PANES else self._open
            chunks = self._blocks if row.grain == BLOCK_PANES else self._panes
            for index, packed in zip(row.indexes, row.sketches, strict=True):
                held[index] = hll_sketch.deserialize(packed)
                chunks.put_told(index, held[index])
        for block in sorted(blocks):
            self._take_block(block, blocks[block])
        # The panes of a whole block are in it already: they are only for the short windows.
        for pane in sorted(pane for pane in self._open if pane // BLOCK_PANES in blocks):
            sketch = self._open.pop(pane)
            for name in self._fine_lengths:
                self._unions[name].push(pane, sketch)
        self.roll(end)
        self._panes.let_go(closed=end)
        self._blocks.let_go(closed=end // BLOCK_PANES)


def _row_of(grain: int, entries: list[tuple[int, hll_sketch]]) -> AudienceRow:
    return AudienceRow(
        grain=grain,
        indexes=tuple(index for index, _ in entries),
        sketches=tuple(sketch.serialize_compact() for _, sketch in entries),
    )
