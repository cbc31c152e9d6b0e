"""The first step: order, lateness, duplicates, lineages, and a restart that nobody notices."""

from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import LINEAGES, AttributedEdit, AttributedItem, AttributedSignal, TakenBack
from schemas.rows import RecentIdsRow
from schemas.signal import FLAG_FUTURE, Heartbeat, Kind, Op, Signal
from streams.attribution.acts import BUCKETS, CHANGES_MS
from streams.networks.refusal import Refusal
from streams.steps.attribute import Arrival, Attributed, AttributeStep
from tests.streams.steps.logs import (
    LATENESS_MS,
    START_MS,
    Entry,
    arrivals,
    batches,
    ends,
    in_bytes,
    random_log,
    registry,
    remember,
    shuffled,
    signals_of,
)

REGISTRY = registry()
seeds = st.integers(0, 2**32)


def told_of(log: list[Entry]) -> Attributed:
    """Return what a fresh step tells of a log in one batch."""
    return AttributeStep(REGISTRY).advance(arrivals(log), next_offset=len(log))


def act(name: str, kind: Kind = "post", *, parent: str = "", at_ms: int = 0, root: str = "", actor: str = "ana",
        tags: tuple[str, ...] = (), root_actor: str | None = None) -> Signal:  # fmt: skip
    """Return a signal on the root post `root`, some milliseconds after the start."""
    post = parent if kind in ("share", "like") else name
    return Signal(name, "n", kind, START_MS + at_ms, actor, source="left", post=post, parent=parent or None,
                  root=root or None, tags=tags, root_actor=root_actor)  # fmt: skip


def lineages(*signals: Signal) -> dict[str, str]:
    """Return lineage and distance by signal and topic, as the step tells them of a finished log."""
    told = told_of([*signals, *ends(START_MS + 60_000)])
    return {
        f"{item.id} {link.topic}": f"{LINEAGES[link.lineage]} {link.distance}"
        for item in signals_of(told.items)
        for link in item.links
    }


@given(seeds)
@settings(max_examples=30)
def test_every_record_that_was_read_has_one_outcome_or_waits(seed: int) -> None:
    """After every batch of a log with disorder beyond the lateness, what the ledger calls waiting is what is held."""
    random = Random(seed)
    log = shuffled(random, random_log(random, changed=0.25, erased=0.1), lateness_ms=5 * LATENESS_MS)
    step = AttributeStep(REGISTRY)
    for begin, end in batches(random, len(log)):
        step.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end)
        assert step.ledger.read == end
        assert step.ledger.waiting() == len(step)

    ledger = step.ledger
    outcomes = (ledger.applied, ledger.late, ledger.rejected, ledger.duplicate, ledger.heartbeat, ledger.replayed)
    assert sum(outcomes) + ledger.unmatched + ledger.foreign + ledger.erased == ledger.read == len(log)
    assert ledger.heartbeat == sum(isinstance(entry, Heartbeat) for entry in log)
    assert ledger.rejected == sum(isinstance(entry, Refusal) for entry in log)


@given(seeds)
@settings(max_examples=30)
def test_order_within_the_lateness_and_batches_change_no_byte(seed: int) -> None:
    """A shuffled log in random batches tells the same items as the sorted one in one piece, and nothing is late."""
    random = Random(seed)
    log = random_log(random)
    sorted_items = in_bytes(told_of(log).items)
    other = shuffled(random, log)
    step = AttributeStep(REGISTRY)
    items: list[AttributedItem] = []
    for begin, end in batches(random, len(other)):
        told = step.advance(arrivals(other[begin:end], first_offset=begin), next_offset=end)
        assert not told.late
        assert all(told.after < (item.at, item.id) <= told.upto for item in told.items)
        items.extend(told.items)

    assert in_bytes(items) == sorted_items
    assert sorted_items, "a log without a signal on a topic shows nothing"
    assert [(item.at, item.id) for item in items] == sorted((item.at, item.id) for item in items)
    # Of what touches no topic nothing is remembered, so that one that comes twice is told twice.
    stamps = [(item.at, item.id) for item in items if not isinstance(item, AttributedSignal) or item.links]
    assert stamps == sorted(set(stamps))


@given(seeds)
@settings(max_examples=30)
def test_late_signals_come_out_aside_and_change_nothing(seed: int) -> None:
    """Late is what lies before the largest time of its one source, less the lateness; the rest is told without it."""
    random = Random(seed)
    log: list[Entry] = [
        msgspec.structs.replace(entry, source="left")
        for entry in shuffled(random, random_log(random), lateness_ms=40 * LATENESS_MS)
        if isinstance(entry, Signal)
    ]
    on_time: list[Entry] = []
    late: list[tuple[int, str]] = []
    largest_ms = 0
    for offset, entry in enumerate(log):
        assert isinstance(entry, Signal)
        if entry.at < largest_ms - LATENESS_MS:
            late.append((offset, entry.id))
        else:
            on_time.append(entry)
        largest_ms = max(largest_ms, entry.at)
    told = told_of(log)

    assert [(found.place.offset, found.signal.id) for found in told.late] == late
    assert all(found.late_ms == found.watermark - found.signal.at > 0 for found in told.late)
    assert all(found.signal.text is None for found in told.late)
    assert in_bytes(told.items) == in_bytes(told_of(on_time).items)


@given(seeds)
@settings(max_examples=30)
def test_a_restart_at_any_batch_tells_the_same_bytes_from_there(seed: int) -> None:
    """A fresh step with the rows and the resume of a boundary, fed from the resumed offset in other batches."""
    random = Random(seed)
    log = shuffled(random, random_log(random), lateness_ms=2 * LATENESS_MS)
    step = AttributeStep(REGISTRY)
    rows: dict[str, bytes] = {}
    points = []
    told: list[Attributed] = []
    for begin, end in batches(random, len(log)):
        told.append(step.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end))
        remember(rows, step.changed_rows())
        points.append((end, dict(rows), step.resume()))

    for number, (boundary, kept, (offset, frontier, context)) in enumerate(points):
        again = AttributeStep(REGISTRY)
        again.restore(kept.items(), offset=offset, frontier=frontier, context=context)
        assert again.frontier == frontier
        further: list[Attributed] = []
        for begin, end in batches(random, len(log), first=offset):
            further.append(again.advance(arrivals(log[begin:end], first_offset=begin), next_offset=end))
            assert again.ledger.waiting() == len(again)
        expected = told[number + 1 :]
        assert in_bytes(i for t in further for i in t.items) == in_bytes(i for t in expected for i in t.items)
        assert in_bytes(i for t in further for i in t.late if i.place.offset >= boundary) == in_bytes(
            i for t in expected for i in t.late
        )
        assert again.frontier == step.frontier


def test_what_lies_below_a_brands_post_is_seeded() -> None:
    """Distance counts from the brand's own act; a brand that answers itself is brand again."""
    found = lineages(
        act("r", actor="cern_official", tags=("higgs",)),
        act("a", "reply", parent="r", root="r", at_ms=1),
        act("b", "share", parent="a", root="r", at_ms=2, actor="bob"),
        act("c", "reply", parent="b", root="r", at_ms=3, actor="cern_official"),
    )

    topic = "cern/higgs"
    assert found == {
        f"r {topic}": "brand 0",
        f"a {topic}": "seeded 1",
        f"b {topic}": "seeded 2",
        f"c {topic}": "brand 0",
    }


def test_seeds_in_anyone_elses_conversation_are_adopted() -> None:
    """A share passes the topic on; a reply with tags of its own, none of them seeds, went elsewhere."""
    found = lineages(
        act("r", tags=("#Higgs",)),
        act("a", "share", parent="r", root="r", at_ms=1, tags=("cats",)),
        act("b", "reply", parent="r", root="r", at_ms=2, tags=("cats",)),
        act("c", "reply", parent="b", root="r", at_ms=3),
        act("d", tags=("cats",), at_ms=4),
    )

    assert found == {"r cern/higgs": "adopted -1", "a cern/higgs": "adopted -1"}


def test_a_root_that_was_never_seen_is_seeded_where_its_author_is_named() -> None:
    """The network tells who wrote it, so the lineage is known; an unknown author leaves it adopted."""
    found = lineages(
        act("a", "reply", parent="gone", root="gone", tags=("lhc",), root_actor="cern_official"),
        act("b", "reply", parent="lost", root="lost", tags=("lhc",), at_ms=1),
    )

    assert found == {"a cern/lhc": "seeded 1", "b cern/lhc": "adopted -1"}


def test_a_time_far_after_its_own_record_is_replaced_and_flagged() -> None:
    """One wrong clock cannot race the watermark: the signal counts at the timestamp of its record."""
    step = AttributeStep(REGISTRY)
    signal = act("a", tags=("lhc",), at_ms=10**9)
    step.advance([Arrival(0, START_MS, b"{}", signal)], next_offset=1)

    assert signal.at == START_MS
    assert signal.flags == (FLAG_FUTURE,)
    assert step.clock.watermark_ms == START_MS - LATENESS_MS
    assert step.ledger.flagged == 1


def test_a_row_of_another_step_is_refused() -> None:
    """Unknown rows are refused, never guessed."""
    step = AttributeStep(REGISTRY)
    _, frontier, context = step.resume()
    with pytest.raises(ValueError, match=r"got the key 'u\|ana'"):
        step.restore([("u|ana", b"")], offset=0, frontier=frontier, context=context)


def test_an_id_is_compared_within_its_conversation_only() -> None:
    """Conversations lie on any partition, so what one has seen of an id must not matter to another."""
    one, other = (act("a", "reply", parent=root, root=root, tags=("lhc",)) for root in ("r", "q"))
    told = told_of([one, one, other, *ends(START_MS + 60_000)])
    assert [(item.id, item.root) for item in signals_of(told.items)] == [("a", "q"), ("a", "r")]


@given(st.permutations([("r", "ana", "post"), ("r", "bob", "post"), ("q", "ana", "reply"), ("q", "ana", "quote")]))
def test_copies_that_contradict_each_other_are_told_the_same_whichever_came_first(
    copies: list[tuple[str, str, Kind]],
) -> None:
    """One id and one time, but other contents: which of them counts must not depend on the order of arrival."""

    def told(arriving: list[tuple[str, str, Kind]]) -> list[bytes]:
        log = [act("a", kind, parent=root, root=root, actor=actor, tags=("lhc",)) for root, actor, kind in arriving]
        return in_bytes(told_of([*log, *ends(START_MS + 59_999)]).items)

    assert told(copies) == told(sorted(copies))
    # One signal and one reading of its cascade for each root.
    assert len(told(copies)) == 4


def test_what_touches_no_topic_is_not_remembered() -> None:
    """Most of what a network says is on no topic; the memory of an installation follows the rest."""
    step = AttributeStep(REGISTRY)
    log: list[Entry] = [act(f"s{number}", tags=("cats",), at_ms=number) for number in range(100)]
    log += [act("r", tags=("lhc",), at_ms=100), *ends(START_MS + 60_000)]
    step.advance(arrivals(log), next_offset=len(log))

    assert step.ledger.applied == 101
    rows = {key: value for key, value in step.changed_rows() if value is not None}
    recent = [msgspec.msgpack.decode(rows.pop(key), type=RecentIdsRow) for key in sorted(rows) if key.startswith("r|")]
    assert sorted(rows) == [f"a|{START_MS // (CHANGES_MS // BUCKETS)}.0", "c|r", "n|0|r"]
    assert [len(row.ids) for row in recent] == [1]


def test_a_deletion_under_the_id_of_what_it_deletes_is_no_repetition() -> None:
    """Some networks name an act and its end alike; the end tells that the act is taken back, and is applied."""
    step = AttributeStep(REGISTRY)
    post = act("a", tags=("lhc",))
    log: list[Entry] = [post, msgspec.structs.replace(post, op="delete", at=START_MS + 5), *ends(START_MS + 60_000)]
    told = step.advance(arrivals(log), next_offset=len(log))

    assert [type(item) for item in told.items] == [AttributedSignal, TakenBack]
    assert (step.ledger.applied, step.ledger.duplicate) == (2, 0)


@pytest.mark.parametrize(("behind_ms", "late"), [(LATENESS_MS, 0), (LATENESS_MS + 1, 1)])
def test_a_signal_as_late_as_is_allowed_is_in_time(behind_ms: int, late: int) -> None:
    """The watermark is the time before which nothing more is expected: what lies on it is not before it."""
    told = told_of([act("a", at_ms=behind_ms), act("b", at_ms=0)])

    assert len(told.late) == late


def test_what_a_brand_answers_elsewhere_is_told_without_tags_too() -> None:
    """It may join its community there; a post without tags, and what others answer, says nothing to anybody."""
    step = AttributeStep(REGISTRY)
    acts: list[tuple[Kind, str]] = [
        ("reply", "cern_official"),
        ("quote", "cern_official"),
        ("reply", "ana"),
        ("like", "cern_official"),
    ]
    log: list[Entry] = [
        Signal(f"s{number}", "n", kind, START_MS + number, actor, source="left", root="theirs", parent="theirs")
        for number, (kind, actor) in enumerate(acts)
    ]
    log.append(Signal("s9", "n", "post", START_MS + 9, "cern_official", source="left", post="own"))
    log += ends(START_MS + 60_000)
    told = signals_of(step.advance(arrivals(log), next_offset=len(log)).items)

    assert [(one.id, one.links, one.tags) for one in told] == [("s0", (), ()), ("s1", (), ())]


# --- edits and ends ---------------------------------------------------------------------------------------------------


def changed(signal: Signal, op: Op, at_ms: int, **fields: Any) -> Signal:
    """Return a change of a signal."""
    return msgspec.structs.replace(signal, **{"op": op, "at": START_MS + at_ms, **fields})


def test_an_edit_tells_the_tags_that_were_not_there_and_no_act() -> None:
    """The same edit once more tells nothing; the next one is compared with it."""
    post = act("a", tags=("lhc",))
    log: list[Entry] = [
        post,
        changed(post, "update", 5, tags=("LHC", "Cats")),
        changed(post, "update", 6, tags=("lhc", "cats")),
        changed(post, "update", 7, tags=("lhc", "dogs"), id="edit"),
    ]
    step = AttributeStep(REGISTRY)
    items = step.advance(arrivals([*log, *ends(START_MS + 10_000)]), next_offset=6).items

    assert [type(item) for item in items] == [AttributedSignal, AttributedEdit, AttributedEdit]
    assert [item.tags for item in items if isinstance(item, AttributedSignal)] == [("lhc",), ("cats",), ("dogs",)]
    assert (step.ledger.applied, step.ledger.on_topic) == (4, 1)


def test_what_answers_an_edited_post_is_on_what_that_says_now() -> None:
    """What was there before stays what it was; the cascade began when the post was made."""
    post = act("a", tags=("lhc",))
    first, second = (act(f"b{n}", "share", parent="a", root="a", at_ms=n) for n in (1, 9))
    log: list[Entry] = [post, first, changed(post, "update", 5, tags=("boom",)), second, *ends(START_MS + 10_000)]
    step = AttributeStep(REGISTRY)
    signals = signals_of(step.advance(arrivals(log), next_offset=len(log)).items)

    assert [[link.topic for link in item.links] for item in signals] == [["cern/lhc"], ["cern/lhc"], ["acme/boom"]]
    conversation = step.conversations.get("a")
    assert conversation is not None
    assert conversation.row.began_ms == START_MS


@pytest.mark.parametrize("times", [1, 2, 3])
def test_the_same_end_told_again_ends_nothing_else(times: int) -> None:
    """Networks repeat themselves: an act is taken back once, and what finds nothing is accounted for."""
    post, like = act("a", tags=("lhc",)), act("l", "like", parent="a", root="a", at_ms=1)
    bare = changed(like, "undo", 5, post=None, parent=None, root=None)
    log: list[Entry] = [post, like, *[bare] * times, *ends(START_MS + 10_000)]
    step = AttributeStep(REGISTRY)
    items = step.advance(arrivals(log), next_offset=len(log)).items

    assert sum(isinstance(item, TakenBack) for item in items) == 1
    assert (step.ledger.applied, step.ledger.unmatched) == (3, times - 1)
    conversation = step.conversations.get("a")
    assert conversation is not None
    assert conversation.row.interactions == 0


def test_nobody_ends_what_somebody_else_did() -> None:
    """Whoever claims it is counted apart."""
    post = act("a", tags=("lhc",), actor="ana")
    log: list[Entry] = [post, changed(post, "delete", 5, actor="bob"), *ends(START_MS + 10_000)]
    step = AttributeStep(REGISTRY)
    items = step.advance(arrivals(log), next_offset=len(log)).items

    assert len(items) == 1
    assert (step.ledger.applied, step.ledger.foreign) == (1, 1)
