"""Shape of what tables remember of the acts of a while, so that they can be edited or taken back.

Rows of `streams.attribution.acts`; their version lies in the envelope (`schemas.rows`). Each stays below
`schemas.rows.ROW_BYTES_MAX`.
"""

from typing import NamedTuple

import msgspec


class ActsRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Some acts in the order in which they were noted; numbers lie packed in bytes, little-endian.

    `numbers` and `others` have 8 bytes an act, `details` 8 (event time in ms, shifted by 8 bits, and a code), `marks`
    4, and `places` 2: the place of what is remembered of it in `values`, each of which is a value in MessagePack,
    an `Origin` or a `Counted`.
    """

    numbers: bytes
    others: bytes
    details: bytes
    marks: bytes
    places: bytes
    values: tuple[bytes, ...]


class Origin(NamedTuple):
    """Where an act was, and which tags it had: 4 bytes for each, which say whether two are the same and no more."""

    root: str
    tags: bytes = b""


class Counted(NamedTuple):
    """What a signal added: its topics, and for each the lineage and the units of engagement."""

    topics: tuple[tuple[str, int, int], ...]
