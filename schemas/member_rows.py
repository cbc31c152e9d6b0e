"""Shape of what tables remember of communities: on which days an actor was active on which topics, and by which rule.

Rows of `streams.measures.membership`; their version lies in the envelope (`schemas.rows`), the actor in the key.
"""

import msgspec


class MemberTermsRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What made a member when the actor was last active: `MemberRules` in whole days of `day_ms`.

    `burst_events_min` is 0 where nobody becomes a member within a day.
    """

    day_ms: int
    window_days: int
    events_min: int
    days_min: int
    burst_events_min: int
    core_weeks_min: int


class MembershipRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What one actor did on one topic, last at `last_ms`.

    Byte i of `counts` says how many acts fell on the i-th day before that one's; `gaps_ms` how long before it lay the
    act before, before that the next, and so on.
    """

    topic: str
    last_ms: int
    counts: bytes
    gaps_ms: tuple[int, ...]
    terms: MemberTermsRow


class MemberRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What one actor did on each of its topics, in the order of their names."""

    memberships: tuple[MembershipRow, ...]
