"""What posts of the fediverse have in common, whichever interface tells of them: ids, the times in them, cut lists."""

import re
from collections.abc import Iterable

from streams.networks.html_text import LINK_CHARS_MAX, LINKS_MAX
from streams.networks.times import FLAG_BACKDATED

TAG_CHARS_MAX = 400
"""A longer tag is dropped: its normal form cannot be one that counts (`streams.attribution.tags`)."""

# Mastodon makes ids of 18 or 19 digits since 2017; before, posts were counted.
_LOCAL_ID = re.compile(r"[0-9]{15,19}", re.ASCII)
_POST_URI = re.compile(r"(https://[^/?#]+/(?:ap/)?users/[^/?#]+)/statuses/([0-9A-Za-z]+)(?:/activity)?", re.ASCII)


def local_id_ms(local_id: str) -> int | None:
    """Return the epoch milliseconds that an id of Mastodon holds in its upper bits, None where it holds none.

    https://github.com/mastodon/mastodon/blob/main/lib/mastodon/snowflake.rb

    >>> local_id_ms("103270115826048975")
    1575776913849
    >>> local_id_ms("4711") is None
    True
    """
    return int(local_id) >> 16 if _LOCAL_ID.fullmatch(local_id) else None


def uri_ms(uri: str) -> int | None:
    """Return the epoch milliseconds in the URI of a post on Mastodon, None where it holds none.

    >>> uri_ms("https://garden.example/users/rosa/statuses/103270115826048975")
    1575776913849
    """
    match = _POST_URI.fullmatch(uri)
    return local_id_ms(match[2]) if match else None


def author_in(uri: str) -> str | None:
    """Return the actor in the URI of a post, where the servers that write it so are known to: Mastodon, GoToSocial.

    >>> author_in("https://garden.example/users/rosa/statuses/103270115826048975")
    'https://garden.example/users/rosa'
    >>> author_in("https://other.example/objects/5b4a") is None
    True
    """
    match = _POST_URI.fullmatch(uri)
    return match[1] if match else None


def not_backdated(flags: tuple[str, ...]) -> tuple[str, ...]:
    """Return the flags of an act that may be old: only a live one can be declared too early."""
    return () if flags == (FLAG_BACKDATED,) else flags


def distinct_links(links: Iterable[str | None]) -> tuple[str, ...]:
    """Return the first `LINKS_MAX` addresses, each once, those that are missing or too long left out.

    >>> distinct_links(["https://a.example", None, "https://a.example"])
    ('https://a.example',)
    """
    found = dict.fromkeys(link for link in links if link and len(link) <= LINK_CHARS_MAX)
    return tuple(found)[:LINKS_MAX]


def distinct_tags(tags: Iterable[str | None]) -> tuple[str, ...]:
    """Return the names of tags, each once and without `#`, those that are missing or too long left out.

    >>> distinct_tags(["#LHC", "LHC", None, "＃CERN", "#"])
    ('LHC', 'CERN')
    """
    found = dict.fromkeys(tag.lstrip("#＃") for tag in tags if tag and len(tag) <= TAG_CHARS_MAX)
    found.pop("", None)
    return tuple(found)
