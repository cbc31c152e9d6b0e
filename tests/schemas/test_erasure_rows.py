"""What is remembered of who was erased keeps its meaning through the table."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.erasure_rows import ErasedActorRow


@given(st.integers(0, 2**53))
def test_a_row_comes_back_as_it_was_written(at_ms: int) -> None:
    """It holds an instant and no name."""
    row = ErasedActorRow(at_ms)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ErasedActorRow) == row
