"""Rows of where the talk goes keep what they are given and fit into a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import drift_rows
from schemas.drift_rows import DriftRow, EchoRow, TagActorsRow, TagPlacesRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.tag_actors import PANE_BYTES_MAX
from streams.steps.drift import KNOWN_MAX

packed = st.binary(max_size=40)
whole = st.integers(0, 2**63 - 1)
number = st.floats(allow_nan=False, allow_infinity=False)
known = st.none() | number
names = st.lists(st.text(), max_size=5).map(tuple)
emergent = st.tuples(st.text(), number, number, whole, whole, st.booleans())
rows = st.one_of(
    st.builds(TagActorsRow, whole, whole, names, packed, packed, packed),
    st.builds(
        TagPlacesRow,
        whole,
        names,
        st.lists(packed, max_size=5).map(tuple),
        st.lists(st.lists(st.tuples(whole, whole, whole), max_size=4).map(tuple), max_size=5).map(tuple),
    ),
    st.builds(
        EchoRow,
        st.none() | whole,
        st.lists(st.tuples(st.text(), whole), max_size=5).map(tuple),
        st.none() | whole,
        known,
        known,
        st.none() | whole,
    ),
    st.builds(DriftRow, whole, known, known, known, known, st.lists(emergent, max_size=5).map(tuple), whole),
)


@given(rows)
def test_row_is_the_same_after_encoding_and_decoding(row: TagActorsRow | TagPlacesRow | DriftRow | EchoRow) -> None:
    """A table gives back what was put into it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=type(row)) == row


def test_a_whole_number_is_read_where_a_measure_is_one() -> None:
    """Encoders may write 1.0 as 1; a share of all is still a share."""
    row = DriftRow(7, 1.0, 0.5, 0.0, -3.0, (("#wild", 4.0, 16.0, 12, 3, False),))
    whole_numbers = msgspec.msgpack.encode([7, 1, 0.5, 0, -3, [["#wild", 4, 16, 12, 3, False]]])

    assert msgspec.msgpack.decode(whole_numbers, type=DriftRow) == row


@pytest.mark.parametrize("kind", [TagActorsRow, TagPlacesRow, DriftRow])
def test_a_row_that_lacks_something_is_refused(kind: type) -> None:
    """A table of another release must not be guessed."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(msgspec.msgpack.encode([7]), type=kind)


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would only add to their size, and the collector would walk them in vain."""
    shapes = [kind for kind in vars(drift_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert {TagActorsRow, TagPlacesRow, DriftRow, EchoRow} <= set(shapes)
    assert all(kind.__struct_config__.array_like and not kind.__struct_config__.gc for kind in shapes)


def test_fullest_rows_stay_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever."""
    largest = 2**63 - 1
    # An actor is charged 7 bytes, a use 5 and its tag's: as many actors, or as long tags, as go into a pane.
    many = PANE_BYTES_MAX // (7 + 5 + 3)
    actors = TagActorsRow(
        largest, largest, tuple(f"{tag:03x}" for tag in range(4_096)), b"x" * 6 * many, b"x" * many, b"x" * 2 * many
    )
    few = PANE_BYTES_MAX // (7 + 5 + 300)
    tags = TagActorsRow(largest, largest, ("x" * 300,) * few, b"x" * 6 * few, b"x" * few, b"x" * 2 * few)

    assert all(len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX for row in (actors, tags))


def test_fullest_drift_stays_below_the_limit() -> None:
    """As many emergent topics as are remembered, with tags of 100 characters of four bytes each."""
    largest = 2**63 - 1
    topic = ("😀" * 100, 1e300, 1e300, largest, largest, False)

    assert (
        len(msgspec.msgpack.encode(DriftRow(largest, 1e300, 1e300, 1e300, 1e300, (topic,) * KNOWN_MAX, largest)))
        <= ROW_BYTES_MAX
    )
