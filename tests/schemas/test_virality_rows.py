"""Rows of virality keep what they are given and fit into a record."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import virality_rows
from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import (
    CascadeNodesRow,
    FoldedSharesRow,
    HistogramRow,
    OverperformanceRow,
    ReproductionRow,
    SharesRow,
)

ROWS = (
    CascadeNodesRow,
    FoldedSharesRow,
    SharesRow,
    ReproductionRow,
    HistogramRow,
    OverperformanceRow,
)


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_row_is_the_same_after_encoding_and_decoding(kind: type[msgspec.Struct], data: st.DataObject) -> None:
    """A table gives back what was put into it, floats to the last bit."""
    row = data.draw(st.from_type(kind))
    try:
        packed = msgspec.msgpack.encode(row)
    except OverflowError:
        return  # beyond 64 bits, which no count reaches

    # Compared as bytes, because what is not a number is not equal to itself.
    assert msgspec.msgpack.encode(msgspec.msgpack.decode(packed, type=kind)) == packed


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would double their size, and the collector would walk them for nothing."""
    shapes = [kind for kind in vars(virality_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert set(ROWS) <= set(shapes)
    assert all(kind.__struct_config__.array_like and not kind.__struct_config__.gc for kind in shapes)


def test_fullest_rows_stay_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever."""
    largest = 2**63 - 1
    folded = FoldedSharesRow(
        root_at_ms=largest,
        place=largest,
        shares=largest,
        followers=largest,
        imputed=largest,
        moments=b"x" * 48,
        decays=(1e300,) * 64,
        last_ms=largest,
    )
    fullest: list[msgspec.Struct] = [
        CascadeNodesRow(largest, b"x" * 2_048, b"x" * 512, b"x" * 1_024, b"x" * 256, largest),
        SharesRow(chunk=largest, at=b"x" * 2_048, followers=b"x" * 1_024, before=folded),
        ReproductionRow(*((largest,) * 144 for _ in range(3))),
        HistogramRow(largest, (5_000,) * 4_096, (2**32,) * 4_096),
        OverperformanceRow(((largest,) * 100,) * 4),
    ]

    assert all(len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX for row in fullest)
