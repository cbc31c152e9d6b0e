"""The time of an act: what is declared holds where it can be, and what was put in its place is flagged."""

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import AT_MS_MAX, AT_MS_MIN
from streams.networks.times import read_rfc3339, told_time

ARRIVED_MS = 1_781_179_215_000
DAY_MS = 24 * 3600 * 1000

instants_ms = st.integers(AT_MS_MIN, AT_MS_MAX)


def utc_ms(*fields: int) -> int:
    """Return epoch milliseconds of year, month, day, hour, minute, second, by the calendar of the standard library."""
    return calendar.timegm(fields) * 1000


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [
        ("2026-06-11T12:00:12Z", utc_ms(2026, 6, 11, 12, 0, 12)),
        ("2026-06-11T12:00:12.3456789Z", utc_ms(2026, 6, 11, 12, 0, 12) + 345),
        ("2026-06-11T12:00:12.9999Z", utc_ms(2026, 6, 11, 12, 0, 12) + 999),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2026-06-11T12:00:12.5+05:45", utc_ms(2026, 6, 11, 6, 15, 12) + 500),
        ("2026-06-11T22:00:12-07:00", utc_ms(2026, 6, 12, 5, 0, 12)),
        ("2026-06-11T12:00:12-00:00", utc_ms(2026, 6, 11, 12, 0, 12)),
        ("2026-06-11 12:00:12Z", utc_ms(2026, 6, 11, 12, 0, 12)),
        ("2026-06-11t12:00:12z", utc_ms(2026, 6, 11, 12, 0, 12)),
        ("2026-06-11T12:00Z", utc_ms(2026, 6, 11, 12, 0, 0)),
        ("2026-06-11T12:00:12", utc_ms(2026, 6, 11, 12, 0, 12)),
        (" 2026-06-11T12:00:12Z\n", utc_ms(2026, 6, 11, 12, 0, 12)),
        ("2016-12-31T23:59:60Z", utc_ms(2017, 1, 1, 0, 0, 0)),
        ("2016-12-31T23:59:60.25z", utc_ms(2017, 1, 1, 0, 0, 0) + 250),
        ("2017-01-01T00:59:60+01:00", utc_ms(2017, 1, 1, 0, 0, 0)),
    ],
)
def test_times_are_read_as_they_are_really_written(text: str, expected_ms: int) -> None:
    """RFC 3339 with its liberties, and what senders make of it."""
    assert read_rfc3339(text) == expected_ms


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2026-06-11",
        "2026-06-11T12",
        "20260611",
        "1781179212",
        "2026-13-11T12:00:12Z",
        "2026-06-11T12:61:00Z",
        "2026-06-11T12:00:61Z",
        "2026-06-11T12:00:12+99:00",
        "２０２６-06-11T12:00:12Z",
        "-0001-01-01T00:00:00Z",
        "Wed Oct 10 20:19:24 +0000 2018",
        "2" * 100_000,
        ":00:60" * 10,
        "2026-06-11T12:00:12Z" + " " * 100,
    ],
)
def test_what_is_no_instant_is_none(text: str) -> None:
    """A day, a word or a wrong number must not become some instant."""
    assert read_rfc3339(text) is None


@given(text=st.text())
def test_reading_any_text_gives_a_number_or_none(text: str) -> None:
    """Declared times are written by strangers."""
    assert read_rfc3339(text) is None or isinstance(read_rfc3339(text), int)


@pytest.mark.parametrize(
    ("declared", "arrived_ms", "id_ms", "expected"),
    [
        # Declared time holds while it is not more than 120 s ahead of arrival.
        (ARRIVED_MS, ARRIVED_MS, None, (ARRIVED_MS, ())),
        (ARRIVED_MS + 120_000, ARRIVED_MS, None, (ARRIVED_MS + 120_000, ())),
        (ARRIVED_MS + 120_001, ARRIVED_MS, None, (ARRIVED_MS, ("future",))),
        (ARRIVED_MS + 120_001, ARRIVED_MS, ARRIVED_MS - 5, (ARRIVED_MS, ("future",))),
        (ARRIVED_MS + 120_001, None, None, (ARRIVED_MS + 120_001, ())),
        # It holds as well where it is old, and says so after 24 hours.
        (ARRIVED_MS - DAY_MS, ARRIVED_MS, None, (ARRIVED_MS - DAY_MS, ())),
        (ARRIVED_MS - DAY_MS - 1, ARRIVED_MS, None, (ARRIVED_MS - DAY_MS - 1, ("backdated",))),
        (ARRIVED_MS - DAY_MS - 1, None, None, (ARRIVED_MS - DAY_MS - 1, ())),
        # Without a usable one, the id tells, then arrival.
        (None, ARRIVED_MS, ARRIVED_MS - 5, (ARRIVED_MS - 5, ("no_time",))),
        ("soon", ARRIVED_MS, ARRIVED_MS - 5, (ARRIVED_MS - 5, ("no_time",))),
        ("1970-01-01T00:00:00Z", ARRIVED_MS, None, (ARRIVED_MS, ("no_time",))),
        (AT_MS_MIN - 1, ARRIVED_MS, None, (ARRIVED_MS, ("no_time",))),
        (None, None, ARRIVED_MS - 5, (ARRIVED_MS - 5, ("no_time",))),
        (None, ARRIVED_MS, AT_MS_MIN - 1, (ARRIVED_MS, ("no_time",))),
        (None, ARRIVED_MS, ARRIVED_MS - 2 * DAY_MS, (ARRIVED_MS - 2 * DAY_MS, ("no_time",))),
        (None, ARRIVED_MS, ARRIVED_MS + 120_001, (ARRIVED_MS, ("no_time", "future"))),
        # Without any, there is none.
        (None, None, None, None),
        ("soon", None, 5, None),
        (None, -1, None, None),
        (None, AT_MS_MAX + 1, None, None),
    ],
)
def test_each_case_of_a_missing_or_wrong_clock(
    declared: str | int | None, arrived_ms: int | None, id_ms: int | None, expected: tuple[int, tuple[str, ...]] | None
) -> None:
    """The table of the rules, with both sides of every bound."""
    assert told_time(declared, arrived_ms=arrived_ms, id_ms=id_ms) == expected


@given(
    declared=st.none() | st.integers(-(2**70), 2**70) | instants_ms | st.text() | st.datetimes().map(str),
    arrived_ms=st.none() | st.integers() | instants_ms,
    id_ms=st.none() | st.integers() | instants_ms,
)
def test_a_told_time_is_always_in_range(declared: str | int | None, arrived_ms: int | None, id_ms: int | None) -> None:
    """Whatever the three clocks say, what comes out can be written on the wire."""
    told = told_time(declared, arrived_ms=arrived_ms, id_ms=id_ms)

    if told is not None:
        assert AT_MS_MIN <= told[0] <= AT_MS_MAX
        assert set(told[1]) <= {"future", "backdated", "no_time"}
