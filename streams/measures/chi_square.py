"""Chances and quantiles of gamma and chi-square variates: what a count says of its rate, how odd a statistic is."""

from functools import lru_cache
from math import exp, isfinite, lgamma, log, log1p, sqrt
from statistics import NormalDist

_EPSILON = 2.0**-53
_TINY = 1e-300
_STEPS_MAX = 60


def regularised_gamma(shape: float, x: float) -> tuple[float, float]:
    """Return (P, Q): the chances that a gamma variate of this shape and of scale 1 lies below and above x.

    Both by what does not cancel: below x = shape + 1 the series of P (DLMF 8.11.4), above it the continued fraction of
    Q (DLMF 8.9.2) by Lentz's method as in Press et al., Numerical Recipes 6.2. Each takes some sqrt(shape) terms.

    >>> [round(chance, 12) for chance in regularised_gamma(1.0, 2.0)] == [round(1 - exp(-2), 12), round(exp(-2), 12)]
    True
    """
    if not (shape > 0 and x >= 0 and isfinite(shape) and isfinite(x)):
        raise ValueError(f"gamma distribution: expected a shape > 0 and x >= 0, got {shape} and {x}")
    if x == 0:
        return 0.0, 1.0
    weight = exp(shape * log(x) - x - lgamma(shape))
    if x < shape + 1:
        below = weight * _series(shape, x)
        return below, 1 - below
    above = weight * _fraction(shape, x)
    return 1 - above, above


def _series(shape: float, x: float) -> float:
    term = total = 1 / shape
    while term > total * _EPSILON:
        shape += 1
        term *= x / shape
        total += term
    return total


def _fraction(shape: float, x: float) -> float:
    b = x + 1 - shape
    c, d = 1 / _TINY, 1 / b
    value, i, change = d, 0, 0.0
    while abs(change - 1) > 4 * _EPSILON:
        i += 1
        a = i * (shape - i)
        b += 2
        d = 1 / (a * d + b or _TINY)
        c = b + a / c or _TINY
        change = c * d
        value *= change
    return value


@lru_cache(maxsize=4_096)
def gamma_quantile(p: float, shape: float) -> float:
    """Return the x below which a gamma variate of this shape and of scale 1 lies with the chance p, 0 < p < 1.

    Halley's method on P from the approximation of Wilson & Hilferty 1931, kept within bounds by bisection where it
    would leave them; to a relative 1e-12 or so.

    >>> round(gamma_quantile(0.5, 1.0), 12) == round(log(2), 12)
    True
    """
    if not (0 < p < 1 and shape > 0 and isfinite(shape)):
        raise ValueError(f"gamma quantile: expected 0 < p < 1 and a shape > 0, got {p} and {shape}")
    low, high = 0.0, 4 * shape + 100 - 2 * log(1 - p)
    x = min(max(_first_guess(p, shape), _TINY), high)
    for _ in range(_STEPS_MAX):
        below, above = regularised_gamma(shape, x)
        error = below - p if p < 0.5 else (1 - p) - above
        if error > 0:
            high = x
        else:
            low = x
        density = exp((shape - 1) * log(x) - x - lgamma(shape))
        newton = error / density if density else 0.0
        step = newton / (1 - min(0.5, newton * ((shape - 1) / x - 1) / 2)) if density else low
        better = x - step if density and low <= x - step <= high else (low + high) / 2
        if abs(better - x) <= 1e-13 * x:
            return better
        x = better
    return x


def _first_guess(p: float, shape: float) -> float:
    z = NormalDist().inv_cdf(p)
    guess = shape * (1 - 1 / (9 * shape) + z / (3 * sqrt(shape))) ** 3
    if shape >= 0.6 and guess > 0.1 * shape:
        return guess
    # Far below its mean P is nearly x^shape/Γ(shape + 1).
    return exp((log(p) + lgamma(shape + 1)) / shape)


def chi_square_quantile(p: float, degrees: float) -> float:
    """Return the x below which a chi-square variate with so many degrees of freedom lies with the chance p.

    >>> round(chi_square_quantile(0.95, 10), 3)
    18.307
    """
    return 2 * gamma_quantile(p, degrees / 2)


def chi_square_log_survival(x: float, *, degrees: float) -> float:
    """Return ln Q: the logarithm of the chance that a chi-square variate lies above x; 0 for x = 0.

    In logarithms no p-value is too small: far in the tail Q itself is below the least of all floats, its logarithm is
    not. To a relative 1e-12 or so; by the same series and continued fraction as `regularised_gamma`.

    >>> round(exp(chi_square_log_survival(3.841459, degrees=1)), 6)
    0.05
    >>> round(chi_square_log_survival(20_000.0, degrees=2), 6)
    -10000.0
    """
    shape, half = degrees / 2, x / 2
    if half < shape + 1:
        below, _ = regularised_gamma(shape, half)
        return log1p(-below)
    if not (shape > 0 and isfinite(half)):
        raise ValueError(f"chi-square survival: expected x >= 0 and degrees > 0, got {x} and {degrees}")
    return shape * log(half) - half - lgamma(shape) + log(_fraction(shape, half))
