"""A conversation tells whose a signal is, on which topics, and how big and deep its cascade has grown."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import LINEAGES
from schemas.cascade import CascadeReading
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Op, Signal, node_of
from streams.attribution import conversations as module
from streams.attribution.conversation import TOPICS_MAX, Links
from streams.attribution.conversations import Conversations
from streams.attribution.matcher import Registry
from streams.measures import cascade_shape
from streams.measures.cascade_shape import Shape
from streams.measures.node_index import number_of

START_MS = 1_341_388_800_000
SPAN_MS = 1_000
HIGGS, RIVAL = "cern/higgs", "fermi/boson"


def record(brand: str, topic: str) -> TopicRecord:
    """Return a topic of a brand whose account has the name of the brand."""
    version = TopicVersion(effective_from_ms=0, accounts={"twitter": (brand,)}, seeds=Seeds(tags=(topic,)))
    return TopicRecord(brand=brand, topic=topic, versions=(version,))


REGISTRY = Registry([record("cern", "higgs"), record("fermi", "boson")])


def act(kind: Kind, name: str, on: str | None = None, *, by: str = "somebody", at: int = 0, **fields: Any) -> Signal:
    """Return a signal `name`, on the post `on`, `at` ms after the start."""
    made = Signal(id=name, network="twitter", kind=kind, at=START_MS + at, actor=by, parent=on)
    return msgspec.structs.replace(made, **{"post": on if kind in ("share", "like") else name, **fields})


class Run:
    """Conversations, and the table that keeps what they tell."""

    def __init__(self) -> None:
        self.conversations = Conversations(span_ms=SPAN_MS)
        self.rows: dict[str, bytes] = {}
        self.readings: list[CascadeReading] = []

    def tell(self, signal: Signal, *own: str, root: str = "r") -> Links | None:
        """Apply a signal that carries the topics `own` itself, after the ticks before it."""
        self.readings += self.conversations.tick(signal.at)
        matcher, node = REGISTRY.at(START_MS), number_of(node_of(signal))
        if signal.op == "create":
            return self.conversations.apply(signal, root=root, own=own, matcher=matcher, registry=REGISTRY)
        if signal.op == "update":
            return self.conversations.edit(signal, root=root, node=node, own=own, matcher=matcher, registry=REGISTRY)
        self.conversations.take_back(signal.kind, node, root=root, at_ms=signal.at)
        return None

    def read(self, signal: Signal, *own: str, root: str = "r") -> list[tuple[str, str, int]]:
        """Apply a signal and return (topic, lineage, distance) for each topic that it is on."""
        links = self.tell(signal, *own, root=root)
        return [(link.topic, LINEAGES[link.lineage], link.distance) for link in links or ()]

    def cascade(self, signal: Signal, *own: str, root: str = "r") -> tuple[int, int]:
        """Apply a signal and return the size and the depth of its cascade."""
        self.tell(signal, *own, root=root)
        shape = self.shape(root)
        return shape.size, shape.depth

    def shape(self, root: str) -> Shape:
        """Return the shape of a conversation that is remembered."""
        conversation = self.conversations.get(root)
        assert conversation
        return conversation.shape.read()

    def keep(self) -> None:
        """Keep the rows that changed, as a table does; none may be told twice at once."""
        told = list(self.conversations.changed_rows())
        assert len({key for key, _ in told}) == len(told)
        for key, row in told:
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row

    def restart(self, frontier_ms: int = 0) -> None:
        """Keep what changed, forget everything, and go on from the table, whose rows come in any order."""
        self.keep()
        self.conversations = Conversations(span_ms=SPAN_MS)
        self.conversations.restore(list(reversed(self.rows.items())), frontier_ms=frontier_ms)


@pytest.fixture
def run() -> Run:
    """Return an empty run."""
    return Run()


def test_lineage_is_told_by_who_wrote_the_root_and_by_who_acts(run: Run) -> None:
    """The brand's own act is brand at distance 0; an answer in its conversation is seeded; one in another's adopted."""
    assert run.read(act("post", "r", by="cern"), HIGGS) == [(HIGGS, "brand", 0)]
    assert run.read(act("reply", "a", "r")) == [(HIGGS, "seeded", 1)]
    assert run.read(act("reply", "b", "a")) == [(HIGGS, "seeded", 2)]
    assert run.read(act("post", "q"), HIGGS, root="q") == [(HIGGS, "adopted", -1)]
    assert run.read(act("reply", "c", "q"), root="q") == [(HIGGS, "adopted", -1)]


def test_distance_counts_the_edges_from_the_last_act_of_a_brand(run: Run) -> None:
    """A brand that answers below brings the distance back to 0, also in a conversation that is not its own."""
    run.tell(act("post", "r"), HIGGS)
    assert run.read(act("reply", "a", "r", by="cern"), HIGGS) == [(HIGGS, "brand", 0)]
    assert run.read(act("quote", "b", "a")) == [(HIGGS, "adopted", 1)]
    assert run.read(act("share", "c", "b")) == [(HIGGS, "adopted", 2)]
    assert run.read(act("reply", "d", "r")) == [(HIGGS, "adopted", -1)]


def test_nothing_is_followed_before_it_touches_a_topic(run: Run) -> None:
    """A conversation on no topic costs no memory; it is followed from its first signal that carries one."""
    assert run.read(act("post", "r")) == []
    assert len(run.conversations) == 0
    assert run.read(act("reply", "a", "r"), HIGGS) == [(HIGGS, "adopted", -1)]
    assert len(run.conversations) == 1


def test_a_branch_that_answers_no_topic_is_on_none(run: Run) -> None:
    """Where the root is nobody's brand and carries nothing, only what hangs from the tagged answer is on the topic."""
    run.tell(act("reply", "a", "r"), HIGGS)
    assert run.read(act("reply", "b", "r")) == []
    assert run.read(act("reply", "c", "a")) == [(HIGGS, "adopted", -1)]


@pytest.mark.parametrize(
    ("kind", "tags", "on_topic"),
    [
        ("reply", (), True),
        ("quote", (), True),
        ("post", (), True),
        ("reply", ("football",), False),
        ("quote", ("football",), False),
        ("post", ("football",), False),
        ("share", ("football",), True),
        ("like", ("football",), True),
    ],
)
def test_an_answer_with_tags_of_its_own_goes_elsewhere(
    run: Run, kind: Kind, tags: tuple[str, ...], on_topic: bool
) -> None:
    """What passes on stays on the topic; talk that brings tags, none of them seeds, has left it with its branch."""
    run.tell(act("post", "r"), HIGGS)
    expected = [(HIGGS, "adopted", -1)] if on_topic else []
    assert run.read(act(kind, "a", "r", tags=tags)) == expected
    if kind != "like":
        assert run.read(act("reply", "b", "a")) == expected


def test_tags_of_which_one_is_a_seed_stay_and_keep_what_they_answer(run: Run) -> None:
    """An answer that carries one topic inside another is on both."""
    run.tell(act("post", "r"), HIGGS)
    told = run.read(act("reply", "a", "r", tags=("boson", "football")), RIVAL)
    assert told == [(HIGGS, "adopted", -1), (RIVAL, "adopted", -1)]


def test_in_the_conversation_of_a_brand_everything_is_on_its_topic(run: Run) -> None:
    """Even talk that went elsewhere counts as seeded there, because the brand's root brought it about."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    assert run.read(act("reply", "a", "r", tags=("football",))) == [(HIGGS, "seeded", 1)]
    assert run.read(act("reply", "b", "a")) == [(HIGGS, "seeded", 2)]


def test_what_is_brought_under_a_brand_s_post_is_seeded_for_that_brand_alone(run: Run) -> None:
    """Under a post of the brand on something else its topic is seeded once somebody brings it up (MEASURES.md §1)."""
    run.tell(act("post", "r", by="cern"), RIVAL)
    assert run.read(act("reply", "a", "r"), HIGGS) == [(RIVAL, "adopted", 1), (HIGGS, "seeded", 1)]
    assert run.read(act("reply", "b", "r")) == [(RIVAL, "adopted", 1)]


def test_an_unseen_root_is_taken_to_be_the_brand_s_where_a_signal_says_so(run: Run) -> None:
    """`root_actor` tells whose the conversation is; what is said of its brand below counts as carried by its root."""
    assert run.read(act("reply", "a", "r", root_actor="cern"), HIGGS) == [(HIGGS, "seeded", 1)]
    assert run.read(act("reply", "b", "x")) == [(HIGGS, "seeded", 1)]
    assert run.read(act("share", "c", "b")) == [(HIGGS, "seeded", 2)]


def test_an_unseen_root_of_nobody_known_makes_it_adopted(run: Run) -> None:
    """Without an author, or with one who is no brand, no brand is behind the conversation as far as anybody knows."""
    assert run.read(act("reply", "a", "r"), HIGGS) == [(HIGGS, "adopted", -1)]
    assert run.read(act("reply", "b", "q", root_actor="else"), HIGGS, root="q") == [(HIGGS, "adopted", -1)]


def test_a_root_that_is_seen_after_its_answer_is_believed(run: Run) -> None:
    """With equal times an answer may come first; from its root on, the root itself says whose it is."""
    assert run.read(act("reply", "a", "r", root_actor="else"), HIGGS) == [(HIGGS, "adopted", -1)]
    assert run.cascade(act("post", "r", by="cern"), HIGGS) == (2, 1)
    assert run.read(act("reply", "b", "r")) == [(HIGGS, "seeded", 1)]


@pytest.mark.parametrize("on", ["a", "never seen", None])
def test_what_names_no_known_parent_hangs_from_the_root(run: Run, on: str | None) -> None:
    """Itself, a post that nobody saw, or nothing: as far as anybody knows the signal answers the root."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    assert run.read(act("reply", "a", on)) == [(HIGGS, "seeded", 1)]


def test_a_share_can_be_answered_by_its_own_id(run: Run) -> None:
    """A share is a node under its own id, since its post is the shared one: who spreads a share is one deeper."""
    run.tell(act("post", "r"), HIGGS)
    assert run.cascade(act("share", "s", "r")) == (2, 1)
    assert run.cascade(act("share", "t", "s")) == (3, 2)


def test_a_like_a_follow_and_a_deletion_add_nothing_to_the_cascade(run: Run) -> None:
    """They are on the topic, but no node: only what is created and can be answered grows a cascade."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    assert run.cascade(act("like", "l", "r")) == (1, 0)
    assert run.cascade(act("follow", "f", "r")) == (1, 0)
    assert run.cascade(act("reply", "a", "r")) == (2, 1)
    operations: tuple[Op, ...] = ("update", "delete", "undo")
    for op in operations:
        assert run.cascade(act("reply", "b", "a", op=op)) == (2, 1)


def test_two_brands_in_one_conversation_each_have_their_own_lineage(run: Run) -> None:
    """The root's brand seeds its own topic; another brand that joins in is brand for its own, its followers adopt."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    assert run.read(act("reply", "a", "r", by="fermi"), RIVAL) == [(HIGGS, "seeded", 0), (RIVAL, "brand", 0)]
    assert run.read(act("reply", "b", "a")) == [(HIGGS, "seeded", 1), (RIVAL, "adopted", 1)]
    assert run.read(act("reply", "c", "r")) == [(HIGGS, "seeded", 1)]


def test_conversations_do_not_mix(run: Run) -> None:
    """A post id means something only within its conversation."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    run.tell(act("post", "q"), RIVAL, root="q")
    assert run.cascade(act("reply", "a", "r"), root="q") == (2, 0), "it waits, as r is not known there"
    assert run.read(act("reply", "b", "a"), root="q") == [(RIVAL, "adopted", -1)]


def test_topics_beyond_the_limit_are_left_out(run: Run) -> None:
    """A conversation remembers sixteen topics; one that is stuffed with more keeps the first."""
    topics = tuple(f"brand/t{number:02}" for number in range(20))
    told = run.read(act("post", "r"), *topics)
    assert [topic for topic, _, _ in told] == list(topics[:TOPICS_MAX])


# Each node: how far back its parent lies among those before it, how it is made, milliseconds since the one before.
trees = st.lists(st.tuples(st.integers(1, 40), st.sampled_from(["reply", "quote", "share"]), st.integers(0, 20)))
restarts = st.sets(st.integers(0, 40))


def grown(tree: list[tuple[int, Kind, int]]) -> list[tuple[Signal, int]]:
    """Return the signals of a tree in stamp order, each with its depth, the root first."""
    signals, at = [(act("post", "r", by="cern"), 0)], 0
    for number, (back, kind, gap_ms) in enumerate(tree):
        at += gap_ms
        parent, depth = signals[max(0, len(signals) - back)]
        signals.append((act(kind, f"n{number:03}", parent.id, at=at), depth + 1))
    return signals


@given(trees, restarts)
def test_size_and_depth_are_those_of_the_tree(tree: list[tuple[int, Kind, int]], restart_after: set[int]) -> None:
    """On any tree in stamp order they equal a count over all of it, with a restart after any signal."""
    run, depths = Run(), []
    for number, (signal, depth) in enumerate(grown(tree)):
        depths.append(depth)
        # The brand wrote the root only, so the distance to it is the depth.
        links = run.tell(signal, *([HIGGS] if number == 0 else []))
        assert [link.distance for link in links or ()] == [depth]
        assert (run.shape("r").size, run.shape("r").depth) == (len(depths), max(depths))
        if number in restart_after:
            run.restart()


signals = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 30, SPAN_MS, SPAN_MS + 1]),
        st.sampled_from(["post", "reply", "quote", "share", "like"]),
        st.sampled_from(["cern", "fermi", "ann", "bob"]),
        st.sampled_from(["r", "q"]),
        st.integers(0, 12),
        st.sampled_from([(), (), (HIGGS,), (RIVAL,), (HIGGS, RIVAL)]),
        st.sampled_from([(), ("football",)]),
    ),
    max_size=25,
)


@given(signals, restarts)
def test_restored_from_its_changed_rows_it_goes_on_the_same(
    acts: list[tuple[int, Kind, str, str, int, tuple[str, ...], tuple[str, ...]]], restart_after: set[int]
) -> None:
    """With any restarts, expiries and new starts in between, every reading is that of a run that never stopped."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "NODES_PER_ROW", 3)
        patch.setattr(cascade_shape, "NODES_PER_ROW", 3)
        whole, restarted, at = Run(), Run(), 0
        for number, (gap_ms, kind, actor, root, back, own, tags) in enumerate(acts):
            at += gap_ms
            name = root if kind == "post" and back == 0 else f"n{number}"
            on = None if name == root else f"n{number - back}" if back else root
            signal = act(kind, name, on, by=actor, at=at, tags=tags)
            assert restarted.tell(signal, *own, root=root) == whole.tell(signal, *own, root=root)
            if number in restart_after:
                restarted.restart(signal.at)
        # One that was silent too long ends at the next sweep, which is not always at the same signal.
        for run in (whole, restarted):
            run.tell(act("post", "end", at=at + 10 * SPAN_MS), root="end")
            run.keep()
        assert restarted.rows == whole.rows == {}
        assert restarted.readings == whole.readings


def test_a_conversation_ends_when_it_was_silent_for_longer_than_the_span(run: Run) -> None:
    """Up to the span an answer still finds it; after that it is forgotten, and so are its rows."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    assert run.read(act("reply", "a", "r", at=SPAN_MS)) == [(HIGGS, "seeded", 1)]
    run.keep()
    assert set(run.rows) == {"c|r", "n|0|r"}
    assert run.read(act("reply", "b", "a", at=2 * SPAN_MS + 1)) == []
    run.keep()
    assert (run.rows, len(run.conversations)) == ({}, 0)


def test_one_conversation_ends_while_others_go_on(run: Run) -> None:
    """Any later signal of the partition ends what was silent too long, not only one of the same conversation."""
    run.tell(act("post", "r"), HIGGS)
    run.tell(act("post", "q", at=SPAN_MS), HIGGS, root="q")
    run.keep()
    assert set(run.rows) == {"c|r", "n|0|r", "c|q", "n|0|q"}
    run.tell(act("reply", "a", "q", at=SPAN_MS + 100), root="q")
    run.keep()
    assert set(run.rows) == {"c|q", "n|0|q"}


@pytest.mark.parametrize("kept_between", [False, True])
def test_a_conversation_that_begins_anew_keeps_only_what_is_new(
    run: Run, monkeypatch: pytest.MonkeyPatch, kept_between: bool
) -> None:
    """It starts small under the same root; the rows of its first life end, also those beyond the new ones."""
    monkeypatch.setattr(module, "NODES_PER_ROW", 2)
    monkeypatch.setattr(cascade_shape, "NODES_PER_ROW", 2)
    run.tell(act("post", "r", by="cern"), HIGGS)
    for name in "abcde":
        run.tell(act("reply", name, "r"))
    run.keep()
    assert set(run.rows) == {"c|r", "n|0|r", "n|1|r", "n|2|r"}
    if kept_between:
        run.tell(act("post", "x", at=SPAN_MS + 1), root="x")
        run.keep()
        assert run.rows == {}
    # Two lives between two checkpoints: the short second one must not hide how many rows the first one had.
    for life in (1, 2):
        assert run.cascade(act("reply", f"f{life}", "r", at=life * (SPAN_MS + 2)), HIGGS) == (2, 1)
    run.restart()
    assert set(run.rows) == {"c|r", "n|0|r"}
    assert run.cascade(act("reply", "g", "f2", at=2 * SPAN_MS + 5)) == (3, 2)


def test_a_checkpoint_writes_only_the_nodes_that_are_new(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a big cascade costs follows what was added, not what is remembered."""
    monkeypatch.setattr(module, "NODES_PER_ROW", 2)
    monkeypatch.setattr(cascade_shape, "NODES_PER_ROW", 2)
    run.tell(act("post", "r"), HIGGS)
    for name in "abc":
        run.tell(act("reply", name, "r"))
    assert [key for key, _ in run.conversations.changed_rows()] == ["c|r", "n|0|r", "n|1|r"]
    run.tell(act("reply", "d", "r"))
    assert [key for key, _ in run.conversations.changed_rows()] == ["c|r", "n|2|r"]
    run.tell(act("like", "l", "r"))
    assert [key for key, _ in run.conversations.changed_rows()] == ["c|r"]
    assert list(run.conversations.changed_rows()) == []


def test_beyond_the_limit_nodes_are_counted_and_the_shape_stays(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size stays true where memory ends; the depth is that of what is still known."""
    monkeypatch.setattr(cascade_shape, "NODES_MAX", 3)
    run.tell(act("post", "r"), HIGGS)
    assert run.cascade(act("reply", "a", "r")) == (2, 1)
    assert run.cascade(act("reply", "b", "a")) == (3, 2)
    assert run.cascade(act("reply", "c", "b")) == (4, 2)
    run.restart()
    assert run.cascade(act("reply", "d", "c")) == (5, 2)
    assert run.cascade(act("reply", "e", "b")) == (6, 2)


def test_a_deleted_or_edited_root_does_not_take_the_topic_from_its_conversation(run: Run) -> None:
    """The node stays as a tombstone: what hangs from it is as much the brand's doing as before."""
    run.tell(act("post", "r", by="cern"), HIGGS)
    operations: tuple[Op, ...] = ("update", "delete")
    for op in operations:
        run.tell(act("post", f"r-{op}", by="cern", post="r", op=op))
        assert run.read(act("reply", f"after-{op}", "r")) == [(HIGGS, "seeded", 1)]


def test_an_edit_tells_of_a_root_that_was_never_seen(run: Run) -> None:
    """Where following began after the root was made, its edit says what it carries."""
    run.tell(act("post", "r-edit", by="cern", post="r", op="update"), HIGGS)
    assert run.read(act("reply", "a", "r")) == [(HIGGS, "seeded", 1)]
