"""Check the shape of contributions and of their packets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import LINEAGES
from schemas.contribution import Contribution, ContributionPacket
from schemas.signal import KINDS

NUMBERS = st.integers(0, 2**63 - 1)
WORDS = st.text(max_size=8)
POSITIONS = st.tuples(NUMBERS, WORDS)
CONTRIBUTIONS = st.builds(
    Contribution,
    at=NUMBERS,
    id=WORDS,
    topic=WORDS,
    actor=WORDS,
    kind=st.integers(0, len(KINDS) - 1),
    lineage=st.integers(0, len(LINEAGES) - 1),
    units=NUMBERS,
    root=WORDS,
    network=WORDS,
    cascade_size=NUMBERS,
    cascade_depth=NUMBERS,
)
PACKETS = st.builds(
    ContributionPacket,
    version=NUMBERS,
    origin=NUMBERS,
    after=POSITIONS,
    upto=POSITIONS,
    items=st.lists(CONTRIBUTIONS, max_size=3).map(tuple),
)


@given(PACKETS)
def test_a_packet_comes_back_as_it_was_packed(packet: ContributionPacket) -> None:
    """What one step tells the next arrives whole."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(packet), type=ContributionPacket) == packet


def test_fields_are_known_by_their_place() -> None:
    """Names would be most of a packet; so the order is the contract, and it is written down here once more."""
    contribution = Contribution(
        at=1,
        id="i",
        topic="b/t",
        actor="a",
        kind=2,
        lineage=3,
        units=1_500,
        root="r",
        network="n",
        cascade_size=4,
        cascade_depth=5,
    )
    packet = ContributionPacket(version=1, origin=2, after=(3, ""), upto=(4, "i"), items=(contribution,))

    written = msgspec.msgpack.decode(msgspec.msgpack.encode(packet))

    assert written == [1, 2, [3, ""], [4, "i"], [[1, "i", "b/t", "a", 2, 3, 1_500, "r", "n", 4, 5]]]


def test_what_an_earlier_release_packed_still_decodes() -> None:
    """Fields come last with a default, so an array that ends early is complete; one that lacks more is refused."""
    written = [1, "i", "b/t", "a", 0, 0, 1_000, "r", "n"]

    contribution = msgspec.msgpack.decode(msgspec.msgpack.encode(written), type=Contribution)

    assert (contribution.cascade_size, contribution.cascade_depth) == (0, 0)
    with pytest.raises(msgspec.ValidationError, match="at least"):
        msgspec.msgpack.decode(msgspec.msgpack.encode(written[:-1]), type=Contribution)
