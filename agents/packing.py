"""Pack what a step told into one record per target partition, and split where a record would grow too big."""

from collections.abc import Callable, Sequence
from typing import TypeVar
from zlib import crc32

import msgspec

from agents.lane import Outgoing
from schemas.attributed import AttributedPacket, AttributedSignal, Position
from schemas.contribution import Contribution, ContributionPacket

PACKET_VERSION = 1
PACKET_ITEMS_MAX = 2_000
ACTOR_SHARDS = 64

Item = TypeVar("Item", AttributedSignal, Contribution)

_encode = msgspec.msgpack.Encoder().encode


def actor_partition(actor: str, *, partitions: int) -> int:
    """Return the partition of an actor: actors are hashed into shards, shards into partitions (DESIGN.md §3)."""
    return crc32(actor.encode()) % ACTOR_SHARDS % partitions


def topic_partition(topic: str, *, partitions: int) -> int:
    """Return the partition of a topic."""
    return crc32(topic.encode()) % partitions


def packed(
    items: Sequence[Item],
    *,
    channel: str,
    partition_of: Callable[[Item], int],
    partitions: int,
    origin: int,
    after: Position,
    upto: Position,
) -> list[Outgoing]:
    """Return the records that tell every target partition all that lies in (`after`, `upto`].

    Every partition gets at least one, for that carries the frontier. Items must be in stamp order; those of one stamp
    stay together, so that a record never ends in the middle of a stamp.
    """
    targets: list[list[Item]] = [[] for _ in range(partitions)]
    for item in items:
        targets[partition_of(item)].append(item)
    outgoing = []
    for partition, told in enumerate(targets):
        begin = after
        start = 0
        while len(told) - start > PACKET_ITEMS_MAX:
            cut = start + PACKET_ITEMS_MAX
            while cut < len(told) and (told[cut].at, told[cut].id) == (told[cut - 1].at, told[cut - 1].id):
                cut += 1
            end = (told[cut - 1].at, told[cut - 1].id)
            outgoing.append(_record(told[start:cut], channel, partition, origin, begin, end))
            begin, start = end, cut
        if begin < upto:
            outgoing.append(_record(told[start:], channel, partition, origin, begin, upto))
    return outgoing


def _record(
    items: Sequence[Item], channel: str, partition: int, origin: int, after: Position, upto: Position
) -> Outgoing:
    value = _encode((PACKET_VERSION, origin, after, upto, items))
    return Outgoing(channel=channel, key=b"%d" % origin, value=value, partition=partition, timestamp_ms=upto[0])


class PacketError(Exception):
    """A packet of our own agents that cannot be read: the message says what was expected and what came."""


_decode_attributed = msgspec.msgpack.Decoder(AttributedPacket).decode
_decode_contributions = msgspec.msgpack.Decoder(ContributionPacket).decode


def unpack_attributed(value: bytes) -> AttributedPacket:
    """Return the packet of attributed signals that a record carries, or raise `PacketError`."""
    try:
        packet = _decode_attributed(value)
    except msgspec.DecodeError as error:
        raise PacketError(f"expected a packet of attributed signals, got {error}") from None
    if packet.version != PACKET_VERSION:
        raise PacketError(f"expected a packet of version {PACKET_VERSION}, got {packet.version}")
    return packet


def unpack_contributions(value: bytes) -> ContributionPacket:
    """Return the packet of contributions that a record carries, or raise `PacketError`."""
    try:
        packet = _decode_contributions(value)
    except msgspec.DecodeError as error:
        raise PacketError(f"expected a packet of contributions, got {error}") from None
    if packet.version != PACKET_VERSION:
        raise PacketError(f"expected a packet of version {PACKET_VERSION}, got {packet.version}")
    return packet
