"""Second step: put what was attributed in order per actor: who belongs to a community, and what it says elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from schemas.act_rows import ActsRow, Counted
from schemas.attributed import (
    ADOPTED,
    BEGINNING,
    BRAND,
    WILD,
    AttributedEdit,
    AttributedItem,
    AttributedPacket,
    AttributedSignal,
    Erased,
    Position,
    TakenBack,
    TopicLink,
    shard_of,
)
from schemas.cascade import CascadeContribution, CascadeReading
from schemas.contribution import Contribution, ContributionItem, Edit, Retraction
from schemas.drift_rows import TagActorsRow
from schemas.measure_rows import ActorCapRow
from schemas.member_rows import MemberRow
from schemas.rules import MemberRules, Rules
from schemas.virality_rows import AuthorRow
from streams.attribution.acts import CHANGES_MS, Act, RecentActs, act_number
from streams.attribution.matcher import Registry
from streams.eventtime.inlet import PacketInlet
from streams.lifecycle.rules import scaled
from streams.measures.background import WINDOW_PANES, Background
from streams.measures.engagement import ActorCap, Weights, weights_of
from streams.measures.membership import Members
from streams.measures.node_index import number_of
from streams.steps.authors import Authors
from streams.steps.rolling import hour_ms_of

NAME = "follow"

ELSEWHERE = " elsewhere"
"""What a member says elsewhere has an hourly cap of its own: no key of a topic ends so."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class Contributed(NamedTuple):
    """What one advance told: contributions with `after` < stamp <= `upto`, in stamp order."""

    after: Position
    upto: Position
    items: list[ContributionItem]


class _Terms(NamedTuple):
    """What a topic's rules say of actors: weights and cap, and who is a member; the last two are scaled."""

    rules: Rules
    weights: Weights
    member: MemberRules
    day_ms: int


def _one_scope(counted: Counted) -> str:
    """All acts of a partition of actors have numbers of one scope: the conversation is in them."""
    return ""


# What signals add differs in few ways, so all that are remembered share them.
_counted = lru_cache(maxsize=4_096)(Counted)


def _number_of(signal: AttributedSignal) -> int:
    return act_number(number_of(signal.id), signal.root)


class FollowStep:
    """The actors of one partition, fed with packets in the order of their offsets.

    Every actor's signals pass here, on topics and beside them: so it is decided here who belongs to which community,
    and how much one actor may count within an hour. What members say elsewhere goes to the topics of their communities,
    together with what the rest of their shard talks about. And the readings of the cascades that an actor began are
    compared with one another.

    What was counted within `changes_ms` can be taken back: exactly what it had added, at its own time. Who was there
    stays so: memberships, and all that counts actors, never decrease.
    """

    def __init__(self, registry: Registry, *, origins: int, changes_ms: int = CHANGES_MS) -> None:
        self.registry = registry
        self.applied = 0
        self._inlet: PacketInlet[AttributedItem] = PacketInlet(origins=origins)
        self._cap = ActorCap()
        self._authors = Authors()
        self._members = Members()
        self._acts = RecentActs[Counted](span_ms=changes_ms, scope_of=_one_scope, value_type=Counted)
        window_ms = scaled(registry.rules("", 0)).emergent.window_ms
        self._background = Background(pane_ms=max(1, window_ms // WINDOW_PANES))
        self._terms: dict[str, _Terms] = {}
        # The stamp of the last erasure. One stamp is released at once, so a restart need not know it.
        self._erased: Position = BEGINNING

    @property
    def frontier(self) -> Position:
        """The position up to which everything was applied."""
        return self._inlet.position

    @property
    def gaps(self) -> int:
        """How many packets came whose predecessor was lost; they are not taken, their origin sends again."""
        return self._inlet.gaps

    def __len__(self) -> int:
        """Return how many signals are held back."""
        return len(self._inlet)

    def advance(self, packets: Sequence[tuple[int, AttributedPacket]], *, next_offset: int) -> Contributed:
        """Take a batch of packets and tell what the signals in their final order contribute."""
        after = self._inlet.position
        released = self._inlet.take(packets, next_offset=next_offset)
        items: list[ContributionItem] = []
        for item in released:
            if isinstance(item, CascadeReading):
                items += self._pass_on(item)
            elif isinstance(item, TakenBack):
                items += self._take_back(item)
            elif isinstance(item, AttributedEdit):
                items += self._edit(item)
            elif isinstance(item, Erased):
                items += self._erase(item)
            else:
                self.applied += 1
                items += self._contribute(item) if item.links else self._tell_elsewhere(item)
        at_ms = self._inlet.position[0]
        self._cap.expire(at_ms)
        self._authors.expire(at_ms)
        self._members.expire(at_ms)
        self._background.expire(at_ms)
        return Contributed(after, self._inlet.position, items)

    def _contribute(self, signal: AttributedSignal) -> list[Contribution]:
        """Return what a signal adds to each of its topics, and let its actor belong to them."""
        contributions = [self._contribution(signal, link) for link in signal.links]
        counted = _counted(tuple([(one.topic, one.lineage, one.units) for one in contributions]))
        self._acts.note(_number_of(signal), Act(signal.at, signal.kind, 0, 0, counted), now_ms=signal.at)
        if signal.tags and not any(contribution.member for contribution in contributions):
            self._background.add(shard_of(signal.actor), signal.actor, signal.tags, at_ms=signal.at)
        return contributions

    def _contribution(self, signal: AttributedSignal, link: TopicLink) -> Contribution:
        topic, actor, at_ms = link.topic, signal.actor, signal.at
        terms = self._terms_of(topic, at_ms)
        member = core = False
        if link.lineage != BRAND:
            # Who becomes a member with this act is one already: a community counts those who made it.
            self._members.act(actor=actor, topic=topic, at_ms=at_ms, rules=terms.member, day_ms=terms.day_ms)
            member = self._members.is_member(actor, topic, at_ms)
            core = member and self._members.is_core(actor, topic, at_ms)
        units = self._cap.units(actor=actor, topic=topic, kind=signal.kind, at_ms=at_ms, weights=terms.weights)
        # What the brand and its audience say is compared with what members say: only that needs tags.
        tags = signal.tags if member or link.lineage < ADOPTED else ()
        return Contribution(
            at_ms,
            signal.id,
            topic,
            actor,
            signal.kind,
            link.lineage,
            units,
            signal.root,
            signal.network,
            member,
            tags,
            core=core,
        )

    def _take_back(self, item: TakenBack) -> list[Retraction]:
        """Return what an act had added to each of its topics, to be taken back; nothing where it had added nothing."""
        told = []
        for act in self._acts.find(item.number, now_ms=item.at):
            self._acts.forget(item.number, act, now_ms=item.at)
            for topic, lineage, units in act.value.topics:
                weights = self._terms_of(topic, item.at).weights
                self._cap.give_back(actor=item.actor, topic=topic, units=units, at_ms=act.at_ms, weights=weights)
                told.append(
                    Retraction(item.at, item.id, topic, item.actor, act.code, lineage, units, act.at_ms, item.root)
                )
        return told

    def _edit(self, edit: AttributedEdit) -> list[Edit]:
        """Return the tags that an edit brought, for each topic where tags count; it is no act, and no engagement."""
        told, is_member = [], False
        actor, at_ms = edit.actor, edit.at
        for link in edit.links:
            topic, lineage = link.topic, link.lineage
            member = lineage != BRAND and self._members.is_member(actor, topic, at_ms)
            is_member |= member
            if member or lineage < ADOPTED:
                told.append(
                    Edit(
                        at_ms, edit.id, topic, actor, edit.kind, lineage, 0, edit.root, edit.network, member, edit.tags
                    )
                )
        if not is_member:
            self._background.add(shard_of(actor), actor, edit.tags, at_ms=at_ms)
        return told

    def _erase(self, erased: Erased) -> list[Erased]:
        """Forget an actor, whose signals nobody tells any more; tell the topics once what every origin has told."""
        if (erased.at, erased.id) == self._erased:
            return []
        self._erased = (erased.at, erased.id)
        self._cap.erase(erased.actor)
        self._authors.erase(erased.actor)
        self._members.erase(erased.actor)
        return [erased]

    def _tell_elsewhere(self, signal: AttributedSignal) -> list[Contribution]:
        """Return what a member says elsewhere for each of its communities; that of others is the background.

        What a brand says there is told to its topics, too. The first step knows the acts of topics only, and cannot see
        that a network told of one elsewhere twice: what members said within `changes_ms` is remembered here. The
        background needs no such memory, as it counts actors.
        """
        actor, at_ms, shard = signal.actor, signal.at, shard_of(signal.actor)
        aside = self._tell_aside(signal)
        if not signal.tags:
            return aside
        topics = self._members.topics(actor, at_ms)
        if not topics:
            self._background.add(shard, actor, signal.tags, at_ms=at_ms)
            return aside
        number = _number_of(signal)
        if self._acts.find(number, now_ms=at_ms):
            return []
        self._acts.note(number, Act(at_ms, signal.kind, 0, 0, _counted(())), now_ms=at_ms)
        outside, outside_actors = self._background.read(shard, signal.tags, at_ms=at_ms)
        told = [one for one in aside if one.topic not in topics]
        for topic in topics:
            weights = self._terms_of(topic, at_ms).weights
            units = self._cap.units(
                actor=actor, topic=topic + ELSEWHERE, kind=signal.kind, at_ms=at_ms, weights=weights
            )
            told.append(
                Contribution(
                    at_ms,
                    signal.id,
                    topic,
                    actor,
                    signal.kind,
                    WILD,
                    units,
                    signal.root,
                    signal.network,
                    True,
                    signal.tags,
                    shard,
                    outside,
                    outside_actors,
                )
            )
        return told

    def _tell_aside(self, signal: AttributedSignal) -> list[Contribution]:
        """Return what the brand says elsewhere, for each of its topics: it may join its community there."""
        at_ms, actor = signal.at, signal.actor
        topics = self.registry.at(at_ms).brand_topics(signal.network, actor)
        return [
            Contribution(
                at_ms, signal.id, topic, actor, signal.kind, WILD, 0, signal.root, signal.network, tags=signal.tags
            )
            for topic in topics
        ]

    def _pass_on(self, reading: CascadeReading) -> list[CascadeContribution]:
        """Return a reading for each of its topics, with what is known of the author's other roots there."""
        return [
            CascadeContribution(
                reading.at, reading.id, reading.root, topic, reading, self._authors.score(reading, topic)
            )
            for topic in reading.topics
        ]

    def _terms_of(self, topic: str, at_ms: int) -> _Terms:
        """Return what a topic's rules say of actors, made once for as long as these stay the same."""
        rules = self.registry.rules(topic, at_ms)
        known = self._terms.get(topic)
        if known is None or known.rules is not rules:
            hour_ms = hour_ms_of(rules)
            weights = weights_of(rules.engagement, hour_ms=hour_ms)
            known = self._terms[topic] = _Terms(rules, weights, scaled(rules).member, 24 * hour_ms)
        return known

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input: offset to read again from, frontier, context."""
        return self._inlet.resume()

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call, None for those that ended: `u|actor` for caps, `m|actor` for
        memberships, `v|…|actor` for what its cascades have brought, `g|…` for the background, `a|…` for acts.
        """
        for actor, row in self._cap.changed_rows():
            yield f"u|{actor}", None if row is None else _encode(row)
        for name, author in self._authors.changed_rows():
            yield f"v|{name}", None if author is None else _encode(author)
        for actor, member in self._members.changed_rows():
            yield f"m|{actor}", None if member is None else _encode(member)
        for name, pane in self._background.changed_rows():
            yield f"g|{name}", None if pane is None else _encode(pane)
        for name, acts in self._acts.changed_rows():
            yield f"a|{name}", None if acts is None else _encode(acts)

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        spent: list[tuple[str, ActorCapRow]] = []
        authors: list[AuthorRow] = []
        members: list[tuple[str, MemberRow]] = []
        panes: list[tuple[str, TagActorsRow]] = []
        acts: list[tuple[str, ActsRow]] = []
        for key, value in rows:
            prefix, _, rest = key.partition("|")
            if prefix == "u":
                spent.append((rest, _decode(value, type=ActorCapRow)))
            elif prefix == "v":
                authors.append(_decode(value, type=AuthorRow))
            elif prefix == "m":
                members.append((rest, _decode(value, type=MemberRow)))
            elif prefix == "g":
                panes.append((rest, _decode(value, type=TagActorsRow)))
            elif prefix == "a":
                acts.append((rest, _decode(value, type=ActsRow)))
            else:
                raise ValueError(f"expected a row of the step {NAME} (u|, v|, m|, g|, a|), got the key {key!r}")
        self._cap.restore(spent)
        self._authors.restore(authors)
        self._members.restore(members)
        self._background.restore(panes, at_ms=frontier[0])
        self._acts.restore(acts)
        self._inlet.restore(offset=offset, frontier=frontier, context=context)
