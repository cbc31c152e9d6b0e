"""The shape of a cascade is what its nodes and edges make it, in whatever order they come, with any restarts."""

import random
from collections.abc import Iterable, Set
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import CascadeNodesRow
from streams.measures import cascade_shape
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


def missing_nodes(acts: list[Act], given_up: Set[str] = frozenset()) -> dict[str, int]:
    """Return the nodes but the root that were named and not seen -> the first whole second (ms) in which they were."""
    seen, since = {act.node for act in acts}, dict[str, int]()
    for act in {act.node: act for act in reversed(acts)}.values():
        if act.parent not in {None, "root", *seen, *given_up} and act.node != "root":
            at_ms = act.at_ms // 1_000 * 1_000
            since[str(act.parent)] = min(since.get(str(act.parent), at_ms), at_ms)
    return since


@st.composite
def timed_cascades(draw: st.DrawFn) -> list[Act]:
    """Return acts in any order within a minute, many of them below parents that nobody tells."""
    parents = st.sampled_from([*NAMES[:6], "root", "a", "b", "c", "d"])
    times = st.integers(AT_MS, AT_MS + 60_000)
    drawn = draw(st.lists(st.builds(Act, st.sampled_from(["root", *NAMES]), parents, times), max_size=20))
    return drawn


@given(timed_cascades(), st.lists(st.tuples(st.integers(0, 20), st.integers(-1_000, 62_000)), max_size=4), st.data())
def test_missing_nodes_are_given_up_by_age_whatever_was_stored(
    acts: list[Act], sweeps: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Those who named them say since when they are missing; with restarts in between or without."""
    shape, again, rows = CascadeShape("root"), CascadeShape("root"), dict[int, CascadeNodesRow]()
    given_up = set[str]()
    for count in range(len(acts) + 1):
        for before_ms in (AT_MS + after_ms for at, after_ms in sweeps if at == count):
            missing = missing_nodes(acts[:count], given_up)
            late = {node for node, since_ms in missing.items() if since_ms < before_ms}
            given_up |= late

            assert shape.promote_missing(before_ms=before_ms) == len(late)
            assert again.promote_missing(before_ms=before_ms) == len(late)
        missing = missing_nodes(acts[:count], given_up)

        assert shape.missing_since_ms() == again.missing_since_ms() == min(missing.values(), default=None)
        assert [shape.at_ms_of(shape.find(node)) for node in missing] == list(missing.values())
        assert shape.read() == again.read()
        if data.draw(st.booleans()):
            rows.update(again.changed_rows())
            again = CascadeShape("root")
            again.restore(rows.values())
        for act in acts[count : count + 1]:
            for one in (shape, again):
                one.add(act.node, act.parent, at_ms=act.at_ms)
    rows.update(again.changed_rows())
    again.restore(rows.values())
    same = CascadeShape("root")
    same.restore(row for _, row in shape.changed_rows())

    assert same.read() == again.read() == shape.read()
    assert all(same.parent_of(p) == again.parent_of(p) == shape.parent_of(p) for p in range(len(shape)))


def test_root_is_not_given_up_with_other_nodes() -> None:
    """Without the root there is no cascade, and who gives it up has to know."""
    shape = grown([Act("a", "root")])

    assert (shape.missing_since_ms(), shape.promote_missing(before_ms=AT_MS + 1_000)) == (None, 0)
    assert shape.read().root_missing


def test_undo_of_a_node_that_is_missing_holds_when_it_comes() -> None:
    """An undo with the instant of its share may be told first."""
    shape = grown([Act("root", None), Act("b", "a")])
    shape.undo("a")
    shape.add("a", "root", at_ms=AT_MS)

    assert (shape.read().size, shape.read().nodes) == (2, 3)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([], "observed"),
        (["observed", "observed"], "observed"),
        (["observed", "inferred"], "inferred"),
        (["star", "inferred", "observed"], "star"),
    ],
)
def test_edge_is_the_least_sure_of_all(edges: list[Edge], expected: Edge) -> None:
    """A single edge that was not observed makes the shape a guess."""
    acts = [Act(f"n{i}", "root", AT_MS, edge) for i, edge in enumerate(edges)]

    assert grown([Act("root", None), *acts]).read().edge == expected


def test_node_without_a_parent_hangs_from_the_root_by_inference() -> None:
    """A network that names no parent at all says that it only knows the root: a star."""
    assert grown([Act("root", None), Act("a", None)]).read().edge == "inferred"
    assert grown([Act("root", None), Act("a", None, AT_MS, "star")]).read().edge == "star"


def test_full_cascade_counts_on_and_keeps_its_shape(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the cap only the size grows, also after a restart."""
    monkeypatch.setattr(cascade_shape, "NODES_MAX", 10)
    shape = grown([Act("root", None), *(Act(f"n{i}", "root") for i in range(9))])
    full = shape.read()
    shape.changed_rows()

    assert shape.add("x", "n1", at_ms=AT_MS).place == shape.add("y", "x", at_ms=AT_MS).place == -1

    again = CascadeShape("root")
    again.restore(row for _, row in shape.changed_rows())

    assert shape.read() == again.read() == full._replace(size=12, truncated=True)


def test_last_free_place_is_for_the_node_and_not_for_its_unknown_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no room for the parent the node hangs from the root, as inferred."""
    monkeypatch.setattr(cascade_shape, "NODES_MAX", 2)
    shape = grown([Act("root", None), Act("a", "unknown")])

    assert (shape.read().size, shape.read().depth, shape.read().edge) == (2, 1, "inferred")


def test_instants_are_kept_to_the_second() -> None:
    """Enough to tell who came within an hour, at half the bytes; instants before 2000 are taken for its first."""
    shape = grown([Act("root", None, AT_MS + 999), Act("a", "root", 5)])

    assert [shape.at_ms_of(0), shape.at_ms_of(1)] == [AT_MS, 946_684_800_000]


def test_only_chunks_that_changed_are_told() -> None:
    """A big cascade is many rows; one more node, an orphan's parent and an undo cost a row each."""
    shape = grown([Act("root", None), Act("orphan", "late"), *(Act(f"n{i}", "root") for i in range(998))])

    assert [chunk for chunk, _ in shape.changed_rows()] == [0, 1, 2, 3]
    assert (shape.chunks, shape.changed_rows()) == (4, [])

    shape.add("one more", "n5", at_ms=AT_MS)

    assert [chunk for chunk, _ in shape.changed_rows()] == [3]

    shape.add("late", "root", at_ms=AT_MS)
    shape.undo("n500")

    assert [(chunk, len(row.flags)) for chunk, row in shape.changed_rows()] == [(0, 256), (1, 256)]


def test_rows_of_a_full_cascade_stay_small() -> None:
    """A row of 256 nodes packs 15 bytes for each."""
    shape = grown([Act("root", None), *(Act(f"n{i}", f"n{i - 1}") for i in range(600))])

    assert max(len(msgspec.msgpack.encode(row)) for _, row in shape.changed_rows()) < 256 * 15 + 40 < ROW_BYTES_MAX


def test_new_cascade_has_nothing_to_tell() -> None:
    """A cascade of which nobody has spoken is no row."""
    shape = CascadeShape("root")

    assert shape.changed_rows() == []

    shape.restore([])

    assert shape.read().size == 0
