"""Shapes of what Mastodon's own interface tells, as far as they are read, and of the events that a connector writes.

https://docs.joinmastodon.org/entities/Status/, https://docs.joinmastodon.org/entities/Notification/,
https://docs.joinmastodon.org/entities/Quote/
"""

import msgspec

from schemas.signal import Kind
from streams.networks.counters import Grown


class Account(msgspec.Struct, gc=False):
    """An account: `acct` is its name on the instance, with `@domain` where it lives on another one."""

    id: str = ""
    acct: str = ""
    url: str | None = None
    followers_count: int | None = None
    bot: bool | None = None
    discoverable: bool | None = None


class Named(msgspec.Struct, gc=False):
    """A hashtag."""

    name: str = ""


class Card(msgspec.Struct, gc=False):
    """The preview of a link."""

    url: str | None = None


class Quote(msgspec.Struct, gc=False):
    """A quoted status; only the state `accepted` says that its author agreed to it."""

    state: str = ""
    quoted_status: "Status | None" = None
    quoted_status_id: str | None = None


class Status(msgspec.Struct, gc=False):
    """A status; `reblog` is what it shares, and everything else of a share repeats that."""

    id: str
    uri: str
    account: Account
    created_at: str | None = None
    edited_at: str | None = None
    in_reply_to_id: str | None = None
    in_reply_to_account_id: str | None = None
    visibility: str | None = None
    language: str | None = None
    content: str | None = None
    spoiler_text: str | None = None
    reblog: "Status | None" = None
    quote: Quote | None = None
    mentions: list[Account] | None = None
    tags: list[Named] | None = None
    card: Card | None = None
    replies_count: int | None = None
    reblogs_count: int | None = None
    favourites_count: int | None = None


class Notification(msgspec.Struct, gc=False):
    """What somebody did to the account whose stream this is, or to a post of its."""

    type: str
    account: Account
    created_at: str | None = None
    status: Status | None = None


class Known(msgspec.Struct, omit_defaults=True):
    """What a connector remembers of a status that an event names by its local id: the signal that it was."""

    id: str
    actor: str
    kind: Kind
    post: str
    root: str | None = None
    root_actor: str | None = None


class Event(msgspec.Struct, omit_defaults=True):
    """An event of the stream as the connector writes it; `payload` is JSON in a string, or the local id of a status.

    `instance` is the domain that the instance calls its own, `owner` the account whose stream this is (its name with
    its domain), `known` what is remembered of statuses by their local ids, `grown` how the counts have grown of the
    status that an event `counted` tells. All of these may be missing.
    """

    event: str | None = None
    payload: str | int | None = None
    instance: str = ""
    owner: str | None = None
    known: dict[str, Known] = {}
    grown: Grown | None = None
