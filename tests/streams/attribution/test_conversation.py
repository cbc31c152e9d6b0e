"""One conversation: its tree grows and is taken back, its ages are noted, its shares and its pace are counted."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rules import Rules
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Signal
from streams.attribution.conversation import PACED_SIZE, Conversation, begun
from streams.attribution.matcher import Registry
from streams.attribution.virality import timing_of
from streams.measures.cascade_shape import Shape
from streams.measures.infectiousness import Infectiousness
from streams.measures.node_index import number_of
from streams.measures.pace import CascadePace

START_MS = 1_341_360_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
HIGGS = "cern/higgs"
VERSION = TopicVersion(effective_from_ms=0, accounts={"n": ("cern",)}, seeds=Seeds(tags=("higgs",)))
MATCHER = Registry([TopicRecord(brand="cern", topic="higgs", versions=(VERSION,))]).at(START_MS)
TIMING = timing_of(Rules(), span_ms=7 * 24 * HOUR_MS)

tree_kinds = st.sampled_from(("post", "reply", "quote", "share"))


def act(kind: Kind, name: str, on: str | None = None, *, at: int = 0, **fields: Any) -> Signal:
    """Return a signal `name`, on the post `on`, `at` ms after the start."""
    made = Signal(id=name, network="n", kind=kind, at=START_MS + at, actor=f"by {name}", parent=on)
    return msgspec.structs.replace(made, **{"post": on if kind in ("share", "like") else name, **fields})


def took(signals: Iterable[Signal]) -> Conversation:
    """Return the conversation of the root `r` that has taken these signals."""
    told = list(signals)
    conversation = begun(told[0], root="r", timing=TIMING)
    for signal in told:
        conversation.apply(signal, "r", (HIGGS,), MATCHER)
    return conversation


def shape_by_brute_force(parents: Sequence[int]) -> tuple[int, int, int, float | None]:
    """Return size, depth, breadth and the mean distance of two nodes, from the paths to the root (place 0)."""
    paths: list[list[int]] = [[0]]
    for place, parent in enumerate(parents, 1):
        paths.append([*paths[parent], place])
    depths = [len(path) - 1 for path in paths]
    distances = [len(set(one) ^ set(other)) for number, one in enumerate(paths) for other in paths[:number]]
    mean = sum(distances) / len(distances) if distances else None
    return len(paths), max(depths), max(depths.count(depth) for depth in depths), mean


# --- the tree ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(tree_kinds, st.integers(0, 100)), max_size=15))
def test_the_tree_holds_every_post_reply_quote_and_share(drawn: list[tuple[Kind, int]]) -> None:
    """Each is named by what follows it: a share by its own id, for its post is the shared one; likes leave no node."""
    parents = [number % place for place, (_, number) in enumerate(drawn, 1)]
    signals = [act("post", "r")]
    for place, (kind, _) in enumerate(drawn, 1):
        parent = parents[place - 1]
        signals.append(act(kind, f"s{place}", f"s{parent}" if parent else "r", at=place))
        signals.append(act("like", f"l{place}", f"s{place}", at=place))
    shape = took(signals).shape.read()

    size, depth, breadth, mean = shape_by_brute_force(parents)
    assert (shape.size, shape.nodes, shape.depth, shape.breadth) == (size, size, depth, breadth)
    assert shape.structural_virality == (None if mean is None else pytest.approx(mean))


def test_what_was_seen_already_grows_nothing() -> None:
    """An id that comes again, whatever it is on, is neither a node nor an interaction nor a share."""
    conversation = took([act("post", "r"), act("share", "a", "r", at=1), act("share", "a", "r", at=2)])
    row = conversation.row
    assert (conversation.shape.read().size, row.shares, row.interactions, row.grown_ms) == (2, 1, 1, START_MS + 1)


def test_a_share_that_is_taken_back_leaves_the_size_and_not_the_tree() -> None:
    """Others came by it, so its place and its depth stay."""
    conversation = took([act("post", "r"), act("share", "a", "r", at=1), act("share", "b", "a", at=2)])
    assert conversation.take_back("share", number_of("a"), at_ms=START_MS + 3) is True
    shape = conversation.shape.read()
    assert (shape.size, shape.nodes, shape.depth, conversation.row.interactions) == (2, 3, 2, 1)
    conversation.take_back("share", number_of("a"), at_ms=START_MS + 4)
    assert conversation.row.interactions == 1
    assert conversation.shape.read() == shape
    assert conversation.row.grown_ms == START_MS + 3


@pytest.mark.parametrize("kind", ["post", "reply", "quote"])
def test_a_post_that_is_taken_back_leaves_a_tombstone(kind: Kind) -> None:
    """It goes on to count, and to carry what is below it."""
    conversation = took([act("post", "r"), act(kind, "a", "r", at=1), act("reply", "b", "a", at=2)])
    before = conversation.shape.read()
    assert conversation.take_back(kind, number_of("a"), at_ms=START_MS + 3) is True
    assert conversation.shape.read() == before
    assert conversation.row.grown_ms == START_MS + 2, "there is nothing new to tell of it"


@pytest.mark.parametrize(
    "signal",
    [
        act("like", "m", "a", at=3),
        act("follow", "f", at=3, root="r"),
    ],
    ids=lambda signal: f"{signal.op}-{signal.kind}-{signal.id}",
)
def test_likes_and_follows_leave_the_cascade_as_it_is(signal: Signal) -> None:
    """Only what changes the tree or its size has a cascade read again."""
    conversation = took([act("post", "r"), act("reply", "a", "r", at=1), act("like", "l", "a", at=2)])
    before = conversation.shape.read()
    conversation.apply(signal, "r", (), MATCHER)
    assert conversation.shape.read() == before
    assert conversation.row.grown_ms == START_MS + 1


@pytest.mark.parametrize(
    ("kind", "name", "known"), [("reply", "x", 0), ("share", "x", 0), ("follow", "f", 0), ("like", "l", 1)]
)
def test_what_takes_back_the_unknown_or_a_like_leaves_the_cascade_as_it_is(kind: Kind, name: str, known: int) -> None:
    """A like leaves no node; an act that nobody has seen cannot be taken out of anything."""
    conversation = took([act("post", "r"), act("reply", "a", "r", at=1), act("like", "l", "a", at=2)])
    before = conversation.shape.read()
    assert conversation.take_back(kind, number_of(name), at_ms=START_MS + 3) == known
    assert conversation.shape.read() == before
    assert (conversation.row.grown_ms, conversation.row.interactions) == (START_MS + 1, 2 - known)


def test_an_edit_leaves_the_cascade_as_it_is() -> None:
    """It is no act: nothing grows, and nobody answered."""
    conversation = took([act("post", "r"), act("reply", "a", "r", at=1)])
    row, before = conversation.row, conversation.shape.read()
    edit = act("reply", "a", "r", at=3, op="update", tags=("cats",))
    conversation.edit(edit, number_of("a"), is_root=False, own=(), matcher=MATCHER)
    assert conversation.shape.read() == before
    assert (row.grown_ms, row.interactions) == (START_MS + 1, 1)


def shape_of(*signals: Signal) -> Shape:
    """Return the shape of what these make of a root that was seen."""
    return took([act("post", "r"), *signals]).shape.read()


def test_edges_are_as_sure_as_the_least_sure_of_them() -> None:
    """Observed where a parent is told, inferred where none is, star where the network names the root alone."""
    told, untold = act("reply", "a", "r", at=1), act("reply", "b", at=2)
    star, unknown = act("share", "c", "r", at=3, edge="star"), act("share", "d", "r", at=4, edge="guess")
    assert shape_of().edge == "observed"
    assert shape_of(told, unknown).edge == "observed"
    assert shape_of(told, untold).edge == "inferred"
    assert shape_of(told, act("reply", "e", "a", at=5, edge="inferred")).edge == "inferred"
    assert shape_of(told, untold, star).edge == "star"
    assert shape_of(act("share", "f", at=5, edge="star")).edge == "star"


def test_a_share_without_a_parent_spreads_its_post() -> None:
    """What it is about is told all the same, so the edge is observed."""
    shape = shape_of(act("reply", "a", "r", at=1), act("share", "b", at=2, post="a"))
    assert (shape.depth, shape.edge) == (2, "observed")


# --- ages -------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from(("reply", "share", "like", "follow")), st.integers(0, 25 * 60)), max_size=30),
    st.integers(0, 30 * 60),
)
def test_what_the_root_had_brought_is_noted_at_each_age(drawn: list[tuple[Kind, int]], later: int) -> None:
    """15 minutes, 1, 5 and 24 hours after it, of all acts on it and below it, those before the age count; once."""
    minutes = sorted(minute for _, minute in drawn)
    signals = [act("post", "r", followers=1)]
    for number, ((kind, _), minute) in enumerate(zip(drawn, minutes, strict=True)):
        signals.append(act(kind, f"s{number}", None if kind == "follow" else "r", at=minute * MINUTE_MS, root="r"))
    conversation = took(signals)
    at_minute = max([later, *minutes])
    conversation.pass_benchmarks(START_MS + at_minute * MINUTE_MS)

    acts = [minute for (kind, _), minute in zip(drawn, minutes, strict=True) if kind != "follow"]
    ages = [age for age in (15, 60, 300, 1_440) if age <= at_minute]
    assert conversation.row.benchmarks == tuple(sum(minute < age for minute in acts) for age in ages)
    assert conversation.row.interactions == len(acts)


def test_of_a_root_that_nobody_saw_no_age_is_noted() -> None:
    """When it was written is not known, nor what it is."""
    conversation = took([act("reply", "a", "r"), act("reply", "b", "r", at=48 * HOUR_MS)])
    conversation.pass_benchmarks(START_MS + 72 * HOUR_MS)
    assert (conversation.row.root_kind, conversation.row.benchmarks) == (-1, ())


# --- shares -----------------------------------------------------------------------------------------------------------

followers = st.none() | st.integers(0, 10_000)


@given(
    followers,
    st.lists(st.tuples(st.integers(0, 90), followers), min_size=1, max_size=90),
    st.integers(0, 90),
)
def test_shares_feed_the_infectiousness(
    of_root: int | None, drawn: list[tuple[int, int | None]], root_after: int
) -> None:
    """The root first and share after share, as if they were fed by hand.

    A root of the same millisecond as its first shares, which comes behind them, counts as if it had come before.
    """
    shares = sorted(drawn, key=lambda share: share[0])
    by_hand = Infectiousness(unit_ms=300_000)
    by_hand.add(START_MS, of_root, followers_imputed=100)
    signals = [
        act("share", f"s{number}", "r", at=minute * MINUTE_MS, followers=told)
        for number, (minute, told) in enumerate(shares)
    ]
    for signal in signals:
        by_hand.add(signal.at, signal.followers, followers_imputed=100)
    of_same_time = sum(minute == 0 for minute, _ in shares)
    signals.insert(min(root_after, of_same_time), act("post", "r", followers=of_root))
    conversation = took(signals)

    assert conversation.row.shares == len(shares)
    assert conversation.infection is not None
    assert conversation.infection.read(START_MS + 2 * HOUR_MS) == by_hand.read(START_MS + 2 * HOUR_MS)


def test_a_root_that_comes_behind_its_first_share_is_no_longer_imputed() -> None:
    """Of one millisecond the smaller id comes first; what was guessed for the root is what it tells then."""
    shares = [act("share", f"s{number}", "r", at=number * MINUTE_MS, followers=500) for number in range(6)]
    conversation = took([shares[0], act("post", "r", followers=10_000), *shares[1:]])
    assert conversation.infection is not None
    told = conversation.infection.read(START_MS + 6 * MINUTE_MS)
    assert told is not None
    assert told.imputed_ratio == 0.0


def test_without_a_share_there_is_no_infectiousness() -> None:
    """Replies, quotes and likes do not spread a post."""
    kinds: tuple[Kind, ...] = ("reply", "quote", "post", "like")
    conversation = took([act("post", "r"), *(act(kind, kind, "r", at=1) for kind in kinds)])
    assert (conversation.infection, conversation.row.shares) == (None, 0)


# --- pace -------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.integers(0, 3 * 3_600_000), min_size=PACED_SIZE - 1, max_size=40).map(sorted),
    st.integers(0, 3 * 3_600_000),
)
def test_a_pace_that_is_kept_from_ten_nodes_on_is_one_fed_from_the_start(times: list[int], later: int) -> None:
    """The nodes that came before are counted when it begins."""
    conversation = took([act("post", "r"), *(act("reply", f"s{at}-{i}", "r", at=at) for i, at in enumerate(times))])
    whole = CascadePace(minute_ms=MINUTE_MS)
    for at in (0, *times):
        whole.add(START_MS + at)
    at_ms = START_MS + times[-1] + 1 + later

    assert conversation.pace is not None
    assert conversation.pace.read(at_ms, began_ms=START_MS) == whole.read(at_ms, began_ms=START_MS)


@pytest.mark.parametrize("before", [0, 5, PACED_SIZE - 2, PACED_SIZE - 1, PACED_SIZE, PACED_SIZE + 5])
def test_a_root_counts_in_the_pace_wherever_it_comes_among_those_of_its_time(before: int) -> None:
    """Of one millisecond ids decide what comes first, so a root may find a pace that has begun."""
    signals = [act("share", f"s{number}", "r") for number in range(20)]
    signals.insert(before, act("post", "r"))
    pace = took(signals).pace
    assert pace is not None
    told = pace.read(START_MS + 10 * MINUTE_MS, began_ms=START_MS)
    assert told is not None
    assert (told.before, told.peak) == (21, 21)


def test_a_pace_leaves_out_parents_that_nobody_saw() -> None:
    """They take a place each, but did not happen, as far as anybody knows."""
    orphans = [act("reply", f"o{number}", f"missing{number}", at=1) for number in range(5)]
    pace = took([act("post", "r"), *orphans]).pace
    assert pace is not None
    told = pace.read(START_MS + 10 * MINUTE_MS, began_ms=START_MS)
    assert told is not None
    assert (told.before, told.peak) == (6, 6)


def test_below_ten_nodes_there_is_no_pace() -> None:
    """Small cascades are many, and say little."""
    signals = [act("post", "r"), *(act("reply", f"s{number}", "r", at=number) for number in range(PACED_SIZE - 1))]
    assert took(signals[:-1]).pace is None
    assert took(signals).pace is not None
