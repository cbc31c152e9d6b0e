"""Check that what is packed is told again, to the partition that it belongs to, in records that Kafka takes."""

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.broker import BATCH_BYTES_MAX, REQUEST_BYTES_MAX
from agents.lane import Batch, Outgoing, Record
from agents.packing import (
    PACKET_BYTES_MAX,
    PACKET_ITEMS_MAX,
    PacketError,
    PacketVersionError,
    actor_partition,
    contribution_partition,
    item_partition,
    packed,
    topic_partition,
    unpack_attributed,
    unpack_contributions,
    unpacked,
)
from schemas.attributed import (
    BEGINNING,
    PACKET_VERSION,
    AttributedPacket,
    AttributedSignal,
    Position,
    TakenBack,
    TopicLink,
)
from schemas.contribution import Contribution
from schemas.signal import ACTOR_UNKNOWN
from streams.networks.payload import ID_BYTES_MAX, TAGS_MAX

PARTITIONS = 3


def signal(at: int, signal_id: str, actor: str = "a") -> AttributedSignal:
    """Make an attributed signal with something in every field."""
    return AttributedSignal(
        at=at,
        id=signal_id,
        actor=actor,
        kind=1,
        network="t",
        root="r",
        links=(TopicLink("cern/higgs", 2, 3),),
        tags=("higgs",),
        followers=7,
    )


def contribution(at: int, signal_id: str, topic: str) -> Contribution:
    """Make a contribution."""
    return Contribution(at, signal_id, topic, "a", 1, 2, 1000, "r", "t")


def pack(items: list[AttributedSignal], *, after: Position = BEGINNING, upto: Position = (10**6, "")) -> list[Outgoing]:
    """Pack attributed signals for the partitions of their actors."""
    return packed(
        items,
        channel="social.attributed",
        partition_of=lambda item: actor_partition(item.actor, partitions=PARTITIONS),
        partitions=PARTITIONS,
        origin=2,
        after=after,
        upto=upto,
    )


def packets_by_partition(outgoing: list[Outgoing]) -> dict[int, list[AttributedPacket]]:
    """Read records as the next step does."""
    packets: dict[int, list[AttributedPacket]] = {partition: [] for partition in range(PARTITIONS)}
    for record in outgoing:
        assert record.partition is not None
        assert record.value is not None
        packets[record.partition].append(unpack_attributed(record.value, origins=PARTITIONS))
    return packets


names = st.text(max_size=8)
signals = st.lists(
    st.builds(signal, at=st.integers(1, 30), signal_id=st.text(min_size=1, max_size=3), actor=names), max_size=40
).map(lambda items: sorted(items, key=lambda item: (item.at, item.id)))


@given(items=signals, after=st.integers(0, 0), upto=st.integers(31, 40))
def test_every_item_reaches_the_partition_of_its_actor_in_order(
    items: list[AttributedSignal], after: int, upto: int
) -> None:
    """Unpacking gives the items again; every partition hears the frontier, whether it gets items or not."""
    packets = packets_by_partition(pack(items, after=(after, ""), upto=(upto, "")))

    for partition, told in packets.items():
        expected = [item for item in items if actor_partition(item.actor, partitions=PARTITIONS) == partition]
        assert [item for packet in told for item in packet.items] == expected
        assert told[0].after == (after, "")
        assert told[-1].upto == (upto, "")
        assert {packet.origin for packet in told} == {2}


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 3)), max_size=60))
def test_contributions_are_told_again_too(made: list[tuple[int, int]]) -> None:
    """Both shapes of packets go through the same code."""
    items = [contribution(at, str(number), f"b/t{topic}") for number, (at, topic) in enumerate(sorted(made))]
    outgoing = packed(
        items,
        channel="social.contributions",
        partition_of=lambda item: contribution_partition(item, partitions=PARTITIONS),
        partitions=PARTITIONS,
        origin=0,
        after=BEGINNING,
        upto=(100, ""),
    )
    told = [item for record in outgoing for item in unpack_contributions(record.value or b"", origins=1).items]

    assert sorted(told, key=lambda item: (item.at, int(item.id))) == items


def assert_chained(told: list[AttributedPacket], *, upto: Position) -> None:
    """Each packet begins where the one before it ends, between two stamps."""
    position = BEGINNING
    for packet in told:
        assert packet.after == position < packet.upto
        assert all(packet.after < (item.at, item.id) <= packet.upto for item in packet.items)
        position = packet.upto
    assert position == upto


def test_many_items_are_split_between_stamps() -> None:
    """A reader takes a packet as a whole, so a record must not end in the middle of a stamp."""
    items = [signal(1 + number // 7, "same", "a") for number in range(7 * PACKET_ITEMS_MAX)]
    told = packets_by_partition(pack(items))[actor_partition("a", partitions=PARTITIONS)]

    assert_chained(told, upto=(10**6, ""))
    assert [item for packet in told for item in packet.items] == items
    assert len(told) > 1
    assert all(len(packet.items) <= PACKET_ITEMS_MAX for packet in told)
    for packet in told:
        assert set(Counter(item.at for item in packet.items).values()) == {7}


def test_long_items_are_split_by_their_bytes() -> None:
    """With the longest ids and tags that are let in, a number of items says nothing about the size of their record."""
    items = [signal(1 + number, f"{number:0{ID_BYTES_MAX}}") for number in range(PACKET_ITEMS_MAX)]
    for item in items:
        item.root = "r" * ID_BYTES_MAX
        item.tags = tuple(f"{number:0100}" for number in range(TAGS_MAX))
    outgoing = pack(items)
    told = packets_by_partition(outgoing)[actor_partition("a", partitions=PARTITIONS)]
    sizes = [len(record.value or b"") for record in outgoing]

    assert_chained(told, upto=(10**6, ""))
    assert [item for packet in told for item in packet.items] == items
    assert max(sizes) <= PACKET_BYTES_MAX <= BATCH_BYTES_MAX < REQUEST_BYTES_MAX
    # Halving may leave packets of half the size, not of less.
    assert sum(sizes) / len(told) >= PACKET_BYTES_MAX / 2


def test_equal_stamps_are_never_split() -> None:
    """One signal on very many topics: its contributions share a stamp, and a position cannot lie between them."""
    items = [contribution(5, "same", f"brand/{number:0200}") for number in range(2 * PACKET_ITEMS_MAX)]
    outgoing = packed(
        items,
        channel="c",
        partition_of=lambda item: 0,
        partitions=1,
        origin=0,
        after=BEGINNING,
        upto=(9, ""),
    )

    assert len(outgoing) == 1
    assert len(unpack_contributions(outgoing[0].value or b"", origins=1).items) == len(items)


def test_nothing_new_is_not_told() -> None:
    """Where event time has not moved there is nothing to say."""
    assert pack([], after=(5, ""), upto=(5, "")) == []


def test_packets_carry_no_timestamp_of_their_signals() -> None:
    """Kafka would delete packets of an old log at once, and refuse those of a clock that runs ahead."""
    assert {record.timestamp_ms for record in pack([signal(1, "x")])} == {None}


@given(actor=names, partitions=st.sampled_from([1, 2, 4, 8, 16, 32, 64]))
def test_actors_of_one_shard_stay_together_at_every_number_of_partitions(actor: str, partitions: int) -> None:
    """The shard decides: with half the partitions, two of them become one."""
    wide = actor_partition(actor, partitions=64)

    assert actor_partition(actor, partitions=partitions) == wide % partitions
    assert 0 <= topic_partition(actor, partitions=partitions) < partitions


def raw_packet(version: object = PACKET_VERSION, origin: object = 0, items: object = ()) -> bytes:
    """Encode what looks like a packet."""
    return msgspec.msgpack.encode((version, origin, (0, ""), (1, ""), items))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"", "expected a packet of attributed signals, got Input data was truncated"),
        (b"{}", "expected a packet of attributed signals, got Expected `array`, got `int`"),
        (
            raw_packet(items=(1,)),
            "expected a packet of attributed signals, got Expected `array`, got `int` - at `$[4][0]`",
        ),
        (
            raw_packet().replace(b"\x92\x00\xa0", b"\x92\x00\xa1\xff"),
            "expected a packet of attributed signals, got "
            + str(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")),
        ),
        (raw_packet(origin=3), "expected a packet of one of 3 origins, got one of origin 3"),
        (raw_packet(origin=-1), "expected a packet of one of 3 origins, got one of origin -1"),
    ],
)
def test_what_is_no_packet_says_so(value: bytes, text: str) -> None:
    """The text goes into a rejection."""
    with pytest.raises(PacketError) as caught:
        unpack_attributed(value, origins=3)

    assert str(caught.value) == text


@pytest.mark.parametrize("unpack", [unpack_attributed, unpack_contributions])
@pytest.mark.parametrize("value", [raw_packet(version=1), raw_packet(version=1, items={"another": "shape"})])
def test_a_packet_of_another_release_is_not_passed_over(unpack: Callable[..., object], value: bytes) -> None:
    """It holds signals: to leave it out would lose them."""
    with pytest.raises(PacketVersionError) as caught:
        unpack(value, origins=3)

    assert str(caught.value) == "expected a packet of version 3, got version 1; run the release that wrote it"


@pytest.mark.parametrize("unpack", [unpack_attributed, unpack_contributions])
@pytest.mark.parametrize("stamp", [b"\x92\x00\xa1\xff", b"\x91" * 3_000])
def test_bytes_that_no_text_holds_and_endless_nesting_are_refused(unpack: Callable[..., object], stamp: bytes) -> None:
    """The decoder has other errors for these than for what is merely no packet; neither ends a worker."""
    value = b"\x95" + msgspec.msgpack.encode(PACKET_VERSION) + b"\x00" + stamp
    with pytest.raises(PacketError):
        unpack(value, origins=3)


def test_what_is_no_packet_is_refused_and_the_rest_is_read() -> None:
    """Each becomes one rejection with its place; the partition goes on."""
    good = pack([signal(1, "x")])[0].value
    batch = Batch([Record(7, None, b"junk"), Record(8, None, good), Record(9, None, None)], 10)
    came = unpacked(batch, lambda value: unpack_attributed(value, origins=3), channel="c", partition=1)

    assert [offset for offset, _ in came.packets] == [8]
    assert [(refused.place.offset, refused.reason, refused.size) for refused in came.rejections] == [
        (7, "malformed", 4),
        (9, "malformed", 0),
    ]
    assert came.rejections[0].place.channel == "c"
    assert came.rejections[0].place.partition == 1


def test_the_end_of_an_act_goes_to_its_actor_and_where_that_is_unknown_to_all() -> None:
    """Every partition looks up whether the act was one of its actors'."""
    known, unknown = TakenBack(1, "x", "ana", "r", 7), TakenBack(2, "y", ACTOR_UNKNOWN, "r", 8)
    outgoing = packed(
        [known, unknown],
        channel="social.attributed",
        partition_of=lambda item: item_partition(item, partitions=PARTITIONS),
        partitions=PARTITIONS,
        origin=2,
        after=BEGINNING,
        upto=(9, ""),
    )
    mine = actor_partition("ana", partitions=PARTITIONS)
    for partition, (packet,) in packets_by_partition(outgoing).items():
        assert packet.items == ((known, unknown) if partition == mine else (unknown,))


@pytest.mark.parametrize("parts", [1, 4, 6])
def test_a_packet_of_another_version_and_of_more_or_fewer_parts_is_refused(parts: int) -> None:
    """A release that adds or drops a part must not have its packets set aside as if they were broken."""
    value = msgspec.msgpack.encode([PACKET_VERSION + 1, *range(parts - 1)])
    with pytest.raises(PacketVersionError):
        unpack_attributed(value, origins=2)
