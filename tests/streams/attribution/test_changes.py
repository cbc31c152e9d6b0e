"""A change finds the signal that it means by its id or its post, in its conversation or anywhere, and once."""

from typing import Any

import msgspec
import pytest

from schemas.signal import ACTOR_UNKNOWN, Kind, Signal
from streams.attribution.changes import AppliedActs
from streams.measures.node_index import number_of

SPAN_MS = 60_000


def act(kind: Kind, name: str, *, at: int = 0, **fields: Any) -> Signal:
    """Return a signal of ana."""
    return msgspec.structs.replace(Signal(name, "n", kind, 10_000 + at, "ana"), **fields)


def held(*signals: tuple[Signal, str]) -> AppliedActs:
    """Return what is remembered of signals in their conversations."""
    acts = AppliedActs(span_ms=SPAN_MS)
    for signal, root in signals:
        acts.add(signal, root)
    return acts


REPLY = act("reply", "n:2", post="2", parent="1", root="1", tags=("lhc", "cats"))


@pytest.mark.parametrize(
    "change",
    [
        act("reply", "n:2", at=5, op="delete"),
        act("like", "n:2", at=5, op="undo"),
        act("post", "d", at=5, op="delete", post="2"),
        act("reply", "d", at=5, op="delete", post="2", parent="1", root="1"),
        act("reply", "n:2", at=5, op="delete", actor=ACTOR_UNKNOWN),
        act("reply", "n:2", at=SPAN_MS, op="delete"),
    ],
)
def test_a_change_finds_a_reply_by_its_id_or_by_its_post(change: Signal) -> None:
    """Whatever kind the source takes it for: it may know no more than the id."""
    found = held((REPLY, "1")).find(change).found
    assert [(one.kind, one.root, one.number, one.node) for one in found] == [
        ("reply", "1", number_of("n:2"), number_of("2"))
    ]


@pytest.mark.parametrize(
    ("change", "roots"),
    [
        (act("reply", "n:2", at=5, op="delete", actor="bob"), {"1"}),
        (act("reply", "n:2", at=5, op="delete", root="7"), set()),
        (act("like", "d", at=5, op="delete", post="2"), set()),
        (act("reply", "n:2", at=SPAN_MS + 1, op="delete"), set()),
    ],
    ids=("somebody else's", "of another conversation", "a like of the post", "too old"),
)
def test_a_change_does_not_find_what_it_does_not_mean(change: Signal, roots: set[str]) -> None:
    """Nobody ends what somebody else did; that there was something is told all the same."""
    meant = held((REPLY, "1")).find(change)
    assert not meant.found
    assert meant.roots == roots


def test_what_was_taken_back_is_found_neither_by_its_id_nor_by_its_post() -> None:
    """The same end comes twice, or the deletion of the post after the undo of the act."""
    acts = held((REPLY, "1"), (act("like", "n:2"), "9"))
    meant = acts.find(act("reply", "n:2", at=5, op="delete"))
    assert [one.root for one in meant.found] == ["1", "9"], "an id means something in each conversation"
    acts.forget(meant.found[0], now_ms=10_005)
    assert [one.root for one in acts.find(act("reply", "n:2", at=6, op="undo")).found] == ["9"]
    assert acts.find(act("post", "d", at=6, op="delete", post="2")).found == []


def test_only_tags_that_were_not_there_are_new_and_an_edit_counts_from_the_last() -> None:
    """A second edit is compared with the first, by whatever name it comes."""
    acts = held((REPLY, "1"))
    by_id, by_post = act("reply", "n:2", at=5, op="update"), act("reply", "d", at=6, op="update", post="2")
    assert acts.retag(acts.find(by_id).found[0], ("cats", "dogs"), now_ms=10_005) == ["dogs"]
    assert acts.retag(acts.find(by_post).found[0], ("dogs", "lhc"), now_ms=10_006) == ["lhc"]
    assert acts.retag(acts.find(by_id).found[0], ("dogs", "lhc"), now_ms=10_007) == []
