"""Shape of what tables remember of those who leave a topic for elsewhere, and of how they were before and are since.

Rows of `streams.measures.cohort`; their version lies in the envelope (`schemas.rows`). Each stays below
`schemas.rows.ROW_BYTES_MAX`. Tags stand as 4 bytes each, little-endian, which say whether two are the same and no more.
"""

import msgspec


class CohortBeforeRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How an actor was on topic before it left: so many acts within `span_ms`, and the tags that it used last."""

    acts: int
    span_ms: int
    tags: bytes


class CohortActorRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """One actor, `number` standing for its id, as `streams.measures.cohort` knows it.

    Its history on topic begins with an act at `since_ms`, which `days` does not count: acts by day, 1 byte each, back
    from the day of `last_ms`. `ages` tells in 1 byte for each of `tags` how many days before that day it was used,
    the oldest first. `left_ms` and `back_ms` belong to the cohort that is watched. `home` stands for the first
    cascade on the topic in which it was seen.
    """

    number: int
    last_ms: int
    since_ms: int | None
    days: bytes
    ages: bytes
    tags: bytes
    before: CohortBeforeRow | None = None
    left_ms: int | None = None
    back_ms: int | None = None
    home: int | None = None


class CohortActorsRow(msgspec.Struct, array_like=True, gc=False, frozen=True, tag=0):
    """The actors whose numbers leave the remainder `chunk`, in ascending order."""

    chunk: int
    actors: tuple[CohortActorRow, ...]


class CohortHeadRow(msgspec.Struct, array_like=True, gc=False, frozen=True, tag=1):
    """Which sample is kept, 1 in 2^`level` actors, as of which day; and when the cohort that is watched left.

    The level is that of `level_day`; what is old was let go on `day`. Days are indexes. The cohort is open from
    `opened_ms` to `closed_ms`, and the brand came after it at `joined_ms`, None where that is not so yet.
    """

    level: int = 0
    level_day: int = 0
    day: int = 0
    opened_ms: int | None = None
    closed_ms: int | None = None
    joined_ms: int | None = None


CohortRow = CohortActorsRow | CohortHeadRow
