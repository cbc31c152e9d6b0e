"""Where the talk of one topic's members goes: what emerges elsewhere, how many follow it, how far tags drift apart."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

import msgspec

from schemas.alert import BreadthEvidence, CommunityEvidence, EmergentEvidence
from schemas.attributed import ADOPTED, BRAND, WILD
from schemas.contribution import Contribution
from schemas.drift_rows import BreadthRow, DriftRow, TagActorsRow, TagPlacesRow
from schemas.rules import Rules
from schemas.vitals import Measures
from streams.lifecycle.conditions import rounded
from streams.measures.cohort_actor import home_of
from streams.measures.drift import drift_share
from streams.measures.emergence import Candidate, Population, Thresholds, breadth, emergent_topics
from streams.measures.tag_actors import TagActors, TagReading
from streams.measures.tag_divergence import NO_TAG, tag_divergence
from streams.measures.tag_places import TagPlaces

NOW_PANES = 6
"""What members do now is what they did in so many panes, and in the one that runs."""
LAG_PANES = 48
"""What they did before ends a day ago, so that what has come up today is compared with what was usual."""
KNOWN_MAX = 64
"""Emergent tags remembered; of more the least used are let go."""
EVALUATIONS = 3
"""How often a pane is evaluated: of three hours, every ten minutes."""
TOLD_MAX = 5
NOW, BEFORE, LONG = "now", "before", "7d"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class _Said(NamedTuple):
    """What the windows of one evaluation hold: read once, for reading costs what there are of tags."""

    all: TagReading
    before: TagReading
    own: TagReading
    wild: TagReading


class TopicDrift:
    """The tags of one topic's members and of its brand, fed in stamp order, and what was found of them last.

    Only people who say what it is about count, on the topic as beside it: those whose posts carry tags. Four counts of
    actors by tag are kept: what members say anywhere, what they say on the topic of their own accord (as a reply below
    the brand's post with other tags is), what they say elsewhere, and what the brand and its audience say.
    """

    def __init__(self, *, pane_ms: int, before_panes: int) -> None:
        self.pane_ms = pane_ms
        self.before_panes = before_panes
        self._all = TagActors({NOW: NOW_PANES, BEFORE: before_panes}, {BEFORE: LAG_PANES})
        self._own = TagActors({NOW: NOW_PANES})
        self._wild = TagActors({NOW: NOW_PANES})
        self._seeded = TagActors({LONG: before_panes})
        self._places = TagPlaces(panes=NOW_PANES)
        self._evaluated = -1
        self._found = DriftRow(-1, None, None, None, None, ())
        self._emergent: frozenset[str] = frozenset()
        self._gone: set[int] = set()
        self._has_changed = False

    def add(self, contribution: Contribution, seeds: Collection[str]) -> bool:
        """Take in what somebody said; return whether it belongs to the topic or to what emerged from it."""
        tags, lineage = contribution.tags, contribution.lineage
        is_wild = lineage == WILD
        if not tags:
            return not is_wild
        pane, actor = contribution.at // self.pane_ms, contribution.actor
        if pane > self._all.end:
            # A topic that sleeps is not evaluated, but its members go on talking elsewhere.
            self._roll(pane)
        if contribution.member:
            self._all.add(pane, actor, tags)
        if is_wild:
            self._wild.add(pane, actor, tags)
            self._place(pane, contribution)
            return not self._emergent.isdisjoint(tags)
        if lineage == BRAND or not self._departs(tags, seeds):
            if lineage < ADOPTED:
                self._seeded.add(pane, actor, tags)
            elif contribution.member:
                self._own.add(pane, actor, tags)
        elif contribution.member:
            self._own.add(pane, actor, tags)
            self._place(pane, contribution)
        return True

    @staticmethod
    def _departs(tags: Sequence[str], seeds: Collection[str]) -> bool:
        """Say whether what is said within a conversation of the topic is about something else."""
        return not any(tag in seeds for tag in tags)

    def _place(self, pane: int, contribution: Contribution) -> None:
        outside = contribution.outside or (0,) * len(contribution.tags)
        for tag, users in zip(contribution.tags, outside, strict=True):
            self._places.add(
                pane,
                tag,
                root=contribution.root,
                shard=contribution.shard,
                users=users,
                actors=contribution.outside_actors,
            )

    # --- evaluating ---------------------------------------------------------------------------------------------------

    def evaluate(self, at_ms: int, *, rules: Rules, seeds: Collection[str]) -> bool:
        """Find out anew what emerged, if it is time for it, and return whether it was.

        What is found holds until the next evaluation; `spread` completes it. `rules` are scaled already. What has
        emerged once goes on to be so as long as members use it, also when it has become usual: who left has not come
        back because it was long ago.
        """
        number = at_ms * EVALUATIONS // self.pane_ms
        if number <= self._evaluated:
            return False
        self._evaluated = number
        self._roll(at_ms // self.pane_ms)
        self._found = self._find(rules, seeds)
        self._emergent = frozenset(name for name, *_, exogenous in self._found.emergent if not exogenous)
        self._has_changed = True
        return True

    @property
    def gone(self) -> Collection[int]:
        """The numbers of those members, or of a sample of them, who use what emerged; as just evaluated."""
        return self._gone

    def spread(self, homes: Counter[int], roots: Iterable[str]) -> None:
        """Tell over which parts of the community those are spread who are `gone`; of `roots` the names are known."""
        self._gone = set()
        found = breadth(homes)
        if found is None:
            return
        names = {home_of(root): root for root in roots}
        largest = nsmallest(TOLD_MAX, homes.items(), key=lambda home: (-home[1], home[0]))
        told = BreadthRow(
            entropy_nats=rounded(found.entropy_nats) or 0.0,
            hill=rounded(found.hill) or 0.0,
            concentration=rounded(found.concentration) or 0.0,
            parts=found.parts,
            people=homes.total(),
            communities=tuple((names.get(home, ""), people) for home, people in largest),
        )
        self._found = msgspec.structs.replace(self._found, breadth=told)
        self._has_changed = True

    def _roll(self, pane: int) -> None:
        for tags in (self._all, self._own, self._wild, self._seeded):
            tags.roll(pane)
        self._places.roll(pane)

    def _find(self, rules: Rules, seeds: Collection[str]) -> DriftRow:
        self._gone = set()
        if self._all.is_empty():
            return DriftRow(self._evaluated, None, None, None, None, ())
        said = _Said(self._all.read(NOW), self._all.read(BEFORE), self._own.read(NOW), self._wild.read(NOW))
        emergent = self._emerged(said, rules, seeds)
        names = [topic.name for topic in emergent if not topic.exogenous]
        # Like is compared with like: members who say what it is about, elsewhere and on the topic.
        self._gone = self._wild.users(NOW, names)
        away, here = len(self._gone), len(self._all.users(NOW, seeds))
        # What members say anywhere is more, and so may be the smaller sample: that is the one both are told in.
        share = drift_share(n_wild=away * said.wild.scale // said.all.scale, n_adopted=here, n_seeded=0)
        divergence = tag_divergence(
            self._talk(said, names), self._seeded.read(LONG).counts, n_min=rules.escaped.uses_min
        )
        return DriftRow(
            evaluated=self._evaluated,
            away=away,
            share=share and rounded(share.value),
            share_low=share and rounded(share.low),
            bits=divergence and rounded(divergence.bits),
            log_p=divergence and rounded(divergence.log_p),
            emergent=tuple(
                (topic.name, rounded(topic.lift) or 0.0, rounded(topic.g2) or 0.0, topic.actors, topic.cascades,
                 topic.exogenous)
                for topic in emergent[:KNOWN_MAX]
            ),
        )  # fmt: skip

    @staticmethod
    def _talk(said: _Said, names: Sequence[str]) -> dict[str, int]:
        """Return the members' own talk by tag: on the topic, and elsewhere on what emerged; of the smaller sample."""
        own, wild = said.own, said.wild
        scale = max(own.scale, wild.scale)
        return {
            name: (own.counts.get(name, 0) * own.scale + wild.counts.get(name, 0) * wild.scale) // scale
            for name in sorted({*own.counts, *names})
            if name != NO_TAG
        }

    def _emerged(self, said: _Said, rules: Rules, seeds: Collection[str]) -> list[EmergentEvidence]:
        """Return the tags that members have newly taken up, or took up and go on with, the surest first."""
        now, before = said.all, said.before
        rule = rules.emergent
        # Either may be a sample, and not of the same size: shares are compared, and tested by the people who were seen.
        if max(now.counts.values(), default=0) < rule.actors_min:
            return self._gone_on((), now.counts, seeds)
        places = {name: self._places.read(name) for name, users in now.counts.items() if users >= rule.actors_min}
        outside = max((place.actors for place in places.values()), default=0)
        candidates = [
            Candidate(
                name=name,
                now=users,
                before=before.counts.get(name, 0),
                cascades=places[name].cascades if name in places else 0,
                outside=places[name].users * outside // places[name].actors
                if name in places and places[name].actors
                else 0,
            )
            for name, users in sorted(now.counts.items())
            if name != NO_TAG
        ]
        found = emergent_topics(
            candidates,
            Population(now=now.actors, before=before.actors, outside=outside),
            seeds=seeds,
            thresholds=Thresholds(
                lift_min=rule.lift_min,
                g2_min=rule.g2_min,
                q_max=rule.q_max,
                actors_min=rule.actors_min,
                cascades_min=rule.cascades_min,
                standout_min=rule.standout_min,
            ),
        )
        fresh = [
            EmergentEvidence(topic.name, topic.lift, topic.g2, topic.actors, topic.cascades, topic.exogenous)
            for topic in found
        ]
        return fresh + self._gone_on({topic.name for topic in fresh}, now.counts, seeds)

    def _gone_on(
        self, fresh: Collection[str], counts: Mapping[str, int], seeds: Collection[str]
    ) -> list[EmergentEvidence]:
        """Return what emerged earlier and is still used by members elsewhere, with what was found of it then."""
        kept = [
            EmergentEvidence(name, lift, g2, counts[name], cascades, exogenous)
            for name, lift, g2, _, cascades, exogenous in self._found.emergent
            if name not in fresh and name not in seeds and name in counts
        ]
        return sorted(kept, key=lambda topic: (-topic.actors, topic.name))

    def tell(self, measures: Measures) -> None:
        """Write what was found into the measures of a tick."""
        found = self._found
        measures.drift_share, measures.drift_share_low = found.share, found.share_low
        measures.tag_divergence_bits, measures.tag_divergence_log_p = found.bits, found.log_p
        measures.emergent_topics, measures.emergent_actors = len(self._emergent), found.away
        if found.breadth is not None:
            measures.breadth_entropy_nats = found.breadth.entropy_nats
            measures.breadth_hill = found.breadth.hill
            measures.breadth_concentration = found.breadth.concentration

    @property
    def emergent_tags(self) -> frozenset[str]:
        """The tags that emerged from the topic, as found last."""
        return self._emergent

    def emergent(self) -> tuple[EmergentEvidence, ...]:
        """Return the largest of what emerged, what the whole network talks about behind what members do."""
        told = [EmergentEvidence(*topic) for topic in self._found.emergent]
        return tuple(sorted(told, key=lambda topic: (topic.exogenous, -topic.g2, topic.name))[:TOLD_MAX])

    def breadth(self) -> BreadthEvidence | None:
        """Return over which parts of the community those are spread who talk elsewhere, None where nobody is known."""
        found = self._found.breadth
        if found is None:
            return None
        return BreadthEvidence(
            entropy_nats=found.entropy_nats,
            hill=found.hill,
            concentration=found.concentration,
            parts=found.parts,
            actors=found.people,
            communities=tuple(CommunityEvidence(root or None, people) for root, people in found.communities),
        )

    def said(self, *, since_ms: int, until_ms: int, day_ms: int) -> dict[str, int]:
        """Return what members said anywhere in a span, as far as it is remembered: actors by tag, each once a day.

        Not once in all: the longer the span, the more would people who say a thing often be like those who say it once,
        and spans of two lengths could not be compared. Of the smallest sample, so that it tells of people who were
        seen. Costs what the span holds.
        """
        since, until = since_ms // self.pane_ms, -(-until_ms // self.pane_ms)
        since = max(since, until - self.before_panes)
        days = max(1, day_ms // self.pane_ms)
        read = [self._all.between(first, min(first + days, until)) for first in range(since, until, days)]
        scale = max((one.scale for one in read), default=1)
        total = Counter[str]()
        for one in read:
            total.update({tag: users * one.scale for tag, users in one.counts.items() if tag != NO_TAG})
        return {tag: users // scale for tag, users in sorted(total.items()) if users >= scale}

    # --- remembering --------------------------------------------------------------------------------------------------

    def _counts(self) -> tuple[tuple[str, TagActors], ...]:
        return ("M", self._all), ("A", self._own), ("W", self._wild), ("Q", self._seeded)

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: a capital and a pane for counts, `x|pane`, `d`."""
        for prefix, tags in self._counts():
            for pane, row in tags.changed_rows():
                yield f"{prefix}|{pane}", None if row is None else _encode(row)
        for pane, places in self._places.changed_rows():
            yield f"x|{pane}", None if places is None else _encode(places)
        if self._has_changed:
            self._has_changed = False
            yield "d", _encode(self._found)

    def restore(self, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Take up the rows of earlier `changed_rows`, by their first letter."""
        for value in rows.get("d", ()):
            self._found = _decode(value, type=DriftRow)
        self._evaluated = self._found.evaluated
        self._emergent = frozenset(name for name, *_, exogenous in self._found.emergent if not exogenous)
        end = max(0, self._evaluated // EVALUATIONS)
        for prefix, tags in self._counts():
            tags.restore([_decode(value, type=TagActorsRow) for value in rows.get(prefix, ())], end)
        self._places.restore([_decode(value, type=TagPlacesRow) for value in rows.get("x", ())], end)
