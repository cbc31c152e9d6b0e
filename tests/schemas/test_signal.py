"""Check signals and heartbeats: what is required, what is left out, and which conversation a signal belongs to."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import AT_MS_MAX, AT_MS_MIN, KINDS, Heartbeat, Signal, conversation_of, is_addressed, node_of

# The example of the wire contract (WIRE.md §0), as it stands there.
PUBLISHED = """
{"id": "bsky:at://did:plc:abc/app.bsky.feed.post/3k", "network": "bluesky", "source": "bluesky-jetstream",
 "kind": "reply", "op": "create", "at": 1781179212345, "actor": "did:plc:abc", "followers": 120,
 "post": "at://...", "parent": "at://...", "root": "at://...", "tags": ["airmax"], "mentions": [], "links": [],
 "text": "...", "lang": "fr", "edge": "observed", "flags": []}
"""
REQUIRED = {"id": "t:1", "network": "t", "kind": "post", "at": AT_MS_MIN, "actor": "a"}

IDS = st.text(min_size=1, max_size=8)
WORDS = st.lists(st.text(max_size=5), max_size=3).map(tuple)
SIGNALS = st.builds(
    Signal,
    id=IDS,
    network=IDS,
    kind=st.sampled_from(KINDS),
    at=st.integers(AT_MS_MIN, AT_MS_MAX),
    actor=IDS,
    op=st.sampled_from(["create", "update", "delete", "undo"]),
    source=st.text(max_size=5),
    followers=st.none() | st.integers(0, 2**63 - 1),
    post=st.none() | IDS,
    parent=st.none() | IDS,
    root=st.none() | IDS,
    parent_actor=st.none() | IDS,
    root_actor=st.none() | IDS,
    tags=WORDS,
    mentions=WORDS,
    links=WORDS,
    text=st.none() | st.text(max_size=20),
    lang=st.none() | IDS,
    edge=st.none() | IDS,
    flags=WORDS,
)


def test_the_published_signal_is_read_as_it_is_described() -> None:
    """The example of the contract is what producers copy."""
    signal = msgspec.json.decode(PUBLISHED, type=Signal, strict=True)

    assert (signal.kind, signal.at, signal.followers, signal.tags) == ("reply", 1781179212345, 120, ("airmax",))


@given(SIGNALS)
def test_a_signal_comes_back_as_it_was_sent(signal: Signal) -> None:
    """Decoding is the inverse of encoding, whatever was left out because it was the default."""
    written = msgspec.json.encode(signal)

    assert msgspec.json.decode(written, type=Signal) == signal
    assert msgspec.json.encode(msgspec.json.decode(written, type=Signal)) == written


@given(st.builds(Heartbeat, heartbeat=st.text(max_size=8), at=st.integers(AT_MS_MIN, AT_MS_MAX), end=st.booleans()))
def test_a_heartbeat_comes_back_as_it_was_sent(heartbeat: Heartbeat) -> None:
    """Decoding is the inverse of encoding."""
    assert msgspec.json.decode(msgspec.json.encode(heartbeat), type=Heartbeat) == heartbeat


@pytest.mark.parametrize("name", REQUIRED)
def test_what_the_contract_requires_of_a_signal_is_required(name: str) -> None:
    """Without any one of the five, nothing can be made of it."""
    rest = {other: value for other, value in REQUIRED.items() if other != name}

    with pytest.raises(msgspec.ValidationError, match=f"missing required field `{name}`"):
        msgspec.json.decode(json.dumps(rest), type=Signal)


def test_nothing_but_the_required_is_needed_or_written() -> None:
    """A firehose is mostly likes: a field that says nothing takes no room."""
    signal = msgspec.json.decode(json.dumps(REQUIRED), type=Signal)

    assert (signal.op, signal.source, signal.followers, signal.text) == ("create", "", None, None)
    assert (signal.tags, signal.mentions, signal.links, signal.flags) == ((), (), (), ())
    assert json.loads(msgspec.json.encode(signal)) == REQUIRED
    assert msgspec.json.encode(Heartbeat("a", at=1)) == b'{"heartbeat":"a","at":1}'


def test_unknown_fields_are_ignored_and_ids_are_strings() -> None:
    """A newer producer must not be refused; a number as id would lose its last digits beyond 2^53."""
    newer = json.dumps(REQUIRED | {"mood": {"sunny": True}})

    assert msgspec.json.decode(newer, type=Signal).id == "t:1"
    with pytest.raises(msgspec.ValidationError, match=r"Expected `str`, got `int` - at `\$\.id`"):
        msgspec.json.decode(json.dumps(REQUIRED | {"id": 1781179212345}), type=Signal)


@pytest.mark.parametrize(
    ("fields", "conversation"),
    [
        ({"root": "r", "parent": "p", "post": "x"}, "r"),
        ({"parent": "p", "post": "x"}, "p"),
        ({"post": "x"}, "x"),
        ({}, "t:1"),
    ],
)
def test_a_conversation_is_named_by_the_highest_post_that_is_known(fields: dict[str, str], conversation: str) -> None:
    """Root, else parent, else the post itself, else the signal: all that is one tree must have one key."""
    signal = msgspec.convert(REQUIRED | {"kind": "reply"} | fields, Signal)

    assert conversation_of(signal) == conversation


@pytest.mark.parametrize(
    ("fields", "addressed"),
    [
        ({"kind": "reply", "op": "delete", "post": "x"}, False),
        ({"kind": "post", "op": "delete", "post": "x"}, False),
        ({"kind": "reply", "op": "update", "post": "x"}, False),
        ({"kind": "post", "op": "update", "post": "x"}, True),
        ({"kind": "reply", "op": "delete", "post": "x", "parent": "p"}, True),
        ({"kind": "post", "op": "delete", "post": "x", "root": "x"}, True),
        ({"kind": "like", "op": "undo", "post": "x"}, True),
        ({"kind": "share", "op": "undo"}, False),
        ({"kind": "follow"}, True),
    ],
)
def test_a_change_is_addressed_where_it_names_the_conversation(fields: dict[str, str], addressed: bool) -> None:
    """Of what somebody wrote, the post alone does not say below which root it hangs."""
    assert is_addressed(msgspec.convert(REQUIRED | fields, Signal)) is addressed


def test_a_share_is_answered_by_its_own_id_and_a_post_by_its_post() -> None:
    """The `post` of a share is the shared one, which is not what somebody who came through the share names."""
    post = Signal(id="t:1", network="t", kind="post", at=AT_MS_MIN, actor="a", post="x")
    share = Signal(id="t:2", network="t", kind="share", at=AT_MS_MIN, actor="b", post="x")

    assert [node_of(post), node_of(share)] == ["x", "t:2"]
