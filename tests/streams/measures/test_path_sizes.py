"""Sizes along the way to the root are what a walk over the ancestors finds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.measures.path_sizes import PathSizes


def walk(parents: list[int], node: int) -> list[int]:
    """Return a node and its ancestors."""
    way = []
    while node >= 0:
        way.append(node)
        node = parents[node]
    return way


def grow(parents: list[int], sizes: list[int], held: PathSizes, parent: int) -> None:
    """Add a leaf below a parent to both and compare what raising its ancestors tells."""
    node = len(parents)
    parents.append(parent)
    sizes.append(1)
    held.add(node, parent=parent, size=1)
    way = walk(parents, parent)

    assert held.raise_path(parent, by=1) == (sum(sizes[n] for n in way), len(way))

    for ancestor in way:
        sizes[ancestor] += 1


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=80), st.sampled_from([1, 2, 5, 1_000]))
def test_raising_equals_a_walk(choices: list[int], reach: int) -> None:
    """Trees from a path (each node below one of the last few) to a bush (below any) are followed alike."""
    parents, sizes, held = [-1], [1], PathSizes()
    held.add(0, parent=-1, size=1)
    for choice in choices:
        recent = min(reach, len(parents))
        grow(parents, sizes, held, len(parents) - 1 - choice % recent)


@pytest.mark.parametrize("shape", ["path", "caterpillar", "path, then leaves anywhere"])
def test_deep_trees_are_followed_too(shape: str) -> None:
    """A thousand deep, where a mistake in turning a splay tree shows."""
    rng, held = random.Random(shape), PathSizes()
    parents, sizes = [-1], [1]
    held.add(0, parent=-1, size=1)
    spine = 0
    for step in range(1_000):
        if shape == "caterpillar" and step % 2:
            grow(parents, sizes, held, spine)
        elif shape == "path" or step < 500:
            grow(parents, sizes, held, spine)
            spine = len(parents) - 1
        else:
            grow(parents, sizes, held, rng.randrange(len(parents)))


def test_subtree_is_put_in_with_its_sizes() -> None:
    """Root 0 with child 1; then 2 with its two children below 1 raises 1 and 0 by three."""
    held = PathSizes()
    held.fill([(0, -1, 2), (1, 0, 1)])
    held.fill([(2, 1, 3), (3, 2, 1), (5, 2, 1)])

    assert held.raise_path(1, by=3) == (2 + 1, 2)
    assert held.raise_path(5, by=0) == (5 + 4 + 3 + 1, 4)
