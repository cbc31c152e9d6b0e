"""Rows of where the talk goes keep what they are given and fit into a record."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import drift_rows
from schemas.drift_rows import TagActorsRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.tag_actors import PANE_BYTES_MAX

packed = st.binary(max_size=40)
whole = st.integers(0, 2**63 - 1)
rows = st.builds(TagActorsRow, whole, whole, st.lists(st.text(), max_size=5).map(tuple), packed, packed, packed)


@given(rows)
def test_row_is_the_same_after_encoding_and_decoding(row: TagActorsRow) -> None:
    """A table gives back what was put into it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=TagActorsRow) == row


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would only add to their size, and the collector would walk them in vain."""
    shapes = [kind for kind in vars(drift_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert TagActorsRow in shapes
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
