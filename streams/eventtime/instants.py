"""Read instants as alerts write them."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant_ms(text: str) -> int:
    """Return the epoch milliseconds of an RFC 3339 time with its zone; raises ValueError where it is none.

    >>> instant_ms("2012-07-04T08:12:00.007Z")
    1341389520007
    """
    return (datetime.fromisoformat(text) - _EPOCH) // timedelta(milliseconds=1)
