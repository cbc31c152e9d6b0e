"""A memory of statuses gives answers their parents and roots, and deletions what they delete."""

import json
from typing import Any

import msgspec

from schemas.signal import Signal, conversation_of
from streams.networks.mastodon import normalize
from streams.networks.mastodon_memory import StatusMemory
from streams.networks.mastodon_shapes import Event

ARRIVED_MS = 1_781_179_215_000


def status(number: int, acct: str = "ivo@wood.example", **fields: Any) -> dict[str, Any]:
    """Return a status of another instance than the one that is asked, so that nothing follows from its ids."""
    return {
        "id": str(number),
        "uri": f"https://wood.example/objects/{number}",
        "created_at": "2026-06-11T12:00:12Z",
        "visibility": "public",
        "account": {"id": "2", "acct": acct, "url": "https://wood.example/@ivo"},
    } | fields


def event(name: str, payload: object) -> Event:
    """Return an event as it comes."""
    return Event(name, payload if isinstance(payload, str) else json.dumps(payload), "garden.example")


def told(memory: StatusMemory, name: str, payload: object) -> Signal:
    """Return the signal that an event is, once the memory has filled it."""
    outcome = normalize(msgspec.json.encode(memory.fill(event(name, payload))), ARRIVED_MS)
    assert isinstance(outcome, tuple), outcome
    (signal,) = outcome
    return signal


def test_answers_to_answers_are_in_the_conversation_of_the_root() -> None:
    """Each knows its parent, and through that the root, although a status names neither."""
    memory = StatusMemory()
    root = told(memory, "update", status(1, "rosa@a.example"))
    first = told(memory, "update", status(2, in_reply_to_id="1"))
    second = told(memory, "update", status(3, in_reply_to_id="2"))

    assert (first.parent, first.parent_actor) == (root.post, "rosa@a.example")
    assert (second.parent, second.root, second.root_actor) == (first.post, root.post, "rosa@a.example")
    assert {conversation_of(signal) for signal in (root, first, second)} == {root.post}


def test_below_a_root_that_was_never_seen_all_meet_as_well() -> None:
    """What the first answer claims to answer stands for the root."""
    memory = StatusMemory()
    signals = [told(memory, "update", status(n, in_reply_to_id=str(n - 1))) for n in (5, 6, 7)]

    assert {conversation_of(signal) for signal in signals} == {"mastodon:garden.example/4"}


def test_a_deletion_finds_the_signal_and_its_conversation() -> None:
    """The id of a deletion is that of what was created, a share included, and so is its key."""
    memory = StatusMemory()
    created = [
        told(memory, "update", status(1)),
        told(memory, "update", status(2, in_reply_to_id="1")),
        told(memory, "update", status(3, "rosa", reblog=status(1))),
    ]
    deleted = [told(memory, "delete", number) for number in "123"]

    assert [signal.op for signal in deleted] == ["delete", "delete", "undo"]
    for made, gone in zip(created, deleted, strict=True):
        assert (gone.id, gone.kind, gone.actor, gone.post) == (made.id, made.kind, made.actor, made.post)
        assert conversation_of(gone) == conversation_of(made)


def test_what_is_shared_or_quoted_is_remembered_too() -> None:
    """It comes whole, so that its answers need not wait until somebody sees it."""
    memory = StatusMemory()
    told(memory, "update", status(3, "rosa", reblog=status(1)))
    told(memory, "update", status(4, "rosa", quote={"state": "accepted", "quoted_status": status(2)}))

    assert told(memory, "update", status(5, in_reply_to_id="1")).parent == "https://wood.example/objects/1"
    assert told(memory, "update", status(6, in_reply_to_id="2")).parent == "https://wood.example/objects/2"


def test_a_memory_made_again_from_what_was_written_fills_the_same() -> None:
    """After a restart the raw channel is all that there is."""
    memory, again = StatusMemory(), StatusMemory()
    written = [memory.fill(event("update", status(n, in_reply_to_id=str(n - 1)))) for n in (2, 3, 4)]
    for one in written:
        assert again.fill(one) == one

    later = event("update", status(5, in_reply_to_id="4"))
    assert again.fill(later) == memory.fill(later)


def test_what_cannot_be_read_goes_through_as_it_came() -> None:
    """A connector must not stumble over an event; the normaliser says what is wrong with it."""
    memory = StatusMemory()
    odd = [Event("update", "undefined"), Event("update", 5), Event("notification", "[]"), Event("x", "y"), Event()]
    odd += [Event("update", '{"id":"1","uri":"u","account":{}}'), Event("update", "[" * 5_000)]

    assert [memory.fill(one) for one in odd] == odd
    assert len(memory) == 0


def test_the_memory_is_bounded() -> None:
    """The statuses that came first are forgotten first; one that comes again counts as new."""
    memory = StatusMemory(statuses_max=2)
    for number in (1, 2, 1, 3):
        memory.fill(event("update", status(number)))

    assert len(memory) == 2
    assert [bool(memory.fill(event("delete", number)).known) for number in "123"] == [True, False, True]
