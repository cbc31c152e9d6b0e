"""Surprise is the divergence of Kullback and Leibler from the mixture, in bits, without what chance makes of it."""

from collections.abc import Iterable
from itertools import combinations
from math import log2
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.resonance import divergence_from_mixture, surprise_bits
from streams.measures.tag_divergence import NO_TAG, jensen_shannon_nats

counts = st.integers(0, 500)
tables = st.lists(st.tuples(counts, counts), min_size=1, max_size=30).filter(
    lambda rows: all(sum(column) > 0 for column in zip(*rows, strict=True))
)


def columns(table: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return the two sides of a table."""
    rows = list(table)
    return [x for x, _ in rows], [y for _, y in rows]


def found(said: dict[str, int], known: dict[str, int]) -> float:
    """Return a surprise that can be told, of however few uses."""
    bits = surprise_bits(said, known, n_min=1)
    assert bits is not None
    return bits


def test_divergence_from_the_mixture_has_the_value_by_hand() -> None:
    """Shares of 1/2, 1/2, 0 beside 1/2, 1/4, 1/4: 1/2·log2(1) + 1/2·log2((1/2)/(3/8)) = 1/2·log2(4/3)."""
    assert divergence_from_mixture([2, 2, 0], [4, 2, 2]) == pytest.approx(0.5 * log2(4 / 3), rel=1e-12)
    # The other way round it is 1/4·log2((1/4)/(3/8)) + 1/4·log2(2): a tag that is new counts, one that is gone less.
    assert divergence_from_mixture([4, 2, 2], [2, 2, 0]) == pytest.approx(0.25 * log2(2 / 3) + 0.25, rel=1e-12)


@given(tables)
def test_divergence_from_the_mixture_lies_between_none_and_one_bit(table: list[tuple[int, int]]) -> None:
    """It is never below 0 (Gibbs), and what has nothing in common with what is known is one bit away from it."""
    p, q = columns(table)

    assert 0 <= divergence_from_mixture(p, q) <= 1
    assert divergence_from_mixture(p + [0] * len(q), [0] * len(p) + q) == pytest.approx(1, abs=1e-12)


@given(st.lists(counts, min_size=1, max_size=30).filter(any), st.integers(1, 9))
def test_equal_shares_surprise_nobody(p: list[int], times: int) -> None:
    """However many more there are of them."""
    assert divergence_from_mixture(p, [times * x for x in p]) == pytest.approx(0, abs=1e-12)


@given(tables)
def test_both_ways_make_the_divergence_of_jensen_and_shannon(table: list[tuple[int, int]]) -> None:
    """By its definition that is the mean of the two, which is how the tags of an escape are compared."""
    p, q = columns(table)
    both = (divergence_from_mixture(p, q) + divergence_from_mixture(q, p)) / 2

    assert both == pytest.approx(jensen_shannon_nats(p, q) / jensen_shannon_nats([1, 0], [0, 1]), abs=1e-9)


def test_divergence_without_counts_on_a_side_is_refused() -> None:
    """An error of the caller."""
    with pytest.raises(ValueError, match="expected counts on both sides, got sums of 0 and 3"):
        divergence_from_mixture([0], [3])


@pytest.mark.parametrize("said", [(("a", "a", "b"), ("a", "b", "b", "c")), (("a", "b", "c", "d", "d"), ("a", "a"))])
def test_what_chance_makes_of_it_is_taken_off_exactly(said: tuple[tuple[str, ...], tuple[str, ...]]) -> None:
    """All ways to divide the same uses in two parts of these sizes surprise by nothing in the mean."""
    uses = (*said[0], *said[1])
    surprises = []
    for chosen in combinations(range(len(uses)), len(said[0])):
        parts = [uses[at] for at in chosen], [uses[at] for at in range(len(uses)) if at not in chosen]
        ours, theirs = ({tag: part.count(tag) for tag in set(part)} for part in parts)
        surprises.append(found(ours, theirs))

    assert mean(surprises) == pytest.approx(0, abs=1e-12)


def test_samples_of_one_way_of_talking_surprise_by_nothing_whatever_their_sizes() -> None:
    """A day beside a week: the day alone is far from its own source, which would be told as transience."""
    random = Random(5)
    tags = [f"#{number}" for number in range(60)]
    weights = [1 / (1 + number) for number in range(60)]
    surprises = []
    for _ in range(60):
        day, week = random.choices(tags, weights, k=150), random.choices(tags, weights, k=3_000)
        surprises.append(found({tag: day.count(tag) for tag in tags}, {tag: week.count(tag) for tag in tags}))

    assert mean(surprises) == pytest.approx(0, abs=0.01)


def test_uses_without_a_tag_count_for_nothing() -> None:
    """They say nothing of what is talked about, and are not among the uses that it takes to say anything."""
    before, away = {"#a": 40, "#b": 30}, {"#a": 40, "#c": 30}

    assert found(away | {NO_TAG: 999}, before | {NO_TAG: 5}) == found(away, before)
    assert surprise_bits(away | {NO_TAG: 999}, before, n_min=71) is None
    assert surprise_bits(away, before, n_min=70) is not None


def test_of_many_tags_the_rare_ones_are_compared_together() -> None:
    """Two tags have a bin of their own, the other two one for both, in which nothing differs."""
    before = {"#a": 400, "#b": 300, "#c": 2, "#d": 0}
    away = {"#a": 300, "#b": 400, "#c": 0, "#d": 2}
    apart, together = (surprise_bits(away, before, bins_max=bins, n_min=1) for bins in (4, 2))

    assert apart is not None
    assert together is not None
    assert together == pytest.approx(found({"#a": 300, "#b": 400, "#e": 2}, {"#a": 400, "#b": 300, "#e": 2}), abs=1e-3)
    assert apart > together
