"""Take packets of several origins and give out their items in one stamp order: how a later step reads its input."""

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from schemas.attributed import BEGINNING, Position
from streams.eventtime.order import ReorderBuffer, Tie
from streams.eventtime.origins import OriginFrontier


class Stamped(Protocol):
    """Anything with a stamp, and with the conversation that it comes from."""

    at: int
    id: str
    root: str


Item = TypeVar("Item", bound=Stamped)
Told = TypeVar("Told", bound=Stamped, covariant=True)


class Packet(Protocol[Told]):
    """What an origin tells: the items with `after` < stamp <= `upto`, in stamp order."""

    @property
    def origin(self) -> int:
        """The partition of the step before that tells it."""

    @property
    def after(self) -> Position:
        """The position up to which the origin had told before."""

    @property
    def upto(self) -> Position:
        """The position up to which it has told now."""

    @property
    def items(self) -> Sequence[Told]:
        """What lies between."""


_encode = msgspec.msgpack.Encoder().encode
_decode_positions = msgspec.msgpack.Decoder(tuple[Position, ...]).decode


class PacketInlet(Generic[Item]):
    """The packets of one partition, put in order.

    After a restart it is given the packets again from the offset that `resume` told, and gives out nothing that the
    frontier of the checkpoint covers. Packets that say nothing new, or that lost a predecessor, are counted.
    """

    def __init__(self, *, origins: int) -> None:
        self.repeated = 0
        self.gaps = 0
        self.position: Position = BEGINNING
        self._origins = OriginFrontier(origins=origins)
        self._single = origins == 1
        self._buffer: ReorderBuffer[Item, bytes] = ReorderBuffer(tie_of=_tie_of)
        self._next_offset = 0

    def __len__(self) -> int:
        return len(self._buffer)

    def take(self, packets: Sequence[tuple[int, Packet[Item]]], *, next_offset: int) -> list[Item]:
        """Take (offset, packet) pairs of one batch and return the items that are in their final order now."""
        straight: list[Item] = []
        if packets:
            self._buffer.begin_batch(first_offset=packets[0][0], context=self._context())
        for _, packet in packets:
            heard = self._origins.heard[packet.origin]
            verdict = self._origins.hear(packet.origin, after=packet.after, upto=packet.upto)
            if verdict == "taken":
                # What was heard before is left out; so is what the checkpoint that we started from covers.
                known = max(heard, self.position)
                if self._single:
                    straight.extend(_behind(packet, known))
                else:
                    hold = self._buffer.hold
                    for item in _behind(packet, known):
                        hold((item.at, item.id), item)
            elif verdict == "gap":
                self.gaps += 1
            else:
                self.repeated += 1
        self._next_offset = next_offset
        self.position = max(self.position, self._origins.position)
        return straight if self._single else self._buffer.release(self.position)

    def _context(self) -> bytes:
        return _encode(self._origins.row())

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input: offset to read again from, frontier, context."""
        offset, context = self._buffer.resume(next_offset=self._next_offset, context=self._context())
        return offset, self.position, context

    def restore(self, *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from what `resume` told."""
        self._origins.restore(_decode_positions(context))
        self._next_offset, self.position = offset, frontier


def _tie_of(item: Stamped) -> Tie:
    """Of one stamp the conversations decide, as they do in the step before (`streams.steps.attribute`)."""
    return item.root, b""


def _behind(packet: Packet[Item], known: Position) -> Sequence[Item]:
    items = packet.items
    if not items or (items[0].at, items[0].id) > known:
        return items
    return [item for item in items if (item.at, item.id) > known]
