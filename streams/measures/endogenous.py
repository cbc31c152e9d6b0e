"""Tell how much of a topic's life is the community's own, and how sure that is."""

from math import exp, sqrt
from typing import NamedTuple

Z_95 = 1.959963984540054
"""Quantile 0.975 of the standard normal distribution: an interval of ± this many standard errors holds 95 %."""

SMOOTHING = 5.0


class Interval(NamedTuple):
    """Bounds between which a value lies with the confidence asked for, 95 % unless said otherwise."""

    low: float
    high: float


class Estimate(NamedTuple):
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


def wilson_interval(*, successes: int, n: int, z: float = Z_95) -> Interval:
    """Return the Wilson score interval of a proportion; (0, 1) where nothing was tried.

    Unlike value ± standard error it stays within 0 and 1, and means something for small n too.

    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".

    >>> round(wilson_interval(successes=30, n=50).low, 3)
    0.462
    """
    if not 0 <= successes <= n:
        raise ValueError(f"wilson interval: expected 0 <= successes <= n, got {successes} of {n}")
    if n == 0:
        return Interval(0.0, 1.0)
    p, z2 = successes / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    # At the ends the two terms are equal; rounding must not push a bound over the edge.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high)


def endogenous_share(*, n_endo: int, n_seed: int) -> Estimate | None:
    """Return s = n_endo/(n_endo + n_seed) with its Wilson interval: how much of what happened has no brand at its root.

    `n_endo` counts adopted and wild signals, `n_seed` seeded ones. None where there are neither.

    >>> share = endogenous_share(n_endo=60, n_seed=40)
    >>> share.value, round(share.low, 3)
    (0.6, 0.502)
    """
    n = n_endo + n_seed
    if n == 0:
        return None
    return Estimate(n_endo / n, *wilson_interval(successes=n_endo, n=n))


def outgrowth_ratio(*, e_endo: float, e_seed: float, e_brand: float, n_endo: int, n_seed: int) -> Estimate:
    """Return G = (e_endo + 5)/(e_seed + e_brand + 5) with the 95 % interval of its logarithm.

    The e are amounts of one unit: engagement points, or actors for the ratio of actors. The n are the counts behind
    the numerator and the denominator; the logarithm has the standard error sqrt(1/n_endo + 1/n_seed), as that of a
    ratio of two Poisson counts. A count of 0 is taken for ½, so that the interval is wide instead of missing.

    >>> outgrowth_ratio(e_endo=95.0, e_seed=40.0, e_brand=5.0, n_endo=90, n_seed=45).value
    2.0
    """
    value = (e_endo + SMOOTHING) / (e_seed + e_brand + SMOOTHING)
    spread = exp(Z_95 * sqrt(1 / max(n_endo, 0.5) + 1 / max(n_seed, 0.5)))
    return Estimate(value, value / spread, value * spread)
