"""Tell how fast a topic grows from two consecutive counts, and whether that can be chance."""

from math import log, sqrt
from typing import NamedTuple

from streams.measures.endogenous import Z_95

COUNT_MIN = 30


class Growth(NamedTuple):
    """The exponential growth rate per second with its 95 % interval; the time to double, where it surely grows."""

    rate: float
    rate_low: float
    rate_high: float
    doubling_time_s: float | None


def doubling_time(*, n1: int, n2: int, delta_s: float) -> Growth | None:
    """Return the growth from a count `n1` to a count `n2` over windows of equal length that begin `delta_s` apart.

    rate = ln((n2 + ½)/(n1 + ½))/delta_s and the time to double is ln 2/rate. The squared error of the logarithm is
    1/(n1 + ½) + 1/(n2 + ½), as for two Poisson counts; the time to double is None unless the interval lies above 0.
    None where the counts sum to less than 30: too few to say anything.

    >>> growth = doubling_time(n1=100, n2=200, delta_s=3600.0)
    >>> round(growth.doubling_time_s)
    3613
    """
    if min(n1, n2) < 0 or delta_s <= 0:
        raise ValueError(f"growth: expected counts >= 0 and a time > 0, got {n1}, {n2} and {delta_s} s")
    if n1 + n2 < COUNT_MIN:
        return None
    rate = log((n2 + 0.5) / (n1 + 0.5)) / delta_s
    half = Z_95 * sqrt(1 / (n1 + 0.5) + 1 / (n2 + 0.5)) / delta_s
    return Growth(rate, rate - half, rate + half, log(2) / rate if rate - half > 0 else None)
