"""Percentiles are those of a sorted list, whatever the order and the parts in which the history came together."""

import random
from bisect import bisect_left, bisect_right

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import HistogramRow
from streams.measures.percentile import SIZES, CascadeHistory, Histogram, bucket_of
from streams.measures.tree_sums import TreeSums

values = st.one_of(st.floats(1.0, 1e4), st.integers(1, 50).map(float), st.floats(1e-9, 1e20))


@given(values, values)
def test_buckets_keep_the_order_of_values_and_are_narrow(one: float, other: float) -> None:
    """Two values are taken for equal only within a 64th of an octave."""
    if one <= other:
        assert bucket_of(one) <= bucket_of(other)
    if bucket_of(one) == bucket_of(other) and min(one, other) >= 2**-16 and max(one, other) < 2**48:
        assert max(one, other) / min(one, other) < 1 + 1 / 64


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_value_without_a_bucket_is_refused(value: float) -> None:
    """An error of the caller."""
    with pytest.raises(ValueError, match=f"histogram: expected a value > 0, got {value}"):
        bucket_of(value)


@given(st.lists(values, min_size=20, max_size=200), values)
def test_percentile_is_that_of_the_sorted_list_up_to_ties(history: list[float], value: float) -> None:
    """What lies surely below, and half of what counts as equal."""
    histogram = Histogram()
    for known in history:
        histogram.add(known)
    buckets = sorted(bucket_of(known) for known in history)
    low, high = bisect_left(buckets, bucket_of(value)), bisect_right(buckets, bucket_of(value))

    assert histogram.percentile(value) == pytest.approx((low + high) / 2 / len(history), rel=1e-12)


cascades = st.lists(st.tuples(st.integers(1, 5_000), st.one_of(st.none(), st.floats(1.0, 60.0))), max_size=60)


def history_of(seen: list[tuple[int, float | None]]) -> CascadeHistory:
    """Return the history of these cascades (size, virality)."""
    history = CascadeHistory()
    for size, virality in seen:
        history.add(size=size, virality=virality)
    return history


def rows_of(history: CascadeHistory) -> list[tuple[int, HistogramRow]]:
    """Return all rows of a history that has not been asked for any."""
    return history.changed_rows()


@given(cascades, st.integers(0, 60), st.integers(0, 60))
def test_parts_add_up_in_any_order_and_grouping(
    seen: list[tuple[int, float | None]], first_cut: int, second_cut: int
) -> None:
    """Merging commutes and associates exactly, for it adds whole numbers."""
    low, high = sorted((first_cut, second_cut))
    parts = [seen[:low], seen[low:high], seen[high:]]
    left, right = history_of(parts[0]), history_of(parts[2])
    left.merge(history_of(parts[1]))
    left.merge(history_of(parts[2]))
    right.merge(history_of(parts[1]))
    right.merge(history_of(parts[0]))

    assert rows_of(left) == rows_of(right) == rows_of(history_of(seen))


@given(cascades, st.integers(0, 60))
def test_restored_history_goes_on_as_the_old_one(seen: list[tuple[int, float | None]], cut: int) -> None:
    """A row for every bin that changed."""
    old, stored = CascadeHistory(), dict[int, bytes]()
    for size, virality in seen[:cut]:
        old.add(size=size, virality=virality)
        stored.update((number, msgspec.msgpack.encode(row)) for number, row in old.changed_rows())
    new = CascadeHistory()
    new.restore(msgspec.msgpack.decode(row, type=HistogramRow) for row in stored.values())
    for size, virality in seen[cut:]:
        old.add(size=size, virality=virality)
        new.add(size=size, virality=virality)

    assert old.changed_rows() == new.changed_rows()
    for size in (1, 10, 100, 1_000):
        assert old.size_percentile(size) == new.size_percentile(size)
        assert old.virality_percentile(size=size, virality=3.0) == new.virality_percentile(size=size, virality=3.0)


def test_percentiles_want_twenty_cascades_of_the_size() -> None:
    """One more than nineteen; others of twice the size are another history."""
    seen: list[tuple[int, float | None]] = [(64 + i, 2.0) for i in range(19)]
    history = history_of(seen + [(128 + i, 9.0) for i in range(19)])

    assert history.virality_percentile(size=100, virality=5.0) is None
    assert history.size_percentile(100) == 0.5
    assert history.virality_percentile(size=3, virality=5.0) is None

    history.add(size=127, virality=2.0)

    assert history.virality_percentile(size=100, virality=5.0) == 1.0
    assert CascadeHistory().size_percentile(5) is None


def test_fullest_row_stays_below_the_limit() -> None:
    """Every bucket that there is, with counts of millions."""
    histogram = Histogram()
    for octave in range(-20, 60):
        for part in range(64):
            histogram.add(2.0**octave * (1 + part / 64), 10_000_000)

    assert len(histogram.counts) == 4_096
    row = HistogramRow(SIZES, tuple(histogram.counts), tuple(histogram.counts.values()))
    assert len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX


def cascade(rng: random.Random, size: int) -> float:
    """Return the structural virality of a tree of so many nodes, each below one of those before it."""
    tree = TreeSums()
    tree.add()
    tree.attach_root()
    for node in range(1, size):
        tree.add_leaf(rng.randrange(node))
    virality = tree.structural_virality()
    assert virality is not None
    return virality


@pytest.mark.parametrize("seed", range(3))
def test_size_matched_virality_does_not_depend_on_a_label(seed: int) -> None:
    """Two kinds of cascades that grow alike, the one larger than the other: raw virality differs, matched does not.

    A permutation test: of a thousand shufflings of the labels hardly any differs as much as the raw values do, and many
    differ as much as the size-matched ones do. The one kind has mostly 16 to 63 nodes and the other 64 to 255; within a
    bin of sizes both are alike, as bins cannot match what lies within them.
    """
    rng = random.Random(seed)
    bins = {0: (4, 4, 5, 5, 6, 7), 1: (4, 5, 6, 6, 7, 7)}
    sizes = [(label, int(2 ** rng.choice(bins[label]) * rng.uniform(1, 2))) for label in bins for _ in range(400)]
    seen = [(label, size, cascade(rng, size)) for label, size in sizes]
    history = history_of([(size, virality) for _, size, virality in seen])
    raw = [virality for _, _, virality in seen]
    matched = []
    for _, size, virality in seen:
        percentile = history.virality_percentile(size=size, virality=virality)
        matched.append(0.5 if percentile is None else percentile)

    assert p_value(raw, [label for label, _, _ in seen], rng) < 0.01
    assert p_value(matched, [label for label, _, _ in seen], rng) > 0.05


def p_value(measured: list[float], labels: list[int], rng: random.Random) -> float:
    """Return how often shuffled labels make at least the difference of means that the true ones make."""

    def difference(marks: list[int]) -> float:
        ones = [value for value, mark in zip(measured, marks, strict=True) if mark]
        return abs(sum(ones) / len(ones) - (sum(measured) - sum(ones)) / (len(measured) - len(ones)))

    true, marks = difference(labels), list(labels)
    reached = 0
    for _ in range(1_000):
        rng.shuffle(marks)
        reached += difference(marks) >= true
    return reached / 1_000
