"""Jetstream: every act of the four collections in both versions, every edge of time, and what is no act."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import FLAG_TAGS_TRUNCATED, Signal, conversation_of, node_of
from streams.networks import NETWORKS
from streams.networks.bluesky import NAME, normalize, recognises
from streams.networks.payload import TAGS_MAX
from streams.networks.refusal import Refusal
from tests.checks.network_checks import Golden, check_golden, golden_cases, good_payloads

SEEN_MS = 1_781_179_212_845
SEEN_US = 1_781_179_212_845_123
POST = "app.bsky.feed.post"


def payload_of(record: dict[str, object], *, did: str = "did:plc:rosa", collection: str = POST) -> bytes:
    """Return the payload of version 1 that a new record makes."""
    commit = {"operation": "create", "collection": collection, "rkey": "3mnz6h5rat227", "record": record}
    return msgspec.json.encode({"did": did, "time_us": SEEN_US, "kind": "commit", "commit": commit})


def accepted(payload: bytes) -> Signal:
    """Return the one signal that a payload must be."""
    outcome = normalize(payload, None)
    assert not isinstance(outcome, Refusal), outcome
    (signal,) = outcome
    assert isinstance(signal, Signal)
    return signal


@pytest.mark.parametrize("golden", golden_cases(NAME), ids=lambda golden: golden.case)
def test_a_payload_means_what_stands_beside_it(golden: Golden) -> None:
    """The corpus was written from the published shapes, meanings worked out by hand."""
    check_golden(NETWORKS[NAME], golden)


def test_a_share_is_found_by_what_was_seen_through_it() -> None:
    """The `via` of a later share names the record of the earlier one, and so does its node."""
    post = "at://did:plc:rosa/app.bsky.feed.post/3mnz6d7kkk22b"
    first = accepted(payload_of({"subject": {"uri": post}}, collection="app.bsky.feed.repost"))
    record: dict[str, object] = {"subject": {"uri": post}, "via": {"uri": first.id}}
    second = accepted(payload_of(record, did="did:plc:sage", collection="app.bsky.feed.repost"))

    assert second.parent == node_of(first)
    assert conversation_of(first) == conversation_of(second) == post


def test_an_undone_act_has_the_id_of_the_act() -> None:
    """A delete names the record alone, so the record names the signal."""
    lines = good_payloads(NETWORKS[NAME])
    created = [line for line in lines if b'"create"' in line and b"profile" not in line]
    for payload in created:
        signal = accepted(payload)
        frame = msgspec.json.decode(payload)
        event = frame.get("commit") or frame["payload"]
        event["operation"] = "delete"
        del event["record"]

        undone = accepted(msgspec.json.encode(frame))

        expected = ("post", "delete") if signal.post == signal.id else (signal.kind, "undo")
        assert (undone.id, undone.kind, undone.op) == (signal.id, *expected)
    assert len(created) == 8


def test_the_same_event_twice_is_the_same_signal() -> None:
    """Jetstream delivers at least once, and several instances at slightly different times; the id stays."""
    payload = payload_of({"createdAt": "2026-06-11T12:00:12.345Z", "text": "Figs."})
    again = payload.replace(str(SEEN_US).encode(), str(SEEN_US + 350_000).encode())

    assert accepted(payload) == accepted(again)


def test_the_first_tags_are_kept() -> None:
    """A post of nothing but tags is cut and flagged."""
    tags = [f"fig{number}" for number in range(TAGS_MAX + 1)]
    signal = accepted(payload_of({"tags": tags, "createdAt": "2026-06-11T12:00:12Z"}))

    assert (list(signal.tags), signal.flags) == (tags[:TAGS_MAX], (FLAG_TAGS_TRUNCATED,))


def test_nul_is_taken_out() -> None:
    """JSON can write it, and much that a text gets into cannot hold it."""
    assert accepted(payload_of({"text": "a\0b", "createdAt": "2026-06-11T12:00:12Z"})).text == "ab"


def test_an_id_that_is_too_long_for_a_key_is_refused() -> None:
    """A URI may have 8 KiB by its specification; ids become the keys of rows."""
    uri = f"at://did:web:{'x' * 500}/{POST}/3mnz6d7kkk22b"
    outcome = normalize(payload_of({"subject": {"uri": uri}}, collection="app.bsky.feed.like"), None)

    assert isinstance(outcome, Refusal)
    assert outcome.detail == "bluesky payload: Expected at most 512 bytes, got 546 bytes - at `post of the signal`"


@given(created=st.none() | st.text(max_size=40) | st.datetimes().map(lambda time: time.isoformat() + "Z"))
def test_whatever_is_declared_an_act_is_never_later_than_two_minutes_after_it_was_seen(created: str | None) -> None:
    """One wrong clock must not race the watermark."""
    record: dict[str, object] = {"text": "Figs."} if created is None else {"text": "Figs.", "createdAt": created}

    assert accepted(payload_of(record)).at <= SEEN_MS + 120_000


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"did":"did:plc:rosa","time_us":1,"kind":"commit","commit":{}}', True),
        (b' {"kind":"identity","time_us":1,"did":"did:plc:rosa"}', True),
        (b'{"$type":"message","payload":{}}', True),
        (b'{"$type":"error","error":"ConsumerTooSlow"}', True),
        (b'{"$type":"app.bsky.feed.post"}', False),
        (b'{"id":"t:1","network":"t","kind":"post","at":1,"actor":"did"}', False),
        (b'{"record":{"did":"did:plc:rosa","time_us":1}}', False),
        (b"[]", False),
        (b"did time_us", False),
    ],
)
def test_a_line_is_recognised_by_its_outermost_keys(line: bytes, expected: bool) -> None:
    """Cheaply, and without looking at what lies below."""
    assert recognises(line) is expected
