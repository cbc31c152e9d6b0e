"""Shape of a contribution, what one signal adds to one topic, and of the packets that carry them."""

import msgspec

from schemas.attributed import Position


class Contribution(msgspec.Struct, array_like=True, gc=False):
    """What one signal adds to one topic.

    `units` is engagement in thousandths, after the actor's hourly cap. `kind` and `lineage` are indexes into
    `schemas.signal.KINDS` and `schemas.attributed.LINEAGES`.
    """

    at: int
    id: str
    topic: str
    actor: str
    kind: int
    lineage: int
    units: int
    root: str
    network: str
    cascade_size: int = 0
    cascade_depth: int = 0


class ContributionPacket(msgspec.Struct, array_like=True):
    """One record of `social.contributions`, read like `schemas.attributed.AttributedPacket`."""

    version: int
    origin: int
    after: Position
    upto: Position
    items: tuple[Contribution, ...]
