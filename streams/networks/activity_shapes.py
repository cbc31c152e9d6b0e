"""Shapes of activities and objects of ActivityStreams 2.0, and what is read off them (WIRE.md §1).

What the standard lets be an id, an object or a list of either is taken as whichever came.
"""

from typing import Any

import msgspec

from streams.networks.fediverse import distinct_links, distinct_tags
from streams.networks.html_text import HtmlText, cut_text, read_html

POST_TYPES = frozenset(("Note", "Article", "Question", "Page", "Video", "Audio", "Image", "Event", "Document"))
ACTOR_TYPES = frozenset(("Person", "Service", "Group", "Application", "Organization"))
_PUBLIC = frozenset(("https://www.w3.org/ns/activitystreams#Public", "as:Public", "Public"))


class Reference(msgspec.Struct, gc=False):
    """An object of which only the name counts, or a link to it."""

    id: str | None = None
    href: str | None = None
    type: str | list[str] | None = None


class Tag(msgspec.Struct, gc=False):
    """A hashtag, a mention or an attached link."""

    type: str | list[str] | None = None
    name: str | None = None
    href: str | None = None


References = str | Reference | list[str | Reference | None] | None
Tags = str | Tag | list[str | Tag | None] | None
# What is no text is as good as absent: times are written by strangers.
Time = str | int | float | bool | None


class Thing(msgspec.Struct, rename="camel", gc=False):
    """An activity or an object: what is read of either."""

    id: str | None = None
    type: str | list[str] | None = None
    actor: References = None
    object: "str | Thing | list[str | Thing | None] | None" = None
    attributed_to: References = None
    in_reply_to: References = None
    quote: References = None
    quote_uri: References = None
    misskey_quote: References = msgspec.field(default=None, name="_misskey_quote")
    quote_url: References = None
    to: References = None
    cc: References = None
    published: Time = None
    updated: Time = None
    deleted: Time = None
    content: str | None = None
    # An empty map comes as a list from servers written in PHP.
    content_map: dict[str, str | None] | list[Any] | None = None
    name: str | None = None
    summary: str | None = None
    tag: Tags = None
    attachment: Tags = None


def types_of(thing: Thing | Reference | Tag) -> list[str]:
    """Return the types of an object: one, several or, where it names none, no type."""
    types = thing.type
    return types if isinstance(types, list) else [types] if types else []


def object_of(activity: Thing) -> Thing:
    """Return what an activity is about, the first where it is a list; one without anything where only its id came."""
    about: Any = activity.object
    if isinstance(about, list):
        about = next((one for one in about if one is not None), None)
    return about if isinstance(about, Thing) else Thing(id=about)


def first_id(references: References) -> str | None:
    """Return the first id in what may be an id, an object, a link or a list of them; None where there is none."""
    if references is None or isinstance(references, str):
        return references or None
    if isinstance(references, Reference):
        return references.id or references.href or None
    for one in references:
        found = first_id(one)
        if found:
            return found
    return None


def quoted_in(post: Thing) -> str | None:
    """Return the id of the post that is quoted, None where there is none or it is gone."""
    if isinstance(post.quote, Reference) and "Tombstone" in types_of(post.quote):
        return None
    return first_id(post.quote) or first_id(post.quote_uri) or first_id(post.misskey_quote) or first_id(post.quote_url)


def _all(tags: Tags) -> list[Tag]:
    many = tags if isinstance(tags, list) else [tags]
    return [tag for tag in many if isinstance(tag, Tag)]


def tags_and_mentions_of(post: Thing) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the hashtags of a post, and the actors that it mentions."""
    tags: list[str | None] = []
    mentions: list[str | None] = []
    for tag in _all(post.tag):
        types = types_of(tag)
        if "Hashtag" in types:
            tags.append(tag.name)
        elif "Mention" in types:
            mentions.append(tag.href)
    return distinct_tags(tags), distinct_links(mentions)


def attached_links(post: Thing) -> list[str | None]:
    """Return the addresses of the links that are attached to a post."""
    return [one.href for one in _all(post.attachment) if "Link" in types_of(one)]


def html_of(post: Thing) -> HtmlText:
    """Return what a post says in its content, below its title and its warning where it has them."""
    content = post.content
    if not content and isinstance(post.content_map, dict):
        content = next(iter(post.content_map.values()), None)
    read = read_html(content or "")
    heads = [head for head in (post.name, post.summary) if head]
    return read._replace(text=cut_text("\n".join((*heads, read.text)))) if heads else read


def language_of(post: Thing) -> str | None:
    """Return the language of a post, the first of those that it comes in."""
    return next(iter(post.content_map), None) if isinstance(post.content_map, dict) else None


def is_public_post(activity: Thing, post: Thing) -> bool:
    """Return whether this is a post for everybody: a vote looks like a post to the author of the poll alone."""
    types = types_of(post)
    if types and not POST_TYPES & set(types):
        return False
    if "Note" in types and post.name and not post.content and not post.content_map:
        return False
    return is_public(post if post.to is not None or post.cc is not None else activity)


def is_public(thing: Thing) -> bool:
    """Return whether an object is addressed to everybody, or to nobody at all, as where a bridge leaves that out."""
    if thing.to is None and thing.cc is None:
        return True
    return any(_names_public(references) for references in (thing.to, thing.cc))


def _names_public(references: References) -> bool:
    if isinstance(references, list):
        return any(first_id(one) in _PUBLIC for one in references)
    return first_id(references) in _PUBLIC


def text_of(declared: Time) -> str | None:
    """Return a declared time where it is a text."""
    return declared if isinstance(declared, str) else None
