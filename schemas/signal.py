"""Shapes of what `social.signals` carries: signals, the progress of their sources, and the erasure of actors."""

from typing import Literal

import msgspec

Kind = Literal["post", "reply", "share", "quote", "like", "follow"]
Op = Literal["create", "update", "delete", "undo"]

KINDS: tuple[Kind, ...] = ("post", "reply", "share", "quote", "like", "follow")

CLOCK_SOURCE = "clock"
"""Name of the source whose heartbeats carry wall time."""

AT_MS_MIN = 946_684_800_000
"""2000-01-01: an instant before it is taken for seconds sent as milliseconds, or for a broken clock."""
AT_MS_MAX = 253_402_300_799_999
"""9999-12-31, the last instant that an RFC 3339 time can name."""

ACTOR_UNKNOWN = "?"
"""The actor of a change whose source does not say who made it: what it changes says so."""

FLAG_FUTURE = "future"
FLAG_TAGS_TRUNCATED = "tags_truncated"


class Signal(msgspec.Struct, omit_defaults=True, gc=False):
    """One act by one actor at one event time, as `social.signals` carries it (WIRE.md §0).

    `id` is unique and the key for de-duplication, `at` is in epoch milliseconds. `post` names the post that the act
    made (post, reply, quote) or is about (share, like); `parent` the post or share that it answers or spreads;
    `root` the first post of the conversation. `parent_actor` and `root_actor` name their authors where the network
    tells, so that a lineage is known even when the post itself was never seen. `text` is used to match phrases and
    is then dropped.

    A change (`op` update, delete or undo) bears the `id` of the signal that it changes, or the `post` that a post,
    reply or quote made, and `at` is when that was changed; its `actor` is the same, or `ACTOR_UNKNOWN`. An update has
    the whole of the new contents, and none where those stay what they were. See `is_addressed` for its conversation.
    """

    id: str
    network: str
    kind: Kind
    at: int
    actor: str
    op: Op = "create"
    source: str = ""
    followers: int | None = None
    post: str | None = None
    parent: str | None = None
    root: str | None = None
    parent_actor: str | None = None
    root_actor: str | None = None
    tags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    text: str | None = None
    lang: str | None = None
    edge: str | None = None
    flags: tuple[str, ...] = ()


class Heartbeat(msgspec.Struct, omit_defaults=True, gc=False):
    """The progress of a source: it will say nothing more from before `at` (epoch milliseconds); `end` ends it."""

    heartbeat: str
    at: int
    end: bool = False


class Erasure(msgspec.Struct, omit_defaults=True, gc=False):
    """From `at` on (epoch milliseconds) nothing of ours names the actor `erase` of a network any more.

    It passes in stamp order as signals do, in every partition. None is late: behind the watermark it takes effect at
    once.
    """

    erase: str
    network: str
    at: int


class Probe(msgspec.Struct):
    """Which of the keys that tell this format an object has at its top, whatever lies under them."""

    heartbeat: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    erase: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    kind: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    at: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


def conversation_of(signal: Signal) -> str:
    """Return the id of the conversation that a signal belongs to, the key of `social.signals`.

    >>> conversation_of(Signal(id="t:1", network="t", kind="post", at=AT_MS_MIN, actor="a", post="1"))
    '1'
    """
    return signal.root or signal.parent or signal.post or signal.id


def is_addressed(signal: Signal) -> bool:
    """Say whether a signal goes to its conversation alone; what is not addressed goes to every partition.

    Everything that is created is. A change is where it names its conversation as the signal did that it changes: by its
    root or parent, a like or a share by its post too. Of a post, a reply or a quote the post alone does not tell below
    which root it hangs; an update of a post has all of its contents, so that it has no root but itself. What is not
    addressed is looked up by every partition among what it remembers, so that only the owner acts.

    >>> is_addressed(Signal(id="t:1", network="t", kind="like", at=AT_MS_MIN, actor="a", op="undo"))
    False
    """
    if signal.op == "create" or signal.root or signal.parent:
        return True
    return bool(signal.post) and (signal.kind in ("share", "like") or (signal.op, signal.kind) == ("update", "post"))


def node_of(signal: Signal) -> str:
    """Return the id under which later signals name this one as their parent.

    A post, reply or quote is named by its post id; a share by its own id, because its `post` is the shared post.
    """
    if signal.kind == "share" or signal.kind == "like" or signal.kind == "follow":
        return signal.id
    return signal.post or signal.id
