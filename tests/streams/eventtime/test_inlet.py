"""Whatever packets come, in whatever order and with whatever restarts, each item comes out once and in stamp order."""

from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import BEGINNING, Position
from streams.eventtime.inlet import PacketInlet

END = 20
"""Every item lies before this instant."""


class Item(msgspec.Struct, order=True):
    """An item: only its stamp matters."""

    at: int
    id: str
    root: str = "r"


class Packet(NamedTuple):
    """A packet of one origin."""

    origin: int
    after: Position
    upto: Position
    items: tuple[Item, ...]


class Log(NamedTuple):
    """What the origins hold, and a log of packets of theirs in which each has told all of it by the end."""

    origins: int
    items: list[Item]
    packets: list[Packet]


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """Draw items for one to three origins, and any packets: next, repeated, cut anew, behind a hole."""
    origins = draw(st.integers(1, 3))
    placed = draw(st.lists(st.tuples(st.integers(0, origins - 1), st.integers(0, END - 1)), max_size=25))
    held: list[list[Item]] = [[] for _ in range(origins)]
    for number, (origin, at_ms) in enumerate(placed):
        held[origin].append(Item(at_ms, f"s{number:02}"))

    def cut(origin: int, after: int, upto: int) -> Packet:
        inside = sorted(item for item in held[origin] if after <= item.at < upto)
        return Packet(origin, (after, ""), (upto, ""), tuple(inside))

    heard = [0] * origins
    packets: list[Packet] = []
    for origin, any_after, length, goes_on in draw(
        st.lists(
            st.tuples(st.integers(0, origins - 1), st.integers(0, END - 1), st.integers(1, 6), st.booleans()),
            max_size=30,
        )
    ):
        after = heard[origin] if goes_on else any_after
        upto = min(after + length, END)
        if after < upto:
            packets.append(cut(origin, after, upto))
            if after <= heard[origin]:
                heard[origin] = max(heard[origin], upto)
    packets.extend(cut(origin, heard[origin], END) for origin in range(origins))
    return Log(origins, sorted(item for items in held for item in items), packets)


def taken_in_batches(
    inlet: PacketInlet[Item], log: Log, *, first: int, sizes: list[int]
) -> tuple[list[Item], list[tuple[int, tuple[int, Position, bytes]]]]:
    """Feed a log from an offset on; return the items given, and after each batch (number given, what resume tells)."""
    given_out: list[Item] = []
    told = []
    offset, turn = first, 0
    while offset < len(log.packets):
        after = min(offset + sizes[turn % len(sizes)], len(log.packets))
        given_out += inlet.take([(number, log.packets[number]) for number in range(offset, after)], next_offset=after)
        told.append((len(given_out), inlet.resume()))
        offset, turn = after, turn + 1
    return given_out, told


batch_sizes = st.lists(st.integers(1, 6), min_size=1, max_size=4)


@given(logs(), batch_sizes)
def test_any_packets_in_any_batches_give_the_items_sorted_and_once(log: Log, sizes: list[int]) -> None:
    """Interleaved, repeated, cut anew or behind a hole: in the end it is the sorted list of what the origins hold."""
    inlet: PacketInlet[Item] = PacketInlet(origins=log.origins)
    assert taken_in_batches(inlet, log, first=0, sizes=sizes)[0] == log.items
    assert len(inlet) == 0
    assert inlet.position == (END, "")


@given(logs(), batch_sizes)
def test_after_each_batch_all_up_to_the_position_is_out_and_nothing_behind_it(log: Log, sizes: list[int]) -> None:
    """The position says what will come no more, so exactly what it covers has been given out."""
    _, told = taken_in_batches(PacketInlet(origins=log.origins), log, first=0, sizes=sizes)
    for count, (_, position, _) in told:
        assert count == len([item for item in log.items if (item.at, item.id) <= position])


@given(logs(), batch_sizes, batch_sizes, st.data())
def test_a_restart_repeats_nothing_and_loses_nothing(
    log: Log, sizes: list[int], other_sizes: list[int], data: st.DataObject
) -> None:
    """From any checkpoint, read again in other batches, the rest comes out; also if that is interrupted once more."""
    given_out, told = taken_in_batches(PacketInlet(origins=log.origins), log, first=0, sizes=sizes)
    count, checkpoint = data.draw(st.sampled_from(told))
    for _ in range(2):
        inlet: PacketInlet[Item] = PacketInlet(origins=log.origins)
        offset, frontier, context = checkpoint
        inlet.restore(offset=offset, frontier=frontier, context=context)
        assert inlet.resume() == checkpoint
        rest, told = taken_in_batches(inlet, log, first=offset, sizes=other_sizes)
        assert given_out[:count] + rest == log.items
        if not told:
            break
        more, checkpoint = data.draw(st.sampled_from(told))
        count += more


def test_repeated_packets_and_those_behind_a_hole_are_counted() -> None:
    """An operator sees how often an origin had to send again."""
    inlet: PacketInlet[Item] = PacketInlet(origins=1)
    first = Packet(0, BEGINNING, (5, ""), (Item(1, "a"),))
    behind = Packet(0, (7, ""), (9, ""), (Item(8, "c"),))
    assert inlet.take([(0, first), (1, first), (2, behind)], next_offset=3) == [Item(1, "a")]
    assert (inlet.repeated, inlet.gaps) == (1, 1)


def test_of_a_packet_cut_anew_only_what_is_new_is_taken() -> None:
    """An origin that restarts may pack the same items with others: those heard before are left out."""
    inlet: PacketInlet[Item] = PacketInlet(origins=1)
    inlet.take([(0, Packet(0, BEGINNING, (5, ""), (Item(1, "a"), Item(4, "b"))))], next_offset=1)
    anew = Packet(0, (2, ""), (9, ""), (Item(4, "b"), Item(5, "c")))
    assert inlet.take([(1, anew)], next_offset=2) == [Item(5, "c")]


def test_what_waits_for_another_origin_is_held() -> None:
    """An item is in its final order only when no origin can tell of an earlier one."""
    inlet: PacketInlet[Item] = PacketInlet(origins=2)
    assert inlet.take([(0, Packet(0, BEGINNING, (9, ""), (Item(3, "b"), Item(8, "d"))))], next_offset=1) == []
    assert len(inlet) == 2
    other = Packet(1, BEGINNING, (5, ""), (Item(2, "a"),))
    assert inlet.take([(1, other)], next_offset=2) == [Item(2, "a"), Item(3, "b")]
    assert inlet.take([], next_offset=3) == []
    assert inlet.resume()[:2] == (0, (5, ""))
