"""Check the shape of attributed signals and of their packets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import BEGINNING, LINEAGES, AttributedPacket, AttributedSignal, TopicLink
from schemas.signal import KINDS
from tests.schemas.test_cascade import READINGS

NUMBERS = st.integers(0, 2**63 - 1)
WORDS = st.text(max_size=8)
POSITIONS = st.tuples(NUMBERS, WORDS)
LINKS = st.builds(TopicLink, topic=WORDS, lineage=st.integers(0, len(LINEAGES) - 1), distance=st.integers(-1, 1_000))
SIGNALS = st.builds(
    AttributedSignal,
    at=NUMBERS,
    id=WORDS,
    actor=WORDS,
    kind=st.integers(0, len(KINDS) - 1),
    network=WORDS,
    root=WORDS,
    links=st.lists(LINKS, max_size=3).map(tuple),
    tags=st.lists(WORDS, max_size=3).map(tuple),
    followers=st.none() | NUMBERS,
)
PACKETS = st.builds(
    AttributedPacket,
    version=NUMBERS,
    origin=NUMBERS,
    after=POSITIONS,
    upto=POSITIONS,
    items=st.lists(SIGNALS | READINGS, max_size=3).map(tuple),
)


@given(PACKETS)
def test_a_packet_comes_back_as_it_was_packed(packet: AttributedPacket) -> None:
    """What one step tells the next arrives whole."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(packet), type=AttributedPacket) == packet


def test_fields_are_known_by_their_place() -> None:
    """Names would be most of a packet; so the order is the contract, and it is written down here once more."""
    link = TopicLink("cern/higgs", lineage=2, distance=3)
    signal = AttributedSignal(
        at=1,
        id="i",
        actor="a",
        kind=4,
        network="n",
        root="r",
        links=(link,),
        tags=("t",),
        followers=5,
    )
    packet = AttributedPacket(version=1, origin=2, after=(3, ""), upto=(4, "i"), items=(signal,))

    written = msgspec.msgpack.decode(msgspec.msgpack.encode(packet))

    assert written == [1, 2, [3, ""], [4, "i"], [[0, 1, "i", "a", 4, "n", "r", [["cern/higgs", 2, 3]], ["t"], 5]]]


def test_what_an_earlier_release_packed_still_decodes() -> None:
    """Fields come last with a default, so an array that ends early is complete."""
    written = msgspec.msgpack.encode([0, 1, "i", "a", 0, "n", "r", [["b/t", 0]]])

    signal = msgspec.msgpack.decode(written, type=AttributedSignal)

    assert (signal.tags, signal.followers) == ((), None)
    assert signal.links[0].distance == -1
    with pytest.raises(msgspec.ValidationError, match="at least"):
        msgspec.msgpack.decode(msgspec.msgpack.encode([0, 1, "i"]), type=AttributedSignal)


@given(st.integers(1, 2**62), st.text(max_size=5))
def test_the_beginning_lies_before_every_stamp(at_ms: int, signal_id: str) -> None:
    """Who has heard nothing yet has everything before it."""
    assert (at_ms, signal_id) > BEGINNING
