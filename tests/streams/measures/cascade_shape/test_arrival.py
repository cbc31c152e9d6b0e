"""The shape of a cascade is what its nodes and edges make it, in whatever order they come, with any restarts."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.virality_rows import CascadeNodesRow
from streams.measures.cascade_shape import CascadeShape, Shape
from streams.measures.node_index import number_of
from tests.streams.measures.cascade_shape.trees import AT_MS, NAMES, Act, brute_force, cascades, grown, told


@given(cascades(), st.sets(st.sampled_from(NAMES)))
def test_any_order_of_arrival_equals_brute_force(acts: list[Act], undone: set[str]) -> None:
    """At every moment the numbers are those of what has come so far, over all pairs of nodes."""
    shape = CascadeShape("root")
    for count, act in enumerate(acts, start=1):
        shape.add(act.node, act.parent, at_ms=act.at_ms)

        assert told(shape.read()) == brute_force(acts[:count])
    for name in sorted(undone):
        shape.undo(name)
        shape.delete(name)

    assert told(shape.read()) == brute_force(acts, undone)


@given(cascades(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(acts: list[Act], rng: random.Random) -> None:
    """Two workers that hear of the same nodes in different orders, undone ones too, tell the same of them."""
    other = rng.sample(acts, len(acts))
    one, two = grown(acts), grown(other)
    places = {act.node: (one.find(act.node), two.find(act.node)) for act in acts}

    assert one.read() == two.read()
    assert {n: one.depth_of(p) for n, (p, _) in places.items()} == {n: two.depth_of(p) for n, (_, p) in places.items()}


@given(cascades(), st.data())
def test_restored_cascade_goes_on_as_the_old_one(acts: list[Act], data: st.DataObject) -> None:
    """Rows told at any time, undone, deleted and promoted nodes among them, are all that is needed."""
    stopped = data.draw(st.integers(0, len(acts)))
    old, stored = CascadeShape("root"), dict[int, bytes]()
    for act in acts[:stopped]:
        old.add(act.node, act.parent, at_ms=act.at_ms)
        if data.draw(st.booleans()):
            name = data.draw(st.sampled_from([*NAMES, "root", "never seen"]))
            getattr(old, data.draw(st.sampled_from(["undo", "delete", "promote"])))(name)
        if data.draw(st.booleans()):
            stored.update((chunk, msgspec.msgpack.encode(row)) for chunk, row in old.changed_rows())
    stored.update((chunk, msgspec.msgpack.encode(row)) for chunk, row in old.changed_rows())
    new = CascadeShape("root")
    new.restore(msgspec.msgpack.decode(row, type=CascadeNodesRow) for row in stored.values())

    assert new.read() == old.read()

    for act in acts[stopped:]:
        assert new.add(act.node, act.parent, at_ms=act.at_ms) == old.add(act.node, act.parent, at_ms=act.at_ms)
        assert new.read() == old.read()
    assert new.changed_rows() == old.changed_rows()


def test_node_that_comes_before_its_parent_waits_and_is_then_attached_with_what_is_below_it() -> None:
    """root <- a <- b <- c, told from below: c and b wait until a comes."""
    shape = grown([Act("root", None), Act("c", "b"), Act("b", "a")])

    assert (shape.read().nodes, shape.read().waiting, shape.depth_of(shape.find("c"))) == (1, 2, None)

    shape.add("a", "root", at_ms=AT_MS)

    assert (shape.read().nodes, shape.read().waiting, shape.depth_of(shape.find("c"))) == (4, 0, 3)


def test_all_wait_for_a_root_that_is_missing_until_it_is_given_up() -> None:
    """The root is named by all and told by nobody; once promoted it counts, and says that it is missing."""
    shape = grown([Act("a", "root"), Act("b", "root")])

    assert shape.read() == Shape(0, 0, 0, 0, None, 2, False, True, "observed")
    assert shape.promote("root") is True
    assert shape.read() == Shape(3, 3, 1, 2, 4 / 3, 0, False, True, "observed")
    assert shape.promote("root") is False

    shape.add("root", None, at_ms=AT_MS)

    assert shape.read() == Shape(3, 3, 1, 2, 4 / 3, 0, False, False, "observed")


@given(cascades(), st.sampled_from(["never seen", "nor this", "n3"]), st.randoms(use_true_random=False))
def test_parent_that_was_given_up_and_then_seen_leaves_no_trace(
    acts: list[Act], given_up: str, rng: random.Random
) -> None:
    """Giving up is a guess; what comes after all makes the cascade what it would have been."""
    late = [act for act in acts if act.node == given_up] or [Act(given_up, rng.choice(["root", *NAMES[:3]]))]
    early = [act for act in acts if act.node != given_up]
    shape = grown(early)
    shape.promote(given_up)
    shape.add(given_up, late[0].parent, at_ms=AT_MS)

    assert shape.read() == grown(early + late).read()


def test_parent_that_was_given_up_hangs_from_the_root_and_is_not_in_the_size() -> None:
    """It was there, for somebody answered it, but it was not seen: a guess, and said to be one."""
    shape = grown([Act("root", None), Act("b", "a"), Act("c", "b")])
    shape.promote("a")
    reading = shape.read()

    assert (reading.size, reading.nodes, reading.depth, reading.waiting, reading.edge) == (3, 4, 3, 0, "inferred")
    assert shape.promote("unknown") is False


def test_node_that_is_its_own_parent_hangs_from_the_root_and_is_reported() -> None:
    """The node is kept, its edge is not."""
    shape = grown([Act("root", None)])

    assert shape.add("a", "a", at_ms=AT_MS).refused == "self_parent"
    assert (shape.read().size, shape.read().depth, shape.read().edge) == (2, 1, "inferred")


@pytest.mark.parametrize("order", ["abc", "acb", "bac", "bca", "cab", "cba"])
def test_circle_is_cut_at_one_place_whoever_closes_it(order: str) -> None:
    """a <- b <- c <- a: the one with the smallest number hangs from the root, and the last to come reports it."""
    parents = {"a": "c", "b": "a", "c": "b"}
    shape = grown([Act("root", None)])
    refused = [shape.add(node, parents[node], at_ms=AT_MS).refused for node in order]
    top = min("abc", key=number_of)

    assert refused == [None, None, "cycle"]
    assert shape.parent_of(shape.find(top)) == 0
    assert (shape.read().size, shape.read().depth, shape.read().waiting) == (4, 3, 0)


def test_parent_of_the_root_is_left_aside() -> None:
    """Above the root the conversation does not go on: whatever it quotes or answers is another one."""
    shape = grown([Act("root", "elsewhere"), Act("a", "root")])

    assert (shape.read().size, shape.read().depth, shape.find("elsewhere")) == (2, 1, -1)


def test_deleted_node_goes_on_to_carry_and_undone_share_is_no_longer_counted() -> None:
    """root <- a <- b: the topology survives both."""
    shape = grown([Act("root", None), Act("a", "root"), Act("b", "a")])
    before = shape.read()

    assert shape.delete("a") is True
    assert shape.read() == before
    assert shape.undo("a") is shape.undo("a") is True
    assert shape.read() == before._replace(size=2)
    shape.add("a", "root", at_ms=AT_MS)

    assert shape.read() == before._replace(size=2)
    assert shape.undo("unknown") is shape.delete("unknown") is False


def test_waiting_node_belongs_to_the_size_until_it_is_undone() -> None:
    """It names the root; what it hangs from is only not known yet."""
    shape = grown([Act("root", None), Act("b", "a"), Act("c", "b")])

    assert (shape.read().size, shape.read().nodes, shape.read().waiting) == (3, 1, 2)

    shape.undo("c")
    shape.undo("c")

    assert (shape.read().size, shape.read().nodes, shape.read().waiting) == (2, 1, 2)

    shape.add("a", "root", at_ms=AT_MS)

    assert (shape.read().size, shape.read().nodes, shape.read().waiting) == (3, 4, 0)


def test_root_that_was_given_up_and_undone_is_not_in_the_size() -> None:
    """Given up it counts as if it had been seen, and so does its undo, before and after it comes."""
    shape = grown([Act("a", "root")])
    shape.promote("root")

    assert shape.read().size == 2

    shape.undo("root")

    assert shape.read().size == 1

    shape.add("root", None, at_ms=AT_MS)

    assert (shape.read().size, shape.read().nodes) == (1, 2)
