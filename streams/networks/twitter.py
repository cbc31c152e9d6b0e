"""Read archives of Twitter: one status of API v1.1, or one answer of v2, a line; told apart by their shape.

A retweet is a share and always points at the original, never at the one it was seen through, so its edge says "star";
it carries text and entities of the original where the payload has them, because its own are cut. A reply that quotes
is a reply; the quoted post is among its links, as Twitter writes it into the text. The root is known in v2 alone
(`conversation_id`); a quote begins a conversation there, but what it spreads is the quoted post, so here it is on the
conversation of that. A signal's id is `twitter:` and the post's id. An edited post is a post of its own on Twitter,
with its own id and time: it is an update of the first of its ids. A delete names the post alone, or the retweet.

Ids are read from strings only: they exceed 2^53, and who wrote the log may have rounded the numbers. Twitter sets the
time itself, so an old one means an old log: nothing is flagged `backdated`.

In order and no act: notices of limits, warnings and disconnects, of withheld posts and accounts, of geography to be
scrubbed; pages of answers without a post; accounts that are protected, suspended, or deleted, which is reversible for
30 days and ends in deletes of the posts.
"""

import re
from datetime import UTC, datetime

import msgspec

from schemas.signal import Kind, Signal
from schemas.unreadable import UNREADABLE
from streams.networks.bounds import bounded
from streams.networks.id_times import snowflake_ms
from streams.networks.payload import decode
from streams.networks.refusal import Refusal, refuse
from streams.networks.times import FLAG_BACKDATED, FLAG_NO_TIME, told_time
from streams.networks.twitter_shapes import (
    Account,
    Delete,
    Deleted,
    Entities,
    Includes,
    Payload,
    Status,
    Tweet,
    Whole,
)

NAME = "twitter"
SOURCE = "twitter"

_EDGE_STAR = "star"
_ARCHIVE_FILE = b"window.YTD."
_UNDETERMINED = "und"
_NOTICES = frozenset(
    (
        *("limit", "warning", "disconnect", "meta"),
        *("scrub_geo", "status_withheld", "withheld", "drop", "undrop", "tweet_edit"),
        *("user_withheld", "user_delete", "user_undelete", "user_protect", "user_unprotect"),
        *("user_suspend", "user_unsuspend", "user_profile_modification"),
    )
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CREATED_AT = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d\d):(\d\d):(\d\d) \+0000 (\d{4})", re.ASCII)
_DIGITS_MAX = 19


class _Probe(msgspec.Struct, gc=False):
    id_str: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    delete: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decoder = msgspec.json.Decoder(Payload)
_probe = msgspec.json.Decoder(_Probe).decode

# --- payloads ---------------------------------------------------------------------------------------------------------


def normalize(payload: bytes | None, arrived_ms: int | None) -> tuple[Signal, ...] | Refusal:
    """Return the acts that a line tells of, none where it tells of none, or why it was refused; never raises.

    >>> retweet = b'{"id_str":"1050118621198921728","created_at":"Wed Oct 10 20:19:24 +0000 2018","text":"RT @b: hel",'
    >>> retweet += b'"user":{"id_str":"7","followers_count":120},"retweeted_status":{"id_str":"1050118621198000000",'
    >>> retweet += b'"text":"hello","user":{"id_str":"8"}}}'
    >>> signal, = normalize(retweet, None)
    >>> signal.kind, signal.actor, signal.followers, signal.at, signal.parent, signal.parent_actor, signal.text
    ('share', '7', 120, 1539202764000, '1050118621198000000', '8', 'hello')
    """
    if payload is not None and payload.startswith(_ARCHIVE_FILE):
        return _archive_file()
    answer = decode(payload, _decoder, format_name=NAME)
    if isinstance(answer, Refusal):
        return answer
    assert payload is not None
    outcomes: list[Signal | Refusal]
    if answer.id_str:
        outcomes = [_of_status(answer, arrived_ms)]
    elif answer.delete is not None:
        outcomes = [_of_delete(answer.delete, "$.delete", arrived_ms)]
    elif answer.data is not None:
        if not isinstance(answer.data, list):
            placed = [("$.data", answer.data)]
            if not answer.data.id and answer.data.delete is None and _is_notice(payload):
                return ()
        else:
            placed = [(f"$.data[{number}]", tweet) for number, tweet in enumerate(answer.data)]
        outcomes = _of_tweets(placed, answer.includes or Includes(), arrived_ms)
    else:
        return _without_a_post(answer, payload)
    signals: list[Signal] = []
    for outcome in outcomes:
        if isinstance(outcome, Signal):
            outcome = bounded(outcome, payload, format_name=NAME)
        if isinstance(outcome, Refusal):
            # A payload is taken as a whole: what is sent again, mended, must not be half known already.
            return outcome
        signals.append(outcome)
    return tuple(signals)


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: an object with `id_str`, `data` or `delete`."""
    if payload.startswith(_ARCHIVE_FILE):
        return True
    try:
        probe = _probe(payload)
    except UNREADABLE:
        return False
    return not (probe.id_str is probe.data is probe.delete is msgspec.UNSET)


def _archive_file() -> Refusal:
    return refuse(
        "unknown_format",
        f"{NAME} payload: expected one JSON object a line, got a file of a personal archive; take the list out of it, "
        "write each `tweet` of the list on a line, and add to each whose it is: `user` with `id_str`",
    )


def _without_a_post(answer: Payload, payload: bytes) -> tuple[Signal, ...] | Refusal:
    """Return what an answer without a post says: nothing where it is a notice."""
    if answer.errors:
        error = answer.errors[0]
        told = error.detail or error.message or error.title
        return refuse("malformed", f"{NAME} payload: expected a post, got the error {told!r}; mend the query")
    if _is_notice(payload):
        return ()
    expectation = "expected a status with `id_str` (v1.1; a numeric `id` is not read), `data` (v2) or `delete`"
    return refuse("malformed", f"{NAME} payload: {expectation}, got none of them")


def _is_notice(payload: bytes) -> bool:
    """Return whether an answer has, at its top or in `data`, the key of a notice that tells of no act."""
    try:
        answer = msgspec.json.decode(payload, type=dict[str, msgspec.Raw])
        if "data" in answer:
            answer = msgspec.json.decode(answer["data"], type=dict[str, msgspec.Raw])
    except UNREADABLE:
        return False
    return not _NOTICES.isdisjoint(answer)


# --- posts of v1.1 ----------------------------------------------------------------------------------------------------


def _of_status(status: Status, arrived_ms: int | None) -> Signal | Refusal:
    user = status.user
    if user is None or not user.id_str:
        return _missing("$.user.id_str", "a personal archive has no authors: add them")
    declared = _digits(status.timestamp_ms)
    if declared is None and status.created_at is not None:
        declared = _read_created_at(status.created_at)
    original = status.retweeted_status
    signal = _act(status.id_str, user.id_str, declared, arrived_ms)
    if isinstance(signal, Refusal):
        return signal
    signal.followers = user.followers_count
    if original is not None:
        if not original.id_str:
            return _missing("$.retweeted_status.id_str")
        edits = original.edit_history
        first_id = edits.initial_tweet_id if edits is not None and edits.initial_tweet_id else original.id_str
        _share(signal, first_id, None if original.user is None else original.user.id_str)
    elif status.in_reply_to_status_id_str:
        _answer(signal, "reply", status.in_reply_to_status_id_str, status.in_reply_to_user_id_str)
    elif status.quoted_status_id_str:
        quoted = status.quoted_status
        author = None if quoted is None or quoted.user is None else quoted.user.id_str
        _answer(signal, "quote", status.quoted_status_id_str, author)
    if status.edit_history is not None and status.edit_history.initial_tweet_id:
        _edit(signal, status.edit_history.initial_tweet_id)
    said = status if original is None else original
    whole = said.extended_tweet or Whole()
    text = whole.full_text or said.full_text or said.text
    _tell(signal, text, said.lang, whole.entities or said.entities)
    return signal


# --- posts of v2 ------------------------------------------------------------------------------------------------------


def _of_tweets(placed: list[tuple[str, Tweet]], includes: Includes, arrived_ms: int | None) -> list[Signal | Refusal]:
    accounts = {account.id: account for account in includes.users or ()}
    others = {tweet.id: tweet for tweet in includes.tweets or ()}
    return [_of_tweet(tweet, place, accounts, others, arrived_ms) for place, tweet in placed]


def _of_tweet(
    tweet: Tweet, place: str, accounts: dict[str, Account], others: dict[str, Tweet], arrived_ms: int | None
) -> Signal | Refusal:
    if tweet.delete is not None:
        return _of_delete(tweet.delete, f"{place}.delete", arrived_ms)
    if not tweet.id:
        return _missing(f"{place}.id")
    if not tweet.author_id:
        return _missing(f"{place}.author_id", "ask for `tweet.fields=author_id,created_at,entities,referenced_tweets`")
    signal = _act(tweet.id, tweet.author_id, tweet.created_at, arrived_ms)
    if isinstance(signal, Refusal):
        return signal
    account = accounts.get(tweet.author_id)
    if account is not None and account.public_metrics is not None:
        signal.followers = account.public_metrics.followers_count
    named = {reference.type: reference.id for reference in tweet.referenced_tweets or () if reference.id}
    said, root = tweet, tweet.conversation_id
    if original_id := named.get("retweeted"):
        # Its own conversation would be one of a retweet alone.
        said = others.get(original_id, tweet)
        root = None if said is tweet else said.conversation_id
        _share(signal, _first_of(original_id, others), None if said is tweet else said.author_id)
    elif parent_id := named.get("replied_to"):
        _answer(signal, "reply", _first_of(parent_id, others), tweet.in_reply_to_user_id)
    elif quoted_id := named.get("quoted"):
        quoted = others.get(quoted_id)
        _answer(signal, "quote", _first_of(quoted_id, others), None if quoted is None else quoted.author_id)
        root = None
    if root and root != tweet.id:
        signal.root = root
        if root in others:
            signal.root_actor = others[root].author_id or None
    if tweet.edit_history_tweet_ids:
        _edit(signal, tweet.edit_history_tweet_ids[0])
    whole = said.note_tweet or Whole()
    _tell(signal, whole.text or said.text, said.lang, whole.entities or said.entities)
    return signal


def _first_of(post_id: str, others: dict[str, Tweet]) -> str:
    """Return the id of the first version of a post, where the answer includes the post."""
    other = others.get(post_id)
    edits = None if other is None else other.edit_history_tweet_ids
    return (edits and edits[0]) or post_id


# --- what both have ---------------------------------------------------------------------------------------------------


def _act(post_id: str, actor: str, declared: str | int | None, arrived_ms: int | None) -> Signal | Refusal:
    """Return a post, as yet without what it says."""
    told = told_time(declared, arrived_ms=arrived_ms)
    if told is None or FLAG_NO_TIME in told[1]:
        told = told_time(declared, arrived_ms=arrived_ms, id_ms=snowflake_ms(post_id))
    if told is None:
        expectation = "expected a time from 2000 to 9999 in `timestamp_ms`, `created_at` or the id"
        return refuse("at_out_of_range", f"{NAME} payload: {expectation}, got none in post {post_id!r}")
    at_ms, flags = told
    return Signal(
        id=f"{NAME}:{post_id}",
        network=NAME,
        kind="post",
        at=at_ms,
        actor=actor,
        source=SOURCE,
        post=post_id,
        flags=() if FLAG_BACKDATED in flags else flags,
    )


def _share(signal: Signal, original_id: str, author: str | None) -> None:
    signal.kind, signal.edge = "share", _EDGE_STAR
    signal.post = signal.parent = original_id
    signal.parent_actor = author or None


def _answer(signal: Signal, kind: Kind, parent_id: str, author: str | None) -> None:
    signal.kind, signal.parent, signal.parent_actor = kind, parent_id, author or None


def _edit(signal: Signal, first_id: str) -> None:
    """Make what is a later version of a post an update of the first."""
    if signal.kind != "share" and first_id and first_id != signal.post:
        signal.op, signal.id, signal.post = "update", f"{NAME}:{first_id}", first_id
        if signal.root == first_id:
            signal.root = signal.root_actor = None


def _tell(signal: Signal, text: str | None, lang: str | None, entities: Entities | None) -> None:
    """Enter what a post says, or the original that it shares."""
    if text is not None and "&" in text:
        # Three signs come escaped, in this order undone.
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    signal.text = text
    signal.lang = None if lang == _UNDETERMINED else lang
    if entities is None:
        return
    if entities.hashtags:
        signal.tags = _distinct([hashtag.text or hashtag.tag for hashtag in entities.hashtags])
    if entities.user_mentions:
        signal.mentions = _distinct([mention.id_str or mention.screen_name for mention in entities.user_mentions])
    elif entities.mentions:
        signal.mentions = _distinct(
            [mention.id if isinstance(mention.id, str) else mention.username for mention in entities.mentions]
        )
    if entities.urls:
        signal.links = _distinct([url.expanded_url or url.url for url in entities.urls])


def _of_delete(delete: Delete, place: str, arrived_ms: int | None) -> Signal | Refusal:
    """Return the deletion of a post, of what kind it may have been; where no time is told, at that of the post."""
    if delete.status is not None:
        post_id, actor = delete.status.id_str, delete.status.user_id_str
        declared: str | int | None = _digits(delete.timestamp_ms)
        places = (f"{place}.status.id_str", f"{place}.status.user_id_str")
    else:
        tweet = delete.tweet or Deleted()
        post_id, actor = tweet.id if isinstance(tweet.id, str) else "", tweet.author_id
        declared = delete.event_at
        places = (f"{place}.tweet.id", f"{place}.tweet.author_id")
    if not post_id or not actor:
        return _missing(places[1 if post_id else 0])
    signal = _act(post_id, actor, declared, arrived_ms)
    if isinstance(signal, Signal):
        signal.op = "delete"
    return signal


def _missing(place: str, hint: str = "") -> Refusal:
    told = f"{NAME} payload: Expected a non-empty `str`, got none - at `{place}`"
    return refuse("malformed", f"{told}; {hint}" if hint else told)


def _distinct(texts: list[str | None]) -> tuple[str, ...]:
    """Return each text once, in order, without empty ones."""
    return tuple(dict.fromkeys(text for text in texts if text))


def _digits(number: str | int | None) -> int | None:
    """Return a number that is written as a number or as its digits."""
    if isinstance(number, str):
        return int(number) if len(number) <= _DIGITS_MAX and number.isascii() and number.isdigit() else None
    return number


def _read_created_at(text: str) -> int | None:
    """Return epoch milliseconds of a time as v1.1 writes it, None where it is none.

    >>> _read_created_at("Wed Oct 10 20:19:24 +0000 2018")
    1539202764000
    """
    # `strptime` reads the names of months in the language of whoever runs it.
    match = _CREATED_AT.fullmatch(text)
    if match is None or match[1] not in _MONTHS:
        return None
    day, hour, minute, second, year = map(int, match.group(2, 3, 4, 5, 6))
    try:
        return (
            int(datetime(year, _MONTHS.index(match[1]) + 1, day, hour, minute, second, tzinfo=UTC).timestamp()) * 1000
        )
    except ValueError:
        return None
