"""Read what Bluesky's Jetstream sends: version 1 (`/subscribe`) and 2 (`subscribeEvents`), found by their shape.

The acts are commits to the collections `app.bsky.feed.post` (post, reply, quote), `.repost` (share), `.like` (like) and
`app.bsky.graph.follow` (follow). A signal's id is the record's at-URI, so that whatever names the record (a parent, a
`via`, a delete) names the signal. A delete names no more than the record: it is the deletion of a post, or the undoing
of a share, like or follow, with the id that the act had. The author of whatever is named stands in its URI.

Everything else that is in order says nothing, and why:
- records of other collections, and likes of what is no post (a feed, a list): no act on a post;
- `#identity`: a change of handle; an act is known by its DID;
- `#account` of accounts that are back, taken down, suspended or deactivated: reversible, and it un-happens no act.
  One that was deleted is an erasure;
- `#sync`: the server's copy of an account was stale; what it had missed follows as commits;
- `#info`: about the connection, which is the business of who opened it.
An error frame is refused: it ends a connection and is to be seen.

Times (WIRE.md §5): an act happened when its record says (`createdAt`, a claim of the client), checked against when
Jetstream saw it; an edit or a delete when Jetstream saw it, because they tell no time. `time` is taken rather than
`witnessedAt`: where an operator imported old events it tells when they were seen first.
"""

import msgspec
from msgspec import field

from schemas.signal import AT_MS_MAX, AT_MS_MIN, Erasure, Kind, Op, Signal
from schemas.unreadable import UNREADABLE
from streams.networks.bounds import bounded, bounded_erasure
from streams.networks.id_times import tid_ms
from streams.networks.jetstream_shapes import (
    EMBED_RECORD,
    EMBED_RECORD_WITH_MEDIA,
    FOLLOW,
    LIKE,
    LINK,
    MENTION,
    POST,
    REPOST,
    TAG,
    Embed,
    Event,
    Facet,
    Frame,
    Record,
    Ref,
    decode_frame,
)
from streams.networks.refusal import Refusal, refuse
from streams.networks.times import FLAG_NO_TIME, read_rfc3339, told_time

NAME = "bluesky"
SOURCE = "bluesky-jetstream"

_KINDS: dict[str, Kind] = {POST: "post", REPOST: "share", LIKE: "like", FOLLOW: "follow"}
_OPS: dict[str, Op] = {"create": "create", "update": "update", "delete": "delete"}

_DELETED = "deleted"
"""The one status of an account that is for good."""

_Outcome = tuple[Signal | Erasure, ...] | Refusal

_FRAME_TYPES = (b'"message"', b'"error"')


class _Probe(msgspec.Struct, gc=False):
    did: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    time_us: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    type: msgspec.Raw | msgspec.UnsetType = field(default=msgspec.UNSET, name="$type")


_probe = msgspec.json.Decoder(_Probe).decode

# --- frames -----------------------------------------------------------------------------------------------------------


def normalize(payload: bytes | None, arrived_ms: int | None) -> _Outcome:
    """Return the act or the erasure that an event tells of, none of neither, or why it was refused; never raises.

    >>> like = b'{"did":"did:plc:a","time_us":1725911162329308,"kind":"commit","commit":{"operation":"create",'
    >>> like += b'"collection":"app.bsky.feed.like","rkey":"3l3qo2vuowo2b","record":{"createdAt":'
    >>> like += b'"2024-09-09T19:46:02.102Z","subject":{"uri":"at://did:plc:b/app.bsky.feed.post/3l3pte3p2e325"}}}}'
    >>> signal, = normalize(like, None)
    >>> signal.kind, signal.actor, signal.at, signal.post, signal.parent_actor
    ('like', 'did:plc:a', 1725911162102, 'at://did:plc:b/app.bsky.feed.post/3l3pte3p2e325', 'did:plc:b')
    """
    frame = decode_frame(payload, format_name=NAME)
    if isinstance(frame, Refusal):
        return frame
    assert payload is not None
    if frame.commit is not None:
        event, did, place = frame.commit, frame.did, "$.commit"
        seen_ms = None if frame.time_us is None else frame.time_us // 1000
    elif frame.payload is not None:
        event, place = frame.payload, "$.payload"
        did = event.did
        seen_ms = None if event.time is None else read_rfc3339(event.time)
    else:
        return _without_a_commit(frame, arrived_ms)
    if event.collection and event.collection not in _KINDS:
        return ()
    if seen_ms is None or not AT_MS_MIN <= seen_ms <= AT_MS_MAX:
        seen_ms = arrived_ms
    if not event.collection:
        return _without_a_collection(event, seen_ms, place)
    signal = _signal_of(event, did, seen_ms, place)
    if not isinstance(signal, Signal):
        return signal
    outcome = bounded(signal, payload, format_name=NAME)
    return outcome if isinstance(outcome, Refusal) else (outcome,)


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: an object with `did` and `time_us`, or a frame."""
    try:
        probe = _probe(payload)
    except UNREADABLE:
        return False
    if probe.did is not msgspec.UNSET and probe.time_us is not msgspec.UNSET:
        return True
    return isinstance(probe.type, msgspec.Raw) and bytes(probe.type) in _FRAME_TYPES


def _without_a_commit(frame: Frame, arrived_ms: int | None) -> _Outcome:
    if frame.error is not None:
        told = f"{frame.error!r}, {frame.message!r}" if frame.message else f"{frame.error!r}"
        return refuse("malformed", f"{NAME} payload: expected an event, got the error {told}; the stream ended here")
    if frame.kind == "account" and frame.account is not None and frame.account.status == _DELETED:
        return _erased(frame.did, arrived_ms if frame.time_us is None else frame.time_us // 1000)
    if frame.kind in ("identity", "account"):
        return ()
    came = f"`kind` {frame.kind!r}" if frame.kind else f"`$type` {frame.type!r}" if frame.type else "neither"
    expectation = "expected an event with `commit`, `account` or `identity`, or a frame with `payload`"
    return refuse("malformed", f"{NAME} payload: {expectation}, got {came}")


def _without_a_collection(event: Event, seen_ms: int | None, place: str) -> _Outcome:
    fragment = event.type.rpartition("#")[2]
    if fragment == "account" and event.account is not None and event.account.status == _DELETED:
        return _erased(event.did, seen_ms)
    if fragment in ("identity", "account", "sync", "info"):
        return ()
    if fragment and fragment != "commit":
        expectation = "expected `#commit`, `#identity`, `#account`, `#sync` or `#info`"
        return refuse("malformed", f"{NAME} payload: {expectation}, got {event.type!r} - at `{place}.$type`")
    return _missing(f"{place}.collection")


def _erased(did: str, seen_ms: int | None) -> _Outcome:
    """Return the erasure of an account that was deleted; at a time that nobody knows it takes effect at once."""
    at_ms = seen_ms if seen_ms is not None and AT_MS_MIN <= seen_ms <= AT_MS_MAX else AT_MS_MIN
    outcome = bounded_erasure(Erasure(did, NAME, at_ms), format_name=NAME)
    return outcome if isinstance(outcome, Refusal) else (outcome,)


def _missing(place: str) -> Refusal:
    return refuse("malformed", f"{NAME} payload: Expected a non-empty `str`, got none - at `{place}`")


# --- commits ----------------------------------------------------------------------------------------------------------


def _signal_of(event: Event, did: str, seen_ms: int | None, place: str) -> Signal | tuple[()] | Refusal:
    """Return the act of a commit to one of our collections; `seen_ms` is when it was seen, None where nobody knows."""
    op, rkey, record = _OPS.get(event.operation), event.rkey, event.record
    if op is None:
        expectation = f"expected one of {', '.join(_OPS)}, got {event.operation!r}"
        return refuse("malformed", f"{NAME} payload: {expectation} - at `{place}.operation`")
    if not did:
        return _missing("$.did" if place == "$.commit" else f"{place}.did")
    if not rkey:
        return _missing(f"{place}.rkey")
    if op == "delete":
        record = None
    elif record is None:
        return refuse("malformed", f"{NAME} payload: Expected `object`, got none - at `{place}.record`")
    declared = record.created_at if record is not None and op == "create" else seen_ms
    told = told_time(declared, arrived_ms=seen_ms)
    if told is None or FLAG_NO_TIME in told[1]:
        # To read a TID takes as long as all the rest of telling the time, and is seldom needed.
        told = told_time(declared, arrived_ms=seen_ms, id_ms=tid_ms(rkey))
    if told is None:
        expectation = "expected a time from 2000 to 9999 in `createdAt`, `rkey`, `time_us` or `time`, got none"
        return refuse("at_out_of_range", f"{NAME} payload: {expectation}")
    kind = _KINDS[event.collection]
    if op == "delete" and kind != "post":
        op = "undo"
    uri = f"at://{did}/{event.collection}/{rkey}"
    signal = Signal(uri, NAME, kind, told[0], did, op, SOURCE, flags=told[1])
    if kind == "post":
        signal.post = uri
        if record is not None:
            _tell_post(signal, record)
        return signal
    if record is None:
        return signal
    return _tell_of_another(signal, record, f"{place}.record.subject")


def _tell_of_another(signal: Signal, record: Record, place: str) -> Signal | tuple[()] | Refusal:
    """Enter what a share, a like or a follow is about."""
    subject = record.subject
    if signal.kind == "follow":
        if not isinstance(subject, str) or not subject:
            return _missing(place)
        signal.post = signal.parent_actor = subject
        return signal
    if not isinstance(subject, Ref) or not subject.uri:
        return _missing(f"{place}.uri")
    uri = subject.uri
    if not _is_post(uri):
        return ()
    signal.post, author = uri, _author_of(uri)
    if signal.kind == "like":
        signal.parent_actor = author
        return signal
    # Seen through another share, it hangs below that one and is on the conversation of the post.
    signal.root, signal.root_actor = uri, author
    if record.via is not None and record.via.uri:
        signal.parent, signal.parent_actor = record.via.uri, _author_of(record.via.uri)
    else:
        signal.parent, signal.parent_actor = uri, author
    return signal


def _tell_post(signal: Signal, record: Record) -> None:
    """Enter what a post says, what it answers and what it quotes; a reply that quotes is a reply, with a link."""
    signal.text = record.text
    if record.langs:
        signal.lang = record.langs[0] or None
    tags: list[str] = []
    links: list[str] = []
    if record.facets:
        _read_facets(signal, record.facets, tags=tags, links=links)
    quoted = None if record.embed is None else _quoted_by(record.embed, links)
    reply = record.reply
    if reply is not None and (reply.parent is not None or reply.root is not None):
        root = reply.root.uri if reply.root is not None else ""
        parent = reply.parent.uri if reply.parent is not None else root
        signal.kind = "reply"
        signal.parent, signal.parent_actor = parent or None, _author_of(parent)
        signal.root, signal.root_actor = root or None, _author_of(root)
        if quoted is not None:
            links.append(quoted)
    elif quoted is not None:
        signal.kind = "quote"
        signal.parent, signal.parent_actor = quoted, _author_of(quoted)
    if record.tags:
        tags += record.tags
    if tags:
        signal.tags = _distinct(tags)
    if links:
        signal.links = _distinct(links)


def _read_facets(signal: Signal, facets: list[Facet], *, tags: list[str], links: list[str]) -> None:
    """Enter whom a post mentions, and add what it is tagged with and links to."""
    mentions: list[str] = []
    for facet in facets:
        for feature in facet.features or ():
            if feature.type == TAG:
                tags.append(feature.tag or "")
            elif feature.type == LINK:
                links.append(feature.uri or "")
            elif feature.type == MENTION:
                mentions.append(feature.did or "")
    if mentions:
        signal.mentions = _distinct(mentions)


def _quoted_by(embed: Embed, links: list[str]) -> str | None:
    """Return the URI of the post that an embed shows, None where it shows another thing; adds the page it links to."""
    external = embed.external if embed.external is not None else embed.media.external if embed.media else None
    if external is not None:
        links.append(external.uri)
    uri = ""
    if embed.record is not None:
        if embed.type == EMBED_RECORD:
            uri = embed.record.uri
        elif embed.type == EMBED_RECORD_WITH_MEDIA and embed.record.record is not None:
            uri = embed.record.record.uri
    return uri if _is_post(uri) else None


def _distinct(texts: list[str]) -> tuple[str, ...]:
    """Return each text once, in order, without empty ones."""
    if len(texts) == 1 and texts[0]:
        return (texts[0],)
    return tuple(dict.fromkeys(filter(None, texts)))


def _is_post(uri: str) -> bool:
    parts = uri.split("/")
    return len(parts) == 5 and parts[3] == POST and parts[0] == "at:"


def _author_of(uri: str) -> str | None:
    """Return the DID in an at-URI, None where it names its author by a handle, which may change hands.

    >>> _author_of("at://did:plc:b/app.bsky.feed.post/3l3pte3p2e325")
    'did:plc:b'
    """
    return uri[5:].partition("/")[0] if uri.startswith("at://did:") else None
