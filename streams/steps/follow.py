"""Second step: put what was attributed in order per actor, and tell what each signal adds to each topic."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from schemas.attributed import AttributedPacket, AttributedSignal, Position
from schemas.contribution import Contribution
from schemas.measure_rows import ActorCapRow
from schemas.rules import Rules
from streams.attribution.matcher import Registry
from streams.eventtime.inlet import PacketInlet
from streams.measures.engagement import ActorCap, Weights, weights_of
from streams.steps.topic import hour_ms_of

NAME = "follow"

_encode = msgspec.msgpack.Encoder().encode


class Contributed(NamedTuple):
    """What one advance told: contributions with `after` < stamp <= `upto`, in stamp order."""

    after: Position
    upto: Position
    items: list[Contribution]


class FollowStep:
    """The actors of one partition, fed with packets in the order of their offsets.

    Every actor's signals on all topics pass here, so what one actor may count within an hour is decided here.
    """

    def __init__(self, registry: Registry, *, origins: int) -> None:
        self.registry = registry
        self.applied = 0
        self._inlet: PacketInlet[AttributedSignal] = PacketInlet(origins=origins)
        self._cap = ActorCap()
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
        self.applied += len(released)
        items: list[Contribution] = []
        for signal in released:
            for link in signal.links:
                units = self._cap.units(
                    actor=signal.actor,
                    topic=link.topic,
                    kind=signal.kind,
                    at_ms=signal.at,
                    weights=self._weights_of(link.topic, signal.at),
                )
                items.append(
                    Contribution(
                        signal.at,
                        signal.id,
                        link.topic,
                        signal.actor,
                        signal.kind,
                        link.lineage,
                        units,
                        signal.root,
                        signal.network,
                        signal.cascade_size,
                        signal.cascade_depth,
                    )
                )
        self._cap.expire(self._inlet.position[0])
        return Contributed(after, self._inlet.position, items)

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
        """Yield the rows that changed since the last call, None for those that ended: `u|actor`."""
        for actor, row in self._cap.changed_rows():
            yield f"u|{actor}", None if row is None else _encode(row)

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        self._cap.restore(
            (name.partition("|")[2], msgspec.msgpack.decode(value, type=ActorCapRow)) for name, value in rows
        )
        self._inlet.restore(offset=offset, frontier=frontier, context=context)
