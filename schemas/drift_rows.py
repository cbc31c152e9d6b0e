"""Shape of what tables remember of where the talk goes: who used which tags, by pane.

Rows of `streams.measures`; their version lies in the envelope (`schemas.rows`). Each stays below
`schemas.rows.ROW_BYTES_MAX`. Numbers of one width lie packed in bytes, little-endian.
"""

import msgspec


class TagActorsRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The actors of one pane and their tags, or a sample of 1 in 2^`level` of them (`TagActors`).

    `tags` are in the order of their names; the empty one stands for what carried no tag. `actors` packs 6 bytes that
    stand for the id of each, in ascending order; `counts` in 1 byte how many tags each used, 0 where they were too
    many to be kept; `uses` the places in `tags` of all of them in 2 bytes each, actor by actor, ascending.
    """

    pane: int
    level: int
    tags: tuple[str, ...]
    actors: bytes
    counts: bytes
    uses: bytes


class TagPlacesRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Where tags were used in one pane (`TagPlaces`): for each some cascades, and what the rest of some shards does.

    `cascades` packs 8 bytes for the root of each. `outside` has (shard, users of the tag, actors) for each shard.
    """

    pane: int
    tags: tuple[str, ...]
    cascades: tuple[bytes, ...]
    outside: tuple[tuple[tuple[int, int, int], ...], ...]


class BreadthRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Over which parts of the community those who are elsewhere spread (`schemas.alert.BreadthEvidence`).

    `communities` are the largest parts: the root of a cascade, empty where it is not remembered, and people.
    """

    entropy_nats: float
    hill: float
    concentration: float
    parts: int
    people: int
    communities: tuple[tuple[str, int], ...]


class DriftRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What was found of a topic's drift at the last evaluation (`TopicDrift`), which holds until the next."""

    evaluated: int
    share: float | None
    share_low: float | None
    bits: float | None
    log_p: float | None
    emergent: tuple[tuple[str, float, float, int, int, bool], ...]
    away: int = 0
    breadth: BreadthRow | None = None


class EchoRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What members talked about before they went elsewhere, or there, until it is known whether that lasted.

    `counts` are actors by tag, in the order of the names; those of rare tags may be put together under one name that
    is no tag. They are of the time before `opened_ms` (epoch ms) while the topic is escaped, then of the time from
    there to `turned_ms`. Both in bits: `novelty` beside the time before, `transience` beside the time up to
    `heard_ms`; with that one the counts are let go.
    """

    opened_ms: int | None = None
    counts: tuple[tuple[str, int], ...] = ()
    turned_ms: int | None = None
    novelty: float | None = None
    transience: float | None = None
    heard_ms: int | None = None
