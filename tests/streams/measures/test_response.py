"""How many times as much is done afterwards is what the two counts say, with the interval of two Poisson counts."""

from math import exp, sqrt

import pytest

from streams.measures.response import response_lift

Z = 1.959963984540054


def test_lift_has_the_values_by_hand() -> None:
    """(90 + ½)/(30 + ½), and e to the power of ± z times the error of its logarithm."""
    lift = response_lift(before=30, after=90)
    spread = exp(Z * sqrt(1 / 30.5 + 1 / 90.5))

    assert lift is not None
    assert lift.value == pytest.approx(90.5 / 30.5)
    assert lift.low == pytest.approx(90.5 / 30.5 / spread)
    assert lift.high == pytest.approx(90.5 / 30.5 * spread)


def test_of_fewer_than_thirty_acts_nothing_is_said() -> None:
    """The interval would be wider than anything there is to tell; nothing before is no reason to be silent."""
    assert response_lift(before=10, after=19) is None
    assert response_lift(before=0, after=30) is not None


def test_negative_counts_are_refused() -> None:
    """They are an error of the caller."""
    with pytest.raises(ValueError, match="expected counts >= 0"):
        response_lift(before=-1, after=90)
