"""The kernel integrates to what it should, and its exponentials follow it for months."""

from collections.abc import Callable
from itertools import pairwise
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.reaction_time import (
    FLAT_AREA,
    FLAT_SHARE,
    RATES,
    REST,
    THETA,
    TOTAL,
    WEIGHTS,
    exposure,
    exposure_weights,
    reacted,
    reacted_area,
    reactions,
    yet_to_react,
)

DAY = 24 * 12
"""Units of five minutes in a day."""


def density(age: float) -> float:
    """Return φ as the paper has it."""
    return FLAT_SHARE if age <= 1 else FLAT_SHARE * age ** -(1 + THETA)


def integral(
    function: Callable[[float], float], start: float, end: float, *, cuts: tuple[float, ...] = (), steps: int = 2_000
) -> float:
    """Return an integral by Simpson's rule, between points where the function may have a bend."""
    points = sorted({start, end, *(cut for cut in cuts if start < cut < end)})
    total = 0.0
    for low, high in pairwise(points):
        h = (high - low) / steps
        inner = sum((4 if i % 2 else 2) * function(low + i * h) for i in range(1, steps))
        total += h / 3 * (function(low) + inner + function(high))
    return total


def tail_by_exponentials(age: float) -> float:
    """Return what is yet to react as the sum of exponentials has it."""
    terms = sum(tau * exp(-rate * age) for tau, rate in zip(WEIGHTS, RATES, strict=True))
    return terms + REST[0] - REST[1] * age + REST[2] * age**2 / 2


def density_by_exponentials(age: float) -> float:
    """Return minus its slope."""
    terms = sum(tau * rate * exp(-rate * age) for tau, rate in zip(WEIGHTS, RATES, strict=True))
    return terms + REST[1] - REST[2] * age


def test_reactions_come_when_the_paper_says() -> None:
    """The distribution of MEASURES.md §6: after 5 min, 15 min, 1 h, 24 h and 7 d; half of them within 40.6 min."""
    assert [reacted(minutes / 5) for minutes in (5, 15, 60, 1_440, 10_080)] == pytest.approx(
        [0.188, 0.370, 0.543, 0.781, 0.861], abs=1.1e-3
    )
    assert reacted(40.6 / 5) == pytest.approx(0.5, abs=5e-4)


def test_all_react_in_the_end() -> None:
    """The density integrates to 1 as far as its published constant has digits."""
    assert pytest.approx(1.0, abs=2e-7) == TOTAL
    assert reacted(0.0) == reacted(-1.0) == reacted_area(-1.0) == 0.0


@pytest.mark.parametrize("age", [0.3, 1.0, 1.01, 2.5, 24.0, 300.0])
def test_closed_forms_are_the_integrals(age: float) -> None:
    """Φ is the integral of φ and Ψ that of Φ, on both sides of the bend."""
    assert reacted(age) == pytest.approx(integral(density, 0.0, age, cuts=(1.0, 3.0, 20.0)), rel=1e-9)
    assert reacted_area(age) == pytest.approx(integral(reacted, 0.0, age, cuts=(1.0, 3.0, 20.0)), rel=1e-9)
    assert reacted(age) + yet_to_react(age) == pytest.approx(TOTAL, rel=1e-14)


def test_area_of_the_flat_time_is_that_of_a_triangle() -> None:
    """Φ rises in a straight line until then."""
    assert reacted_area(1.0) == pytest.approx(FLAT_AREA, rel=1e-14)


@pytest.mark.parametrize("window", [1.0, 3.5, 24.0, 90.0])
@pytest.mark.parametrize("age", [0.2, 1.0, 1.7, 5.0, 24.0, 24.6, 25.0, 80.0, 400.0])
def test_exposure_is_its_integral(age: float, window: float) -> None:
    """∫(1 − (age − u)/window)·φ(u) over what the window covers."""
    start = max(age - window, 0.0)
    expected = integral(lambda u: (1 - (age - u) / window) * density(u), start, age, cuts=(1.0, 3.0, 20.0))

    assert exposure(age, window) == pytest.approx(expected, rel=1e-8)


@given(st.floats(0.0, 1.0))
def test_exponentials_follow_the_tail_from_five_minutes_to_ninety_days(part: float) -> None:
    """Within 1e-8, for what is yet to react and for its density: far below the 1e-6 that is asked for."""
    age = (90 * DAY) ** part

    assert tail_by_exponentials(age) == pytest.approx(yet_to_react(age), rel=1e-8)
    assert density_by_exponentials(age) == pytest.approx(density(age), rel=1e-8)


@pytest.mark.parametrize("window", [1.0, 24.0, 200.0])
@pytest.mark.parametrize("days", [0, 1, 7, 30])
def test_weights_of_exponentials_give_the_exposure(window: float, days: int) -> None:
    """For whatever is older than a window and a unit."""
    shrunk = np.array([exp(-rate * window) for rate in RATES])
    age = window + 1 + days * DAY
    weighted = sum(
        weight * exp(-rate * (age - window))
        for weight, rate in zip(exposure_weights(window, shrunk), RATES, strict=True)
    )
    rest = REST[1] * window / 2 - REST[2] * (age * window / 2 - window**2 / 6)

    assert weighted + rest == pytest.approx(exposure(age, window), rel=2e-8)


@given(
    st.lists(st.tuples(st.floats(0, 26_000), st.integers(0, 10**6)), max_size=20),
    st.one_of(st.floats(1, 24), st.sampled_from([1.0, 24.0, 3_000.0])),
)
def test_reactions_equal_share_by_share(shares: list[tuple[float, int]], window: float) -> None:
    """Few powers for many shares: within 1e-7 of those who were exposed, and of those who are yet to react."""
    shares = sorted(shares, reverse=True)
    ages, followers = [age for age, _ in shares], [n for _, n in shares]
    window = max(window, min(ages[0] / 2, 24.0)) if ages else window
    exposed, to_come = reactions(ages, followers, window=window)

    assert exposed == pytest.approx(sum(n * exposure(age, window) for age, n in shares), rel=1e-7, abs=1e-12)
    assert to_come == pytest.approx(sum(n * yet_to_react(age) for age, n in shares), rel=1e-12)
