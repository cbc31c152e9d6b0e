"""Keep the sums over a growing tree that give its structural virality, for subtrees that come in any order."""

from array import array
from collections.abc import Iterable
from struct import Struct

from streams.measures.path_sizes import PathSizes

WALKED_DEPTH_MAX = 64
"""Up to this depth ancestors are visited one by one; a deeper tree uses `PathSizes`."""
SCANNED_MAX = 16
"""Up to so many nodes are looked through for the deepest one; of more, those of every depth are counted."""

NO_PLACE = 0xFFFF
ROOT = 0

# A node is eight numbers of 16 bits in one array, two of them the caller's mark. `_DEPTH` of a node that does not hang
# from the root is instead the place of some ancestor: the way up to the topmost one, shortened whenever it is walked
# (union-find).
_SIZE, _PARENT, _DEPTH, _CHILD, _SIBLING, _FLAGS, _LOW, _HIGH = range(8)
_WIDTH = 8
_ATTACHED = 1 << 8
_PACK = Struct("=8H").pack


class TreeSums:
    """A tree of places 0 (the root), 1, 2 …, and beside it the subtrees that wait for a way to the root.

    With s_e the size of the subtree below an edge, A = Σ depth and B = Σ s_e², the distances of all pairs of the n
    nodes sum to W = n·A − B: s_e(n − s_e) pairs lie across an edge, and A = Σ s_e. Structural virality is their mean,

        ν = 2W/(n(n − 1)).

    A leaf below depth k adds k + 1 to A; each edge above it adds 2s + 1 to B and 1 to its s; its own edge adds 1 to B.
    A subtree of m nodes adds 2ms + m² at each edge above it. All in integers.

    Cost per node: O(depth) up to depth 64; in a deeper tree O(log n), amortised (`PathSizes`). A waiting subtree costs
    nothing until it is attached, once.

    Source: Goel, Anderson, Hofman & Watts 2016, "The Structural Virality of Online Diffusion", Management Science
    62(1):180-196.

    >>> tree = TreeSums()
    >>> [tree.add() for _ in range(4)]
    [0, 1, 2, 3]
    >>> tree.attach_root(), tree.hang(3, parent=2), tree.hang(2, parent=1), tree.hang(1, parent=0)
    ([0], [], [], [1, 2, 3])
    >>> tree.structural_virality() == (1 + 2 + 3 + 1 + 2 + 1) / 6
    True
    """

    __slots__ = ("_breadth", "_levels", "_links", "_paths", "_sum_depth", "_sum_squares", "nodes")

    def __init__(self) -> None:
        self._links = array("H")
        self._forget()

    def _forget(self) -> None:
        self.nodes = 0
        self._sum_depth = 0
        self._sum_squares = 0
        # How many nodes each depth has, and the most of them; once there are more than a few.
        self._levels: array[int] | None = None
        self._breadth = 0
        self._paths: PathSizes | None = None

    def __len__(self) -> int:
        """Return how many places there are."""
        return len(self._links) // _WIDTH

    # --- places -------------------------------------------------------------------------------------------------------

    def add(self, flags: int = 0, mark: int = 0) -> int:
        """Make a place that hangs from nothing, with flags (8 bits) and a mark (32 bits) of the caller; return it."""
        place = len(self._links) // _WIDTH
        self._links.extend((1, NO_PLACE, place, NO_PLACE, NO_PLACE, flags, mark & 0xFFFF, mark >> 16))
        return place

    def mark(self, place: int) -> int:
        """Return the caller's mark of a place."""
        at = place * _WIDTH
        return self._links[at + _HIGH] << 16 | self._links[at + _LOW]

    def set_mark(self, place: int, mark: int) -> None:
        """Set the caller's mark of a place."""
        at = place * _WIDTH
        self._links[at + _LOW], self._links[at + _HIGH] = mark & 0xFFFF, mark >> 16

    def flags(self, place: int) -> int:
        """Return the caller's flags of a place."""
        return self._links[place * _WIDTH + _FLAGS] & 0xFF

    def set_flags(self, place: int, flags: int) -> None:
        """Set the caller's flags of a place."""
        at = place * _WIDTH + _FLAGS
        self._links[at] = self._links[at] & _ATTACHED | flags

    def parent(self, place: int) -> int:
        """Return what a place hangs from, NO_PLACE where it hangs from nothing."""
        return self._links[place * _WIDTH + _PARENT]

    def is_attached(self, place: int) -> bool:
        """Return whether a place hangs from the root."""
        return self._links[place * _WIDTH + _FLAGS] >= _ATTACHED

    def depth(self, place: int) -> int:
        """Return the depth of a place that is attached, the root's being 0."""
        return self._links[place * _WIDTH + _DEPTH]

    def has_children(self, place: int) -> bool:
        """Return whether anything hangs from a place."""
        return self._links[place * _WIDTH + _CHILD] != NO_PLACE

    def topmost(self, place: int) -> int:
        """Return the place above a waiting one that hangs from nothing, halving the way that leads there."""
        links = self._links
        while (above := links[place * _WIDTH + _DEPTH]) != place:
            beyond = links[above * _WIDTH + _DEPTH]
            links[place * _WIDTH + _DEPTH] = beyond
            place = beyond
        return place

    # --- growing ------------------------------------------------------------------------------------------------------

    def add_leaf(self, parent: int, flags: int = 0, mark: int = 0) -> int:
        """Make a place that hangs from an attached one, and return it: `add` and `hang` in one, for what is common.

        Below a parent that waits nothing is made; that is NO_PLACE.
        """
        links = self._links
        above = parent * _WIDTH
        if links[above + _FLAGS] < _ATTACHED:
            return NO_PLACE
        place = len(links) // _WIDTH
        depth = links[above + _DEPTH] + 1
        links.frombytes(
            _PACK(1, parent, depth, NO_PLACE, links[above + _CHILD], flags | _ATTACHED, mark & 0xFFFF, mark >> 16)
        )
        links[above + _CHILD] = place
        self._sum_depth += depth
        self._sum_squares += 1
        if self._paths is not None:
            self._paths.add(place, parent=parent, size=1)
            self._raise_sizes(parent, by=1)
        elif parent != ROOT:
            self._raise_sizes(parent, by=1)
        levels = self._levels
        if levels is None or depth == len(levels):
            self._count_depth(depth)
            self._grow(1)
            return place
        self.nodes += 1
        breadth = levels[depth] = levels[depth] + 1
        if breadth > self._breadth:
            self._breadth = breadth
        return place

    def hang(self, place: int, *, parent: int) -> list[int]:
        """Hang a place that hangs from nothing below another; return the places that this attached to the root."""
        self._link(place, parent)
        if not self.is_attached(parent):
            self._links[place * _WIDTH + _DEPTH] = parent
            return []
        return self._attach(place, self._links[parent * _WIDTH + _DEPTH] + 1)

    def _link(self, place: int, parent: int) -> None:
        links = self._links
        links[place * _WIDTH + _PARENT] = parent
        links[place * _WIDTH + _SIBLING] = links[parent * _WIDTH + _CHILD]
        links[parent * _WIDTH + _CHILD] = place

    def cut(self, place: int) -> None:
        """Take a waiting place off what it hangs from; what leads upwards from it is wrong until it is hung again."""
        links = self._links
        at = links[place * _WIDTH + _PARENT] * _WIDTH + _CHILD
        while links[at] != place:
            at = links[at] * _WIDTH + _SIBLING
        links[at] = links[place * _WIDTH + _SIBLING]
        links[place * _WIDTH + _PARENT] = NO_PLACE

    def attach_root(self) -> list[int]:
        """Let the tree begin at place 0; return the places that hang from it."""
        return self._attach(ROOT, 0)

    def _attach(self, top: int, depth: int) -> list[int]:
        """Take a place into the tree, with all that is below it, and return them."""
        self._links[top * _WIDTH + _DEPTH] = depth
        nodes = [top]
        if self._links[top * _WIDTH + _CHILD] == NO_PLACE:
            squares = 1
            self._enter(top)
        else:
            squares = self._gather(nodes)
        if self._paths is not None:
            links = self._links
            self._paths.fill((n, links[n * _WIDTH + _PARENT], links[n * _WIDTH + _SIZE]) for n in nodes)
        if top != ROOT:
            self._sum_squares += squares
            self._raise_sizes(self._links[top * _WIDTH + _PARENT], by=len(nodes))
        self._grow(len(nodes))
        return nodes

    def _grow(self, nodes: int) -> None:
        """Count nodes that came to be attached, and take to what large and deep trees need."""
        self.nodes += nodes
        if self._levels is None:
            if self.nodes <= SCANNED_MAX:
                return
            self._count_levels()
        if self._paths is None and self._levels is not None and len(self._levels) > WALKED_DEPTH_MAX + 1:
            self._use_paths()

    def _count_levels(self) -> None:
        self._levels = array("H")
        for depth in sorted(self._depths()):
            self._count_depth(depth)

    def _depths(self) -> list[int]:
        """Return the depth of every attached place."""
        links = self._links
        ends = range(0, len(links), _WIDTH)
        return [links[at + _DEPTH] for at in ends if links[at + _FLAGS] >= _ATTACHED]

    def _count_depth(self, depth: int) -> None:
        """Count a node of a depth, which is at most one more than all before it."""
        levels = self._levels
        if levels is None:
            return
        if depth == len(levels):
            levels.append(0)
        breadth = levels[depth] = levels[depth] + 1
        if breadth > self._breadth:
            self._breadth = breadth

    def _gather(self, nodes: list[int]) -> int:
        """Enter the subtree of the one place in `nodes`, add its other places to them, and return its Σ s²."""
        links = self._links
        for node in nodes:
            self._enter(node)
            depth_below = links[node * _WIDTH + _DEPTH] + 1
            child = links[node * _WIDTH + _CHILD]
            while child != NO_PLACE:
                links[child * _WIDTH + _DEPTH] = depth_below
                nodes.append(child)
                child = links[child * _WIDTH + _SIBLING]
        squares = 0
        for node in reversed(nodes):
            size = links[node * _WIDTH + _SIZE]
            squares += size * size
            if node != nodes[0]:
                links[links[node * _WIDTH + _PARENT] * _WIDTH + _SIZE] += size
        # The root has no edge above it; its own size is that of the tree.
        if nodes[0] == ROOT:
            self._sum_squares = squares - links[_SIZE] ** 2
        return squares

    def _enter(self, node: int) -> None:
        """Note a node that has come to be attached, its depth being set."""
        at = node * _WIDTH
        self._links[at + _FLAGS] |= _ATTACHED
        depth = self._links[at + _DEPTH]
        self._sum_depth += depth
        self._count_depth(depth)

    def _raise_sizes(self, place: int, *, by: int) -> None:
        """Add nodes to the sizes of a place and of those above it."""
        if self._paths is not None:
            total, count = self._paths.raise_path(place, by=by)
            # The root is on the way too; its size, that of the tree, belongs to no edge.
            self._sum_squares += 2 * by * (total - self.nodes) + by * by * (count - 1)
            return
        links, total = self._links, 0
        count = links[place * _WIDTH + _DEPTH]
        while place:
            # The size is the first of a place's numbers, its parent the second.
            at = place * 8
            size = links[at]
            total += size
            links[at] = size + by
            place = links[at + 1]
        self._sum_squares += 2 * by * total + by * by * count

    def _use_paths(self) -> None:
        links = self._links
        self._paths = PathSizes()
        self._paths.add(ROOT, parent=-1, size=self.nodes)
        self._paths.fill(
            (place, links[place * _WIDTH + _PARENT], links[place * _WIDTH + _SIZE])
            for place in range(1, len(self))
            if links[place * _WIDTH + _FLAGS] >= _ATTACHED
        )

    def replant(self) -> list[int]:
        """Derive everything anew from who hangs from whom, O(places); return the places that hang from the root."""
        self._forget()
        links, width = self._links, _WIDTH
        for place in range(len(self)):
            at = place * width
            links[at + _DEPTH], links[at + _SIZE] = place, 1
            links[at + _CHILD] = links[at + _SIBLING] = NO_PLACE
            links[at + _FLAGS] &= 0xFF
        return self._plant()

    def _plant(self) -> list[int]:
        links, width = self._links, _WIDTH
        for place in range(len(self)):
            parent = links[place * width + _PARENT]
            if parent != NO_PLACE:
                self._link(place, parent)
                links[place * width + _DEPTH] = parent
        return self.attach_root()

    def hang_nowhere(self, place: int) -> None:
        """Take a place off what it hangs from, attached or not, with all that is below it.

        O(places below it and beside it) below the root of a tree that is not deep; elsewhere the cost of `replant`.
        """
        links = self._links
        if self._paths is not None or links[place * _WIDTH + _PARENT] != ROOT:
            links[place * _WIDTH + _PARENT] = NO_PLACE
            self.replant()
            return
        self.cut(place)
        nodes = [place]
        for node in nodes:
            self._leave(node)
            child = links[node * _WIDTH + _CHILD]
            while child != NO_PLACE:
                nodes.append(child)
                child = links[child * _WIDTH + _SIBLING]
        links[place * _WIDTH + _DEPTH] = place
        self.nodes -= len(nodes)
        if (levels := self._levels) is not None:
            while not levels[-1]:
                levels.pop()
            self._breadth = max(levels)

    def _leave(self, node: int) -> None:
        """Note that an attached node waits again, below its parent: `_enter` turned around."""
        links, at = self._links, node * _WIDTH
        depth, size = links[at + _DEPTH], links[at + _SIZE]
        self._sum_depth -= depth
        self._sum_squares -= size * size
        if self._levels is not None:
            self._levels[depth] -= 1
        links[at + _SIZE], links[at + _DEPTH] = 1, links[at + _PARENT]
        links[at + _FLAGS] &= 0xFF

    # --- asking and remembering ---------------------------------------------------------------------------------------

    def max_depth(self) -> int:
        """Return the longest way from the root, in edges."""
        return max(self._depths(), default=0) if self._levels is None else len(self._levels) - 1

    def breadth(self) -> int:
        """Return the most nodes that one depth has."""
        if self._levels is not None:
            return self._breadth
        depths = self._depths()
        return max((depths.count(depth) for depth in depths), default=0)

    def structural_virality(self) -> float | None:
        """Return ν, None below two nodes."""
        n = self.nodes
        return 2 * (n * self._sum_depth - self._sum_squares) / (n * (n - 1)) if n > 1 else None

    def parents(self, first: int, end: int) -> "array[int]":
        """Return what the places from `first` up to `end` hang from."""
        return self._links[first * _WIDTH + _PARENT : end * _WIDTH + _PARENT : _WIDTH]

    def marks(self, first: int, end: int) -> list[int]:
        """Return the marks of the places from `first` up to `end`."""
        return [self.mark(place) for place in range(first, end)]

    def restore(self, parents: Iterable[int], flags: bytes, marks: Iterable[int]) -> list[int]:
        """Take up the places of earlier `parents`, `flags` and `marks`; return those that hang from the root."""
        self._forget()
        self._links = links = array("H")
        for place, (parent, flag, mark) in enumerate(zip(parents, flags, marks, strict=True)):
            links.extend((1, parent, place, NO_PLACE, NO_PLACE, flag, mark & 0xFFFF, mark >> 16))
        return self._plant()
