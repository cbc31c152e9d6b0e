"""Rolling sums are what a count over everything would say, whatever was skipped, told or restored in between."""

from collections import defaultdict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.measure_rows import CountsRow
from streams.eventtime.windows import Chunks, RollingCounts, checked_lengths

LENGTHS = {"one": 1, "5m": 5, "1h": 60, "24h": 1_440, "7d": 10_080}

gaps = st.one_of(st.integers(0, 3), st.sampled_from([5, 59, 60, 61, 1_439, 1_440, 1_441, 10_080, 30_000, 10**9]))
vectors = st.lists(st.integers(0, 2**40), min_size=2, max_size=2)
# (panes that the end moves on before, panes that lie ahead of the end, what is added)
runs = st.lists(st.tuples(gaps, st.integers(0, 70), vectors), min_size=1, max_size=25)


class BruteForce:
    """Keeps every pane for ever and adds up all of them each time."""

    def __init__(self) -> None:
        self.panes: dict[int, list[int]] = defaultdict(lambda: [0, 0])

    def add(self, pane: int, vector: list[int]) -> None:
        """Add a vector to a pane."""
        self.panes[pane] = [a + b for a, b in zip(self.panes[pane], vector, strict=True)]

    def total(self, length: int, end: int) -> list[int]:
        """Return the sum over the panes end - length … end - 1."""
        inside = [vector for pane, vector in self.panes.items() if end - length <= pane < end]
        return [sum(vector[i] for vector in inside) for i in range(2)]


def readings(counts: RollingCounts) -> list[list[int]]:
    """Return a copy of what each window says."""
    return [list(counts.total(name)) for name in LENGTHS]


def keep(stored: dict[int, bytes], counts: RollingCounts) -> None:
    """Keep changed rows as a table does; a row ends only if it was there."""
    for chunk, row in counts.changed_rows():
        if row is None:
            del stored[chunk]
        else:
            stored[chunk] = msgspec.msgpack.encode(row)


def restored(stored: dict[int, bytes], *, end: int) -> RollingCounts:
    """Return counts made of stored rows."""
    counts = RollingCounts(2, LENGTHS)
    counts.restore([msgspec.msgpack.decode(row, type=CountsRow) for row in stored.values()], end)
    return counts


@given(runs)
def test_totals_equal_a_count_over_all_panes(run: list[tuple[int, int, list[int]]]) -> None:
    """The shortcut of adding what enters and taking away what leaves must never show."""
    counts, brute = RollingCounts(2, LENGTHS), BruteForce()
    for gap, ahead, vector in run:
        counts.roll(counts.end + gap)
        counts.add(counts.end + ahead, vector)
        brute.add(counts.end + ahead, vector)

        assert readings(counts) == [brute.total(length, counts.end) for length in LENGTHS.values()]


@given(runs, st.data())
def test_restored_counts_go_on_as_if_nothing_had_happened(
    run: list[tuple[int, int, list[int]]], data: st.DataObject
) -> None:
    """A restart in the middle changes neither what is read nor which rows are told, panes ahead of the end included."""
    stop = data.draw(st.integers(0, len(run) - 1))
    told = data.draw(st.sets(st.integers(0, len(run) - 1)))
    counts, stored = RollingCounts(2, LENGTHS), dict[int, bytes]()
    twin, stored_by_twin = counts, stored
    for number, (gap, ahead, vector) in enumerate(run):
        counts.roll(counts.end + gap)
        counts.add(counts.end + ahead, vector)
        if twin is not counts:
            twin.roll(counts.end)
            twin.add(counts.end + ahead, vector)
            keep(stored_by_twin, twin)
        if number in told or number >= stop:
            keep(stored, counts)
        if number == stop:
            twin, stored_by_twin = restored(stored, end=counts.end), dict(stored)

        assert readings(twin) == readings(counts)
        assert twin.is_empty() == counts.is_empty()
    assert stored_by_twin == stored


@given(runs, st.data())
def test_what_is_taken_back_leaves_every_window_that_covers_it(
    run: list[tuple[int, int, list[int]]], data: st.DataObject
) -> None:
    """Totals equal a count over what is left, also behind a restart from rows that were told before."""
    counts, brute = RollingCounts(2, LENGTHS), BruteForce()
    stored: dict[int, bytes] = {}
    for gap, ahead, vector in run:
        counts.roll(counts.end + gap)
        counts.add(counts.end + ahead, vector)
        brute.add(counts.end + ahead, vector)
        pane = data.draw(st.sampled_from(sorted(brute.panes)))
        taken = [data.draw(st.integers(0, held)) for held in brute.panes[pane]]
        if pane < counts.end:
            counts.take_back(pane, taken)
            brute.add(pane, [-number for number in taken])
        keep(stored, counts)

        expected = [brute.total(length, counts.end) for length in LENGTHS.values()]
        assert readings(counts) == expected
        assert readings(restored(stored, end=counts.end)) == expected


def test_no_more_is_taken_back_than_was_added() -> None:
    """Nothing that counts may be negative."""
    counts = RollingCounts(2, LENGTHS)
    counts.add(3, [1, 1])
    counts.roll(4)
    with pytest.raises(ValueError, match="expected no more to be taken from pane 3"):
        counts.take_back(3, [2, 0])


def test_window_covers_its_length_and_not_one_pane_more() -> None:
    """A window of five panes that ends at pane 8 covers 3, 4, 5, 6 and 7."""
    counts = RollingCounts(1, {"5m": 5})
    for pane in range(8):
        counts.add(pane, [10**pane])
    counts.roll(8)

    assert counts.total("5m") == [11111000]


def test_idle_gap_costs_nothing_but_what_leaves() -> None:
    """A topic that sleeps for a thousand years of panes wakes up at once, and empty."""
    counts = RollingCounts(1, LENGTHS)
    counts.add(0, [7])
    counts.roll(1)
    counts.roll(10**15)

    assert counts.is_empty()
    assert counts.total("7d") == [0]


def test_only_changed_chunks_are_told_and_expired_ones_once() -> None:
    """A checkpoint costs what changed, not what is remembered."""
    counts = RollingCounts(1, {"1h": 60})
    counts.add(59, [1])
    counts.add(60, [2])
    counts.roll(61)
    first = counts.changed_rows()
    counts.add(61, [3])
    counts.roll(62)
    second = counts.changed_rows()
    counts.roll(120)

    assert first == [(0, CountsRow((59,), ((1,),))), (1, CountsRow((60,), ((2,),)))]
    assert second == [(1, CountsRow((60, 61), ((2,), (3,))))]
    assert counts.changed_rows() == [(0, None)]
    assert counts.changed_rows() == []


def test_chunk_that_was_never_told_expires_in_silence() -> None:
    """A tombstone for a row that no table has would only cost."""
    counts = RollingCounts(1, {"5m": 5})
    counts.add(0, [1])
    counts.roll(1_000)

    assert counts.changed_rows() == []


def test_chunk_in_use_is_not_let_go() -> None:
    """Whole chunks are let go only where nothing of them still waits to be told."""
    chunks = Chunks[str](size=2)
    chunks.put_told(0, "a")
    chunks.put(2, "b")
    chunks.let_go(closed=100)

    assert chunks.changed(closed=100) == [(1, [(2, "b")])]


def test_misuse_is_told_in_words() -> None:
    """A closed pane, time going back and a wrong width are errors of the caller, and each says what was expected."""
    counts = RollingCounts(2, LENGTHS)
    counts.roll(10)

    with pytest.raises(ValueError, match="expected a pane from 10 on, got 9: it has been closed"):
        counts.add(9, [1, 2])
    with pytest.raises(ValueError, match="expected an end from pane 10 on, got 9: event time never goes back"):
        counts.roll(9)
    with pytest.raises(ValueError, match="expected 2 numbers, got 3"):
        counts.add(10, [1, 2, 3])
    with pytest.raises(ValueError, match="expected 1 to 100 numbers in a vector, got 101"):
        RollingCounts(101, LENGTHS)
    with pytest.raises(ValueError, match=r"lengths of at least one pane, got \{'0m': 0\}"):
        checked_lengths({"0m": 0})
