"""Shape of what tables remember of a conversation: its head, its nodes, and how fast its cascade grows.

The followers of its shares lie in rows of `schemas.virality_rows`; the version of all of them in the envelope.
"""

from typing import NamedTuple

import msgspec

from schemas.virality_rows import CascadeNodesRow


class CascadeTiming(NamedTuple):
    """The times of the rules that a cascade began under, scaled, and what else of them its readings need.

    A cascade keeps them for life: so when it is read, and when it has ended, follows from its own signals alone.
    `unit_ms` is the unit of the kernel, five minutes in an unscaled season; `hot_size` the size from which on it is
    read while nothing changes, too.
    """

    tick_ms: int
    unit_ms: int
    orphan_ms: int
    silence_ms: int
    followers_imputed: int
    hot_size: int


class ConversationRow(msgspec.Struct, array_like=True, gc=False):
    """The head of one conversation; its nodes and shares lie in rows of their own.

    `began_ms` is the event time of its first signal, `last_at_ms` of its last and `grown_ms` of the last that changed
    the cascade. `root_actor` is None where nobody told, `root_kind` -1 where the root was not seen. `topics` are those
    that anything in it carries, in the order in which they came; `root_mask` has a bit for each that its root carries,
    `brand_mask` for each whose brand wrote the root. `interactions` counts all acts on the root and below it, and
    `benchmarks` what they came to at each benchmark age that has passed, None where
    the root came too late to tell. `has_ended` is told once, for good.
    """

    began_ms: int
    last_at_ms: int
    grown_ms: int
    network: str
    timing: CascadeTiming
    root_actor: str | None = None
    root_seen: bool = False
    root_kind: int = -1
    root_followers: int | None = None
    topics: tuple[str, ...] = ()
    root_mask: int = 0
    brand_mask: int = 0
    shares: int = 0
    interactions: int = 0
    benchmarks: tuple[int, ...] | None = ()
    has_ended: bool = False


class NodesRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Some nodes of one conversation, and what each passes on to its answers, packed in 8 bytes (`Conversation`)."""

    nodes: CascadeNodesRow
    inherited: bytes


class PaceRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The nodes of the last two hours by minute, and the busiest unit (`CascadePace`)."""

    minutes: tuple[int, ...]
    counts: tuple[int, ...]
    unit: int
    unit_count: int
    peak: int
    peak_unit: int
