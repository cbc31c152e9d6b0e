"""What is missing, what is full and what is stored: a cascade goes on as if it had never stopped."""

from collections.abc import Set

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import CascadeNodesRow
from streams.measures import cascade_shape
from streams.measures.cascade_shape import CascadeShape, Edge
from tests.streams.measures.cascade_shape.trees import AT_MS, NAMES, Act, grown


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
