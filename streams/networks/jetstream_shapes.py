"""Shapes of what Jetstream sends, version 1 and 2 in one, and how a payload becomes them; only what is needed of them.

Everything is optional, and a name stands for itself on the wire: what an event lacks is the business of who reads it.
"""

from typing import Any

import msgspec
from msgspec import Struct, field

from streams.networks.payload import decode
from streams.networks.refusal import Refusal, refuse

POST = "app.bsky.feed.post"
REPOST = "app.bsky.feed.repost"
LIKE = "app.bsky.feed.like"
FOLLOW = "app.bsky.graph.follow"
COLLECTIONS = frozenset((POST, REPOST, LIKE, FOLLOW))
"""Those whose records are acts."""

EMBED_RECORD = "app.bsky.embed.record"
EMBED_RECORD_WITH_MEDIA = "app.bsky.embed.recordWithMedia"
EMBEDS = frozenset((EMBED_RECORD, EMBED_RECORD_WITH_MEDIA, "app.bsky.embed.external"))
"""What is read of what a post may embed."""

TAG = "app.bsky.richtext.facet#tag"
LINK = "app.bsky.richtext.facet#link"
MENTION = "app.bsky.richtext.facet#mention"
FEATURES = frozenset((TAG, LINK, MENTION))


class Ref(Struct, gc=False):
    """A strong reference to a record, or the card of a page, which has a `uri` as well."""

    uri: str = ""


class Reply(Struct, gc=False):
    """What a post answers, and the first post of the conversation."""

    parent: Ref | None = None
    root: Ref | None = None


class Feature(Struct, gc=False):
    """What a stretch of text is: a tag, a mention of a DID, or a link."""

    type: str = field(default="", name="$type")
    tag: str | None = None
    did: str | None = None
    uri: str | None = None


class Facet(Struct, gc=False):
    """A stretch of text; where it lies (in bytes of UTF-8) is of no concern here."""

    features: list[Feature] | None = None


class Embedded(Struct, gc=False):
    """What `embed.record` holds: a reference, or in `recordWithMedia` an object that holds one."""

    uri: str = ""
    record: Ref | None = None


class Media(Struct, gc=False):
    """What `recordWithMedia` shows beside the record; only the card of a page counts."""

    external: Ref | None = None


class Embed(Struct, gc=False):
    """What a post shows below its text."""

    type: str = field(default="", name="$type")
    record: Embedded | None = None
    external: Ref | None = None
    media: Media | None = None


class Record(Struct, gc=False):
    """All four collections at once: none of their fields means different things in two of them but `subject`."""

    created_at: str | None = field(default=None, name="createdAt")
    text: str | None = None
    langs: list[str] | None = None
    facets: list[Facet] | None = None
    reply: Reply | None = None
    embed: Embed | None = None
    tags: list[str] | None = None
    subject: Ref | str | None = None
    via: Ref | None = None


class Account(Struct, gc=False):
    """The state of an account on its host."""

    active: bool = True
    status: str | None = None


class Event(Struct, gc=False):
    """A commit of version 1, or any payload of version 2."""

    type: str = field(default="", name="$type")
    did: str = ""
    time: str | None = None
    operation: str = ""
    collection: str = ""
    rkey: str = ""
    record: Record | None = None
    account: Account | None = None


class Frame(Struct, gc=False):
    """An event of version 1, or a frame of version 2."""

    did: str = ""
    time_us: int | None = None
    kind: str = ""
    commit: Event | None = None
    account: Account | None = None
    type: str = field(default="", name="$type")
    payload: Event | None = None
    error: str | None = None
    message: str | None = None


_decoder = msgspec.json.Decoder(Frame)


def decode_frame(payload: bytes | None, *, format_name: str) -> Frame | Refusal:
    """Return the frame that a payload is, or why it was refused; never raises."""
    frame = decode(payload, _decoder, format_name=format_name)
    if not isinstance(frame, Refusal) or frame.reason != "malformed" or payload is None:
        return frame
    return _decode_the_known(payload, frame, format_name=format_name)


def _decode_the_known(payload: bytes, refusal: Refusal, *, format_name: str) -> Frame | Refusal:
    """Decode again without what may have any shape: foreign records, embeds and features of facets.

    Anybody may write records of collections of their own, and the lexicon leaves open what a post embeds and what its
    facets are; what we do not know must not cost the post.
    """
    try:
        frame = msgspec.json.decode(payload)
        event = frame.get("commit") or frame.get("payload")
        if event["collection"] not in COLLECTIONS:
            event["record"] = None
        elif isinstance(event.get("record"), dict):
            _leave_out_the_unknown(event["record"])
        return msgspec.convert(frame, Frame)
    except msgspec.ValidationError as error:
        return refuse("malformed", f"{format_name} payload: {error}")
    except (AttributeError, KeyError, TypeError):
        # It is not even laid out as an event, as the first decoder has said.
        return refusal


def _leave_out_the_unknown(record: dict[str, Any]) -> None:
    embed = record.get("embed")
    if isinstance(embed, dict) and embed.get("$type") not in EMBEDS:
        record["embed"] = None
    for facet in record.get("facets") or ():
        facet["features"] = [feature for feature in facet.get("features") or () if feature.get("$type") in FEATURES]
