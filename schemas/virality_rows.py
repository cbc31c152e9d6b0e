"""Shape of what tables remember of virality: nodes of cascades, shares, reproduction, histories of size and shape.

Rows of `streams.measures`; their version lies in the envelope (`schemas.rows`). Each stays below
`schemas.rows.ROW_BYTES_MAX`. Numbers of one width lie packed in bytes, little-endian.
"""

import msgspec


class CascadeNodesRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The nodes `256·chunk` … of one cascade in the order in which they came (`CascadeShape`); node 0 is the root.

    `numbers` packs 8 bytes that stand for the id of each, `parents` the place of its parent in 2 (65,535: none),
    `seconds` when it happened in 4 (since 2000-01-01), or when it was first named if it was not seen; `flags` what else
    is known of it in 1. `beyond` counts the nodes that came after the last that is kept; only the last chunk of all has
    any.
    """

    chunk: int
    numbers: bytes
    parents: bytes
    seconds: bytes
    flags: bytes
    beyond: int = 0


class FoldedSharesRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """All shares before some place, as sums that can go on (`ExposureSums`).

    Instants are milliseconds after the root. `moments` packs the sums of the shares' instants, and of followers times
    the powers 1 and 2 of the instant, each in 16 bytes; `decays` are as of the end of the slot of `last_ms`.
    """

    root_at_ms: int
    place: int
    shares: int
    followers: int
    imputed: int
    moments: bytes
    decays: tuple[float, ...]
    last_ms: int


class SharesRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The shares `256·chunk` … of one cascade in the order of time (`Infectiousness`); share 0 is the root itself.

    `at` packs their instants in 8 bytes each (epoch milliseconds); `followers` how many follow their actors in 4, with
    the highest bit set where nobody told. `before` holds what came before the first chunk that is still kept.
    """

    chunk: int
    at: bytes
    followers: bytes
    before: FoldedSharesRow | None = None


class ReproductionRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What happened in those of 144 neighbouring steps in which something did (`Reproduction`)."""

    steps: tuple[int, ...]
    offspring: tuple[int, ...]
    roots: tuple[int, ...]


class HistogramRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Counts by the number of a bucket (`Histogram`), for the cascades of one bin of sizes."""

    size_bin: int
    buckets: tuple[int, ...]
    counts: tuple[int, ...]


class OverperformanceRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What the last 100 roots of one actor and kind had brought at each benchmark age, oldest first."""

    interactions: tuple[tuple[int, ...], ...]


class AuthorRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What the roots of one actor have brought, of one kind, on one network and topic (`Authors`)."""

    actor: str
    topic: str
    network: str
    kind: int
    last_ms: int
    history: OverperformanceRow


class HistoryRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A histogram of the cascades of one topic on one network."""

    network: str
    histogram: HistogramRow
