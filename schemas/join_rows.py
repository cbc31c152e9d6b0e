"""Shape of what tables remember of how a brand goes where its community has gone, and of what members do then.

Rows of `streams.steps.joins`; their version lies in the envelope (`schemas.rows`). Each stays below
`schemas.rows.ROW_BYTES_MAX`.
"""

import msgspec

from schemas.alert import Join


class JoinRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The first time that the brand joined what its members do elsewhere, and by what."""

    at_ms: int
    how: Join
    tag: str | None
    root: str


class JoinsRow(msgspec.Struct, array_like=True, frozen=True):
    """What is known since the community left at `since_ms`, None while it is here.

    `first` is the first of so many `joins`. `acts` are those of members by slot, as long as they are needed to tell the
    lift: its value, lower and upper end.
    """

    since_ms: int | None = None
    first: JoinRow | None = None
    joins: int = 0
    acts: dict[int, int] = {}
    lift: tuple[float, float, float] | None = None


class WildRootsRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The conversations in which members used what emerged in one pane: 8 bytes for the root of each, ascending."""

    pane: int
    roots: bytes
