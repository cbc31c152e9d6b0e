"""The drift share is of all that members say, with bounds, and silent while there is too little to tell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.drift import SIGNALS_MIN, drift_share
from streams.measures.endogenous import wilson_interval


@pytest.mark.parametrize(("wild", "others", "low"), [(30, 20, 0.462), (60, 40, 0.502), (300, 200, 0.556)])
def test_drift_share_has_the_published_lower_bound(wild: int, others: int, low: float) -> None:
    """The golden numbers of MEASURES §4, whoever the others are."""
    for adopted in (0, others // 2, others):
        share = drift_share(n_wild=wild, n_adopted=adopted, n_seeded=others - adopted)

        assert share is not None
        assert share.value == 0.6
        assert share.low == pytest.approx(low, abs=5e-4)


@given(st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 200))
def test_drift_share_is_told_from_the_minimum_on(wild: int, adopted: int, seeded: int, n_min: int) -> None:
    """Too few signals say nothing, and nothing at all never does."""
    share = drift_share(n_wild=wild, n_adopted=adopted, n_seeded=seeded, n_min=n_min)
    n = wild + adopted + seeded

    assert (share is None) == (n < n_min or n == 0)
    if share is not None:
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_below_the_minimum_the_interval_is_wider_than_a_third() -> None:
    """Why the minimum is what it is."""
    least = wilson_interval(successes=SIGNALS_MIN // 2, n=SIGNALS_MIN)
    fewer = wilson_interval(successes=SIGNALS_MIN // 2 - 1, n=SIGNALS_MIN - 2)

    assert least.high - least.low == pytest.approx(1 / 3, abs=0.01)
    assert fewer.high - fewer.low > 1 / 3


def test_negative_counts_are_refused() -> None:
    """An error of the caller says what was expected."""
    with pytest.raises(ValueError, match="drift share: expected counts >= 0, got 1, -2 and 3"):
        drift_share(n_wild=1, n_adopted=-2, n_seeded=3)
