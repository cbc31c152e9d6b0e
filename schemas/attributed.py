"""Shape of what travels between our own agents: positions, attributed signals and the packets that carry them."""

from zlib import crc32

import msgspec

from schemas.cascade import CascadeReading
from schemas.signal import ACTOR_UNKNOWN

Stamp = tuple[int, str]
"""The place of a signal in the total order: (event time in ms, signal id)."""

Position = tuple[int, str]
"""A place between stamps: all up to it has been told. (w, "") lies before every stamp of the time w."""

BEGINNING: Position = (0, "")

BRAND, SEEDED, ADOPTED, WILD = 0, 1, 2, 3
ACTOR_SHARDS = 64
"""Actors are hashed into so many shards, shards into partitions: each is a fair sample of all actors (DESIGN.md §3)."""

LINEAGES: tuple[str, ...] = ("brand", "seeded", "adopted", "wild")


BEHIND = "\U0010ffff"
"""Before the conversation of what comes behind everything else of its stamp."""

ERASURE_ID = "\U0010fffe"
"""Ids of erasures start with it, so that they come behind every signal of their millisecond, before the readings."""

PACKET_VERSION = 3
"""Version of the packets between our own agents; one of another release is refused, never guessed."""


def shard_of(actor: str) -> int:
    """Return the shard of an actor, the same in every process and at every number of partitions.

    >>> 0 <= shard_of("ana") < ACTOR_SHARDS
    True
    """
    return crc32(actor.encode(errors="surrogatepass")) % ACTOR_SHARDS


class TopicLink(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How a signal relates to one topic: `lineage` is an index into `LINEAGES`, `distance` is -1 where unknown."""

    topic: str
    lineage: int
    distance: int = -1


class AttributedSignal(msgspec.Struct, array_like=True, gc=False, tag=0):
    """A signal with the topics that it touches; none where it is told for its tags, or as what a brand answers.

    `kind` is an index into `schemas.signal.KINDS`.
    """

    at: int
    id: str
    actor: str
    kind: int
    network: str
    root: str
    links: tuple[TopicLink, ...]
    tags: tuple[str, ...] = ()
    followers: int | None = None


class AttributedEdit(AttributedSignal, array_like=True, gc=False, tag=2):
    """An edit of a signal on some topics: `tags` are those that were not there before."""


class TakenBack(msgspec.Struct, array_like=True, gc=False, tag=3):
    """The end of an act that was told: `number` stands for it (`streams.attribution.acts.act_number`).

    `root` is its conversation behind `BEHIND`: what is taken back comes behind what was done.
    """

    at: int
    id: str
    actor: str
    root: str
    number: int


class Erased(msgspec.Struct, array_like=True, gc=False, tag=4):
    """An actor whom nothing may name from `at` on; `root` lets it come behind what was done. Steps tell it on."""

    at: int
    id: str
    actor: str
    root: str = BEHIND


AttributedItem = AttributedSignal | AttributedEdit | TakenBack | Erased | CascadeReading
"""What the first step tells the second."""


def actor_key(item: AttributedItem) -> str | None:
    """Return what decides which partition an item goes to, None for all: whose act it was, nobody may have told.

    >>> actor_key(TakenBack(0, "a", "ana", "r", 7)), actor_key(TakenBack(0, "a", ACTOR_UNKNOWN, "r", 7))
    ('ana', None)
    """
    if isinstance(item, TakenBack):
        return None if item.actor == ACTOR_UNKNOWN else item.actor
    return item.actor or item.root


class AttributedPacket(msgspec.Struct, array_like=True):
    """One record of `social.attributed`: what one partition of `social.signals` tells one partition of actors.

    Holds every item with `after` < stamp <= `upto`, in stamp order. A reader that has heard the origin up to `after`
    may take it; one that has heard less has lost a record and waits for it to be sent again.
    """

    version: int
    origin: int
    after: Position
    upto: Position
    items: tuple[AttributedItem, ...]
