"""Sums over a growing tree give the structural virality that measuring all pairs gives."""

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.tree_sums import NO_PLACE, WALKED_DEPTH_MAX, TreeSums


def mean_distance(parents: list[int]) -> float:
    """Return the mean distance of all pairs, found by a search from every node; `parents[0]` is the root's."""
    n = len(parents)
    near: list[list[int]] = [[] for _ in range(n)]
    for node, parent in enumerate(parents[1:], start=1):
        near[node].append(parent)
        near[parent].append(node)
    total = 0
    for start in range(n):
        distance = {start: 0}
        for node in (queue := [start]):
            for other in near[node]:
                if other not in distance:
                    distance[other] = distance[node] + 1
                    queue.append(other)
        total += sum(distance.values())
    return total / (n * (n - 1))


def planted(parents: list[int], order: list[int]) -> TreeSums:
    """Return the tree of these parents, its nodes hung in this order."""
    tree = TreeSums()
    for _ in parents:
        tree.add()
    tree.attach_root()
    attached = [0]
    for node in order:
        attached += tree.hang(node, parent=parents[node])

    assert sorted(attached) == list(range(len(parents)))
    return tree


def grown(parents: list[int]) -> TreeSums:
    """Return the tree of these parents, its leaves added one by one."""
    tree = TreeSums()
    tree.add()
    tree.attach_root()
    for parent in parents[1:]:
        tree.add_leaf(parent)
    return tree


GOLDEN = {
    # MEASURES.md §5; the last digits by hand: a star has n − 1 pairs at distance 1 and all others at 2.
    "star of 100": ([NO_PLACE] + [0] * 99, 1.98, 1, 99),
    "path of 100": ([NO_PLACE, *range(99)], 33.6667, 99, 1),
    "complete binary tree of 127": ([NO_PLACE] + [(node - 1) // 2 for node in range(1, 127)], 8.35096, 6, 64),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_trees_have_their_published_virality(name: str) -> None:
    """The values that MEASURES.md gives, whichever way the tree came about."""
    parents, virality, depth, breadth = GOLDEN[name]
    for tree in (grown(parents), planted(parents, list(range(1, len(parents)))[::-1])):
        assert tree.structural_virality() == pytest.approx(virality, abs=5e-5)
        assert (tree.max_depth(), tree.breadth(), tree.nodes) == (depth, breadth, len(parents))


trees = st.tuples(st.lists(st.integers(0, 10**6), min_size=1, max_size=40), st.sampled_from([1, 2, 1_000])).map(
    lambda drawn: [NO_PLACE] + [i - choice % min(drawn[1], i + 1) for i, choice in enumerate(drawn[0])]
)


@given(trees, st.randoms(use_true_random=False))
def test_any_order_equals_measuring_all_pairs(parents: list[int], rng: random.Random) -> None:
    """Leaf by leaf, or in subtrees that were put together apart: the mean distance of all pairs, exactly."""
    order = list(range(1, len(parents)))
    rng.shuffle(order)
    expected = mean_distance(parents)

    for tree in (grown(parents), planted(parents, order)):
        assert tree.structural_virality() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_deep_trees_equal_measuring_all_pairs(seed: int) -> None:
    """Beyond the depth at which the way to the root is no longer walked: paths with branches, in any order."""
    rng = random.Random(seed)
    parents = [NO_PLACE]
    for node in range(1, 4 * WALKED_DEPTH_MAX):
        parents.append(node - 1 if rng.random() < 0.97 else rng.randrange(node))
    order = list(range(1, len(parents)))
    rng.shuffle(order)
    expected = mean_distance(parents)

    for tree in (grown(parents), planted(parents, order), planted(parents, order[::-1])):
        assert tree.max_depth() > WALKED_DEPTH_MAX
        assert tree.structural_virality() == pytest.approx(expected, rel=1e-12)


@given(trees, st.integers(0, 2**32), st.data())
def test_restored_tree_goes_on_as_the_old_one(parents: list[int], seed: int, data: st.DataObject) -> None:
    """Who hangs from whom is all that a row has to say."""
    rng = random.Random(seed)
    hung = data.draw(st.integers(0, len(parents) - 1))
    order = rng.sample(range(1, len(parents)), len(parents) - 1)
    old = TreeSums()
    for node in range(len(parents)):
        old.add(node % 250, node * 100_003_001)
    old.attach_root()
    for node in order[:hung]:
        old.hang(node, parent=parents[node])
    new = TreeSums()
    flags = bytes(old.flags(place) for place in range(len(old)))
    new.restore(old.parents(0, len(old)), flags, old.marks(0, len(old)))
    for node in order[hung:]:
        assert sorted(old.hang(node, parent=parents[node])) == sorted(new.hang(node, parent=parents[node]))

    assert new.structural_virality() == old.structural_virality()
    assert (new.max_depth(), new.breadth(), new.nodes) == (old.max_depth(), old.breadth(), old.nodes)
    assert new.parents(0, len(new)) == array("H", parents)
    assert [new.flags(place) for place in range(len(new))] == [place % 250 for place in range(len(new))]
    assert new.marks(0, len(new)) == [place * 100_003_001 for place in range(len(new))]


def test_subtree_taken_off_and_hung_elsewhere_is_measured_where_it_is() -> None:
    """0 <- 1 <- 2 <- 3; then 2, with 3 below it, from 0."""
    tree = grown([NO_PLACE, 0, 1, 2])
    tree.hang_nowhere(2)

    assert (tree.nodes, tree.is_attached(3), tree.structural_virality()) == (2, False, 1.0)

    tree.hang(2, parent=0)

    assert tree.structural_virality() == pytest.approx(mean_distance([NO_PLACE, 0, 0, 2]), rel=1e-12)
    assert list(tree.parents(0, 4)) == [NO_PLACE, 0, 0, 2]


@given(trees, st.data())
def test_subtree_taken_off_leaves_what_never_had_it_and_comes_back(parents: list[int], data: st.DataObject) -> None:
    """Wherever it hung, the rest is measured as if it had not been there, and all as before once it is hung again."""
    tree = grown(parents)
    before = (tree.structural_virality(), tree.max_depth(), tree.breadth(), tree.nodes)
    top = data.draw(st.integers(1, len(parents) - 1))
    below = {top}
    for node in range(1, len(parents)):
        below |= {node} if parents[node] in below else set()
    rest = [node for node in range(len(parents)) if node not in below]
    tree.hang_nowhere(top)

    assert [tree.is_attached(node) for node in range(len(parents))] == [node in rest for node in range(len(parents))]
    assert all(tree.topmost(node) == top for node in below)
    if len(rest) > 1:
        renamed = [NO_PLACE, *(rest.index(parents[node]) for node in rest[1:])]
        assert tree.structural_virality() == pytest.approx(mean_distance(renamed), rel=1e-12)
        assert (tree.max_depth(), tree.breadth()) == (grown(renamed).max_depth(), grown(renamed).breadth())

    assert set(tree.hang(top, parent=parents[top])) == below
    assert (tree.structural_virality(), tree.max_depth(), tree.breadth(), tree.nodes) == before


def test_leaf_below_a_place_that_waits_is_not_made() -> None:
    """It would have no depth; the caller hangs it like any other place."""
    tree = grown([NO_PLACE])
    tree.add()

    assert (tree.add_leaf(1), len(tree), tree.nodes) == (NO_PLACE, 2, 1)


def test_single_node_has_no_structural_virality() -> None:
    """There is no pair whose distance could be measured."""
    assert grown([NO_PLACE]).structural_virality() is None


def test_marks_are_numbers_of_32_bits() -> None:
    """They are kept in two halves."""
    tree = TreeSums()
    tree.add(mark=2**32 - 1)
    tree.attach_root()
    tree.add_leaf(0, mark=70_000)

    assert tree.marks(0, 2) == [2**32 - 1, 70_000]

    tree.set_mark(0, 65_536)

    assert (tree.mark(0), tree.mark(1)) == (65_536, 70_000)
