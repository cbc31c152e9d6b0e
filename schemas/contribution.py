"""Shape of a contribution, what one signal adds to one topic, and of the packets that carry them."""

import msgspec

from schemas.attributed import Erased, Position
from schemas.cascade import CascadeContribution


class Contribution(msgspec.Struct, array_like=True, gc=False, tag=0):
    """What one signal adds to one topic.

    `units` is engagement in thousandths, after the actor's hourly cap. `kind` and `lineage` are indexes into
    `schemas.signal.KINDS` and `schemas.attributed.LINEAGES`. `member` says that the actor belongs to the community; its
    `tags` are passed on then. A wild one, what a member says elsewhere, brings what the rest of the actor's shard does:
    `outside` are those of its `outside_actors` who use each of the tags, in their order. A wild one of nobody's member
    is what the brand says elsewhere: it counts for nothing, but may join what the members do there. `core` members
    have been there for weeks.
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
    member: bool = False
    tags: tuple[str, ...] = ()
    shard: int = -1
    outside: tuple[int, ...] = ()
    outside_actors: int = 0
    core: bool = False


class Edit(Contribution, array_like=True, gc=False, tag=2):
    """What an edit adds to one topic: its `tags`, those that were not there before, and no engagement."""


class Retraction(msgspec.Struct, array_like=True, gc=False, tag=3):
    """What an act added to one topic and takes back: the same `kind`, `lineage` and `units`, at `of_ms`."""

    at: int
    id: str
    topic: str
    actor: str
    kind: int
    lineage: int
    units: int
    of_ms: int
    root: str


ContributionItem = Contribution | Edit | Retraction | Erased | CascadeContribution
"""What the second step tells the third."""


class ContributionPacket(msgspec.Struct, array_like=True):
    """One record of `social.contributions`, read like `schemas.attributed.AttributedPacket`."""

    version: int
    origin: int
    after: Position
    upto: Position
    items: tuple[ContributionItem, ...]
