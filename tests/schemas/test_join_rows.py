"""Rows of how a brand joins its community keep what they are given and fit into a record."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.join_rows import JoinRow, JoinsRow, WildRootsRow
from schemas.rows import ROW_BYTES_MAX
from streams.steps.joins import DAY_SLOTS, PANE_ROOTS_MAX

whole = st.integers(0, 2**63 - 1)
parts = st.floats(0, 100)
firsts = st.builds(JoinRow, whole, st.sampled_from(["tag", "reply"]), st.none() | st.text(max_size=9), st.text())
rows = st.one_of(
    st.builds(
        JoinsRow,
        st.none() | whole,
        st.none() | firsts,
        whole,
        st.dictionaries(whole, whole, max_size=9),
        st.none() | st.tuples(parts, parts, parts),
    ),
    st.builds(WildRootsRow, whole, st.binary(max_size=64)),
)


@given(rows)
def test_row_is_the_same_after_encoding_and_decoding(row: JoinsRow | WildRootsRow) -> None:
    """A table gives back what was put into it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=type(row)) == row


def test_fullest_rows_stay_below_the_limit() -> None:
    """Two days before a join and a day behind it, of large numbers; an hour with as many conversations as it holds."""
    first = JoinRow(2**63 - 1, "reply", "t" * 512, "r" * 512)
    acts = {2**40 + slot: 2**40 for slot in range(3 * DAY_SLOTS)}
    largest = [JoinsRow(2**63 - 1, first, 2**40, acts, (1.1, 1.1, 1.1)), WildRootsRow(2**40, b"x" * 8 * PANE_ROOTS_MAX)]

    assert all(len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX for row in largest)
