"""Shapes of what archives of Twitter hold, API v1.1 and v2; only what is needed of them, by its names on the wire.

Everything is optional: what a post lacks is the business of who reads it. `id` is a number in v1.1, where it is not
read, and a text in v2.
"""

from msgspec import Struct


class User(Struct, gc=False):
    """The author of a status in v1.1, with the followers of that moment."""

    id_str: str = ""
    followers_count: int | None = None


class Hashtag(Struct, gc=False):
    """`text` in v1.1, `tag` in v2."""

    text: str | None = None
    tag: str | None = None


class Mention(Struct, gc=False):
    """`id_str` and `screen_name` in v1.1, `id` and `username` in v2."""

    id_str: str | None = None
    screen_name: str | None = None
    id: str | int | None = None
    username: str | None = None


class Url(Struct, gc=False):
    """A link in a post: what it stands for, and its short form."""

    expanded_url: str | None = None
    url: str | None = None


class Entities(Struct, gc=False):
    """`user_mentions` in v1.1, `mentions` in v2."""

    hashtags: list[Hashtag] | None = None
    user_mentions: list[Mention] | None = None
    mentions: list[Mention] | None = None
    urls: list[Url] | None = None


class Whole(Struct, gc=False):
    """The whole of a long post, of which the post itself has the beginning: `full_text` in v1.1, `text` in v2."""

    full_text: str | None = None
    text: str | None = None
    entities: Entities | None = None


class EditHistory(Struct, gc=False):
    """Where a status stands in its history of edits, in v1.1."""

    initial_tweet_id: str | None = None


class Quoted(Struct, gc=False):
    """The quoted status in v1.1, of which its author counts."""

    user: User | None = None


class Deleted(Struct, gc=False):
    """`id_str` and `user_id_str` in v1.1, `id` and `author_id` in v2."""

    id_str: str = ""
    user_id_str: str = ""
    id: str | int = ""
    author_id: str = ""


class Delete(Struct, gc=False):
    """`status` and `timestamp_ms` in v1.1, `tweet` and `event_at` in the compliance stream of v2."""

    status: Deleted | None = None
    timestamp_ms: str | int | None = None
    tweet: Deleted | None = None
    event_at: str | None = None


class Status(Struct, gc=False):
    """A post of v1.1."""

    id_str: str = ""
    timestamp_ms: str | int | None = None
    created_at: str | None = None
    user: User | None = None
    text: str | None = None
    full_text: str | None = None
    extended_tweet: Whole | None = None
    entities: Entities | None = None
    lang: str | None = None
    retweeted_status: "Status | None" = None
    quoted_status_id_str: str | None = None
    quoted_status: Quoted | None = None
    in_reply_to_status_id_str: str | None = None
    in_reply_to_user_id_str: str | None = None
    edit_history: EditHistory | None = None


class Reference(Struct, gc=False):
    """What a post of v2 is to another one: retweeted, quoted, replied_to."""

    type: str = ""
    id: str = ""


class Tweet(Struct, gc=False):
    """A post of v2, or what the compliance stream says of one."""

    id: str = ""
    author_id: str = ""
    created_at: str | None = None
    text: str | None = None
    lang: str | None = None
    conversation_id: str | None = None
    in_reply_to_user_id: str | None = None
    referenced_tweets: list[Reference] | None = None
    entities: Entities | None = None
    note_tweet: Whole | None = None
    edit_history_tweet_ids: list[str] | None = None
    delete: Delete | None = None


class Metrics(Struct, gc=False):
    """Counts of an account in v2."""

    followers_count: int | None = None


class Account(Struct, gc=False):
    """An account that an answer of v2 includes."""

    id: str = ""
    public_metrics: Metrics | None = None


class Includes(Struct, gc=False):
    """What an answer of v2 has beside its posts: their authors, and the posts that they refer to."""

    users: list[Account] | None = None
    tweets: list[Tweet] | None = None


class Error(Struct, gc=False):
    """What went wrong with a query, in the words of v1.1 or v2."""

    title: str | None = None
    detail: str | None = None
    message: str | None = None


class Payload(Status, gc=False):
    """A status of v1.1, an answer of v2, or a notice of either."""

    data: Tweet | list[Tweet] | None = None
    includes: Includes | None = None
    delete: Delete | None = None
    errors: list[Error] | None = None
