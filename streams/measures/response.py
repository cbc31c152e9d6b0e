"""Tell how many times as much is done after something happened as before it."""

from math import exp

from streams.measures.endogenous import Estimate
from streams.measures.growth import doubling_time


def response_lift(*, before: int, after: int) -> Estimate | None:
    """Return (after + ½)/(before + ½) of acts within spans of one length, with its 95 % interval; None for too few.

    The interval is that of two independent Poisson counts, as growth has it; people act in fits, so it is somewhat too
    narrow. Raises ValueError for a negative count: an error of the caller.

    Source: MEASURES.md §7.

    >>> lift = response_lift(before=100, after=200)
    >>> round(lift.value, 3), round(lift.low, 3), round(lift.high, 3)
    (1.995, 1.57, 2.535)
    """
    growth = doubling_time(n1=before, n2=after, delta_s=1.0)
    return None if growth is None else Estimate(exp(growth.rate), exp(growth.rate_low), exp(growth.rate_high))
