"""Keep the sizes of subtrees in a tree that grows, however deep it is, at a cost that hardly follows its depth."""

from array import array
from collections.abc import Iterable


class PathSizes:
    """The size of the subtree below every node, raised and summed along the whole way from a node to the root.

    A new leaf raises the size of each of its ancestors. Here the tree is cut into paths. Each is kept in a splay tree
    by depth that remembers how many nodes it has, the sum of their sizes and what is still to be added to all of them;
    the paths that an update walks over become one. So `raise_path` costs O(log n), amortised, where a walk costs
    O(depth).

    Source: Sleator & Tarjan 1983, "A Data Structure for Dynamic Trees" (link-cut trees), with the splay trees of 1985;
    the tree is never turned around, so nothing is ever reversed. 16 bytes a node; sizes stay below 2^16.

    Nodes are numbered 0, 1, 2 …; 0 is the root.

    >>> sizes = PathSizes()
    >>> sizes.add(0, parent=-1, size=1), sizes.raise_path(0, by=1), sizes.add(1, parent=0, size=1)
    (None, (1, 1), None)
    >>> sizes.raise_path(1, by=1)
    (3, 2)
    """

    __slots__ = ("_count", "_lazy", "_left", "_right", "_size", "_sum", "_up")

    def __init__(self) -> None:
        # Numbered from 1 here, so that 0 is "none": its count and its sum stay 0.
        self._left = array("H", [0])
        self._right = array("H", [0])
        self._up = array("H", [0])
        self._size = array("H", [0])
        self._lazy = array("H", [0])
        self._count = array("H", [0])
        self._sum = array("I", [0])

    def add(self, node: int, *, parent: int, size: int) -> None:
        """Put a node below its parent (-1 for the root), its subtree being so large; it becomes a path by itself.

        Its ancestors are not told: `raise_path` of the parent is. A node that was not put in yet leaves a gap.
        """
        x = node + 1
        missing = x + 1 - len(self._left)
        if missing > 0:
            none = bytes(2 * missing)
            for held in (self._left, self._right, self._up, self._size, self._lazy, self._count):
                held.frombytes(none)
            self._sum.extend([0] * missing)
        self._up[x] = parent + 1
        self._size[x] = self._sum[x] = size
        self._count[x] = 1

    def fill(self, nodes: Iterable[tuple[int, int, int]]) -> None:
        """Put in many (node, parent, size)."""
        for node, parent, size in nodes:
            self.add(node, parent=parent, size=size)

    def raise_path(self, node: int, *, by: int) -> tuple[int, int]:
        """Raise the sizes of a node and all its ancestors; return what they summed to before, and how many they are."""
        x = node + 1
        self._expose(x)
        before, count = self._sum[x], self._count[x]
        self._size[x] += by
        self._lazy[x] += by
        self._sum[x] += by * count
        return before, count

    def _expose(self, x: int) -> None:
        """Make the way from the root to x one path, and x the top of its splay tree."""
        left, right, up, size, total, count = self._left, self._right, self._up, self._size, self._sum, self._count
        below, y = 0, x
        while y:
            self._splay(y)
            right[y] = below
            above = left[y]
            count[y] = count[above] + count[below] + 1
            total[y] = total[above] + total[below] + size[y]
            below, y = y, up[y]
        if below != x:
            self._splay(x)

    def _splay(self, x: int) -> None:
        left, right, up, lazy = self._left, self._right, self._up, self._lazy
        y = up[x]
        if not y or (left[y] != x and right[y] != x):
            if lazy[x]:
                self._push(x)
            return
        above, y = [x], x
        while (parent := up[y]) and (left[parent] == y or right[parent] == y):
            above.append(parent)
            y = parent
        for y in reversed(above):
            if lazy[y]:
                self._push(y)
        while (y := up[x]) and (left[y] == x or right[y] == x):
            z = up[y]
            if z and (left[z] == y or right[z] == y):
                self._rotate(y if (left[z] == y) == (left[y] == x) else x)
            self._rotate(x)

    def _push(self, x: int) -> None:
        lazy, by = self._lazy, self._lazy[x]
        if child := self._left[x]:
            lazy[child] += by
            self._size[child] += by
            self._sum[child] += by * self._count[child]
        if child := self._right[x]:
            lazy[child] += by
            self._size[child] += by
            self._sum[child] += by * self._count[child]
        lazy[x] = 0

    def _rotate(self, x: int) -> None:
        """Turn x and its parent in the splay tree around, keeping the order."""
        left, right, up, count, total = self._left, self._right, self._up, self._count, self._sum
        y = up[x]
        z = up[y]
        if left[z] == y:
            left[z] = x
        elif right[z] == y:
            right[z] = x
        if left[y] == x:
            inner = left[y] = right[x]
            right[x] = y
        else:
            inner = right[y] = left[x]
            left[x] = y
        if inner:
            up[inner] = y
        up[y], up[x] = x, z
        # x takes over what y stood for, and y what is left.
        count[x], total[x] = count[y], total[y]
        one, other = left[y], right[y]
        count[y] = count[one] + count[other] + 1
        total[y] = total[one] + total[other] + self._size[y]
