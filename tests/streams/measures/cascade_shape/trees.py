"""Make random cascades for the tests, and count their shape by brute force."""

from collections.abc import Iterable, Set
from typing import NamedTuple

import pytest
from hypothesis import strategies as st

from streams.measures.cascade_shape import CascadeShape, Edge, Shape
from streams.measures.node_index import number_of

AT_MS = 1_600_000_000_000


class Act(NamedTuple):
    """One node as it is told: its id, its parent's, when it happened, and how its edge is known."""

    node: str
    parent: str | None
    at_ms: int = AT_MS
    edge: Edge = "observed"


def grown(acts: Iterable[Act], root: str = "root") -> CascadeShape:
    """Return the cascade of these acts."""
    shape = CascadeShape(root)
    for act in acts:
        shape.add(act.node, act.parent, at_ms=act.at_ms, edge=act.edge)
    return shape


def accepted(acts: list[Act]) -> dict[str, str]:
    """Return node -> parent as the edges are to count: none to itself, circles cut at the smallest number."""
    parents = {act.node: act.parent or "root" for act in acts if act.node != "root"}
    for node, parent in parents.items():
        if node == parent:
            parents[node] = "root"
    for start in sorted(parents):
        way = [start]
        while (above := parents.get(way[-1])) is not None and above not in way:
            way.append(above)
        if above is not None:
            parents[min(way[way.index(above) :], key=number_of)] = "root"
    return parents


def brute_force(acts: list[Act], undone: Set[str] = frozenset()) -> tuple[int, int, int, int, float | None, int]:
    """Return size, nodes, depth, breadth, structural virality and waiting, by looking at everything."""
    parents = accepted(acts)
    ways: dict[str, list[str]] = {}
    for node in {act.node for act in acts}:
        way = [node]
        while way[-1] in parents:
            way.append(parents[way[-1]])
        ways[node] = way[::-1]
    if "root" not in ways:
        return 0, 0, 0, 0, None, len(ways)
    seen = ways.keys()
    tree = {node: way for node, way in ways.items() if way[0] == "root"}
    depths = [len(way) - 1 for way in tree.values()]
    total = 0
    for one in tree.values():
        for other in tree.values():
            shared = sum(a == b for a, b in zip(one, other, strict=False))
            total += len(one) + len(other) - 2 * shared
    n = len(tree)
    return (
        len(seen - undone),
        n,
        max(depths),
        max(depths.count(depth) for depth in depths),
        total / (n * (n - 1)) if n > 1 else None,
        len(ways) - n,
    )


def told(reading: Shape) -> tuple[object, ...]:
    """Return what `brute_force` returns, of a reading."""
    virality = reading.structural_virality
    return (*reading[:4], pytest.approx(virality, rel=1e-12) if virality is not None else None, reading.waiting)


NAMES = [f"n{i}" for i in range(30)]


@st.composite
def cascades(draw: st.DrawFn) -> list[Act]:
    """Return acts in any order: trees, unknown parents, circles, nodes below themselves, with a root or without."""
    names = NAMES[: draw(st.integers(0, len(NAMES)))]
    wild = draw(st.booleans())
    acts = [Act("root", draw(st.sampled_from([None, "n0", "elsewhere"])))] if draw(st.integers(0, 9)) else []
    for i, name in enumerate(names):
        known = [*names[:i], "root", "root"] if i else ["root"]
        others = [*names, "never seen", "nor this", None] if wild else known
        acts.append(Act(name, draw(st.sampled_from(known if draw(st.integers(0, 3)) else others))))
    return draw(st.permutations(acts))
