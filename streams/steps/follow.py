"""Second step: put what was attributed in order per actor, and tell what each signal adds to each topic."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.attributed import AttributedItem, AttributedPacket, AttributedSignal, Position
from schemas.cascade import CascadeContribution, CascadeReading
from schemas.contribution import Contribution, ContributionItem
from schemas.measure_rows import ActorCapRow
from schemas.rules import Rules
from schemas.virality_rows import AuthorRow
from streams.attribution.matcher import Registry
from streams.eventtime.inlet import PacketInlet
from streams.measures.engagement import ActorCap, Weights, weights_of
from streams.steps.authors import Authors
from streams.steps.rolling import hour_ms_of

NAME = "follow"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class Contributed(NamedTuple):
    """What one advance told: contributions with `after` < stamp <= `upto`, in stamp order."""

    after: Position
    upto: Position
    items: list[ContributionItem]


class FollowStep:
    """The actors of one partition, fed with packets in the order of their offsets.

    Every actor's signals on all topics pass here, so what one actor may count within an hour is decided here; and the
    readings of the cascades that it began, which are compared with one another.
    """

    def __init__(self, registry: Registry, *, origins: int) -> None:
        self.registry = registry
        self.applied = 0
        self._inlet: PacketInlet[AttributedItem] = PacketInlet(origins=origins)
        self._cap = ActorCap()
        self._authors = Authors()
        self._weights: dict[str, tuple[Rules, Weights]] = {}

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
            else:
                self.applied += 1
                items += self._contribute(item)
        at_ms = self._inlet.position[0]
        self._cap.expire(at_ms)
        self._authors.expire(at_ms)
        return Contributed(after, self._inlet.position, items)

    def _contribute(self, signal: AttributedSignal) -> list[Contribution]:
        """Return what a signal adds to each of its topics."""
        return [
            Contribution(
                signal.at,
                signal.id,
                link.topic,
                signal.actor,
                signal.kind,
                link.lineage,
                self._cap.units(
                    actor=signal.actor,
                    topic=link.topic,
                    kind=signal.kind,
                    at_ms=signal.at,
                    weights=self._weights_of(link.topic, signal.at),
                ),
                signal.root,
                signal.network,
            )
            for link in signal.links
        ]

    def _pass_on(self, reading: CascadeReading) -> list[CascadeContribution]:
        """Return a reading for each of its topics, with what is known of the author's other roots there."""
        return [
            CascadeContribution(
                reading.at, reading.id, reading.root, topic, reading, self._authors.score(reading, topic)
            )
            for topic in reading.topics
        ]

    def _weights_of(self, topic: str, at_ms: int) -> Weights:
        """Return the weights and the cap of a topic's rules, made once for as long as these stay the same."""
        rules = self.registry.rules(topic, at_ms)
        known = self._weights.get(topic)
        if known is None or known[0] is not rules:
            weights = weights_of(rules.engagement, hour_ms=hour_ms_of(rules))
            known = self._weights[topic] = (rules, weights)
        return known[1]

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input: offset to read again from, frontier, context."""
        return self._inlet.resume()

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call, None for those that ended: `u|actor`, `v|…|actor`."""
        for actor, row in self._cap.changed_rows():
            yield f"u|{actor}", None if row is None else _encode(row)
        for name, author in self._authors.changed_rows():
            yield f"v|{name}", None if author is None else _encode(author)

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        spent: list[tuple[str, ActorCapRow]] = []
        authors: list[AuthorRow] = []
        for key, value in rows:
            prefix, _, rest = key.partition("|")
            if prefix == "u":
                spent.append((rest, _decode(value, type=ActorCapRow)))
            else:
                authors.append(_decode(value, type=AuthorRow))
        self._cap.restore(spent)
        self._authors.restore(authors)
        self._inlet.restore(offset=offset, frontier=frontier, context=context)
