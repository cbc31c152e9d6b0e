"""Read what Mastodon's own interface tells: events of its streaming API, and statuses as REST gives them (WIRE.md §2).

A status has a global name, `uri`, but names others (what it answers, what was deleted) by ids that are local to the
instance that was asked. A post is named by its `uri` here, so that it is the same signal from whichever instance it
comes, and what is named by a local id gets its global one by the first of these ways that leads to it:

1. `known` of the event: what the connector remembers of the statuses that the event names (`mastodon_memory`).
2. Who answers oneself does so on one's own server: the local id takes the place of the answer's own in its `uri`.
3. Who answers an account of the instance itself answers `https://<host>/users/<name>/statuses/<local id>`, as Mastodon
   names the posts of all accounts made before its version 4.5. This is a guess, so the edge is `inferred`.
4. Else it is not known. `mastodon:<instance>/<local id>` stands for it: answers to one post meet there, but not with
   the post. Its author is known where the answer mentions it, and with that whose conversation it is.

A deletion tells nothing but a local id, so without `known` it bears the name of (4) and finds nothing. A share is named
by who shared what, since its own `uri` is told in the timeline but not in the notification.
"""

from typing import Literal

import msgspec

from schemas.signal import ACTOR_UNKNOWN, Op, Signal
from streams.networks.bounds import bounded
from streams.networks.counters import SIGNALS_MAX, counted
from streams.networks.fediverse import (
    distinct_links,
    distinct_tags,
    local_id_ms,
    not_backdated,
)
from streams.networks.html_text import cut_text, read_html
from streams.networks.mastodon_shapes import Account, Event, Notification, Quote, Status
from streams.networks.payload import decode, is_overlong, refuse_overlong
from streams.networks.refusal import Refusal, refuse
from streams.networks.times import told_time

NAME = "mastodon"

FLAG_BOT = "bot"
"""The account says that it is run by a program."""
FLAG_UNDISCOVERABLE = "undiscoverable"
"""The account asked not to be found: what it does counts, but it is not to be shown by name."""

EDGE_INFERRED = "inferred"

# A status that does not say who may see it comes from a server that lets everybody.
_PUBLIC = (None, "public", "unlisted")
_ID_CHARS_MAX = 100


_decode_event = msgspec.json.Decoder(Event)
_decode_status = msgspec.json.Decoder(Status)
_decode_notification = msgspec.json.Decoder(Notification)


def normalize(payload: bytes | None, arrived_ms: int | None) -> tuple[Signal, ...] | Refusal:
    """Return what an event or a bare status says, nothing where it tells of no public act; never raises.

    `update` makes a share (`reblog`), a reply (`in_reply_to_id`), a quote (an accepted one) or a post, as a bare status
    does; `status.update` is an edit where it tells when, `delete` takes back. Of notifications `favourite` makes a
    like, `reblog` a share, `follow` a follow, and those about a status tell it. All other events say nothing, and
    neither does what is not `public` or `unlisted`. `counted`, which no server says but the connector, makes likes and
    shares of what the counts of a status have grown by (`counters`).

    >>> normalize(b'{"instance":"garden.example","event":"delete","payload":"7"}', 1_781_179_212_345)[0].id
    'mastodon:garden.example/7'
    >>> normalize(b'{"event":"filters_changed"}', None)
    ()
    """
    event = decode(payload, _decode_event, format_name=NAME)
    if isinstance(event, Refusal):
        return event
    if is_overlong(event.instance):
        return refuse_overlong(event.instance, place="$.instance", format_name=NAME)
    if event.event == "counted":
        return _counted(event, payload or b"", arrived_ms)
    told = _read(event, payload or b"", arrived_ms)
    if isinstance(told, Signal):
        told = bounded(told, payload or b"", format_name=NAME)
    return () if told is None else told if isinstance(told, Refusal) else (told,)


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: an event with a payload, or a status of an account."""
    if b'"event"' in payload and b'"payload"' in payload:
        return True
    return b'"visibility"' in payload and b'"account"' in payload and b'"uri"' in payload


def source_of(instance: str) -> str:
    """Return the name of the source whose progress an instance is, for its signals and for its heartbeats.

    >>> source_of("garden.example")
    'mastodon:garden.example'
    """
    return f"{NAME}:{instance}" if instance else NAME


# --- events -----------------------------------------------------------------------------------------------------------


def _read(event: Event, payload: bytes, arrived_ms: int | None) -> Signal | Refusal | None:
    if event.event is None:
        status = decode(payload, _decode_status, format_name=NAME)
        if isinstance(status, Refusal):
            return status
        # It was asked for, so it may be of any age.
        return _status_read(event, status, arrived_ms, is_live=False)
    if event.event == "delete":
        return _deleted(event, arrived_ms)
    if event.event not in ("update", "status.update", "notification"):
        return None
    if not isinstance(event.payload, str):
        return refuse("malformed", f"{NAME} payload: Expected `str` that holds JSON - at `$.payload`")
    inner = event.payload.encode()
    if event.event == "notification":
        notification = decode(inner, _decode_notification, format_name=NAME)
        if isinstance(notification, Refusal):
            return notification
        return _notified(event, notification, arrived_ms)
    status = decode(inner, _decode_status, format_name=NAME)
    if isinstance(status, Refusal):
        return status
    if event.event == "update":
        return _status_read(event, status, arrived_ms, is_live=True)
    return _edited(event, status, arrived_ms)


def _counted(event: Event, payload: bytes, arrived_ms: int | None) -> tuple[Signal, ...] | Refusal:
    """Read what the counts of a status have grown by since the connector looked before."""
    inner = event.payload.encode() if isinstance(event.payload, str) else b""
    status = decode(inner, _decode_status, format_name=NAME)
    if isinstance(status, Refusal):
        return status
    if event.grown is None or not event.grown.is_lawful:
        expectation = f"Expected counts that have grown by at most {SIGNALS_MAX} in all"
        return refuse("malformed", f"{NAME} payload: {expectation} - at `$.grown`")
    told = told_time(None, arrived_ms=arrived_ms)
    if told is None:
        return refuse("malformed", f"{NAME} payload: expected to know when counts came in, got no time of arrival")
    if status.reblog is not None or not _is_public(status):
        return ()
    post = bounded(_posted(event, status, told, op="create"), payload, format_name=NAME)
    return post if isinstance(post, Refusal) else tuple(counted(post, event.grown, at_ms=told[0]))


def _status_read(event: Event, status: Status, arrived_ms: int | None, *, is_live: bool) -> Signal | Refusal | None:
    if not _is_public(status):
        return None
    told = told_time(status.created_at, arrived_ms=arrived_ms, id_ms=local_id_ms(status.id))
    if told is None:
        return _timeless("$.created_at")
    if not is_live:
        told = told[0], not_backdated(told[1])
    if status.reblog is None:
        return _posted(event, status, told, op="create")
    return _shared(event, status.account, status.reblog, told)


def _edited(event: Event, status: Status, arrived_ms: int | None) -> Signal | Refusal | None:
    """Read an edit; a status that was not edited comes as one, too, when a quote was accepted or votes were counted."""
    if status.edited_at is None or status.reblog is not None or not _is_public(status):
        return None
    told = told_time(status.edited_at, arrived_ms=arrived_ms)
    if told is None:
        return _timeless("$.edited_at")
    return _posted(event, status, (told[0], not_backdated(told[1])), op="update")


def _deleted(event: Event, arrived_ms: int | None) -> Signal | Refusal:
    local_id = str(event.payload or "")
    if not local_id or len(local_id) > _ID_CHARS_MAX:
        return refuse("malformed", f"{NAME} payload: Expected the local id of a status - at `$.payload`")
    told = told_time(None, arrived_ms=arrived_ms)
    if told is None:
        came = "expected to know when this came in, for a deletion tells no time, and got no time of arrival"
        return refuse("malformed", f"{NAME} payload: {came}")
    known = event.known.get(local_id)
    name = _local_name(event, local_id)
    return Signal(
        id=known.id if known else name,
        network=NAME,
        kind=known.kind if known else "post",
        at=told[0],
        actor=known.actor if known else ACTOR_UNKNOWN,
        # Who deletes a share takes it back.
        op="undo" if known and known.kind == "share" else "delete",
        source=source_of(event.instance),
        post=known.post if known else name,
        parent=known.post if known and known.kind == "share" else None,
        root=known.root if known else None,
        root_actor=known.root_actor if known else None,
        flags=told[1],
    )


def _notified(event: Event, notification: Notification, arrived_ms: int | None) -> Signal | Refusal | None:
    kind, status = notification.type, notification.status
    if kind == "update" and status is not None:
        return _edited(event, status, arrived_ms)
    if kind in ("mention", "status", "quote") and status is not None:
        return _status_read(event, status, arrived_ms, is_live=True)
    if kind not in ("favourite", "reblog", "follow"):
        return None
    told = told_time(notification.created_at, arrived_ms=arrived_ms)
    if told is None:
        return _timeless("$.created_at")
    if kind == "follow":
        # Where the connector does not say whose stream it is, somebody of the instance was followed.
        return _acted(event, notification.account, "follow", event.owner or event.instance or NAME, told)
    if status is None:
        return refuse("malformed", f"{NAME} payload: Object missing required field `status`")
    if not _is_public(status):
        return None
    if kind == "reblog":
        return _shared(event, notification.account, status, told)
    liked = _acted(event, notification.account, "like", status.uri, told)
    liked.parent_actor = _name_of(event, status.account)
    return liked


# --- signals ----------------------------------------------------------------------------------------------------------


def _posted(event: Event, status: Status, told: tuple[int, tuple[str, ...]], *, op: Op) -> Signal:
    read = read_html(status.content or "")
    text = "\n".join((status.spoiler_text, read.text)) if status.spoiler_text else read.text
    signal = Signal(
        id=status.uri,
        network=NAME,
        kind="post",
        at=told[0],
        actor=_name_of(event, status.account),
        op=op,
        source=source_of(event.instance),
        followers=status.account.followers_count,
        post=status.uri,
        tags=distinct_tags([tag.name for tag in status.tags or ()]),
        mentions=distinct_links([_name_of(event, mentioned) for mentioned in status.mentions or ()]),
        links=distinct_links((*read.links, status.card.url if status.card else None)),
        text=cut_text(text) or None,
        lang=status.language or None,
        flags=(*told[1], *_flags_of(status.account)),
    )
    quote = status.quote if status.quote is not None and status.quote.state == "accepted" else None
    if status.in_reply_to_id:
        signal.kind = "reply"
        _answer(event, status, signal)
        if quote is not None and quote.quoted_status is not None:
            signal.links = distinct_links((*signal.links, quote.quoted_status.uri))
    elif quote is not None:
        _quote(event, quote, signal)
    return signal


def _shared(event: Event, account: Account, original: Status, told: tuple[int, tuple[str, ...]]) -> Signal | None:
    if not _is_public(original):
        return None
    signal = _acted(event, account, "share", original.uri, told)
    signal.parent = original.uri
    signal.parent_actor = _name_of(event, original.account)
    known = event.known.get(original.id)
    if known is not None:
        signal.root, signal.root_actor = known.root, known.root_actor
    elif not original.in_reply_to_id:
        signal.root, signal.root_actor = original.uri, signal.parent_actor
    return signal


def _acted(
    event: Event,
    account: Account,
    kind: Literal["share", "like", "follow"],
    about: str,
    told: tuple[int, tuple[str, ...]],
) -> Signal:
    """Return an act on a post or an account, which is named by who did it: nobody shares or likes one post twice."""
    actor = _name_of(event, account)
    return Signal(
        id=f"{about}#{kind}:{actor}",
        network=NAME,
        kind=kind,
        at=told[0],
        actor=actor,
        source=source_of(event.instance),
        followers=account.followers_count,
        post=about,
        parent_actor=about if kind == "follow" else None,
        flags=(*told[1], *_flags_of(account)),
    )


def _answer(event: Event, status: Status, signal: Signal) -> None:
    """Fill in what a reply answers, by the first way that leads to it (see above)."""
    local_id = status.in_reply_to_id or ""
    known = event.known.get(local_id)
    if known is not None:
        signal.parent, signal.parent_actor = known.post, known.actor
        signal.root, signal.root_actor = known.root, known.root_actor
        return
    parent: Account | None = None
    if status.in_reply_to_account_id == status.account.id:
        parent = status.account
        if "@" not in parent.acct and status.uri.endswith(f"/{status.id}"):
            signal.parent = status.uri.removesuffix(status.id) + local_id
    else:
        wanted = status.in_reply_to_account_id
        parent = next((one for one in status.mentions or () if one.id == wanted), None)
        if parent is not None and parent.acct and "@" not in parent.acct and local_id.isdigit():
            host = _host_in(parent.url or "")
            if host:
                signal.parent = f"https://{host}/users/{parent.acct}/statuses/{local_id}"
                signal.edge = EDGE_INFERRED
    if parent is not None and parent.acct:
        signal.parent_actor = _name_of(event, parent)
    if signal.parent is None:
        signal.parent = _local_name(event, local_id)


def _quote(event: Event, quote: Quote, signal: Signal) -> None:
    quoted = quote.quoted_status
    known = event.known.get(quote.quoted_status_id or "")
    if quoted is not None:
        signal.kind, signal.parent, signal.parent_actor = "quote", quoted.uri, _name_of(event, quoted.account)
    elif known is not None:
        signal.kind, signal.parent, signal.parent_actor = "quote", known.post, known.actor
    elif quote.quoted_status_id:
        signal.kind, signal.parent = "quote", _local_name(event, quote.quoted_status_id)


def _name_of(event: Event, account: Account) -> str:
    """Return the name of an account with its domain; an account without one lives on the instance itself."""
    if not account.acct or "@" in account.acct:
        return account.acct
    domain = event.instance or _host_in(account.url or "")
    return f"{account.acct}@{domain}" if domain else account.acct


def _is_public(status: Status) -> bool:
    return status.visibility in _PUBLIC


def _flags_of(account: Account) -> tuple[str, ...]:
    bot = (FLAG_BOT,) if account.bot else ()
    return (*bot, FLAG_UNDISCOVERABLE) if account.discoverable is False else bot


def _local_name(event: Event, local_id: str) -> str:
    return f"{NAME}:{event.instance}/{local_id}"


def _host_in(url: str) -> str:
    return url.split("/", 3)[2] if url.startswith("https://") and url.count("/") >= 3 else ""


def _timeless(place: str) -> Refusal:
    came = "Expected a time in RFC 3339, got none that can be read, and no time of arrival"
    return refuse("malformed", f"{NAME} payload: {came} - at `{place}`")
