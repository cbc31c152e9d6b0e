"""Follow the shape of one cascade as it grows: size, depth, breadth, structural virality, in any order of arrival."""

from collections.abc import Iterable
from functools import lru_cache
from struct import pack, unpack
from typing import Literal, NamedTuple

from msgspec import Struct

from schemas.cascade import EDGES
from schemas.signal import AT_MS_MIN
from schemas.virality_rows import CascadeNodesRow
from streams.measures.node_index import NodeIndex, number_of
from streams.measures.tree_sums import NO_PLACE, ROOT, TreeSums

NODES_MAX = 50_000
"""Nodes kept of one cascade (MEASURES.md §5)."""
NODES_PER_ROW = 256

Edge = Literal["observed", "inferred", "star"]
"""How an edge is known, as `EDGES` explains."""
Refusal = Literal["self_parent", "cycle"]

# What a row keeps of a node: the provenance of its edge as an index into EDGES, and:
_PROVENANCE = 0b11
_MISSING = 1 << 2  # Named as a parent, but not seen.
_PROMOTED = 1 << 3  # A part of the tree although it was not seen.
_DELETED = 1 << 4
_UNDONE = 1 << 5
_REFUSED = 1 << 6  # The edge that was given for it was refused.

_SECONDS_MAX = 2**32 - 1

# A parent is named again and again, the root of a conversation by nearly all.
_number_of_parent = lru_cache(maxsize=1_024)(number_of)


class Added(Struct, frozen=True, gc=False):
    """What adding a node told.

    `place` is its number in the cascade, -1 where the cascade is full. `refused` says why the edge that was given, or
    another one of the circle that it would have closed, does not count. `is_new` is False for one that was seen.
    """

    place: int
    refused: Refusal | None = None
    is_new: bool = True


class Shape(NamedTuple):
    """The cascade as it is now.

    `size` counts the nodes that were seen and not undone, those beyond the last that is kept, and the root even if it
    was only given up. `waiting` of those that were seen do not hang from the root yet. They name the root and belong to
    the size, but to none of the following. `nodes` is the number of nodes of the tree, `depth` the longest way from its
    root, `breadth` the most nodes of one depth: undone and deleted ones too, for they carried the cascade on.
    `structural_virality` is None below two nodes. Of a `truncated` cascade only `size` goes on. `edge` is the least
    sure provenance of any edge. While the root was neither seen nor given up, all but `waiting` is 0.
    """

    size: int
    nodes: int
    depth: int
    breadth: int
    structural_virality: float | None
    waiting: int
    truncated: bool
    root_missing: bool
    edge: Edge


class CascadeShape:
    """One cascade: nodes (posts, replies, quotes, shares; never likes) below a root that is known by its id.

    Structural virality is the mean distance of two nodes; `TreeSums` has the formula and what it costs. A node that
    comes before its parent waits, with all that is below it, and is attached later: the order of arrival does not
    matter. While nobody has seen the root, all wait, until it comes or is given up (`promote`). Edges that close a
    circle are cut at the node whose id has the smallest number, which then hangs from the root, as does a node that is
    its own parent.

    >>> shape = CascadeShape("root")
    >>> for node, parent in (("root", None), ("b", "a"), ("a", "root"), ("c", "b")):
    ...     added = shape.add(node, parent, at_ms=1_500_000_000_000)
    >>> reading = shape.read()
    >>> reading.size, reading.depth, reading.breadth, round(reading.structural_virality, 4)
    (4, 3, 1, 1.6667)
    """

    __slots__ = ("_beyond", "_dirty", "_guessed", "_index", "_missing", "_seen", "_star", "_tree", "_undone", "_unseen")

    def __init__(self, root_id: str | None) -> None:
        """Begin below a root; without one where rows tell it (`restore`)."""
        self._index = NodeIndex()
        self._tree = TreeSums()
        # Nodes beyond the last that is kept; a bit for each chunk that changed.
        self._beyond = self._dirty = 0
        # Nodes that were seen, and edges by provenance as far as it is asked for.
        self._seen = self._guessed = self._star = 0
        # Nodes that were seen and undone, and places of the tree that were not seen: the root and promoted ones.
        self._undone, self._unseen = 0, 1
        # Places of missing nodes, in their order; some are missing no longer (`_still_missing`). None for none.
        self._missing: list[int] | None = None
        if root_id is not None:
            self._append(number_of(root_id), _MISSING, 0)
            self._tree.attach_root()
            self._dirty = 0

    def __len__(self) -> int:
        """Return how many places there are, those of missing nodes included."""
        return len(self._index)

    @property
    def chunks(self) -> int:
        """In how many rows the cascade lies: numbers 0 to this."""
        return -(-len(self) // NODES_PER_ROW)

    def add(self, node_id: str, parent_id: str | None, *, at_ms: int, edge: Edge = "observed") -> Added:
        """Take in a node; one that was seen already changes nothing.

        Without a parent it hangs from the root, as inferred unless it is said to be a star; the parent of the root is
        left aside. A full cascade counts the node in its size and forgets it.
        """
        index = self._index
        if parent_id is None:
            parent, edge = ROOT, "star" if edge == "star" else "inferred"
        else:
            parent = index.find(_number_of_parent(parent_id))
        number, end, second = number_of(node_id), len(index.numbers), _second_of(at_ms)
        place = index.put(number) if end < NODES_MAX else index.find(number)
        if place == end:
            self._seen += 1
            self._dirty |= 1 << place // NODES_PER_ROW
            if parent >= 0:
                # A new node whose parent is attached is what nearly all of them are.
                flags = 0 if edge == "observed" else EDGES.index(edge)
                if self._tree.add_leaf(parent, flags, second) == place:
                    if flags:
                        self._count_edge(flags, 1)
                    return Added(place)
            self._tree.add(0, second)
        elif place < 0:
            self._beyond += 1
            self.touch(NODES_MAX - 1)
            return Added(-1)
        elif self._tree.flags(place) & _MISSING:
            self._meet(place, second)
        else:
            return Added(place, is_new=False)
        if place == ROOT:
            return Added(ROOT)
        if parent < 0 and parent_id is not None:
            parent, edge = (place, edge) if parent_id == node_id else self._await(parent_id, second, edge)
        elif parent != ROOT and self._is_missing(parent) and second < self._tree.mark(parent):
            self._tree.set_mark(parent, second)
            self.touch(parent)
        return Added(place, self._hang(place, parent, edge))

    def _await(self, parent_id: str, second: int, edge: Edge) -> tuple[int, Edge]:
        """Return a place where an unknown parent is missing; the root, by inference, where there is no room for it."""
        if len(self._index) >= NODES_MAX:
            return ROOT, "inferred"
        place = self._append(_number_of_parent(parent_id), _MISSING, second)
        if self._missing is None:
            self._missing = []
        self._missing.append(place)
        return place, edge

    def _append(self, number: int, flags: int, second: int) -> int:
        self._index.put(number)
        place = self._tree.add(flags, second)
        self.touch(place)
        return place

    def touch(self, place: int) -> None:
        """Have the row of a place told again."""
        self._dirty |= 1 << place // NODES_PER_ROW

    def _meet(self, place: int, second: int) -> None:
        """See a node that was missing; one that hung from the root for the time being is taken off again."""
        flags = self._tree.flags(place)
        self._tree.set_flags(place, flags & ~(_MISSING | _PROMOTED | _PROVENANCE))
        self._tree.set_mark(place, second)
        self.touch(place)
        self._seen += 1
        self._undone += bool(flags & _UNDONE)
        if place == ROOT:
            self._unseen -= 1
        elif flags & _PROMOTED:
            self._unseen -= 1
            self._count_edge(flags, -1)
            self._tree.hang_nowhere(place)

    def _hang(self, place: int, parent: int, edge: Edge) -> Refusal | None:
        """Hang a node that was seen from its parent, or from the root where that cannot be."""
        tree = self._tree
        if parent == place:
            self._link(place, ROOT, "inferred", _REFUSED)
            return "self_parent"
        if tree.has_children(place) and not tree.is_attached(parent) and tree.topmost(parent) == place:
            self._break_circle(place, parent, edge)
            return "cycle"
        self._link(place, parent, edge)
        return None

    def _link(self, place: int, parent: int, edge: Edge, flag: int = 0) -> None:
        flags = self._tree.flags(place) | EDGES.index(edge) | flag
        self._tree.set_flags(place, flags)
        self._count_edge(flags, 1)
        self.touch(place)
        self._tree.hang(place, parent=parent)

    def _break_circle(self, place: int, parent: int, edge: Edge) -> None:
        """Hang a node that would close a circle, and cut the circle where any order of arrival would have cut it."""
        numbers, tree = self._index.numbers, self._tree
        cut, node = place, parent
        while node != place:
            if numbers[node] < numbers[cut]:
                cut = node
            node = tree.parent(node)
        if cut != place:
            flags = tree.flags(cut)
            self._count_edge(flags, -1)
            tree.set_flags(cut, flags & ~_PROVENANCE)
            tree.cut(cut)
            self._link(place, parent, edge)
        self._link(cut, ROOT, "inferred", _REFUSED)

    def _count_edge(self, flags: int, by: int) -> None:
        provenance = EDGES[flags & _PROVENANCE]
        if provenance == "star":
            self._star += by
        elif provenance == "inferred":
            self._guessed += by

    # --- giving up, deleting, undoing ---------------------------------------------------------------------------------

    def promote(self, node_id: str) -> bool:
        """Stop waiting for a node that was named but never seen; return whether there was one.

        The root then counts as if it had been seen, with `root_missing`. Another node hangs from the root, as inferred,
        with what waited for it: a node of the tree, but not of the size. Should it be seen after all, it moves to where
        it belongs, at the cost of `TreeSums.hang_nowhere`.
        """
        place = self._index.find(number_of(node_id))
        return place >= 0 and self._promote(place)

    def _promote(self, place: int) -> bool:
        if not self._is_missing(place):
            return False
        self._tree.set_flags(place, self._tree.flags(place) | _PROMOTED)
        self.touch(place)
        if place != ROOT:
            self._unseen += 1
            self._link(place, ROOT, "inferred")
        return True

    def _is_missing(self, place: int) -> bool:
        return self._tree.flags(place) & (_MISSING | _PROMOTED) == _MISSING

    def missing_since_ms(self) -> int | None:
        """Return since when a node is missing, the longest of all; None where none is. The root does not count.

        A node is missing since the earliest instant of those that name it as their parent (epoch ms, of a whole
        second), until it is seen or given up. O(missing nodes).
        """
        return None if self._missing is None else min(map(self.at_ms_of, self._still_missing()), default=None)

    def promote_missing(self, *, before_ms: int) -> int:
        """Stop waiting for all nodes but the root that are missing since before an instant (epoch ms); return how many.

        The order is that of their places, whatever was stored and restored in between.
        """
        late = [place for place in self._still_missing() if self.at_ms_of(place) < before_ms]
        return sum(map(self._promote, late))

    def _still_missing(self) -> list[int]:
        if self._missing is None:
            return []
        still = [place for place in self._missing if self._is_missing(place)]
        self._missing = still or None
        return still

    def delete(self, node: str | int) -> bool:
        """Leave a node as a tombstone: it goes on to count and to carry what is below it. False if it is not known."""
        return self._mark(node, _DELETED)

    def undo(self, node: str | int) -> bool:
        """Take a node out of the size and leave it in the tree, for others came by it. False if it is not known."""
        return self._mark(node, _UNDONE)

    def _mark(self, node: str | int, flag: int) -> bool:
        place = self.find(node)
        if place < 0:
            return False
        flags = self._tree.flags(place)
        if not flags & flag:
            self._tree.set_flags(place, flags | flag)
            self.touch(place)
            if flag == _UNDONE and not flags & _MISSING:
                self._undone += 1
        return True

    def read(self) -> Shape:
        """Return the shape as it is now, in O(1)."""
        tree, root_flags = self._tree, self._tree.flags(ROOT)
        edge: Edge = "star" if self._star else "inferred" if self._guessed else "observed"
        if root_flags & (_MISSING | _PROMOTED) == _MISSING:
            return Shape(0, 0, 0, 0, None, self._seen + self._beyond, self._beyond > 0, True, edge)
        given_up = root_flags & (_MISSING | _UNDONE) == _MISSING
        return Shape(
            size=self._seen - self._undone + given_up + self._beyond,
            nodes=tree.nodes,
            depth=tree.max_depth(),
            breadth=tree.breadth(),
            structural_virality=tree.structural_virality(),
            waiting=self.waiting,
            truncated=self._beyond > 0,
            root_missing=bool(root_flags & _MISSING),
            edge=edge,
        )

    @property
    def waiting(self) -> int:
        """How many of the nodes that were seen do not hang from the root yet; none while that is missing itself."""
        return self._seen - (self._tree.nodes - self._unseen)

    def find(self, node: str | int) -> int:
        """Return the place of a node, by its id or its number; -1 where it is neither known nor named as a parent."""
        return self._index.find(_number_of_parent(node) if isinstance(node, str) else node)

    def is_seen(self, place: int) -> bool:
        """Return whether the node at a place was seen, not only named as a parent."""
        return not self._tree.flags(place) & _MISSING

    def parent_of(self, place: int) -> int | None:
        """Return the place of the node that another hangs from; None for the root and while it is not known."""
        parent = self._tree.parent(place)
        return None if parent == NO_PLACE else parent

    def depth_of(self, place: int) -> int | None:
        """Return the depth of a node, the root's being 0; None while it waits."""
        return self._tree.depth(place) if self._tree.is_attached(place) else None

    def at_ms_of(self, place: int) -> int:
        """Return when a node happened, or a missing one was first named, rounded down to a second."""
        return self._tree.mark(place) * 1_000 + AT_MS_MIN

    @property
    def has_changed(self) -> bool:
        """Whether `changed_rows` would tell anything."""
        return self._dirty > 0

    def changed_rows(self) -> list[tuple[int, CascadeNodesRow]]:
        """Return (chunk of 256 nodes, its row) for the chunks that changed since last time; `chunks` rows in all."""
        dirty, self._dirty = self._dirty, 0
        return [(chunk, self._row(chunk)) for chunk in range(dirty.bit_length()) if dirty >> chunk & 1]

    def _row(self, chunk: int) -> CascadeNodesRow:
        first = chunk * NODES_PER_ROW
        end = min(first + NODES_PER_ROW, len(self))
        n = end - first
        return CascadeNodesRow(
            chunk=chunk,
            numbers=pack(f"<{n}Q", *self._index.numbers[first:end]),
            parents=pack(f"<{n}H", *self._tree.parents(first, end)),
            seconds=pack(f"<{n}I", *self._tree.marks(first, end)),
            flags=bytes(self._tree.flags(place) for place in range(first, end)),
            beyond=self._beyond if end == NODES_MAX else 0,
        )

    def restore(self, rows: Iterable[CascadeNodesRow]) -> None:
        """Take up the rows of earlier `changed_rows` of a cascade with the same root, in any order; O(nodes)."""
        held = sorted(rows, key=lambda row: row.chunk)
        if not held:
            return
        flags = b"".join(row.flags for row in held)
        n = len(flags)
        numbers = unpack(f"<{n}Q", b"".join(row.numbers for row in held))
        parents = unpack(f"<{n}H", b"".join(row.parents for row in held))
        seconds = unpack(f"<{n}I", b"".join(row.seconds for row in held))
        self._index = NodeIndex()
        self._index.extend(numbers)
        self._beyond = held[-1].beyond
        self._seen, self._undone, self._unseen, self._missing = n, 0, 0, None
        self._guessed = self._star = self._dirty = 0
        self._tree.restore(parents, flags, seconds)
        # Of most cascades all nodes were observed, and nothing has become of them.
        if any(flags):
            self._seen = sum(not flag & _MISSING for flag in flags)
            self._undone = sum(flag & (_MISSING | _UNDONE) == _UNDONE for flag in flags)
            self._unseen = sum(not place or flag & _PROMOTED > 0 for place, flag in enumerate(flags) if flag & _MISSING)
            for parent, flag in zip(parents, flags, strict=True):
                if parent != NO_PLACE:
                    self._count_edge(flag, 1)
            self._missing = [place for place in range(1, n) if self._is_missing(place)] or None


def _second_of(at_ms: int) -> int:
    second = (at_ms - AT_MS_MIN) // 1_000
    return second if 0 <= second <= _SECONDS_MAX else min(max(second, 0), _SECONDS_MAX)
