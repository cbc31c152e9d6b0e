"""Cascades are laid out as the trees that they are, whatever a log claims."""

import math

from hypothesis import given
from hypothesis import strategies as st

from agents.reporting.trees import NODES_MAX, Tree, plant
from schemas.signal import Kind, Signal
from streams.backtest import entries

AT_MS = 1_777_852_800_000


def signal(node: str, parent: str | None, kind: Kind = "reply") -> Signal:
    """Return a post under the root `r`."""
    return Signal(node, "garden", kind, AT_MS, "ana", post=node, parent=parent, root="r")


def planted(signals: list[Signal]) -> Tree:
    """Return the tree of root `r`."""
    return plant(entries(signals), ["r"])["r"]


def test_depth_is_the_distance_from_the_root() -> None:
    """The deepest node lies on the rim, its parent half way, and each knows its parent."""
    tree = planted([signal("r", None, "post"), signal("a", "r"), signal("b", "a"), signal("c", "r", "share")])

    distances = [math.hypot(node.x, node.y) for node in tree.nodes]
    assert [round(distance, 9) for distance in distances] == [0, 0.5, 0.5, 1]
    assert [node.parent for node in tree.nodes] == [0, 0, 0, 1]
    assert [node.kind for node in tree.nodes] == ["post", "reply", "share", "reply"]


def test_what_is_no_part_of_the_tree_is_left_out() -> None:
    """Likes, other conversations, repetitions and what takes something back make no node."""
    like = Signal("l", "garden", "like", AT_MS, "bo", post="a", root="r")
    other = Signal("x", "garden", "reply", AT_MS, "bo", post="x", parent="y", root="y")
    undo = Signal("u", "garden", "reply", AT_MS, "bo", op="delete", post="u", parent="r", root="r")

    assert len(planted([signal("a", "r"), signal("a", "r"), like, other, undo]).nodes) == 2


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 9)), max_size=30))
def test_every_node_is_drawn_once_whatever_parents_are_claimed(edges: list[tuple[int, int]]) -> None:
    """Circles, self-parents and parents that were never seen hang from the root."""
    tree = planted([signal(f"n{node}", f"n{parent}") for node, parent in edges])

    assert len(tree.nodes) == 1 + len({node for node, _ in edges})
    assert all(node.parent < number for number, node in enumerate(tree.nodes) if number)
    assert all(math.hypot(node.x, node.y) <= 1 + 1e-9 for node in tree.nodes)


def test_a_large_cascade_says_how_many_are_not_drawn() -> None:
    """The first ones are drawn, and a path of them is no matter of recursion."""
    tree = planted([signal(f"n{number}", f"n{number - 1}" if number else "r") for number in range(2_000)])

    assert (len(tree.nodes), tree.beyond) == (NODES_MAX, 2_001 - NODES_MAX)
