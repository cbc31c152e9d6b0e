"""Shape of what a brand declares: its accounts, its topics with their seeds, and how they travel on `social.topics`."""

from datetime import datetime
from typing import Any

import msgspec


class Seeds(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What marks a signal as being on a topic. `links` are domains or prefixes, `networks` take everything on them."""

    tags: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


class Validity(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, rename={"from_": "from", "to": "to"}):
    """The span of event time in which a topic's seeds hold: `from` included, `to` excluded; absent means open."""

    from_: datetime | None = None
    to: datetime | None = None


class TopicEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One topic of a brand in a seeds file."""

    id: str
    seeds: Seeds = msgspec.field(default_factory=Seeds)
    valid: Validity = msgspec.field(default_factory=Validity)
    rules: dict[str, Any] = msgspec.field(default_factory=dict)


class BrandEntry(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One brand in a seeds file: its accounts per network, its topics, and rules for all of them."""

    id: str
    accounts: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    topics: tuple[TopicEntry, ...] = ()
    rules: dict[str, Any] = msgspec.field(default_factory=dict)


class SeedsFile(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A seeds file (WIRE.md §0): brands with their topics, and rules for all."""

    brands: tuple[BrandEntry, ...]
    rules: dict[str, Any] = msgspec.field(default_factory=dict)


class TopicVersion(msgspec.Struct, omit_defaults=True):
    """What was in force for one topic from `effective_from_ms` on; `removed` ends the topic.

    `rules` are complete overrides for this topic: those for all, the brand's and the topic's, merged in this order.
    """

    effective_from_ms: int
    accounts: dict[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    seeds: Seeds = msgspec.field(default_factory=Seeds)
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None
    rules: dict[str, Any] = msgspec.field(default_factory=dict)
    removed: bool = False


class TopicRecord(msgspec.Struct, omit_defaults=True):
    """The value of `social.topics` under the key `brand/topic`: every version, oldest first, so that a replay applies
    what was in force.
    """

    brand: str
    topic: str
    versions: tuple[TopicVersion, ...]
