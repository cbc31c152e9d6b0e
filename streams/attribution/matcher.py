"""Say which topics a signal carries itself, by the seeds that were in force at its time.

All seeds of all versions lie in one set of look-up tables, built once; each leads to the spans of event time in which
topics had it. A look-up that misses, which is what most signals do, costs the same however many topics and versions
there are; one that hits filters its spans, once per segment of event time in which nothing changes.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

import msgspec

from schemas.rules import Rules
from schemas.seeds import TopicRecord, TopicVersion
from schemas.signal import Signal
from streams.attribution.links import Link, LinkIndex, parse_link
from streams.attribution.phrases import PhraseIndex
from streams.attribution.tags import TAG_LENGTH_MAX, normalize_tag
from streams.lifecycle.rules import build_rules, merge_overrides

BEGIN_MS = -(2**63)
"""Before all event time."""
END_MS = 2**63
"""After all event time."""

_SEGMENTS_KEPT = 64

_Seed = TypeVar("_Seed")


def key_of(record: TopicRecord) -> str:
    """Return the key of a topic on every channel, `brand/topic`.

    >>> key_of(TopicRecord(brand="cern", topic="higgs", versions=()))
    'cern/higgs'
    """
    return f"{record.brand}/{record.topic}"


@lru_cache(maxsize=65_536)
def fold_account(name: str) -> str:
    """Return the name of an account in the form in which two are compared: casefolded, without `@` before it.

    >>> fold_account("@CERN"), fold_account("did:plc:abc")
    ('cern', 'did:plc:abc')
    """
    return name.strip().lstrip("@＠").casefold()


class _Span(NamedTuple):
    """The event time in which a topic has a seed: `from_ms` included, `to_ms` excluded."""

    topic: str
    from_ms: int
    to_ms: int


class _SeedTables:
    """Every seed with a number, and under each number the spans in which topics have that seed."""

    def __init__(self) -> None:
        # Most seeds are of one topic: all of one version share one tuple, and only what several have gets a list.
        self.spans: list[tuple[_Span] | list[_Span]] = []
        self.tags: dict[str, int] = {}
        self.networks: dict[str, int] = {}
        self.posts: dict[str, int] = {}
        self.mentions: dict[str, int] = {}
        self.accounts: dict[str, dict[str, int]] = {}
        self.links = LinkIndex()
        self.phrases = PhraseIndex(())
        self.phrase_numbers: tuple[int, ...] = ()
        self._by_link: dict[Link, int] = {}
        self._by_phrase: dict[str, int] = {}

    def add(self, version: TopicVersion, span: _Span) -> None:
        """Enter the seeds of one version; what can be no seed (an empty tag, a link without a host) is passed over."""
        seeds, alone = version.seeds, (span,)
        for raw in seeds.tags:
            tag = normalize_tag(raw)
            if len(tag) <= TAG_LENGTH_MAX:
                self._enter(self.tags, tag, alone)
        for phrase in seeds.phrases:
            self._enter(self._by_phrase, phrase, alone)
        for url in seeds.links:
            link = parse_link(url)
            if link is not None:
                self._enter(self._by_link, link, alone)
        for mention in seeds.mentions:
            self._enter(self.mentions, fold_account(mention), alone)
        for post in seeds.posts:
            self._enter(self.posts, post, alone)
        for network in seeds.networks:
            self._enter(self.networks, network, alone)
        for network, names in version.accounts.items():
            of_network = self.accounts.setdefault(network, {})
            for name in names:
                self._enter(of_network, fold_account(name), alone)

    def _enter(self, numbers: dict[_Seed, int], seed: _Seed, alone: tuple[_Span]) -> None:
        if not seed:
            return
        number = numbers.get(seed)
        if number is None:
            numbers[seed] = len(self.spans)
            self.spans.append(alone)
            return
        known = self.spans[number]
        if isinstance(known, tuple):
            self.spans[number] = [*known, *alone]
        else:
            known.extend(alone)

    def finish(self) -> None:
        """Build what needs all seeds at once."""
        for link, number in self._by_link.items():
            self.links.add(link, number)
        self.phrases = PhraseIndex(self._by_phrase)
        self.phrase_numbers = tuple(self._by_phrase.values())
        self._by_link, self._by_phrase = {}, {}


class Matcher:
    """The seeds in force in one segment of event time, `from_ms` <= time < `to_ms`."""

    __slots__ = ("_accounts", "_in_force", "_links", "_phrases", "_tables", "_tags", "from_ms", "to_ms")

    def __init__(self, tables: _SeedTables, *, from_ms: int, to_ms: int) -> None:
        self.from_ms = from_ms
        self.to_ms = to_ms
        self._tables = tables
        self._tags = tables.tags
        self._accounts = tables.accounts
        self._links = tables.links if tables.links else None
        self._phrases = tables.phrases if tables.phrases else None
        self._in_force: dict[int, tuple[str, ...]] = {}

    def match(self, signal: Signal) -> tuple[str, ...]:
        """Return the keys of the topics whose seeds the signal carries itself, sorted.

        Tags, phrases in the text, links, mentions of accounts and of seeds, posts (its own, its parent, its root) and
        networks count; what it inherits from its conversation does not. Its tags need not be normalised.
        """
        tables, tags = self._tables, self._tags
        found: list[int] = []
        for raw in signal.tags:
            number = tags.get(raw)
            # Most tags come normalised; only what may not be is normalised again.
            if number is None and not (raw.isascii() and raw.isalnum() and raw.islower()):
                number = tags.get(normalize_tag(raw)) if len(raw) <= 4 * TAG_LENGTH_MAX else None
            if number is not None:
                found.append(number)
        number = tables.networks.get(signal.network)
        if number is not None:
            found.append(number)
        if signal.mentions:
            self._find_mentions(signal, found)
        if tables.posts:
            for post in (signal.post, signal.parent, signal.root):
                number = tables.posts.get(post) if post is not None else None
                if number is not None:
                    found.append(number)
        if self._links is not None:
            for url in signal.links:
                found += self._links.find(url)
        if self._phrases is not None and signal.text:
            for position in self._phrases.find(signal.text):
                found.append(tables.phrase_numbers[position])
        return self._topics(found) if found else ()

    def brand_topics(self, network: str, actor: str) -> tuple[str, ...]:
        """Return the keys of all topics, sorted, of all brands that list this account of this network as their own."""
        accounts = self._accounts.get(network)
        if accounts is None:
            return ()
        number = accounts.get(fold_account(actor))
        return () if number is None else self._resolve(number)

    def _find_mentions(self, signal: Signal, found: list[int]) -> None:
        mentions = self._tables.mentions
        accounts = self._accounts.get(signal.network)
        if not mentions and accounts is None:
            return
        for raw in signal.mentions:
            name = fold_account(raw)
            number = mentions.get(name)
            if number is not None:
                found.append(number)
            number = accounts.get(name) if accounts is not None else None
            if number is not None:
                found.append(number)

    def _topics(self, numbers: list[int]) -> tuple[str, ...]:
        if len(numbers) == 1:
            return self._resolve(numbers[0])
        return tuple(sorted({topic for number in numbers for topic in self._resolve(number)}))

    def _resolve(self, number: int) -> tuple[str, ...]:
        """Return the topics that have a seed in this segment, sorted."""
        topics = self._in_force.get(number)
        if topics is None:
            at_ms = self.from_ms
            spans = self._tables.spans[number]
            topics = tuple(sorted({span.topic for span in spans if span.from_ms <= at_ms < span.to_ms}))
            self._in_force[number] = topics
        return topics


class _History:
    """The versions of one topic, oldest first, and the instants from which they are effective."""

    __slots__ = ("effective_from_ms", "rules", "versions")

    def __init__(self, record: TopicRecord) -> None:
        # Of two versions of one instant the one that stands later counts, as a later record replaces an earlier.
        by_instant = {version.effective_from_ms: version for version in record.versions}
        self.effective_from_ms = sorted(by_instant)
        self.versions = [by_instant[at_ms] for at_ms in self.effective_from_ms]
        self.rules: list[Rules] = []

    def spans(self, key: str) -> Iterable[tuple[TopicVersion, _Span]]:
        """Yield the versions that are in force at some time, with that time."""
        for at, version in enumerate(self.versions):
            to_ms = self.effective_from_ms[at + 1] if at + 1 < len(self.versions) else END_MS
            from_ms = version.effective_from_ms
            if version.valid_from_ms is not None:
                from_ms = max(from_ms, version.valid_from_ms)
            if version.valid_to_ms is not None:
                to_ms = min(to_ms, version.valid_to_ms)
            if from_ms < to_ms and not version.removed:
                yield version, _Span(key, from_ms, to_ms)


class Registry:
    """All topics with all their versions, asked by event time. Immutable: a change of seeds makes a new one.

    Of several records of one topic the last counts, as on the compacted channel. `overrides` are rules that come over
    those of every topic, to try others. Raises RulesError where a version's rules cannot be used.

    >>> from schemas.seeds import Seeds
    >>> version = TopicVersion(effective_from_ms=10, seeds=Seeds(tags=("higgs",)))
    >>> registry = Registry([TopicRecord(brand="cern", topic="higgs", versions=(version,))])
    >>> signal = Signal(id="1", network="n", kind="post", at=10, actor="a", tags=("higgs",))
    >>> registry.at(9).match(signal), registry.at(10).match(signal)
    ((), ('cern/higgs',))
    """

    def __init__(self, records: Iterable[TopicRecord], *, overrides: Mapping[str, Any] | None = None) -> None:
        by_key = {key_of(record): record for record in records}
        self._histories = {key: _History(by_key[key]) for key in sorted(by_key)}
        self._default_rules = build_rules(overrides or {})
        self._fill_in_rules(overrides or {})
        tables = _SeedTables()
        bounds: set[int] = set()
        for key, history in self._histories.items():
            for version, span in history.spans(key):
                tables.add(version, span)
                bounds.update((span.from_ms, span.to_ms))
        tables.finish()
        self._tables = tables
        self._bounds = [BEGIN_MS, *sorted(bounds - {BEGIN_MS, END_MS}), END_MS]
        self._matchers: dict[int, Matcher] = {}
        self._latest = self._matcher(1)

    def __len__(self) -> int:
        """Return how many topics there are, in force or not."""
        return len(self._histories)

    def _fill_in_rules(self, overrides: Mapping[str, Any]) -> None:
        built: dict[bytes, Rules] = {}
        for key, history in self._histories.items():
            rules = self._default_rules
            for version in history.versions:
                # A topic that was removed is judged by its last rules until its windows have run dry.
                if not version.removed:
                    given = msgspec.json.encode(version.rules, order="sorted")
                    if given not in built:
                        built[given] = build_rules(merge_overrides(version.rules, overrides), place=f"{key}: $.rules")
                    rules = built[given]
                history.rules.append(rules)

    def at(self, at_ms: int) -> Matcher:
        """Return the seeds in force at an instant; the same object for all instants of one segment."""
        latest = self._latest
        if latest.from_ms <= at_ms < latest.to_ms:
            return latest
        self._latest = latest = self._matcher(bisect_right(self._bounds, at_ms))
        return latest

    def _matcher(self, segment: int) -> Matcher:
        """Return the matcher of the segment that ends at this bound."""
        matcher = self._matchers.get(segment)
        if matcher is None:
            if len(self._matchers) >= _SEGMENTS_KEPT:
                self._matchers.clear()
            matcher = Matcher(self._tables, from_ms=self._bounds[segment - 1], to_ms=self._bounds[segment])
            self._matchers[segment] = matcher
        return matcher

    def version(self, topic: str, at_ms: int) -> TopicVersion | None:
        """Return what is in force for a topic at an instant; None before, after and outside its validity."""
        history = self._histories.get(topic)
        at = -1 if history is None else bisect_right(history.effective_from_ms, at_ms) - 1
        if history is None or at < 0:
            return None
        version = history.versions[at]
        if (
            version.removed
            or (version.valid_from_ms is not None and at_ms < version.valid_from_ms)
            or (version.valid_to_ms is not None and at_ms >= version.valid_to_ms)
        ):
            return None
        return version

    def rules(self, topic: str, at_ms: int) -> Rules:
        """Return the rules by which a topic is judged at an instant, as declared: not scaled yet.

        A topic that is not valid any more, or was removed, keeps its last rules; an unknown one has the defaults.
        """
        history = self._histories.get(topic)
        if history is None:
            return self._default_rules
        at = bisect_right(history.effective_from_ms, at_ms) - 1
        return history.rules[at] if at >= 0 else self._default_rules
