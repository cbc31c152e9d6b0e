"""Read the largest cascades from a log again, and lay each out as a tree around its root."""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from schemas.signal import Signal, conversation_of, node_of
from streams.backtest import Entry

NODES_MAX = 600
"""More dots than that cannot be told apart."""

_TREE_KINDS = frozenset({"post", "reply", "quote", "share"})


class Node(NamedTuple):
    """A dot of a tree: its place with the root in the middle (1 is the rim), its parent's number, its kind."""

    x: float
    y: float
    parent: int
    kind: str


class Tree(NamedTuple):
    """A cascade that was laid out: its nodes, the root first, and how many more there were."""

    root: str
    nodes: tuple[Node, ...]
    beyond: int


class Seedling:
    """A cascade being read: the first posts and shares under a root, each with its parent."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._kinds: dict[str, str] = {root: "post"}
        self._parents: dict[str, str] = {}
        self._beyond = 0

    def take(self, signal: Signal) -> None:
        """Take a signal of the conversation."""
        node = node_of(signal)
        if node == self.root or node in self._kinds:
            return
        if len(self._kinds) >= NODES_MAX:
            self._beyond += 1
            return
        self._kinds[node] = signal.kind
        self._parents[node] = signal.parent or self.root

    def grown(self) -> Tree:
        """Return the tree; what has no known parent, or is its own ancestor, hangs from the root."""
        children: dict[str, list[str]] = {node: [] for node in self._kinds}
        for node, parent in self._parents.items():
            children[parent if parent in children and not self._is_above(node, parent) else self.root].append(node)
        return Tree(self.root, _laid_out(self.root, children, self._kinds), self._beyond)

    def _is_above(self, node: str, parent: str) -> bool:
        seen = {node}
        while parent not in seen and parent in self._parents:
            seen.add(parent)
            parent = self._parents[parent]
        return parent in seen


def plant(batches: Iterable[Sequence[Entry]], roots: Collection[str]) -> dict[str, Tree]:
    """Return the trees of these roots, by root, from one walk over a log."""
    seedlings = {root: Seedling(root) for root in roots}
    for batch in batches:
        for _, _, said in batch:
            if isinstance(said, Signal) and said.op == "create" and said.kind in _TREE_KINDS:
                seedling = seedlings.get(conversation_of(said))
                if seedling is not None:
                    seedling.take(said)
    return {root: seedling.grown() for root, seedling in seedlings.items()}


def _laid_out(root: str, children: dict[str, list[str]], kinds: dict[str, str]) -> tuple[Node, ...]:
    """Lay a tree out around its root: depth is the distance, and each subtree has the angle that its leaves need."""
    order, depths = [root], {root: 0}
    for node in order:
        for child in children[node]:
            depths[child] = depths[node] + 1
            order.append(child)
    leaves = dict.fromkeys(order, 1)
    for node in reversed(order):
        if children[node]:
            leaves[node] = sum(leaves[child] for child in children[node])
    deepest = max(depths.values()) or 1
    starts, parents = {root: 0.0}, {root: 0}
    nodes = []
    for number, node in enumerate(order):
        share = leaves[node] / leaves[root]
        angle = 2 * math.pi * (starts[node] + share / 2)
        radius = depths[node] / deepest
        nodes.append(Node(radius * math.cos(angle), radius * math.sin(angle), parents[node], kinds[node]))
        start = starts[node]
        for child in children[node]:
            starts[child], parents[child] = start, number
            start += leaves[child] / leaves[root]
    return tuple(nodes)
