"""Divergence is what its definition says, the test is the G-test, and chance alone makes neither large."""

import random
from collections import Counter
from collections.abc import Callable
from itertools import combinations
from math import log, log2, sqrt
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.tag_divergence import (
    LARGE_MEAN,
    NO_TAG,
    Divergence,
    expected_by_chance,
    g_squared,
    jensen_shannon_nats,
    tag_divergence,
)

counts = st.integers(0, 2_000)
tables = st.lists(st.tuples(counts, counts), min_size=1, max_size=40).filter(
    lambda rows: all(sum(column) > 0 for column in zip(*rows, strict=True))
)
tags = st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e", "f", "g", NO_TAG]), st.integers(0, 50))


def columns(table: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """Return the two sides of a table."""
    return [x for x, _ in table], [y for _, y in table]


def found(p: dict[str, int], q: dict[str, int], **limits: int) -> Divergence:
    """Return a divergence that is there."""
    divergence = tag_divergence(p, q, **limits)
    assert divergence is not None
    return divergence


@given(tables)
def test_divergence_is_g_squared_over_twice_the_uses(table: list[tuple[int, int]]) -> None:
    """2·N·JSD = G² with the weights n/N; G² by the sums of O ln O of Dunning, which is another way to the number."""
    p, q = columns(table)
    n_p, n_q = sum(p), sum(q)
    n = n_p + n_q
    entries = [*p, *q, n]
    margins = [n_p, n_q, *(x + y for x, y in table)]
    g2 = 2 * (sum(o * log(o) for o in entries if o) - sum(o * log(o) for o in margins if o))

    assert 2 * n * jensen_shannon_nats(p, q, weight_p=n_p / n) == pytest.approx(g2, rel=1e-9, abs=1e-6)
    assert g_squared(p, q) == pytest.approx(g2, rel=1e-9, abs=1e-6)


@given(tables)
def test_divergence_is_symmetric_and_at_most_one_bit(table: list[tuple[int, int]]) -> None:
    """It is no matter which side is called the talk of now."""
    p, q = columns(table)
    nats = jensen_shannon_nats(p, q)

    assert 0 <= nats <= log(2) * (1 + 1e-12)
    assert nats == pytest.approx(jensen_shannon_nats(q, p), abs=1e-12)
    assert g_squared(p, q) == pytest.approx(g_squared(q, p), abs=1e-9)


@given(st.lists(st.integers(1, 500), min_size=1, max_size=30), st.integers(1, 9))
def test_equal_shares_do_not_diverge(p: list[int], factor: int) -> None:
    """How much is said does not matter, only of what."""
    q = [factor * count for count in p]

    assert jensen_shannon_nats(p, q) == pytest.approx(0, abs=1e-12)
    assert g_squared(p, q) == pytest.approx(0, abs=1e-6)


def test_divergence_has_the_value_by_hand() -> None:
    """p = (1, 0), q = (½, ½), m = (¾, ¼): ½·log2 4/3 + ½·(½·log2 2/3 + ½·log2 2) = 0.3113 bits; nothing shared is 1."""
    bits = 0.5 * log2(4 / 3) + 0.5 * (0.5 * log2(2 / 3) + 0.5 * log2(2))

    assert jensen_shannon_nats([6, 0], [5, 5]) / log(2) == pytest.approx(bits, rel=1e-12)
    assert bits == pytest.approx(0.3113, abs=5e-5)
    assert jensen_shannon_nats([3, 0, 1], [0, 2, 0]) == pytest.approx(log(2), rel=1e-12)


def test_divergence_from_nothing_is_refused() -> None:
    """Without uses there are no shares; a test of them finds nothing."""
    with pytest.raises(ValueError, match="expected counts on both sides, got sums of 0 and 3"):
        jensen_shannon_nats([0, 0], [1, 2])

    assert g_squared([0, 0], [1, 2]) == 0.0


@given(st.lists(st.integers(1, 3), min_size=1, max_size=4), st.data())
def test_means_by_chance_are_those_over_all_divisions(uses: list[int], data: st.DataObject) -> None:
    """Every way to deal the uses out to two sides, each as likely as the others, one by one."""
    cards = [bin_number for bin_number, count in enumerate(uses) for _ in range(count)]
    if len(cards) < 2:
        return
    n_p = data.draw(st.integers(1, len(cards) - 1))
    bits, g2s = [], []
    for dealt in combinations(range(len(cards)), n_p):
        in_p = Counter(cards[place] for place in dealt)
        p = [in_p[number] for number in range(len(uses))]
        q = [count - x for count, x in zip(uses, p, strict=True)]
        bits.append(jensen_shannon_nats(p, q) / log(2))
        g2s.append(g_squared(p, q))
    chance = expected_by_chance(uses, n_p=n_p, n_q=len(cards) - n_p)

    assert chance.bits == pytest.approx(mean(bits), rel=1e-9, abs=1e-12)
    assert chance.g2 == pytest.approx(mean(g2s), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("n_p", "n_q"), [(5_000, 5_000), (1_000, 9_000), (9_800, 200)])
def test_means_by_chance_meet_the_closed_form_where_it_takes_over(n_p: int, n_q: int) -> None:
    """On both sides of the change of method the mean of one bin differs by a percent or two, not by a step."""
    uses = LARGE_MEAN * (n_p + n_q) // min(n_p, n_q)
    exact, closed = (
        expected_by_chance([uses + more], n_p=n_p, n_q=n_q).g2 / (1 - uses / (n_p + n_q)) for more in (0, 1)
    )

    assert closed == pytest.approx(1, abs=0.001)
    assert exact == pytest.approx(closed, rel=0.02)


def test_means_by_chance_are_millers_and_wilks_in_large_bins() -> None:
    """(K − 1)/(8 ln 2)·(1/n_p + 1/n_q) and K − 1: 0.035 for 50 bins at 500 and 500 is the number of MEASURES §4."""
    chance = expected_by_chance([10_000] * 50, n_p=250_000, n_q=250_000)

    assert chance.bits == pytest.approx(49 / (8 * log(2)) * (2 / 250_000), rel=1e-9)
    assert chance.g2 == pytest.approx(49, rel=1e-9)
    assert 49 / (8 * log(2)) * (2 / 500) == pytest.approx(0.035, abs=5e-4)


SHAPES: dict[str, Callable[[int], float]] = {
    "even": lambda rank: 1.0,
    "zipf": lambda rank: 1 / rank,
    "steep": lambda rank: 0.97**rank,
}
CROWDS = [
    *(
        (kinds, n_p, n_q, shape)
        for kinds, n_p, n_q in ((50, 500, 500), (200, 500, 2_000), (200, 5_000, 5_000))
        for shape in SHAPES
    ),
    (200, 300, 300, "zipf"),
    # More tags than bins, where chance chooses, too.
    (3_000, 500, 2_000, "even"),
    (3_000, 2_000, 500, "zipf"),
    (3_000, 300, 20_000, "zipf"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "n_p", "n_q", "shape"), CROWDS)
def test_chance_alone_diverges_by_less_than_a_hundredth_of_a_bit(kinds: int, n_p: int, n_q: int, shape: str) -> None:
    """MEASURES §9: samples of one way of using tags; the corrected mean is about zero, and p-values are p-values."""
    rng = random.Random(20)
    names = [f"tag-{rank}" for rank in range(kinds)]
    weights = [SHAPES[shape](rank) for rank in range(1, kinds + 1)]
    runs = [
        found(Counter(rng.choices(names, weights, k=n_p)), Counter(rng.choices(names, weights, k=n_q)))
        for _ in range(60)
    ]

    assert abs(mean(run.bits for run in runs)) < 0.01
    # 3 of 60 are expected; more than 9 come about once in a thousand times.
    assert sum(run.p_value < 0.05 for run in runs) <= 9
    assert all(run.p_value > 1e-6 for run in runs)


@pytest.mark.parametrize(("kinds", "n_p", "n_q", "least"), [(100, 500, 500, 0.95), (3_000, 500, 2_000, 0.7)])
def test_drift_of_half_the_uses_is_seen_for_what_it_is(kinds: int, n_p: int, n_q: int, least: float) -> None:
    """A new tag takes half of p: m has ¼ there, so 0.3113 bits as by hand; less where tags are rare, never more."""
    rng = random.Random(9)
    names = [f"tag-{rank}" for rank in range(kinds)]
    weights = [1 / rank for rank in range(1, kinds + 1)]
    bits = []
    for _ in range(20):
        p = Counter(rng.choices(names, weights, k=n_p // 2)) + Counter({"#new": n_p - n_p // 2})
        divergence = found(p, Counter(rng.choices(names, weights, k=n_q)))
        bits.append(divergence.bits)

        assert divergence.p_value < 1e-6

    assert least * 0.3113 < mean(bits) < 0.3113 * 1.02


def test_tags_that_are_new_diverge_beyond_doubt() -> None:
    """Half of the uses have left for a new tag: by hand ½·log2 (½/¾)·½ + … = 0.3113 less 0.001; p is not 0 in logs."""
    divergence = found({"#old": 500, "#new": 500}, {"#old": 1_000})

    assert divergence.bits_raw == pytest.approx(0.3113, abs=5e-5)
    assert divergence.bits == pytest.approx(0.3113 - 1 / (8 * log(2)) * (2 / 1_000), abs=1e-4)
    assert divergence.log_p < log(1e-150)
    assert divergence.p_value < 1e-150


def test_uses_without_a_tag_are_told_apart() -> None:
    """Who says something without a tag has not gone anywhere, and does not help to reach the minimum."""
    quiet = {"#a": 200, "#b": 100}
    divergence = found({**quiet, NO_TAG: 10_000}, {**quiet, NO_TAG: 7})

    assert (divergence.untagged_p, divergence.untagged_q) == (10_000, 7)
    assert (divergence.n_p, divergence.n_q, divergence.bins) == (300, 300, 2)
    assert divergence.bits_raw == 0.0
    assert tag_divergence({"#a": 299, NO_TAG: 10_000}, {"#a": 300}) is None


def test_minimum_is_asked_of_both_sides() -> None:
    """With less than 300 uses there is more bias than news."""
    assert tag_divergence({"#a": 300}, {"#a": 299}) is None
    assert tag_divergence({"#a": 299}, {"#a": 300}) is None
    assert tag_divergence({}, {}, n_min=0) is None
    assert found({"#a": 300}, {"#a": 300}).log_p == 0.0


@given(tags, tags, st.integers(1, 9))
def test_largest_mean_shares_have_bins_and_the_rest_has_one(
    p: dict[str, int], q: dict[str, int], bins_max: int
) -> None:
    """Against a ranking by fractions, tag by tag, with the names as judges of ties."""
    n_p, n_q = (sum(count for tag, count in side.items() if tag != NO_TAG) for side in (p, q))
    divergence = tag_divergence(p, q, bins_max=bins_max, n_min=1)
    if not (n_p and n_q):
        assert divergence is None
        return
    used = {tag for side in (p, q) for tag, count in side.items() if count and tag != NO_TAG}
    ranked = sorted(used, key=lambda tag: (-(p.get(tag, 0) * n_q + q.get(tag, 0) * n_p), tag))
    table = [(p.get(tag, 0), q.get(tag, 0)) for tag in ranked[:bins_max]]
    if ranked[bins_max:]:
        rest_p, rest_q = (sum(side.get(tag, 0) for tag in ranked[bins_max:]) for side in (p, q))
        table.append((rest_p, rest_q))

    assert divergence is not None
    assert divergence.bins == len(table)
    assert divergence.g2 == pytest.approx(g_squared(*columns(table)), rel=1e-12)
    assert divergence.bits_raw == pytest.approx(jensen_shannon_nats(*columns(table)) / log(2), abs=1e-12)
    assert 0 <= divergence.bits_raw <= 1


@given(tags, tags)
def test_order_of_tags_does_not_matter(p: dict[str, int], q: dict[str, int]) -> None:
    """Counts come out of sets and merges: to the last bit the answer must depend on what they hold alone."""
    one = tag_divergence(p, q, bins_max=3, n_min=1)
    other = tag_divergence(dict(reversed(p.items())), dict(reversed(q.items())), bins_max=3, n_min=1)

    assert one == other


def test_spread_of_the_corrected_divergence_is_small() -> None:
    """An alert at 0.35 bits is far from what 300 uses a side, the fewest that are asked, can show by chance."""
    rng = random.Random(5)
    names = [f"tag-{rank}" for rank in range(100)]
    bits = [found(Counter(rng.choices(names, k=300)), Counter(rng.choices(names, k=300))).bits for _ in range(60)]

    assert sqrt(mean(value * value for value in bits)) < 0.05
