"""One conversation: whose it is, which topics it carries, what its nodes pass on, and how its cascade grows."""

from array import array
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar, cast

from schemas.attributed import ADOPTED, BRAND, SEEDED, TopicLink
from schemas.cascade import EDGES
from schemas.conversation_rows import CascadeTiming, ConversationRow
from schemas.signal import KINDS, Kind, Signal, node_of
from streams.attribution.matcher import Matcher
from streams.measures.cascade_shape import CascadeShape, Edge
from streams.measures.infectiousness import Infectiousness
from streams.measures.overperformance import BENCHMARK_UNITS
from streams.measures.pace import MINUTES_PER_UNIT, CascadePace

TOPICS_MAX = 32
"""Topics remembered of one conversation; what carries more tells them, but does not pass them on."""
PACED_SIZE = 10
"""From this size on a cascade has a pace; smaller ones are many, and say little."""

# What a node passes on to its children lies packed in one integer of 48 bits, mask << 16 | distance: its topics (a mask
# of bits) and its distance to a brand's act.
_MASK_AT = 16
DISTANCE_UNKNOWN = (1 << 16) - 1

_TREE_KINDS = frozenset(("post", "reply", "quote", "share"))
_PASSING_ON = frozenset(("share", "like"))
_KIND_INDEX = {kind: index for index, kind in enumerate(KINDS)}

Links = tuple[TopicLink, ...]
_Value = TypeVar("_Value")


class Conversation:
    """One conversation in memory: its head (`row`), its tree (`shape`), and by place what each node passes on.

    Infectiousness is kept from the first share on, the pace from ten nodes on: most cascades never come to either.
    `soon_ms` and `later_ms` are the ticks at which it is to be looked at, 0 for none (`Conversations`).
    """

    __slots__ = ("infection", "inherited", "later_ms", "pace", "row", "shape", "soon_ms")

    def __init__(self, row: ConversationRow, shape: CascadeShape) -> None:
        self.row = row
        self.shape = shape
        self.inherited = array("Q")
        self.infection: Infectiousness | None = None
        self.pace: CascadePace | None = None
        self.soon_ms = self.later_ms = 0

    def apply(self, signal: Signal, root: str, own: tuple[str, ...], matcher: Matcher) -> Links | None:
        """Add what was created, and return the topics that it is on with lineage and distance; None where on none.

        This runs for every signal on a topic, so what nodes pass on stays packed here.
        """
        row = self.row
        node_id = node_of(signal)
        in_tree = signal.kind in _TREE_KINDS
        is_root = in_tree and node_id == root
        if not row.root_seen:
            self._meet_root_actor(signal, is_root=is_root, matcher=matcher)
        own_mask = self._mask_of(own, network=signal.network, matcher=matcher) if own else 0
        author_topics = matcher.brand_topics(signal.network, signal.actor)
        if is_root:
            mask, distance = own_mask, DISTANCE_UNKNOWN
            if not row.root_seen:
                row.root_mask, row.root_seen = mask, True
        else:
            if not row.root_seen:
                # A root that was never seen is taken to carry what is said of its brand below it.
                row.root_mask |= own_mask & row.brand_mask
            above = self._above(signal, node_id=node_id, matcher=matcher)
            goes_elsewhere = signal.tags and not own and signal.kind not in _PASSING_ON
            mask = own_mask if goes_elsewhere else own_mask | above >> _MASK_AT
            distance = min((above & DISTANCE_UNKNOWN) + 1, DISTANCE_UNKNOWN)
        if author_topics:
            distance = 0
        if in_tree:
            self._add_node(signal, node_id, mask << _MASK_AT | distance, is_root=is_root)
        elif signal.kind == "like":
            self._interact(signal.at)
        return self._told(signal, own, mask << _MASK_AT | distance, author_topics, matcher)

    def _told(
        self, signal: Signal, own: tuple[str, ...], packed: int, author_topics: tuple[str, ...], matcher: Matcher
    ) -> Links | None:
        """Return the links of what passes on so much, packed; None for none."""
        distance = packed & DISTANCE_UNKNOWN
        known_distance = distance if distance < DISTANCE_UNKNOWN else -1
        links = self._links(packed >> _MASK_AT, author_topics, known_distance)
        if own and len(self.row.topics) == TOPICS_MAX:
            links += self._links_beyond(own, author_topics, known_distance, signal.network, matcher)
        return links or None

    # --- the tree -----------------------------------------------------------------------------------------------------

    def _add_node(self, signal: Signal, node_id: str, packed: int, *, is_root: bool) -> None:
        """Grow the tree by a post, reply, quote or share that was not in it yet."""
        row, edge = self.row, signal.edge
        added = self.shape.add(
            node_id,
            None if is_root else _target_of(signal),
            at_ms=signal.at,
            edge=cast(Edge, edge) if edge in EDGES else "observed",
        )
        if not added.is_new:
            return
        inherited = self.inherited
        if (places := len(self.shape)) > len(inherited):
            # Missing parents have places, too.
            inherited.extend((0,) * (places - len(inherited)))
        if added.place >= 0:
            inherited[added.place] = packed
        row.grown_ms = signal.at
        if self.pace is not None:
            self.pace.add(signal.at)
        elif len(self.shape) >= PACED_SIZE:
            self._begin_pace()
        if is_root:
            row.root_kind, row.root_followers = _KIND_INDEX[signal.kind], signal.followers
            if signal.at > row.began_ms:
                # What it had brought at ages that it has passed already, nobody has counted.
                row.benchmarks = None
            if self.infection is not None:
                self.infection.meet_root(signal.followers)
            return
        self._interact(signal.at)
        if signal.kind == "share":
            self._share(signal)

    def _share(self, signal: Signal) -> None:
        row = self.row
        row.shares += 1
        if self.infection is None:
            self.infection = Infectiousness(unit_ms=row.timing.unit_ms)
            self.infection.add(row.began_ms, row.root_followers, followers_imputed=row.timing.followers_imputed)
        self.infection.add(signal.at, signal.followers, followers_imputed=row.timing.followers_imputed)

    def _begin_pace(self) -> None:
        """Count the nodes that came before a pace was kept; their times are known to the second."""
        shape = self.shape
        self.pace = CascadePace(minute_ms=max(1_000, self.row.timing.unit_ms // MINUTES_PER_UNIT))
        for at_ms in sorted(shape.at_ms_of(place) for place in range(len(shape)) if shape.is_seen(place)):
            self.pace.add(at_ms)

    # --- changes ------------------------------------------------------------------------------------------------------

    def take_back(self, kind: Kind, node: int | None, *, at_ms: int) -> bool:
        """End an act at a node of this number, or one that left none; return whether it was known.

        A share leaves the size, of a post a tombstone stays; what is below them stays where it is. Likes and shares
        count for the root no more, except at the benchmark ages that it has passed.
        """
        row, shape = self.row, self.shape
        if kind == "like":
            row.interactions = max(0, row.interactions - 1)
            return True
        if node is None or kind not in _TREE_KINDS:
            return False
        if kind != "share":
            return shape.delete(node)
        size = shape.read().size
        is_known = shape.undo(node)
        if shape.read().size != size:
            row.grown_ms = at_ms
            row.interactions = max(0, row.interactions - 1)
        return is_known

    def edit(self, signal: Signal, node: int, *, is_root: bool, own: tuple[str, ...], matcher: Matcher) -> Links | None:
        """Let a post pass on what its new contents are about, and return the topics that it is on now.

        What answers it from now on inherits them; what is there stays what it was. An edit that says nothing of the
        contents leaves them; one tells of a root that was not seen.
        """
        row, shape = self.row, self.shape
        if not row.root_seen:
            self._meet_root_actor(signal, is_root=is_root, matcher=matcher)
        own_mask = self._mask_of(own, network=signal.network, matcher=matcher) if own else 0
        place = shape.find(node)
        is_seen = 0 <= place < len(self.inherited) and shape.is_seen(place)
        packed = self.inherited[place] if is_seen else DISTANCE_UNKNOWN
        mask = packed >> _MASK_AT
        has_contents = bool(signal.tags or signal.text or signal.links or signal.mentions)
        if has_contents or (is_root and not row.root_seen):
            mask = own_mask
            if not is_root and (own or not signal.tags):
                mask |= self._mask_above(place) if is_seen else row.root_mask
        if is_root:
            row.root_mask, row.root_seen = mask, True
        elif not row.root_seen:
            row.root_mask |= own_mask & row.brand_mask
        packed = mask << _MASK_AT | packed & DISTANCE_UNKNOWN
        if is_seen:
            self.inherited[place] = packed
            shape.touch(place)
        author_topics = matcher.brand_topics(signal.network, signal.actor)
        return self._told(signal, own, packed, author_topics, matcher)

    def _interact(self, at_ms: int) -> None:
        """Count an act on the root or below it, behind those that the benchmark ages cover."""
        self.pass_benchmarks(at_ms)
        self.row.interactions += 1

    def pass_benchmarks(self, at_ms: int) -> None:
        """Note what the root had brought at every benchmark age up to an instant; unknown where it was not seen."""
        row = self.row
        if row.root_kind < 0 or row.benchmarks is None or len(row.benchmarks) == len(BENCHMARK_UNITS):
            return
        passed = len(row.benchmarks)
        age_ms, unit_ms = at_ms - row.began_ms, row.timing.unit_ms
        while passed < len(BENCHMARK_UNITS) and age_ms >= BENCHMARK_UNITS[passed] * unit_ms:
            row.benchmarks = (*row.benchmarks, row.interactions)
            passed += 1

    def _mask_above(self, place: int) -> int:
        """Return the topics that a node inherits: of its parent, or of the root where that was not seen."""
        parent = self.shape.parent_of(place)
        if parent is not None and self.shape.is_seen(parent):
            return self.inherited[parent] >> _MASK_AT
        return self.row.root_mask

    # --- lineage ------------------------------------------------------------------------------------------------------

    def _mask_of(self, topics: tuple[str, ...], *, network: str, matcher: Matcher) -> int:
        """Return the topics as bits, giving a bit to those that the conversation did not know yet."""
        row = self.row
        if topics == row.topics:
            return (1 << len(topics)) - 1
        mask = 0
        for topic in topics:
            if topic not in row.topics:
                if len(row.topics) == TOPICS_MAX:
                    continue
                row.topics = _shared((*row.topics, topic))
                self._mark_brand(network=network, matcher=matcher)
            mask |= 1 << row.topics.index(topic)
        return mask

    def _mark_brand(self, *, network: str, matcher: Matcher) -> None:
        """Set the bit of every topic whose brand wrote the root."""
        row = self.row
        if row.root_actor is not None:
            brand_topics = matcher.brand_topics(network, row.root_actor)
            if brand_topics:
                row.brand_mask |= sum(1 << bit for bit, topic in enumerate(row.topics) if topic in brand_topics)

    def _meet_root_actor(self, signal: Signal, *, is_root: bool, matcher: Matcher) -> None:
        """Learn who wrote the root, from a signal that names its author or, which counts for more, from the root."""
        row = self.row
        root_actor = signal.actor if is_root else signal.root_actor
        if root_actor is None and (signal.root or _target_of(signal)) == _target_of(signal):
            root_actor = signal.parent_actor
        if root_actor is not None and (row.root_actor is None or is_root):
            row.root_actor, row.brand_mask = root_actor, 0
            self._mark_brand(network=signal.network, matcher=matcher)

    def _above(self, signal: Signal, *, node_id: str, matcher: Matcher) -> int:
        """Return what the signal inherits, packed: from its parent if that was seen, else from the root."""
        parent_id = _target_of(signal)
        if parent_id is not None and parent_id != node_id:
            place = self.shape.find(parent_id)
            if place >= 0 and self.shape.is_seen(place):
                return self.inherited[place]
        row = self.row
        is_brands = bool(row.brand_mask)
        if not is_brands and signal.parent_actor is not None and signal.parent_actor != row.root_actor:
            is_brands = bool(matcher.brand_topics(signal.network, signal.parent_actor))
        return row.root_mask << _MASK_AT | (0 if is_brands else DISTANCE_UNKNOWN)

    def _links(self, mask: int, author_topics: tuple[str, ...], distance: int) -> Links:
        """Return the lineage of the signal for each topic that it is on, in the conversation's order of topics."""
        links, row = [], self.row
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
        self, own: tuple[str, ...], author_topics: tuple[str, ...], distance: int, network: str, matcher: Matcher
    ) -> Links:
        """Return the same for the topics that the signal carries itself and that the conversation has no bit for."""
        row = self.row
        brand_topics = () if row.root_actor is None else matcher.brand_topics(network, row.root_actor)
        return tuple(
            _link(topic, BRAND if topic in author_topics else SEEDED if topic in brand_topics else ADOPTED, distance)
            for topic in own
            if topic not in row.topics
        )


def begun(signal: Signal, *, root: str, timing: CascadeTiming) -> Conversation:
    """Return a new conversation before its first signal. Its root counts from now on, whether it is seen or not."""
    row = ConversationRow(
        began_ms=signal.at,
        last_at_ms=signal.at,
        grown_ms=signal.at,
        network=_shared_name(signal.network),
        timing=timing,
    )
    shape = CascadeShape(root)
    shape.promote(root)
    return Conversation(row, shape)


def shared(row: ConversationRow) -> tuple[tuple[str, ...], str]:
    """Return topics and network of a row as the objects that other conversations have, too."""
    return _shared(row.topics), _shared_name(row.network)


def _target_of(signal: Signal) -> str | None:
    """Return the id of what the signal answers or spreads."""
    return signal.parent or (signal.post if signal.kind in _PASSING_ON else None)


def _same(value: _Value) -> _Value:
    return value


# Links are frozen, and few of them differ; so it is with the topics of conversations and the names of networks.
_link = lru_cache(maxsize=4096)(TopicLink)
_shared: Callable[[tuple[str, ...]], tuple[str, ...]] = lru_cache(maxsize=4096)(_same)
_shared_name: Callable[[str], str] = lru_cache(maxsize=256)(_same)
