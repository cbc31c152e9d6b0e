"""Shape of what travels between our own agents: positions, attributed signals and the packets that carry them."""

import msgspec

from schemas.cascade import CascadeReading

Stamp = tuple[int, str]
"""The place of a signal in the total order: (event time in ms, signal id)."""

Position = tuple[int, str]
"""A place between stamps: all up to it has been told. (w, "") lies before every stamp of the time w."""

BEGINNING: Position = (0, "")

BRAND, SEEDED, ADOPTED, WILD = 0, 1, 2, 3
LINEAGES: tuple[str, ...] = ("brand", "seeded", "adopted", "wild")


PACKET_VERSION = 2
"""Version of the packets between our own agents; one of another release is refused, never guessed."""


class TopicLink(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How a signal relates to one topic: `lineage` is an index into `LINEAGES`, `distance` is -1 where unknown."""

    topic: str
    lineage: int
    distance: int = -1


class AttributedSignal(msgspec.Struct, array_like=True, gc=False, tag=0):
    """A signal with the topics that it touches.

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


AttributedItem = AttributedSignal | CascadeReading
"""What the first step tells the second."""


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
