"""The community's share and its ratio to the seeded, with bounds that hold what they promise."""

from math import comb, exp, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.endogenous import Z_95, endogenous_share, outgrowth_ratio, wilson_interval


@pytest.mark.parametrize(("successes", "n", "low"), [(30, 50, 0.462), (60, 100, 0.502), (300, 500, 0.556)])
def test_wilson_lower_bound_has_the_published_values(successes: int, n: int, low: float) -> None:
    """The golden numbers of MEASURES §4."""
    assert wilson_interval(successes=successes, n=n).low == pytest.approx(low, abs=5e-4)


@given(st.integers(1, 10**6).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_bounds_are_where_the_score_test_just_rejects(case: tuple[int, int]) -> None:
    """By definition a bound p solves |k/n - p| = z sqrt(p(1 - p)/n), and the interval holds k/n within [0, 1]."""
    successes, n = case
    interval = wilson_interval(successes=successes, n=n)

    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    for bound in interval:
        assert (successes / n - bound) ** 2 == pytest.approx(Z_95**2 * bound * (1 - bound) / n, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.55, 0.9])
def test_wilson_interval_covers_the_truth_about_95_times_in_100(p: float) -> None:
    """Summed over all outcomes of 40 tries; a few percent off because outcomes are whole numbers."""
    n, covered = 40, 0.0
    for k in range(n + 1):
        interval = wilson_interval(successes=k, n=n)
        if interval.low <= p <= interval.high:
            covered += comb(n, k) * p**k * (1 - p) ** (n - k)

    assert covered == pytest.approx(0.95, abs=0.03)


def test_wilson_interval_of_nothing_is_everything() -> None:
    """Without a trial nothing is known; with impossible counts there is an error to tell."""
    assert wilson_interval(successes=0, n=0) == (0.0, 1.0)
    with pytest.raises(ValueError, match="expected 0 <= successes <= n, got 3 of 2"):
        wilson_interval(successes=3, n=2)


def test_narrower_confidence_makes_a_narrower_interval() -> None:
    """z is an argument, because other measures ask for other confidences."""
    wide, narrow = (wilson_interval(successes=60, n=100, z=z) for z in (Z_95, 1.0))

    assert wide.low < narrow.low < 0.6 < narrow.high < wide.high


def test_share_is_of_endogenous_and_seeded() -> None:
    """30 of 50 is 0.6 with Wilson's bounds; of nothing it is nothing."""
    share = endogenous_share(n_endo=30, n_seed=20)

    assert share is not None
    assert share.value == 0.6
    assert share.low == pytest.approx(0.462, abs=5e-4)
    assert endogenous_share(n_endo=0, n_seed=0) is None


def test_ratio_is_smoothed_by_five() -> None:
    """(95 + 5)/(40 + 5 + 5) = 2, and without anything 5/5 = 1."""
    assert outgrowth_ratio(e_endo=95.0, e_seed=40.0, e_brand=5.0, n_endo=10, n_seed=10).value == 2.0
    assert outgrowth_ratio(e_endo=0.0, e_seed=0.0, e_brand=0.0, n_endo=0, n_seed=0).value == 1.0


def test_ratio_has_the_interval_of_its_logarithm() -> None:
    """By hand: se = sqrt(1/100 + 1/25) = 0.2236, so the factor is exp(1.96 · 0.2236) = 1.55."""
    ratio = outgrowth_ratio(e_endo=95.0, e_seed=40.0, e_brand=5.0, n_endo=100, n_seed=25)
    factor = exp(1.959964 * sqrt(0.05))

    assert ratio.low == pytest.approx(2 / factor, rel=1e-6)
    assert ratio.high == pytest.approx(2 * factor, rel=1e-6)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_ratio_without_counts_is_uncertain_but_finite(n_endo: int, n_seed: int) -> None:
    """No division by zero, and more signals never make a ratio less sure."""
    ratio = outgrowth_ratio(e_endo=1.0, e_seed=1.0, e_brand=0.0, n_endo=n_endo, n_seed=n_seed)
    surer = outgrowth_ratio(e_endo=1.0, e_seed=1.0, e_brand=0.0, n_endo=n_endo + 1, n_seed=n_seed + 1)

    assert 0 < ratio.low < surer.low < ratio.value < surer.high < ratio.high < float("inf")
