"""Rows of the measures keep what they are given and fit into a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from schemas import measure_rows
from schemas.measure_rows import ActorCapRow, AudienceRow, BaselineRow, ConcentrationRow, CountsRow, SpentRow
from schemas.rows import ROW_BYTES_MAX

numbers = st.integers(-(2**63), 2**63 - 1)
many_numbers = st.lists(numbers, max_size=5).map(tuple)
perhaps_numbers = st.lists(st.none() | numbers, max_size=5).map(tuple)
many_bytes = st.lists(st.binary(max_size=40), max_size=5).map(tuple)
spent = st.builds(SpentRow, topic=st.text(), hour_ms=numbers, hour=numbers, units=numbers)
rows: dict[type[msgspec.Struct], SearchStrategy[msgspec.Struct]] = {
    CountsRow: st.builds(CountsRow, many_numbers, st.lists(many_numbers, max_size=5).map(tuple)),
    AudienceRow: st.builds(AudienceRow, numbers, many_numbers, many_bytes),
    ConcentrationRow: st.builds(ConcentrationRow, many_numbers, many_bytes),
    BaselineRow: st.builds(BaselineRow, numbers, perhaps_numbers, perhaps_numbers),
    ActorCapRow: st.builds(ActorCapRow, st.lists(spent, max_size=5).map(tuple)),
}


@pytest.mark.parametrize("kind", rows, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_row_is_the_same_after_encoding_and_decoding(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """A table gives back what was put into it."""
    row = data.draw(rows[kind])

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=kind) == row


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would double their size, and the collector would walk them for nothing."""
    shapes = [kind for kind in vars(measure_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert set(rows) <= set(shapes)
    assert all(kind.__struct_config__.array_like and not kind.__struct_config__.gc for kind in shapes)


def test_fullest_rows_stay_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever."""
    largest = 2**63 - 1
    fullest: list[msgspec.Struct] = [
        CountsRow(panes=(largest,) * 60, vectors=((largest,) * 100,) * 60),
        AudienceRow(grain=5, indexes=(largest,) * 12, sketches=(b"x" * 4_136,) * 12),
        ConcentrationRow(panes=(largest,) * 15, actors=(b"x" * 64 * 12,) * 15),
        BaselineRow(first=largest, counts=(largest,) * 1_008, residuals=(largest,) * 336),
    ]

    assert all(len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX for row in fullest)
