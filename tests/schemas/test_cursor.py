"""Check that a cursor reads back as it was written."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.cursor import Cursor


@given(st.builds(Cursor, st.text(), st.text(), st.integers(0, 2**53), st.text()))
def test_a_cursor_reads_back(cursor: Cursor) -> None:
    """It is all that a restart knows."""
    assert msgspec.json.decode(msgspec.json.encode(cursor), type=Cursor) == cursor


def test_a_cursor_of_a_newer_connector_is_read() -> None:
    """Unknown fields are left out; a server that was not named is any."""
    assert msgspec.json.decode(b'{"feed":"s","position":"7","at":1,"new":2}', type=Cursor) == Cursor("s", "7", 1)
