"""Tell when an act happened, from what its author's clock, its id and its arrival say (WIRE.md §5)."""

import re
from datetime import UTC, datetime, timedelta

from schemas.signal import AT_MS_MAX, AT_MS_MIN, FLAG_FUTURE
from streams.eventtime.clock import SKEW_MS_MAX

FLAG_BACKDATED = "backdated"
"""The act was declared to be much older than its arrival; its declared time holds all the same."""
FLAG_NO_TIME = "no_time"
"""No usable time was declared: the time is that of the id, or else that of arrival."""

BACKDATED_MS = 86_400_000
"""What is declared to be older at its arrival by more than this is flagged."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TIME_CHARS_MAX = 64
_LEAP_SECOND = re.compile(r"(?<=:\d\d):60")


def told_time(
    declared: str | int | None, *, arrived_ms: int | None, id_ms: int | None = None
) -> tuple[int, tuple[str, ...]] | None:
    """Return the event time of an act (epoch milliseconds) and its flags, None where no time is known at all.

    `declared` is what the author's client says, an RFC 3339 text or epoch milliseconds; `id_ms` the time that an id
    holds; `arrived_ms` when the payload came in. Declared time holds where it can be read and lies in the years 2000
    to 9999, else that of the id, else that of arrival, both flagged `no_time`. What lies more than 120 s behind its
    arrival is taken to have happened on arrival, flagged `future`. What was declared more than 24 h before it arrived
    keeps its time, flagged `backdated`; that is news about a live act only, so callers pass no `arrived_ms` with what
    is no live act and may be old.

    >>> told_time("2026-06-11T12:00:12.345Z", arrived_ms=1_781_179_213_000)
    (1781179212345, ())
    >>> told_time("2026-06-11T14:00:12+02:00", arrived_ms=None)
    (1781179212000, ())
    >>> told_time("2126-06-11T12:00:12Z", arrived_ms=1_781_179_213_000)
    (1781179213000, ('future',))
    >>> told_time("yesterday", arrived_ms=1_781_179_213_000)
    (1781179213000, ('no_time',))
    >>> told_time(None, arrived_ms=None) is None
    True
    """
    if arrived_ms is not None and not AT_MS_MIN <= arrived_ms <= AT_MS_MAX:
        arrived_ms = None
    at_ms = declared if isinstance(declared, int) else None if declared is None else read_rfc3339(declared)
    flags: tuple[str, ...] = ()
    if at_ms is None or not AT_MS_MIN <= at_ms <= AT_MS_MAX:
        at_ms, flags = id_ms, (FLAG_NO_TIME,)
        if at_ms is None or not AT_MS_MIN <= at_ms <= AT_MS_MAX:
            return None if arrived_ms is None else (arrived_ms, flags)
    if arrived_ms is None:
        return at_ms, flags
    if at_ms > arrived_ms + SKEW_MS_MAX:
        return arrived_ms, (*flags, FLAG_FUTURE)
    if at_ms < arrived_ms - BACKDATED_MS and not flags:
        return at_ms, (FLAG_BACKDATED,)
    return at_ms, flags


def read_rfc3339(text: str) -> int | None:
    """Return epoch milliseconds of a time in RFC 3339, None where it is none; fractions of a millisecond are cut.

    As senders really write it: seconds may be left out (ActivityStreams 2.0 §2.3), a missing offset means UTC, and a
    leap second is the first second of the next minute, as Unix time counts it.

    >>> read_rfc3339("2016-12-31T23:59:60Z") == read_rfc3339("2017-01-01T00:00:00Z") == 1_483_228_800_000
    True
    >>> read_rfc3339("11 June 2026") is None
    True
    """
    if len(text) > _TIME_CHARS_MAX:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _read_unusual(text)
    if moment.tzinfo is None:
        if len(text) < len("2026-06-11T12:00"):
            # A day or an hour is no instant.
            return None
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def _read_unusual(text: str) -> int | None:
    """Read what RFC 3339 allows and Python does not: small letters, leap seconds, and white space around it."""
    usual = text.strip().upper()
    usual, leaps = _LEAP_SECOND.subn(":59", usual, count=1)
    if usual == text:
        return None
    at_ms = read_rfc3339(usual)
    return None if at_ms is None else at_ms + 1000 * leaps
