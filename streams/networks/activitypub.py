"""Read activities of ActivityStreams 2.0 as servers of the fediverse send them, in Mastodon's dialect (WIRE.md §1).

A post is named by its own id, not by that of the activity that made it: so a Delete, an Update and a reply, which know
no other, find it, and what Mastodon's own interface tells of the post is the same signal. A share, a like and a follow
are named by their activity, for this is what an Undo gives back; one without an id is named by what it did to what.

`context` and `conversation` name no post, only a group of them, so the root of an answer is not known here and the
answer is keyed by its parent. Followers are not told. Whether the sender had the right to say it (the signature of the
request, the host of the actor) was checked by whoever took the activity in.
"""

import msgspec

from schemas.signal import AT_MS_MIN, Erasure, Kind, Op, Signal
from streams.networks.activity_shapes import (
    ACTOR_TYPES,
    POST_TYPES,
    Thing,
    attached_links,
    first_id,
    html_of,
    is_public,
    is_public_post,
    language_of,
    object_of,
    quoted_in,
    tags_and_mentions_of,
    text_of,
    types_of,
)
from streams.networks.bounds import bounded, bounded_erasure
from streams.networks.fediverse import author_in, distinct_links, distinct_tags, not_backdated, uri_ms
from streams.networks.payload import decode
from streams.networks.refusal import Refusal, refuse
from streams.networks.times import told_time

NAME = "activitypub"
SOURCE = NAME

FLAG_KIND_GUESSED = "kind_guessed"
"""An Undo that gives only an id does not say what it takes back; its kind is what such ids look like."""

_REACTIONS: dict[str, Kind] = {"Like": "like", "EmojiReact": "like", "Announce": "share", "Follow": "follow"}

_Outcome = Signal | Erasure | Refusal | None
_decoder = msgspec.json.Decoder(Thing)


def normalize(payload: bytes | None, arrived_ms: int | None) -> tuple[Signal | Erasure, ...] | Refusal:
    """Return what an activity says, nothing where it tells of no public act, or why it was refused; never raises.

    Create makes a reply (`inReplyTo`), a quote or a post, Announce a share, Like and EmojiReact a like, Follow a
    follow; Update is an edit where it tells when; Delete and Undo bear the id of what they take back. An Announce
    of an activity (as groups send on what their members do) is that activity. A post that comes without an activity
    is one that was created. What is addressed, but not to the public, says nothing, and neither do votes, changes of
    profiles, moves and all other activities. Who deletes its own account is erased.

    >>> note = '{"type": "Note", "id": "https://a.example/1", "attributedTo": "https://a.example/rosa"}'
    >>> normalize(b'{"type": "Create", "object": %s}' % note.encode(), 1_781_179_212_345)[0].kind
    'post'
    >>> normalize(b'{"type": "Move", "actor": "https://a.example/rosa"}', 1_781_179_212_345)
    ()
    >>> normalize(b'{"id": 5}', None).detail
    'activitypub payload: Expected `str | null`, got `int` - at `$.id`'
    """
    thing = decode(payload, _decoder, format_name=NAME)
    if isinstance(thing, Refusal):
        return thing
    outcome = _read(thing, arrived_ms, is_inner=False)
    if outcome is None:
        return ()
    if isinstance(outcome, Signal):
        # What was decoded came from a payload, so there is one.
        outcome = bounded(outcome, payload or b"", format_name=NAME)
    elif isinstance(outcome, Erasure):
        outcome = bounded_erasure(outcome, format_name=NAME)
    return outcome if isinstance(outcome, Refusal) else (outcome,)


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: an object with a type and an actor or an author."""
    return (
        b'"type"' in payload
        and (b'"actor"' in payload or b'"attributedTo"' in payload)
        and payload.lstrip()[:1] == b"{"
    )


# --- activities -------------------------------------------------------------------------------------------------------


def _read(activity: Thing, arrived_ms: int | None, *, is_inner: bool) -> _Outcome:
    types = types_of(activity)
    if not types:
        return refuse("malformed", f"{NAME} payload: Object missing required field `type`")
    for name in types:
        if name == "Create":
            return _created(activity, object_of(activity), arrived_ms)
        if name in _REACTIONS:
            inner = object_of(activity)
            if name == "Announce" and not is_inner and _tells_of_an_activity(inner):
                return _read(inner, arrived_ms, is_inner=True)
            return _reacted(activity, _REACTIONS[name], inner, arrived_ms, op="create")
        if name == "Update":
            return _updated(activity, object_of(activity), arrived_ms)
        if name == "Delete":
            return _deleted(activity, object_of(activity), arrived_ms)
        if name == "Undo":
            return _undone(activity, object_of(activity), arrived_ms)
        if name in POST_TYPES:
            return _created(activity, activity, arrived_ms)
    return None


def _tells_of_an_activity(thing: Thing) -> bool:
    return bool({"Create", "Update", "Delete", "Undo", "Like", "EmojiReact", "Announce"} & set(types_of(thing)))


def _created(activity: Thing, post: Thing, arrived_ms: int | None) -> _Outcome:
    if not is_public_post(activity, post):
        return None
    declared = text_of(post.published) or text_of(activity.published)
    told = told_time(declared, arrived_ms=arrived_ms, id_ms=uri_ms(post.id or ""))
    if told is None:
        return _timeless("$.object.published")
    return _posted(activity, post, told, op="create")


def _updated(activity: Thing, post: Thing, arrived_ms: int | None) -> _Outcome:
    """Read an edit. Votes and other counts come as an Update, too: only a post that tells when it was edited was."""
    if not is_public_post(activity, post) or not post.updated or post.updated == post.published:
        return None
    told = told_time(text_of(post.updated), arrived_ms=arrived_ms)
    if told is None:
        return _timeless("$.object.updated")
    return _posted(activity, post, (told[0], not_backdated(told[1])), op="update")


def _posted(activity: Thing, post: Thing, told: tuple[int, tuple[str, ...]], *, op: Op) -> Signal:
    post_id = post.id or ""
    at_ms, flags = told
    read = html_of(post)
    parent, quoted = first_id(post.in_reply_to), quoted_in(post)
    kind: Kind = "reply" if parent else "quote" if quoted else "post"
    links = distinct_links((*read.links, *attached_links(post), quoted if kind == "reply" else None))
    parent = parent or quoted
    tags, mentions = tags_and_mentions_of(post)
    actor = first_id(activity.actor) or first_id(post.attributed_to) or ""
    return Signal(
        id=post_id,
        network=NAME,
        kind=kind,
        at=at_ms,
        actor=actor,
        op=op,
        source=SOURCE,
        post=post_id,
        parent=parent,
        parent_actor=author_in(parent) if parent else None,
        tags=tags or distinct_tags(read.tags),
        mentions=mentions or read.mentions,
        links=links,
        text=read.text or None,
        lang=language_of(post),
        flags=flags,
    )


def _reacted(activity: Thing, kind: Kind, target: Thing, arrived_ms: int | None, *, op: Op) -> _Outcome:
    """Read a share, a like or a follow, or that one was taken back."""
    if kind == "share" and not is_public(activity):
        return None
    actor, about = first_id(activity.actor) or "", target.id
    if not about:
        return refuse("malformed", f"{NAME} payload: Expected the id of what the act is about - at `$.object`")
    told = told_time(text_of(activity.published), arrived_ms=arrived_ms)
    if told is None:
        return _timeless("$.published")
    at_ms, flags = told
    author = about if kind == "follow" else first_id(target.attributed_to) or author_in(about)
    # An original that comes along and answers nothing is the root of its conversation.
    is_root = kind == "share" and bool(types_of(target)) and not first_id(target.in_reply_to)
    return Signal(
        id=activity.id or f"{about}#{kind}:{actor}",
        network=NAME,
        kind=kind,
        at=at_ms,
        actor=actor,
        op=op,
        source=SOURCE,
        post=about,
        parent=about if kind == "share" else None,
        root=about if is_root else None,
        parent_actor=author,
        root_actor=author if is_root else None,
        flags=flags if op == "create" else not_backdated(flags),
    )


def _deleted(activity: Thing, gone: Thing, arrived_ms: int | None) -> _Outcome:
    actor = first_id(activity.actor) or first_id(gone.attributed_to) or ""
    is_own_account = gone.id == actor
    if not is_own_account and ACTOR_TYPES & set(types_of(gone)):
        # Nobody but themselves can have somebody erased.
        return None
    declared = text_of(gone.deleted) or text_of(activity.published)
    told = told_time(declared, arrived_ms=arrived_ms)
    if is_own_account:
        # At an unknown time: at once.
        return Erasure(actor, NAME, AT_MS_MIN if told is None else told[0])
    if told is None:
        return _timeless("$.published")
    return Signal(
        id=gone.id or "",
        network=NAME,
        kind="post",
        at=told[0],
        actor=actor,
        op="delete",
        source=SOURCE,
        post=gone.id,
        flags=not_backdated(told[1]),
    )


def _undone(activity: Thing, undone: Thing, arrived_ms: int | None) -> _Outcome:
    types = types_of(undone)
    kinds = [_REACTIONS[name] for name in types if name in _REACTIONS]
    actor = first_id(activity.actor) or first_id(undone.actor) or ""
    author = first_id(undone.actor)
    if author and author != actor:
        came = f"Expected the actor of what is taken back, {author!r}, got {actor!r}"
        return refuse("malformed", f"{NAME} payload: {came} - at `$.actor`")
    if kinds and undone.object is not None:
        # When it was taken back counts, not when it was done; and what was private is not known here anyway.
        act = msgspec.structs.replace(undone, actor=actor, published=activity.published)
        return _reacted(act, kinds[0], object_of(undone), arrived_ms, op="undo")
    if types and not kinds:
        return None
    told = told_time(text_of(activity.published), arrived_ms=arrived_ms)
    if told is None:
        return _timeless("$.published")
    return Signal(
        id=undone.id or "",
        network=NAME,
        kind=kinds[0] if kinds else _kind_in(undone.id or ""),
        at=told[0],
        actor=actor,
        op="undo",
        source=SOURCE,
        flags=not_backdated(told[1]) if kinds else (*not_backdated(told[1]), FLAG_KIND_GUESSED),
    )


def _kind_in(activity_id: str) -> Kind:
    """Return the kind of an act by what its id looks like: on Mastodon `#likes/`, `#follows/` or `/activity`."""
    tail = activity_id[-80:].lower()
    return "like" if "like" in tail else "follow" if "follow" in tail else "share"


def _timeless(place: str) -> Refusal:
    came = "Expected a time in RFC 3339, got none that can be read, and no time of arrival"
    return refuse("malformed", f"{NAME} payload: {came} - at `{place}`")
