"""Quantiles and tails of gamma and chi-square variates agree with tables, closed forms and sums of fifty digits."""

from decimal import Decimal, localcontext
from math import erfc, exp, log, sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.chi_square import (
    chi_square_log_survival,
    chi_square_quantile,
    gamma_quantile,
    regularised_gamma,
)

# Upper percentage points of chi-square as published (NIST/SEMATECH e-Handbook 1.3.6.7.4), to the digits printed there.
TABLE = [
    (0.95, 1, 3.841),
    (0.95, 5, 11.070),
    (0.95, 10, 18.307),
    (0.95, 30, 43.773),
    (0.95, 100, 124.342),
    (0.05, 1, 0.004),
    (0.05, 5, 1.145),
    (0.05, 10, 3.940),
    (0.05, 30, 18.493),
    (0.05, 100, 77.929),
    (0.99, 20, 37.566),
    (0.01, 20, 8.260),
    (0.999, 10, 29.588),
    (0.001, 10, 1.479),
]


def poisson_tail(m: int, x: float) -> Decimal:
    """Return Q(m, x) = e^-x Σ_{k<m} x^k/k!, which is exact for a whole m, to fifty digits."""
    with localcontext() as context:
        context.prec = 50
        term = total = Decimal(1)
        for k in range(1, m):
            term *= Decimal(x) / k
            total += term
        return total * (-Decimal(x)).exp()


@pytest.mark.parametrize(("p", "degrees", "value"), TABLE)
def test_quantiles_are_those_of_the_table(p: float, degrees: int, value: float) -> None:
    """What anybody can look up."""
    assert chi_square_quantile(p, degrees) == pytest.approx(value, abs=5.01e-4)


@pytest.mark.parametrize("p", [0.001, 0.025, 0.05, 0.3, 0.5, 0.8, 0.95, 0.975, 0.999])
def test_quantiles_have_their_closed_forms(p: float) -> None:
    """One degree of freedom is a squared normal variate, two are an exponential one."""
    assert chi_square_quantile(p, 1) == pytest.approx(NormalDist().inv_cdf((1 + p) / 2) ** 2, rel=1e-9)
    assert chi_square_quantile(p, 2) == pytest.approx(-2 * log(1 - p), rel=1e-11)


@pytest.mark.parametrize("m", [1, 2, 5, 17, 112, 811, 3_177])
@pytest.mark.parametrize("p", [0.025, 0.05, 0.95, 0.975])
def test_quantiles_of_counts_equal_sums_of_fifty_digits(p: float, m: int) -> None:
    """Between the quantile less and plus one part in 10^10 the exact chance passes p: the error is below 1e-10."""
    x = gamma_quantile(p, m)
    below, above = (1 - poisson_tail(m, x * (1 + error)) for error in (-1e-10, 1e-10))

    assert below < Decimal(p) < above


@given(st.floats(0.05, 5_000), st.floats(0.001, 0.999))
def test_quantile_is_the_inverse_of_the_chance(shape: float, p: float) -> None:
    """Also where the shape is not whole and where the first guess is far off."""
    below, above = regularised_gamma(shape, gamma_quantile(p, shape))

    assert below == pytest.approx(p, rel=1e-8)
    assert above == pytest.approx(1 - p, rel=1e-8)


@pytest.mark.parametrize("x", [1e-9, 0.01, 0.3, 1.4, 1.6, 4.0, 30.0])
def test_chances_have_their_closed_forms(x: float) -> None:
    """Q(1, x) = e^-x and Q(1/2, x) = erfc(sqrt x), on both sides of where the method changes."""
    assert regularised_gamma(1.0, x)[1] == pytest.approx(exp(-x), rel=1e-12)
    assert regularised_gamma(0.5, x)[1] == pytest.approx(erfc(sqrt(x)), rel=1e-12)
    assert sum(regularised_gamma(0.5, x)) == pytest.approx(1.0, rel=1e-15)
    assert regularised_gamma(2.0, 0.0) == (0.0, 1.0)


@pytest.mark.parametrize(("p", "shape"), [(0.0, 1.0), (1.0, 1.0), (0.5, 0.0), (0.5, float("nan"))])
def test_quantile_of_nothing_is_refused(p: float, shape: float) -> None:
    """An error of the caller says what was expected."""
    with pytest.raises(ValueError, match=r"gamma quantile: expected 0 < p < 1 and a shape > 0, got"):
        gamma_quantile(p, shape)


def test_chance_of_a_negative_variate_is_refused() -> None:
    """A gamma variate is never below 0."""
    with pytest.raises(ValueError, match=r"expected a shape > 0 and x >= 0, got 1.0 and -1.0"):
        regularised_gamma(1.0, -1.0)


@pytest.mark.parametrize("degrees", [2, 4, 10, 34, 200, 398])
@pytest.mark.parametrize("factor", [0.01, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0, 100.0])
def test_tail_of_even_degrees_equals_sums_of_fifty_digits(degrees: int, factor: float) -> None:
    """Also where the chance is below the least float: at 398 degrees and x = 39,800 it is 1e-8,000 or so."""
    x = degrees * factor
    exact = float(poisson_tail(degrees // 2, x / 2).ln())

    assert chi_square_log_survival(x, degrees=degrees) == pytest.approx(exact, rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("x", [0.001, 0.5, 2.9, 3.1, 15.137, 40.0, 700.0])
def test_tail_has_its_closed_forms(x: float) -> None:
    """One degree of freedom is a squared normal variate, two are an exponential one."""
    assert chi_square_log_survival(x, degrees=1) == pytest.approx(log(erfc(sqrt(x / 2))), rel=1e-11)
    assert chi_square_log_survival(x, degrees=2) == pytest.approx(-x / 2, rel=1e-11)


def test_tail_has_the_published_values() -> None:
    """15.137 is what one degree of freedom exceeds once in 10,000 times; above 0 lies everything."""
    assert exp(chi_square_log_survival(15.137, degrees=1)) == pytest.approx(1e-4, rel=1e-3)
    assert chi_square_log_survival(0.0, degrees=7) == 0.0


@given(st.floats(0.001, 0.999), st.integers(1, 400))
def test_tail_is_the_inverse_of_the_quantile(p: float, degrees: int) -> None:
    """What lies above the quantile of p has the chance 1 − p."""
    assert exp(chi_square_log_survival(chi_square_quantile(p, degrees), degrees=degrees)) == pytest.approx(
        1 - p, rel=1e-8
    )


@pytest.mark.parametrize(("x", "degrees"), [(-1.0, 1.0), (1.0, 0.0), (float("inf"), 1.0), (9.0, -2.0)])
def test_tail_of_nothing_is_refused(x: float, degrees: float) -> None:
    """An error of the caller says what was expected."""
    with pytest.raises(ValueError, match="expected"):
        chi_square_log_survival(x, degrees=degrees)
