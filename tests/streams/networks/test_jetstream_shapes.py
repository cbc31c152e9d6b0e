"""Shapes of Jetstream: strict where something is read, blind where anybody may write anything."""

import msgspec
import pytest

from streams.networks.jetstream_shapes import FOLLOW, LIKE, POST, REPOST, Frame, decode_frame
from streams.networks.refusal import Refusal


def commit_of(record: object, *, collection: str = POST) -> bytes:
    """Return an event that commits a record."""
    return msgspec.json.encode({"did": "did:plc:rosa", "commit": {"collection": collection, "record": record}})


def decoded(payload: bytes) -> Frame:
    """Return the frame that a payload must be."""
    frame = decode_frame(payload, format_name="t")
    assert isinstance(frame, Frame), frame
    return frame


@pytest.mark.parametrize("record", [{"text": 7}, {"embed": 7}, {"facets": 7}, {"reply": []}, [], "x", 7])
def test_records_of_other_collections_are_not_looked_at(record: object) -> None:
    """What would be wrong in a post is in order in a record of somebody else's."""
    commit = decoded(commit_of(record, collection="org.example.orchard")).commit

    assert commit is not None
    assert (commit.collection, commit.record) == ("org.example.orchard", None)


@pytest.mark.parametrize("collection", [POST, REPOST, LIKE, FOLLOW])
@pytest.mark.parametrize("record", [{"text": 7}, {"facets": 7}, {"facets": [7]}, {"reply": []}, [], "x", 7])
def test_records_of_our_collections_are(collection: str, record: object) -> None:
    """A record that is broken is refused with its place, not guessed at."""
    refusal = decode_frame(commit_of(record, collection=collection), format_name="t")

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "malformed"
    assert "- at `$.commit.record" in refusal.detail


def test_of_a_facet_what_we_know_is_kept() -> None:
    """A feature of another's beside one that we know does not hide it."""
    features = [
        {"$type": "org.example.facet#colour", "tag": 7},
        {"$type": "app.bsky.richtext.facet#tag", "tag": "figs"},
    ]
    commit = decoded(commit_of({"facets": [{"features": features}]})).commit

    assert commit is not None
    assert commit.record is not None
    assert [feature.tag for facet in commit.record.facets or () for feature in facet.features or ()] == ["figs"]


def test_an_embed_that_we_know_is_looked_at() -> None:
    """A quote that cannot be read is not taken for a post that quotes nothing."""
    refusal = decode_frame(commit_of({"embed": {"$type": "app.bsky.embed.record", "record": 7}}), format_name="t")

    assert isinstance(refusal, Refusal)
    assert refusal.detail == "t payload: Expected `object | null`, got `int` - at `$.commit.record.embed.record`"


@pytest.mark.parametrize("payload", [b"7", b"[]", b'{"commit":7}', b'{"commit":{"collection":[]}}', b'{"payload":"x"}'])
def test_what_is_laid_out_as_no_event_is_refused(payload: bytes) -> None:
    """Whatever it is, it is no crash."""
    refusal = decode_frame(payload, format_name="t")

    assert isinstance(refusal, Refusal)
    assert refusal.reason == "malformed"
