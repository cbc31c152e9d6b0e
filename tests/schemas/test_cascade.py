"""Check the shape of what is told of cascades."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cascade import (
    EDGES,
    READING_ID,
    CascadeContribution,
    CascadeReading,
    CascadeVitals,
    Infected,
    Pace,
)

NUMBERS = st.integers(0, 2**53 - 1)
WORDS = st.text(max_size=8)
SHARES = st.floats(0, 1e9)
READINGS = st.builds(
    CascadeReading,
    at=NUMBERS,
    id=WORDS.map(READING_ID.__add__),
    root=WORDS,
    actor=WORDS,
    kind=st.integers(-1, 5),
    network=WORDS,
    topics=st.lists(WORDS, max_size=3).map(tuple),
    began_ms=NUMBERS,
    size=NUMBERS,
    nodes=NUMBERS,
    depth=NUMBERS,
    breadth=NUMBERS,
    virality=st.none() | SHARES,
    edge=st.integers(0, len(EDGES) - 1),
    flags=st.integers(0, 7),
    shares=NUMBERS,
    infected=st.none() | st.builds(Infected, *[SHARES] * 5),
    pace=st.none() | st.builds(Pace, *[NUMBERS] * 6),
    interactions=st.lists(NUMBERS, max_size=4).map(tuple),
)


@given(READINGS)
def test_a_reading_comes_back_as_it_was_packed(reading: CascadeReading) -> None:
    """What one step tells the next arrives whole."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(reading), type=CascadeReading) == reading


@given(READINGS, WORDS, st.none() | SHARES)
def test_a_reading_on_its_way_to_a_topic_comes_back(reading: CascadeReading, topic: str, score: float | None) -> None:
    """The same for the wrapper that names the topic."""
    told = CascadeContribution(reading.at, reading.id, reading.root, topic, reading, score)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=CascadeContribution) == told


def test_readings_come_behind_every_signal_of_their_millisecond() -> None:
    """A tick covers what came before it, so nothing that it covers may be ordered behind it."""
    ids = ["", "a", "at://did:plc:z/x", "\U0001f33b", "\U0010fffd"]
    assert max(ids) < READING_ID


def test_vitals_of_a_cascade_have_the_fields_of_the_contract() -> None:
    """Whoever reads `social.cascades` relies on these names."""
    names = set(CascadeVitals.__struct_fields__)
    promised = (
        "at root brand topic size depth breadth structural_virality infectiousness low high forecast reproduction"
    )
    assert names >= {*promised.split(), "edge"}
