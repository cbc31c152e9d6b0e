"""What the three steps tell of cascades is what looking at the whole tree gives, whatever the order of arrival."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.cascade import CascadeVitals
from schemas.signal import Heartbeat, Kind, Signal
from streams.attribution.matcher import Registry
from streams.measures import cascade_shape
from streams.steps.pipeline import Pipeline
from tests.streams.steps.logs import (
    MINUTE_MS,
    START_MS,
    Entry,
    arrivals,
    batches,
    ends,
    in_bytes,
    random_log,
    registry,
    shuffled,
)

HOUR_MS = 60 * MINUTE_MS
REGISTRY = registry(cascade={"orphan": "1h", "silence": "24h"}, viral={"size_min": 50})
EAGER = registry()
"""Here cascades give up parents, end and are looked at again within minutes."""
ROOT = "root"

seeds = st.integers(0, 2**32)


def act(
    name: str,
    parent: str | None,
    at_ms: int,
    *,
    kind: Kind = "reply",
    tags: tuple[str, ...] = ("higgs",),
) -> Signal:
    """Return the signal that makes a node of this name; a share is named by its own id, all else by its post."""
    signal = Signal(f"act-{name}", "n", kind, START_MS + at_ms, f"by-{name}", source="left", tags=tags, post=name)
    if parent is not None:
        signal.parent, signal.root = parent, ROOT
    if kind in ("share", "like"):
        signal.id, signal.post = name, parent
    return signal


def root(at_ms: int = 0, *, tags: tuple[str, ...] = ("higgs",)) -> Signal:
    """Return the post that everything is below."""
    return act(ROOT, None, at_ms, kind="post", tags=tags)


def whole(signals: Sequence[Signal], *, silence_ms: int = 0) -> list[Entry]:
    """Return the log of signals in the order of event time, with some silence behind them, and its end."""
    log = sorted(signals, key=lambda signal: signal.at)
    last_ms = log[-1].at + silence_ms
    return [*log, Heartbeat("left", last_ms), *ends(last_ms)]


def told(log: list[Entry], random: Random | None = None, *, rules: Registry = REGISTRY) -> list[CascadeVitals]:
    """Return the lines of a log in one piece; with a source of chance, of the log shuffled and in random batches."""
    pipeline, lines = Pipeline(rules), list[CascadeVitals]()
    bounds = [(0, len(log))]
    if random is not None:
        log, bounds = shuffled(random, log), list(batches(random, len(log)))
    for begin, end in bounds:
        outcome = pipeline.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end)
        assert not outcome.late
        lines += outcome.cascades
    return lines


class Tree(NamedTuple):
    """What counting and measuring every pair of nodes gives."""

    nodes: int
    depth: int
    breadth: int
    virality: float


def brute_force(parents: Mapping[str, str | None]) -> Tree:
    """Walk from every node to every other; the root is the one whose parent is None."""
    beside = defaultdict[str, list[str]](list)
    for node, parent in parents.items():
        if parent is not None:
            beside[node].append(parent)
            beside[parent].append(node)
    total, depths = 0, list[int]()
    for start, above in parents.items():
        distances, queue = {start: 0}, deque([start])
        while queue:
            node = queue.popleft()
            for other in beside[node]:
                if other not in distances:
                    distances[other] = distances[node] + 1
                    queue.append(other)
        assert distances.keys() == parents.keys(), "expected one tree"
        total += sum(distances.values())
        if above is None:
            depths = list(distances.values())
    n = len(parents)
    return Tree(n, max(depths), max(map(depths.count, depths)), total / (n * (n - 1)))


def assert_line_is(line: CascadeVitals, tree: Tree, *, size: int) -> None:
    """Compare a line with a tree; lines have nine digits."""
    assert (line.size, line.depth, line.breadth) == (size, tree.depth, tree.breadth)
    assert line.structural_virality == pytest.approx(tree.virality, rel=1e-8)


# --- golden trees -----------------------------------------------------------------------------------------------------


def in_heap(number: int) -> int:
    """Return the parent of a node of the complete binary tree whose nodes are numbered level by level."""
    return (number - 1) // 2


@pytest.mark.parametrize("step_ms", [1_000, 0, -1_000], ids=["forwards", "at one instant", "backwards"])
@pytest.mark.parametrize(
    ("nodes", "above", "golden"),
    [
        pytest.param(100, lambda number: 0, 1.98, id="star"),
        pytest.param(100, lambda number: number - 1, 33.6667, id="path"),
        pytest.param(127, in_heap, 8.35096, id="complete binary tree"),
    ],
)
def test_golden_trees_have_their_structural_virality(
    nodes: int, above: Callable[[int], int], golden: float, step_ms: int
) -> None:
    """The published values, whether parents are stamped before their children, with them or after them."""
    names = [ROOT, *(f"p{number:03}" for number in range(1, nodes))]
    parents = {name: names[above(number)] if number else None for number, name in enumerate(names)}
    signals = [
        root(0) if parent is None else act(name, parent, number * step_ms)
        for number, (name, parent) in enumerate(parents.items())
    ]
    line = told(whole(signals, silence_ms=MINUTE_MS), Random(nodes))[-1]

    assert line.structural_virality == pytest.approx(golden, abs=5e-5)
    assert_line_is(line, brute_force(parents), size=nodes)
    assert line.flags == ()


# --- random trees -----------------------------------------------------------------------------------------------------

GAPS_MS = (-HOUR_MS, -1_799_999, -MINUTE_MS, -7, 0, 5, 999, 30_000, MINUTE_MS, 600_001, HOUR_MS)
KINDS: tuple[Kind, ...] = ("post", "reply", "quote", "share")
growths = st.lists(
    st.tuples(st.integers(0, 99), st.sampled_from(GAPS_MS), st.sampled_from(KINDS)), min_size=1, max_size=24
)
Growth = list[tuple[int, int, Kind]]


def grown(growth: Growth, *, is_bare: bool = False) -> list[Signal]:
    """Return the tree in which each node hangs from one of those before it, stamped so long after it or before it.

    Of a bare tree only the root carries the topic's tag, and no child is stamped before its parent.
    """
    signals = [root(30_000)]
    for number, (above, gap_ms, kind) in enumerate(growth, 1):
        parent = signals[above % number]
        name = parent.id if parent.kind == "share" else parent.post
        at_ms = parent.at - START_MS + (max(1, abs(gap_ms)) if is_bare else gap_ms)
        signals.append(act(f"p{number:02}", name, at_ms, kind=kind, tags=() if is_bare else ("higgs",)))
    return signals


def parents_of(signals: Sequence[Signal]) -> dict[str, str | None]:
    """Return the tree of signals: node -> parent."""
    return {one.id if one.kind == "share" else str(one.post): one.parent for one in signals}


@given(growths, seeds, st.booleans())
def test_last_line_equals_brute_force_whatever_the_order(growth: Growth, seed: int, is_bare: bool) -> None:
    """Posts, replies, quotes and shares below one another, parents up to an hour after their children, in any order."""
    signals = grown(growth, is_bare=is_bare)
    lines = told(whole(signals), Random(seed))

    assert_line_is(lines[-1], brute_force(parents_of(signals)), size=len(signals))
    assert lines[-1].at == (max(signal.at for signal in signals) // MINUTE_MS + 1) * MINUTE_MS
    assert lines[-1].shares == sum(signal.kind == "share" for signal in signals)


@given(growths, seeds, st.sets(st.integers(0, 24), max_size=6))
def test_parents_that_nobody_saw_hang_from_the_root_after_an_hour(growth: Growth, seed: int, lost: set[int]) -> None:
    """They carry what is below them and belong to the tree, but not to the size; a root is counted all the same."""
    signals = [signal for number, signal in enumerate(grown(growth)) if number not in lost]
    assume(signals)
    parents = parents_of(signals)
    unseen = {parent for parent in parents.values() if parent is not None} - parents.keys() - {ROOT}
    tree = {**parents, **dict.fromkeys(unseen, ROOT), ROOT: None}
    size = len(parents.keys() | {ROOT})
    lines = told(whole(signals, silence_ms=HOUR_MS + MINUTE_MS), Random(seed))
    if size < 2:
        assert lines == []
        return

    assert_line_is(lines[-1], brute_force(tree), size=size)
    assert ("root_missing" in lines[-1].flags) == (ROOT not in parents)


@given(growths, seeds, st.sets(st.integers(1, 24)))
def test_deletes_leave_all_numbers_and_undos_lower_the_size_alone(growth: Growth, seed: int, gone: set[int]) -> None:
    """What was deleted or undone keeps its place in the tree; shares that are undone leave the size."""
    signals = grown(growth)
    last_ms = max(signal.at for signal in signals) - START_MS
    taken = [signal for number, signal in enumerate(signals) if number in gone]
    undone = sum(signal.kind == "share" for signal in taken)
    assume(len(signals) - undone > 1)
    ops: list[Signal] = []
    for signal in taken:
        name, parent = (signal.id if signal.kind == "share" else str(signal.post)), signal.parent
        again = act(name, parent, last_ms + 2 * MINUTE_MS, kind=signal.kind, tags=())
        again.op = "undo" if signal.kind == "share" else "delete"
        ops.append(again)
    lines = told(whole([*signals, *ops]), Random(seed))

    assert_line_is(lines[-1], brute_force(parents_of(signals)), size=len(signals) - undone)


# --- what has to wait, and what is refused ----------------------------------------------------------------------------


def test_what_waits_counts_at_once_and_hangs_an_hour_later() -> None:
    """A reply 90 s after the root to a post that nobody saw: a line in its own minute, and one 62 minutes after it."""
    signals = [root(), act("p1", ROOT, 1_000), act("p2", "unseen", 90_000)]
    lines = told(whole(signals, silence_ms=2 * HOUR_MS))

    assert [(line.at - START_MS) // MINUTE_MS for line in lines] == [1, 2, 62]
    assert [(line.size, line.depth, line.breadth) for line in lines] == [(2, 1, 1), (3, 1, 1), (3, 2, 2)]
    # Root - p1, and root - unseen - p2: of six pairs three are one step apart, two are two, one is three.
    assert lines[-1].structural_virality == pytest.approx((3 * 1 + 2 * 2 + 3) / 6, rel=1e-8)


def test_a_parent_that_comes_after_it_was_given_up_takes_its_place() -> None:
    """Two hours after its answer it hangs from where it belongs, and the answer with it."""
    signals = [root(), act("p1", ROOT, 1_000), act("p3", "p2", 2_000), act("p2", "p1", 2 * HOUR_MS)]
    lines = told(whole(signals))

    assert_line_is(lines[-2], brute_force({ROOT: None, "p1": ROOT, "p2": ROOT, "p3": "p2"}), size=3)
    assert_line_is(lines[-1], brute_force({ROOT: None, "p1": ROOT, "p2": "p1", "p3": "p2"}), size=4)


def test_a_root_that_comes_late_is_missing_no_longer() -> None:
    """The flag goes with the line of its own minute."""
    signals = [act("p1", ROOT, 0), act("p2", ROOT, 1_000), root(2 * MINUTE_MS)]
    lines = told(whole(signals))

    assert [(line.size, line.flags) for line in lines] == [(3, ("root_missing",)), (3, ())]


def test_a_node_that_is_its_own_parent_hangs_from_the_root() -> None:
    """With what is below it; the edge is a guess."""
    signals = [root(), act("p1", "p1", 1_000), act("p2", "p1", 2_000)]
    line = told(whole(signals))[-1]

    assert_line_is(line, brute_force({ROOT: None, "p1": ROOT, "p2": "p1"}), size=3)
    assert line.edge == "inferred"


@given(st.integers(2, 7), seeds)
@settings(max_examples=20)
def test_a_circle_is_cut_somewhere_and_hangs_from_the_root(length: int, seed: int) -> None:
    """Wherever it is cut, what is left of a circle is a path below the root."""
    names, random = [f"p{number}" for number in range(length)], Random(seed)
    signals = [act(name, names[number - 1], random.randrange(HOUR_MS)) for number, name in enumerate(names)]
    line = told(whole([root(), *signals]), random)[-1]

    path = [ROOT, *names]
    assert_line_is(line, brute_force(dict(zip(path, [None, *path[:-1]], strict=True))), size=length + 1)


def test_a_full_cascade_goes_on_to_count_and_its_shape_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty nodes of a path are kept of thirty."""
    monkeypatch.setattr(cascade_shape, "NODES_MAX", 20)
    names = [ROOT, *(f"p{number}" for number in range(1, 30))]
    signals = [root(), *(act(names[number], names[number - 1], number * MINUTE_MS) for number in range(1, 30))]
    lines = told(whole(signals))

    assert [line.size for line in lines] == list(range(2, 31))
    for line in lines:
        kept = min(line.size, 20)
        assert line.depth == kept - 1
        # A path of n nodes: the mean distance of two is (n + 1)/3.
        assert line.structural_virality == pytest.approx((kept + 1) / 3, rel=1e-8)
        assert ("truncated" in line.flags) == (line.size > 20)


# --- lines ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [REGISTRY, EAGER], ids=["as they are", "eager"])
@given(seeds)
@settings(max_examples=15)
def test_one_line_for_each_cascade_topic_and_tick_in_stamp_order(rules: Registry, seed: int) -> None:
    """At whole minutes, from size two on; shuffling within the lateness and any batches change no byte of them."""
    random = Random(seed)
    log = random_log(random, signals=120)
    lines = told(log, rules=rules)
    places = [(line.at, line.root, line.brand, line.topic) for line in lines]

    assert lines
    assert places == sorted(set(places))
    assert all(line.at % MINUTE_MS == 0 and line.size >= 2 for line in lines)
    assert in_bytes(told(log, random, rules=rules)) == in_bytes(lines)


@given(growths, seeds)
@settings(max_examples=25)
def test_likes_change_no_line(growth: Growth, seed: int) -> None:
    """However many there are, on whatever in the cascade, while it grows."""
    signals, random = grown(growth), Random(seed)
    first_ms, last_ms = (pick(signal.at for signal in signals) - START_MS for pick in (min, max))
    likes = [
        act(f"like{number}", random.choice([*parents_of(signals)]), random.randint(first_ms, last_ms), kind="like")
        for number in range(30)
    ]
    for like in likes:
        like.tags = ()

    assert in_bytes(told(whole([*signals, *likes]), random)) == in_bytes(told(whole(signals)))


def test_a_cascade_has_a_line_for_each_of_its_topics() -> None:
    """For those of the root from the beginning, for one that an answer brings from then on; the tree is the same."""
    signals = [
        root(tags=("higgs", "boom")),
        act("p1", ROOT, 1_000, kind="share", tags=()),
        act("p2", ROOT, MINUTE_MS, tags=("lhc",)),
        act("p3", ROOT, 2 * MINUTE_MS, tags=()),
    ]
    lines = told(whole(signals))
    by_tick = defaultdict[int, dict[str, tuple[object, ...]]](dict)
    for line in lines:
        key = f"{line.brand}/{line.topic}"
        numbers = (line.size, line.depth, line.breadth, line.structural_virality, line.shares, line.edge)
        by_tick[(line.at - START_MS) // MINUTE_MS][key] = numbers

    first, then = {"acme/boom", "cern/higgs"}, {"acme/boom", "cern/higgs", "cern/lhc"}
    assert {tick: set(found) for tick, found in by_tick.items()} == {1: first, 2: then, 3: then}
    assert len(lines) == sum(len(found) for found in by_tick.values())
    for found in by_tick.values():
        assert len(set(found.values())) == 1


def test_cascades_do_not_touch_each_other() -> None:
    """Two roots with answers of the same ids of actors, at the same times: a line of each, as if it were alone."""
    ours = [root(), act("p1", ROOT, 1_000), act("p2", "p1", 2_000)]
    theirs = [act("other", None, 0, kind="post"), act("q1", "other", 1_000)]
    theirs[1].root = "other"
    lines = told(whole([*ours, *theirs]))

    assert [(line.root, line.size, line.depth) for line in lines] == [("other", 2, 1), (ROOT, 3, 2)]
