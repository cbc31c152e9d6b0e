"""Pack what a step told into one record per target partition, and split where a record would grow too big."""

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar
from zlib import crc32

import msgspec
from msgspec import Raw

from agents.lane import Batch, Outgoing
from schemas.attributed import (
    PACKET_VERSION,
    AttributedItem,
    AttributedPacket,
    Erased,
    Position,
    Stamp,
    actor_key,
    shard_of,
)
from schemas.contribution import ContributionItem, ContributionPacket
from schemas.rejection import Place, Rejection
from schemas.unreadable import UNREADABLE
from streams.networks.refusal import refuse, rejection

PACKET_ITEMS_MAX = 2_000
PACKET_BYTES_MAX = 512 * 1024
"""Far below what Kafka takes in one record; only items of one stamp, which stay together, can make a larger one."""

Item = TypeVar("Item", AttributedItem, ContributionItem)
Packet = TypeVar("Packet", AttributedPacket, ContributionPacket)

_encode = msgspec.msgpack.Encoder().encode


def actor_partition(actor: str, *, partitions: int) -> int:
    """Return the partition of an actor: actors are hashed into shards, shards into partitions (DESIGN.md §3)."""
    return shard_of(actor) % partitions


def item_partition(item: AttributedItem, *, partitions: int) -> int | None:
    """Return the partition of actors that an item goes to, None for all."""
    key = actor_key(item)
    return None if key is None else actor_partition(key, partitions=partitions)


def topic_partition(topic: str, *, partitions: int) -> int:
    """Return the partition of a topic."""
    return crc32(topic.encode()) % partitions


def contribution_partition(item: ContributionItem, *, partitions: int) -> int | None:
    """Return the partition of topics that an item goes to, None for all."""
    return None if isinstance(item, Erased) else topic_partition(item.topic, partitions=partitions)


def packed(
    items: Sequence[Item],
    *,
    channel: str,
    partition_of: Callable[[Item], int | None],
    partitions: int,
    origin: int,
    after: Position,
    upto: Position,
) -> list[Outgoing]:
    """Return the records that tell every target partition all that lies in (`after`, `upto`].

    Every partition gets at least one, for that carries the frontier. Items must be in stamp order; those of one stamp
    stay together, so that a record never ends in the middle of a stamp. What has no partition goes to all.
    """
    targets: list[list[Item]] = [[] for _ in range(partitions)]
    for item in items:
        target = partition_of(item)
        for told in targets if target is None else (targets[target],):
            told.append(item)
    outgoing: list[Outgoing] = []
    for partition, told in enumerate(targets):
        begin = after
        for value, end in _records(told, origin=origin, after=after, upto=upto):
            if begin < end:
                key = b"%d" % origin
                # Without a timestamp of its own: what is packed now is kept from now on, however old its signals are.
                outgoing.append(Outgoing(channel, key, value, partition=partition))
            begin = end
    return outgoing


def _records(
    items: Sequence[Item], *, origin: int, after: Position, upto: Position
) -> Iterator[tuple[bytes, Position]]:
    """Yield the values of the records, and the position up to which each tells, halved until they are small enough."""
    value = _encode((PACKET_VERSION, origin, after, upto, items))
    is_small = len(items) <= PACKET_ITEMS_MAX and len(value) <= PACKET_BYTES_MAX
    cut = None if is_small else _cut(items)
    if cut is None:
        yield value, upto
        return
    middle = _stamp(items[cut - 1])
    yield from _records(items[:cut], origin=origin, after=after, upto=middle)
    yield from _records(items[cut:], origin=origin, after=middle, upto=upto)


def _cut(items: Sequence[Item]) -> int | None:
    """Return the place nearest to the middle at which the stamp changes, None where there is none."""
    middle = len(items) // 2
    for distance in range(len(items) - middle):
        for place in (middle - distance, middle + distance):
            if place > 0 and _stamp(items[place - 1]) != _stamp(items[place]):
                return place
    return None


def _stamp(item: AttributedItem | ContributionItem) -> Stamp:
    return item.at, item.id


class PacketError(Exception):
    """A packet of our own agents that cannot be read: the message says what was expected and what came."""


class PacketVersionError(Exception):
    """A packet that another release wrote: nothing may go past it, so the process has to end."""


_decode_parts = msgspec.msgpack.Decoder(list[Raw]).decode
_decode_attributed = msgspec.msgpack.Decoder(AttributedPacket).decode
_decode_contributions = msgspec.msgpack.Decoder(ContributionPacket).decode


def unpack_attributed(value: bytes, *, origins: int) -> AttributedPacket:
    """Return the packet of attributed signals that a record carries; raises `PacketError`, `PacketVersionError`."""
    try:
        packet = _decode_attributed(value)
    except UNREADABLE as error:
        raise _unreadable("attributed signals", value, error) from None
    _check(packet, origins)
    return packet


def unpack_contributions(value: bytes, *, origins: int) -> ContributionPacket:
    """Return the packet of contributions that a record carries; raises `PacketError`, `PacketVersionError`."""
    try:
        packet = _decode_contributions(value)
    except UNREADABLE as error:
        raise _unreadable("contributions", value, error) from None
    _check(packet, origins)
    return packet


def _check(packet: AttributedPacket | ContributionPacket, origins: int) -> None:
    if packet.version != PACKET_VERSION:
        raise _other_version(packet.version)
    if not 0 <= packet.origin < origins:
        raise PacketError(f"expected a packet of one of {origins} origins, got one of origin {packet.origin}")


def _unreadable(what: str, value: bytes, error: Exception) -> Exception:
    """Return the error for a packet of another version, whose shape may be another, or for no packet at all."""
    try:
        # Whatever its shape, also with more or fewer parts than a packet of ours.
        version = msgspec.msgpack.decode(_decode_parts(value)[0], type=int)
    except (*UNREADABLE, IndexError):
        version = PACKET_VERSION
    return (
        PacketError(f"expected a packet of {what}, got {error}")
        if version == PACKET_VERSION
        else _other_version(version)
    )


def _other_version(version: int) -> PacketVersionError:
    return PacketVersionError(
        f"expected a packet of version {PACKET_VERSION}, got version {version}; run the release that wrote it"
    )


class Unpacked(NamedTuple, Generic[Packet]):
    """The packets of a batch with their offsets, and a rejection of each record that is none."""

    packets: list[tuple[int, Packet]]
    rejections: list[Rejection]


def unpacked(batch: Batch, unpack: Callable[[bytes], Packet], *, channel: str, partition: int) -> Unpacked[Packet]:
    """Read every record of a batch. Nothing but our agents should write here, but what does must not stop them."""
    packets: list[tuple[int, Packet]] = []
    rejections: list[Rejection] = []
    for record in batch.records:
        try:
            packets.append((record.offset, unpack(record.value or b"")))
        except PacketError as error:
            place = Place(channel=channel, partition=partition, offset=record.offset)
            rejections.append(rejection(refuse("malformed", str(error)), record.value, place))
    return Unpacked(packets, rejections)
