"""Rows of acts keep what they are given and fit into a record."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.act_rows import ActsRow
from schemas.rows import ROW_BYTES_MAX
from streams.attribution.acts import Act, RecentActs

packed = st.binary(max_size=40)


@given(st.builds(ActsRow, packed, packed, packed, packed, packed, st.lists(packed, max_size=5).map(tuple)))
def test_row_is_the_same_after_encoding_and_decoding(row: ActsRow) -> None:
    """A table gives back what was put into it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=ActsRow) == row


def test_no_row_is_larger_than_a_row_may_be() -> None:
    """However long the ids of conversations are, and though no two acts are in the same."""
    acts = RecentActs[str](span_ms=1_000, scope_of=str, value_type=str)
    for number in range(2_000):
        acts.note(2**63 + number, Act(1_781_179_212_345, 5, 2**63, 2**31, f"{number:0512}"), now_ms=1)
    rows = [row for _, row in acts.changed_rows() if row is not None]
    assert sum(len(row.marks) // 4 for row in rows) == 2_000
    assert max(len(msgspec.msgpack.encode(row)) for row in rows) <= ROW_BYTES_MAX
