"""Keep each conversation whole: whose it is, which topics it carries, and how big and deep its cascade grew."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from schemas.attributed import ADOPTED, BRAND, SEEDED, TopicLink
from schemas.rows import ConversationRow, NodesRow
from schemas.signal import Signal, node_of
from streams.attribution.matcher import Matcher

NODES_MAX = 50_000
"""Nodes remembered of one cascade (MEASURES.md §5); children of later ones hang from the root."""
NODES_PER_ROW = 100
"""Ids have up to 512 bytes, and a row at most 64 KiB."""
TOPICS_MAX = 32
"""Topics remembered of one conversation; what carries more tells them, but does not pass them on."""

# What a node passes on to its children lies packed in one integer of 64 bits, mask << 32 | distance << 16 | depth: its
# topics (a mask of bits), its distance to a brand's act and its depth in the cascade. An integer is smaller than a
# tuple, and nodes are what a conversation has most of. No path is longer than `NODES_MAX`.
_DISTANCE_AT, _MASK_AT = 16, 32
DEPTH_MAX = (1 << 16) - 1
DISTANCE_UNKNOWN = (1 << 16) - 1

_TREE_KINDS = frozenset(("post", "reply", "quote", "share"))
_PASSING_ON = frozenset(("share", "like"))


class Conversation:
    """One conversation in memory: its head (`row`) and its nodes, packed, in the order in which they came.

    A node never changes, so of the rows of nodes only those from the last one told on do: their ids are `_tail`.
    """

    __slots__ = ("_tail", "_told", "nodes", "row")

    def __init__(self, row: ConversationRow) -> None:
        self.row = row
        self.nodes: dict[str, int] = {}
        self._tail: list[str] = []
        self._told = 0

    def add_node(self, node_id: str, packed: int) -> bool:
        """Remember a node unless there are too many; say whether it is a new one."""
        if node_id in self.nodes:
            return False
        count = self.row.nodes
        if count < NODES_MAX:
            self.nodes[node_id] = packed
            self._tail.append(node_id)
            self.row.nodes = count + 1
        return True

    def changed_nodes(self) -> Iterator[tuple[int, NodesRow]]:
        """Yield the rows of nodes that changed since the last call, with their numbers."""
        if self._told == self.row.nodes:
            return
        self._told = self.row.nodes
        first = (self.row.nodes - len(self._tail)) // NODES_PER_ROW
        for start in range(0, len(self._tail), NODES_PER_ROW):
            ids = tuple(self._tail[start : start + NODES_PER_ROW])
            yield first + start // NODES_PER_ROW, NodesRow(ids, tuple(self.nodes[node_id] for node_id in ids))
        del self._tail[: len(self._tail) // NODES_PER_ROW * NODES_PER_ROW]

    def restore_nodes(self, row: NodesRow) -> None:
        """Take up the next row of nodes, as it was told."""
        self.nodes.update(zip(row.ids, row.values, strict=True))
        self._tail = list(row.ids) if len(row.ids) < NODES_PER_ROW else []
        self._told = len(self.nodes)


class Attribution(NamedTuple):
    """What applying a signal told: its topics with lineage and distance, and the cascade as it is now."""

    links: tuple[TopicLink, ...]
    size: int
    depth: int


class Conversations:
    """The conversations of one partition that touch a topic. Signals must be applied in stamp order.

    A conversation is followed from its first signal on a topic. A signal is on a topic if it carries the topic's seeds
    itself, or if what it answers or spreads does: a share or a like always passes on what it is about; a reply, a quote
    or a post does unless it brings tags of its own, none of them seeds, for then its talk went elsewhere. In a
    conversation whose root is the brand's everything is on the topics of the root (MEASURES.md §1).

    The distance is that to the nearest act of any brand's account above. A root or a parent that was never seen is
    known by the signals that name its author. Only what is created grows a cascade.
    """

    def __init__(self, *, span_ms: int) -> None:
        self.span_ms = span_ms
        self._by_root: dict[str, Conversation] = {}
        self._changed: set[str] = set()
        self._ended: dict[str, int] = {}
        self._sweep_at_ms = 0

    def __len__(self) -> int:
        return len(self._by_root)

    def __contains__(self, root: str) -> bool:
        """Say whether the conversation is remembered; one that was silent for too long may still be."""
        return root in self._by_root

    def apply(self, signal: Signal, *, root: str, own: tuple[str, ...], matcher: Matcher) -> Attribution | None:
        """Apply one signal; `own` are the topics that it carries itself. None if it touches no topic."""
        if signal.at > self._sweep_at_ms:
            self.expire(signal.at)
        conversation = self._by_root.get(root)
        if conversation is not None and signal.at - conversation.row.last_at_ms > self.span_ms:
            self._end(root, conversation)
            conversation = None
        if conversation is None:
            if not own:
                return None
            conversation = self._by_root[root] = _started(signal.at)
        row = conversation.row
        if signal.at > row.last_at_ms:
            row.last_at_ms = signal.at
        self._changed.add(root)
        return _grow(conversation, signal, root, own, matcher)

    def expire(self, at_ms: int) -> None:
        """Forget what was silent for longer than the span. When that is done changes nothing of what `apply` tells."""
        # Looks at all conversations, so not too often.
        self._sweep_at_ms = at_ms + self.span_ms // 60
        silent = [root for root, known in self._by_root.items() if at_ms - known.row.last_at_ms > self.span_ms]
        for root in silent:
            self._end(root, self._by_root[root])

    def _end(self, root: str, conversation: Conversation) -> None:
        self._ended[root] = max(_chunks(conversation), self._ended.get(root, 0))
        self._changed.discard(root)
        del self._by_root[root]

    def changed_rows(self) -> Iterator[tuple[str, ConversationRow | NodesRow | None]]:
        """Yield the rows that changed since the last call: `c|root` for a head, `n|chunk|root` for nodes."""
        for root in sorted(self._ended):
            # A conversation that ended may have begun anew since: what it wrote again must stay.
            anew = self._by_root.get(root)
            if anew is None:
                yield f"c|{root}", None
            for chunk in range(_chunks(anew) if anew is not None else 0, self._ended[root]):
                yield f"n|{chunk}|{root}", None
        self._ended.clear()
        for root in sorted(self._changed):
            conversation = self._by_root[root]
            yield f"c|{root}", conversation.row
            for chunk, row in conversation.changed_nodes():
                yield f"n|{chunk}|{root}", row
        self._changed.clear()

    def restore(self, heads: Iterable[tuple[str, ConversationRow]], nodes: Iterable[tuple[str, int, NodesRow]]) -> None:
        """Go on from rows: heads by root, and nodes by root and chunk."""
        for root, row in heads:
            self._by_root[root] = Conversation(row)
        for root, _, chunk_row in sorted(nodes, key=lambda entry: (entry[0], entry[1])):
            conversation = self._by_root.get(root)
            if conversation is not None:
                conversation.restore_nodes(chunk_row)


def _chunks(conversation: Conversation) -> int:
    return -(-conversation.row.nodes // NODES_PER_ROW)


def _started(at_ms: int) -> Conversation:
    """Return a new conversation whose root nobody has told of yet; the root counts in its size all the same."""
    row = ConversationRow(
        last_at_ms=at_ms,
        root_actor=None,
        root_seen=False,
        topics=(),
        root_mask=0,
        brand_mask=0,
        size=1,
        depth=0,
        nodes=0,
    )
    return Conversation(row)


def _mask_of(row: ConversationRow, topics: tuple[str, ...], *, network: str, matcher: Matcher) -> int:
    """Return the topics as bits, giving a bit to those that the conversation did not know yet."""
    if topics == row.topics:
        return (1 << len(topics)) - 1
    mask = 0
    for topic in topics:
        if topic not in row.topics:
            if len(row.topics) == TOPICS_MAX:
                continue
            row.topics = (*row.topics, topic)
            _mark_brand(row, network=network, matcher=matcher)
        mask |= 1 << row.topics.index(topic)
    return mask


def _mark_brand(row: ConversationRow, *, network: str, matcher: Matcher) -> None:
    """Set the bit of every topic whose brand wrote the root."""
    if row.root_actor is not None:
        brand_topics = matcher.brand_topics(network, row.root_actor)
        if brand_topics:
            row.brand_mask |= sum(1 << bit for bit, topic in enumerate(row.topics) if topic in brand_topics)


def _meet_root(row: ConversationRow, signal: Signal, *, is_root: bool, matcher: Matcher) -> None:
    """Learn who wrote the root, from a signal that names its author or, which counts for more, from the root itself."""
    root_actor = signal.actor if is_root else signal.root_actor
    if root_actor is None and (signal.root or _target_of(signal)) == _target_of(signal):
        root_actor = signal.parent_actor
    if root_actor is not None and (row.root_actor is None or is_root):
        row.root_actor, row.brand_mask = root_actor, 0
        _mark_brand(row, network=signal.network, matcher=matcher)


def _target_of(signal: Signal) -> str | None:
    """Return the id of what the signal answers or spreads."""
    return signal.parent or (signal.post if signal.kind in _PASSING_ON else None)


def _parent_of(conversation: Conversation, signal: Signal, *, node_id: str, matcher: Matcher) -> int:
    """Return what the signal is on, packed: its parent if it is known, else the root."""
    parent_id = _target_of(signal)
    if parent_id is not None and parent_id != node_id:
        packed = conversation.nodes.get(parent_id)
        if packed is not None:
            return packed
    row = conversation.row
    is_brands = bool(row.brand_mask)
    if not is_brands and signal.parent_actor is not None and signal.parent_actor != row.root_actor:
        is_brands = bool(matcher.brand_topics(signal.network, signal.parent_actor))
    return row.root_mask << _MASK_AT | (0 if is_brands else DISTANCE_UNKNOWN << _DISTANCE_AT)


def _grow(
    conversation: Conversation, signal: Signal, root: str, own: tuple[str, ...], matcher: Matcher
) -> Attribution | None:
    """Add one signal to its conversation and return what that tells.

    This runs for every signal on a topic, so nodes stay packed here.
    """
    row = conversation.row
    node_id = node_of(signal)
    in_tree = signal.kind in _TREE_KINDS
    is_root = in_tree and node_id == root
    if not row.root_seen:
        _meet_root(row, signal, is_root=is_root, matcher=matcher)
    own_mask = _mask_of(row, own, network=signal.network, matcher=matcher) if own else 0
    author_topics = matcher.brand_topics(signal.network, signal.actor)
    if is_root:
        mask, depth, distance = own_mask, 0, DISTANCE_UNKNOWN
        # What is deleted or edited later stays what it was to those who answered it; an edit tells of an unseen root.
        if not row.root_seen and signal.op in ("create", "update"):
            row.root_mask, row.root_seen = mask, True
    else:
        if not row.root_seen:
            # A root that was never seen is taken to carry what is said of its brand below it.
            row.root_mask |= own_mask & row.brand_mask
        parent = _parent_of(conversation, signal, node_id=node_id, matcher=matcher)
        goes_elsewhere = signal.tags and not own and signal.kind not in _PASSING_ON
        mask = own_mask if goes_elsewhere else own_mask | parent >> _MASK_AT
        depth = (parent & DEPTH_MAX) + 1
        distance = min((parent >> _DISTANCE_AT & DISTANCE_UNKNOWN) + 1, DISTANCE_UNKNOWN)
    if author_topics:
        distance = 0
    if in_tree and signal.op == "create":
        is_new = conversation.add_node(node_id, mask << _MASK_AT | distance << _DISTANCE_AT | depth)
        if is_new and not is_root:
            row.size += 1
            if depth > row.depth:
                row.depth = depth
    known_distance = distance if distance < DISTANCE_UNKNOWN else -1
    links = _links(row, mask, author_topics, known_distance)
    if own and len(row.topics) == TOPICS_MAX:
        links += _links_beyond(row, own, author_topics, known_distance, signal.network, matcher)
    return Attribution(links, row.size, row.depth) if links else None


def _links(row: ConversationRow, mask: int, author_topics: tuple[str, ...], distance: int) -> tuple[TopicLink, ...]:
    """Return the lineage of the signal for each topic that it is on, in the conversation's order of topics."""
    links = []
    # What the brand's root carries, everything below it is on; what others bring into it is seeded there as well.
    mask |= row.brand_mask & row.root_mask
    for bit, topic in enumerate(row.topics):
        if mask >> bit & 1:
            if topic in author_topics:
                lineage = BRAND
            elif row.brand_mask >> bit & 1:
                lineage = SEEDED
            else:
                lineage = ADOPTED
            links.append(_link(topic, lineage, distance))
    return tuple(links)


def _links_beyond(
    row: ConversationRow,
    own: tuple[str, ...],
    author_topics: tuple[str, ...],
    distance: int,
    network: str,
    matcher: Matcher,
) -> tuple[TopicLink, ...]:
    """Return the same for the topics that the signal carries itself and that the conversation has no bit for."""
    brand_topics = () if row.root_actor is None else matcher.brand_topics(network, row.root_actor)
    return tuple(
        _link(topic, BRAND if topic in author_topics else SEEDED if topic in brand_topics else ADOPTED, distance)
        for topic in own
        if topic not in row.topics
    )


# Links are frozen, and few of them differ.
_link = lru_cache(maxsize=4096)(TopicLink)
