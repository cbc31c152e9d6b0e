"""Check the shape of contributions and of their packets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import LINEAGES
from schemas.cascade import CascadeContribution
from schemas.contribution import Contribution, ContributionPacket
from schemas.signal import KINDS
from tests.schemas.test_cascade import READINGS as CASCADES

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
)
READINGS = st.builds(CascadeContribution, NUMBERS, WORDS, WORDS, WORDS, reading=CASCADES)
PACKETS = st.builds(
    ContributionPacket,
    version=NUMBERS,
    origin=NUMBERS,
    after=POSITIONS,
    upto=POSITIONS,
    items=st.lists(CONTRIBUTIONS | READINGS, max_size=3).map(tuple),
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
    )
    packet = ContributionPacket(version=1, origin=2, after=(3, ""), upto=(4, "i"), items=(contribution,))

    written = msgspec.msgpack.decode(msgspec.msgpack.encode(packet))

    fields = [0, 1, "i", "b/t", "a", 2, 3, 1_500, "r", "n", False, [], -1, [], 0, False]
    assert written == [1, 2, [3, ""], [4, "i"], [fields]]


def test_a_contribution_that_lacks_a_field_is_refused() -> None:
    """An array that ends early is not guessed at, nor is one whose tag is another item's."""
    written = [0, 1, "i", "b/t", "a", 0, 0, 1_000, "r", "n"]

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(written), type=Contribution).units == 1_000
    with pytest.raises(msgspec.ValidationError, match="Invalid value"):
        msgspec.msgpack.decode(msgspec.msgpack.encode([1, *written[1:]]), type=Contribution)
    with pytest.raises(msgspec.ValidationError, match="at least"):
        msgspec.msgpack.decode(msgspec.msgpack.encode(written[:-1]), type=Contribution)
