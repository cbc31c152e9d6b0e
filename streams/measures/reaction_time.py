"""Say how soon people react to what they see: the memory kernel of SEISMIC, its integrals, and its exponentials.

Ages are in units of the time for which reactions come at a constant rate (`FLAT_MS`). The density is

    φ(u) = f for u <= 1,  f·u^−(1+θ) after that;  f = c·300 s,

and Φ(u) = ∫φ from 0 to u, which comes to 1 (within 2 in 10 million, as c is published to 7 digits).

Source: Zhao, Erdogdu, He, Rajaraman & Leskovec 2015, "SEISMIC: A Self-Exciting Point Process Model for Predicting Tweet
Popularity", KDD; kernel and constants of section 3.2, fitted to Twitter.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import ceil, exp, expm1, floor, gamma, log1p
from math import pow as power
from operator import mul, neg

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
"""A number for each exponential.

Of numpy only what is rounded exactly, element by element: +, − and ·. They take a third of the time that lists of 44
numbers do. Its exponentials and sums differ with the processor, so that both are Python's.
"""

FLAT_MS = 300_000
THETA = 0.2314843
FLAT_SHARE = 6.265725e-4 * 300
"""What part of all reactions comes in the flat time: f, with c = 6.265725e-4 a second."""
TOTAL = FLAT_SHARE * (1 + 1 / THETA)

_TAIL = FLAT_SHARE / THETA
_TAIL_AREA = _TAIL / (1 - THETA)
FLAT_AREA = FLAT_SHARE / 2
"""∫Φ over the flat time."""
_AREA_SHIFT = TOTAL - _TAIL_AREA - FLAT_AREA


def reacted(age: float) -> float:
    """Return Φ: what part of all reactions has come at this age.

    >>> [round(reacted(minutes / 5), 3) for minutes in (5, 15, 60, 1_440)]
    [0.188, 0.37, 0.543, 0.781]
    """
    if age <= 1:
        return FLAT_SHARE * age if age > 0 else 0.0
    return TOTAL - _TAIL * power(age, -THETA)


def yet_to_react(age: float) -> float:
    """Return TOTAL − Φ: what part of all reactions is still to come at this age."""
    if age <= 1:
        return TOTAL - FLAT_SHARE * max(age, 0.0)
    return _TAIL * power(age, -THETA)


def reacted_area(age: float) -> float:
    """Return Ψ = ∫Φ from 0 to this age."""
    if age <= 1:
        return FLAT_SHARE * age * age / 2 if age > 0 else 0.0
    return TOTAL * age - _AREA_SHIFT - _TAIL_AREA * power(age, 1 - THETA)


def exposure(age: float, window: float) -> float:
    """Return ∫(1 − (age − u)/window)·φ(u) du over the last `window` before this age, no more than it has.

    What part of those who saw a post were to react to it within a window that weighs what is recent most. By parts it
    is Φ(age) − (Ψ(age) − Ψ(age − window))/window; where all of the window lies behind the flat time that is written so
    that large numbers do not cancel.

    >>> exposure(1.0, 1.0) == FLAT_SHARE / 2
    True
    """
    if age - window > 1:
        part = window / age
        return yet_to_react(age) * (-expm1((1 - THETA) * log1p(-part)) / ((1 - THETA) * part) - 1)
    return reacted(age) - (reacted_area(age) - reacted_area(age - window)) / window


def reactions(ages: Sequence[float], followers: Sequence[int], *, window: float) -> tuple[float, float]:
    """Return Σ n·exposure and Σ n·yet_to_react over shares, the oldest first; the window is at least a unit.

    The same as with the functions above, term by term, with one power for each that the window holds and two for each
    that lies before it. Large numbers cancel in the latter: with a window of 24 it is within 1e-8 up to 90 days.
    """
    old = bisect_left(ages, -1.0, key=neg)
    behind = bisect_left(ages, -1.0 - window, key=neg)
    exposed = to_come = 0.0
    if old:
        powers = list(map(mul, followers, [power(age, -THETA) for age in ages[:old]]))
        to_come = _TAIL * sum(powers)
        area = _TAIL_AREA * sum(map(mul, ages, powers))
        if behind:
            area -= _TAIL_AREA * sum(map(mul, followers, [power(age - window, 1 - THETA) for age in ages[:behind]]))
        n, n_age = sum(followers[behind:old]), sum(map(mul, ages[behind:old], followers[behind:old]))
        area += n * (TOTAL * window + _AREA_SHIFT) - TOTAL * n_age
        left = bisect_left(ages, -window, key=neg)
        for age, n in zip(ages[behind:left], followers[behind:left], strict=True):
            area += n * FLAT_AREA * (age - window) * (age - window)
        exposed = area / window - to_come
    if old < len(ages):
        young = ages[old:]
        n_ages = list(map(mul, young, followers[old:]))
        n_age = sum(n_ages)
        exposed += FLAT_SHARE * (n_age - sum(map(mul, n_ages, young)) / (2 * window))
        to_come += TOTAL * sum(followers[old:]) - FLAT_SHARE * n_age
    return exposed, to_come


# --- the same as a sum of exponentials --------------------------------------------------------------------------------
#
# From age 1 on the part that is yet to react is a power, and a power is an integral of exponentials:
#
#     u^−θ = 1/Γ(θ) ∫ exp(θy − u·e^y) dy
#
# The trapezoidal rule makes it a sum, Σ τ_k·exp(−λ_k·u) with λ_k = e^(k·h), whose error falls as exp(−π²/h) (Beylkin &
# Monzón 2010, "Approximation by exponential sums revisited"). The terms that hardly fall in 30 days are taken together
# as REST[0] − REST[1]·u + REST[2]·u²/2. Relative errors below 1e-8 for ages from 5 minutes to 90 days (shown in the
# tests), for the part that is yet to react as for its density. What is so written can be carried on in time without
# its past: every term of a sum over posts shrinks by exp(−λ_k) a unit, whatever the posts were.

_STEP = 0.44
_FIRST = floor(-15.5 / _STEP)
_LAST = ceil(2.8 / _STEP)
_SCALE = _TAIL * _STEP / gamma(THETA)

RATES = tuple(exp(k * _STEP) for k in range(_FIRST, _LAST + 1))
WEIGHTS = tuple(_SCALE * exp(THETA * k * _STEP) for k in range(_FIRST, _LAST + 1))
_RATES, _WEIGHTS = np.array(RATES), np.array(WEIGHTS)
_PER_RATE = np.array([weight / rate for weight, rate in zip(WEIGHTS, RATES, strict=True)])


def _rest(order: int) -> float:
    """Return Σ τ_k·λ_k^order over all k before the first term, a geometric series."""
    slope = (THETA + order) * _STEP
    return _SCALE * exp(slope * (_FIRST - 1)) / -expm1(-slope)


REST = (_rest(0), _rest(1), _rest(2))


def exposure_weights(window: float, shrunk: Floats) -> Floats:
    """Return the weight of every exponential in `exposure`, for ages from window + 1 on; `shrunk` is exp(−λ·window).

    ∫(1 − v/window)·τλ·exp(−λ(age − v)) dv is the weight times exp(−λ(age − window)). With z = λ·window the weight is
    τ·(1 − (1 + z)·e^−z)/z, by its series where that would cancel: RATES rise, so that those come first.
    """
    series = bisect_left(RATES, _SERIES_BELOW / window)
    z = _RATES * window
    small = z[:series]
    weights = (_PER_RATE * (1 / window)) * (1.0 - (z + 1.0) * shrunk)
    weights[:series] = (((small * (-1 / 30) + 1 / 8) * small - 1 / 3) * small + 1 / 2) * small * _WEIGHTS[:series]
    return weights


_SERIES_BELOW = 0.004
"""The series is then within z^4/70, and what is not a series within 2^−53/z²."""
