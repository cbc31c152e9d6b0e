"""Shape of what travels between our own agents: positions, attributed signals and the packets that carry them."""

import msgspec

Stamp = tuple[int, str]
"""The place of a signal in the total order: (event time in ms, signal id)."""

Position = tuple[int, str]
"""A place between stamps: all up to it has been told. (w, "") lies before every stamp of the time w."""

BEGINNING: Position = (0, "")

BRAND, SEEDED, ADOPTED, WILD = 0, 1, 2, 3
LINEAGES: tuple[str, ...] = ("brand", "seeded", "adopted", "wild")


class TopicLink(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How a signal relates to one topic: `lineage` is an index into `LINEAGES`, `distance` is -1 where unknown."""

    topic: str
    lineage: int
    distance: int = -1


class AttributedSignal(msgspec.Struct, array_like=True, gc=False):
    """A signal with the topics that it touches and the state of its cascade once it was applied.

    `kind` is an index into `schemas.signal.KINDS`. `cascade_size` counts posts and shares, root included.
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
    cascade_size: int = 0
    cascade_depth: int = 0


class AttributedPacket(msgspec.Struct, array_like=True):
    """One record of `social.attributed`: what one partition of `social.signals` tells one partition of actors.

    Holds every item with `after` < stamp <= `upto`, in stamp order. A reader that has heard the origin up to `after`
    may take it; one that has heard less has lost a record and waits for it to be sent again.
    """

    version: int
    origin: int
    after: Position
    upto: Position
    items: tuple[AttributedSignal, ...]
