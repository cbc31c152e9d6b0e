"""A doubling time is told only where growth is no accident."""

from math import exp, isclose, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.growth import doubling_time

counts = st.integers(0, 10**9)


@given(counts, counts, st.floats(1.0, 1e6))
def test_growth_is_told_as_defined(n1: int, n2: int, delta_s: float) -> None:
    """MEASURES §3, written down once more: the rate, its error, and what follows from them."""
    growth = doubling_time(n1=n1, n2=n2, delta_s=delta_s)
    if n1 + n2 < 30:
        assert growth is None
        return
    assert growth is not None

    a, b = n1 + 0.5, n2 + 0.5
    assert isclose(growth.rate, log(b / a) / delta_s, abs_tol=1e-15)
    assert isclose(growth.rate_high - growth.rate, 1.959964 * sqrt(1 / a + 1 / b) / delta_s, rel_tol=1e-6)
    assert isclose(growth.rate - growth.rate_low, growth.rate_high - growth.rate, rel_tol=1e-6)
    assert (growth.doubling_time_s is not None) == (growth.rate_low > 0)
    if growth.doubling_time_s is not None:
        assert isclose(exp(growth.rate * growth.doubling_time_s), 2.0, rel_tol=1e-9)


def test_doubled_count_doubles_in_one_window() -> None:
    """With many signals the half that is added to each count does not show: an hour to double is 3,600 s."""
    growth = doubling_time(n1=500_000, n2=1_000_000, delta_s=3600.0)

    assert growth is not None
    assert growth.doubling_time_s == pytest.approx(3600.0, rel=1e-5)


def test_doubling_of_a_few_may_be_chance() -> None:
    """10 -> 20 has an interval that holds 0 (ln 2 ± 0.75); 100 -> 200 has not (ln 2 ± 0.24)."""
    few, many = (doubling_time(n1=n, n2=2 * n, delta_s=3600.0) for n in (10, 100))

    assert few is not None
    assert many is not None
    assert (few.doubling_time_s, many.doubling_time_s is not None) == (None, True)


def test_shrinking_topic_has_no_doubling_time() -> None:
    """However surely it shrinks."""
    growth = doubling_time(n1=1_000, n2=100, delta_s=3600.0)

    assert growth is not None
    assert growth.rate_high < 0
    assert growth.doubling_time_s is None


def test_impossible_input_is_told_in_words() -> None:
    """Counts below zero and windows without length are errors of the caller."""
    with pytest.raises(ValueError, match=r"expected counts >= 0 and a time > 0, got -1, 40 and 60.0 s"):
        doubling_time(n1=-1, n2=40, delta_s=60.0)
