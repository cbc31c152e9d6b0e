"""Rows of those who leave and return keep what they are given and fit into a record."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import cohort_rows
from schemas.cohort_rows import CohortActorRow, CohortActorsRow, CohortBeforeRow, CohortHeadRow, CohortRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.cohort import CHUNK_ACTORS_MAX
from streams.measures.cohort_actor import DAY_ACTS_MAX, HISTORY_DAYS, USES_MAX

packed = st.binary(max_size=40)
whole = st.integers(0, 2**63 - 1)
maybe = st.none() | whole
actors = st.builds(
    CohortActorRow,
    whole,
    whole,
    maybe,
    packed,
    packed,
    packed,
    st.none() | st.builds(CohortBeforeRow, whole, whole, packed),
    maybe,
    maybe,
    maybe,
)
rows = st.one_of(
    st.builds(CohortActorsRow, whole, st.lists(actors, max_size=4).map(tuple)),
    st.builds(CohortHeadRow, whole, whole, whole, maybe, maybe, maybe),
)


@given(rows)
def test_row_is_the_same_after_encoding_and_decoding(row: CohortRow) -> None:
    """A table gives back what was put into it, and the kind of the row with it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=CohortRow) == row


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would only add to their size, and the collector would walk them in vain."""
    shapes = [kind for kind in vars(cohort_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert {CohortActorsRow, CohortActorRow, CohortBeforeRow, CohortHeadRow} <= set(shapes)
    assert all(kind.__struct_config__.array_like and not kind.__struct_config__.gc for kind in shapes)


def test_fullest_row_stays_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever."""
    largest = 2**63 - 1
    tags = b"x" * 4 * USES_MAX
    before = CohortBeforeRow(HISTORY_DAYS * DAY_ACTS_MAX, largest, tags)
    actor = CohortActorRow(
        largest, largest, largest, b"x" * HISTORY_DAYS, b"x" * USES_MAX, tags, before, largest, largest, 2**48 - 1
    )
    row = CohortActorsRow(largest, (actor,) * CHUNK_ACTORS_MAX)

    assert len(msgspec.msgpack.encode(actor)) <= 400
    assert len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX
