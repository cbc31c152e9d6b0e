"""Instants are read as they are written."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import AT_MS_MAX, AT_MS_MIN
from streams.eventtime.instants import instant_ms
from streams.lifecycle.alerts import rfc3339


@given(st.integers(AT_MS_MIN, AT_MS_MAX))
def test_reading_is_the_inverse_of_writing(at_ms: int) -> None:
    """No instant loses a millisecond on the way."""
    assert instant_ms(rfc3339(at_ms)) == at_ms


def test_a_zone_is_heeded() -> None:
    """The same instant may be written in any zone."""
    assert instant_ms("2012-07-04T10:12:00+02:00") == instant_ms("2012-07-04T08:12:00Z") == 1_341_389_520_000
