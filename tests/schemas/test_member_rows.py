"""Rows of communities keep what they are given, still decode in later releases and fit into a record."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import member_rows
from schemas.member_rows import MemberRow, MembershipRow, MemberTermsRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.membership import BURST_EVENTS_MAX, TOPICS_MAX, WINDOW_DAYS_MAX

LARGEST = 2**63 - 1
whole = st.integers(0, LARGEST)
terms = st.builds(MemberTermsRow, whole, whole, whole, whole, whole, whole)
memberships = st.builds(
    MembershipRow, st.text(max_size=9), whole, st.binary(max_size=40), st.lists(whole, max_size=7).map(tuple), terms
)


@given(st.lists(memberships, max_size=4).map(tuple).map(MemberRow))
def test_row_is_the_same_after_encoding_and_decoding(row: MemberRow) -> None:
    """A table gives back what was put into it."""
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=MemberRow) == row


def test_bytes_of_the_first_version_still_decode() -> None:
    """Tables outlive releases: fields may be added at the end with a default, never moved."""
    stored = [[["b/t", 172_800_005, b"\x02\x00\x01", [5], [86_400_000, 28, 2, 3, 4, 1]]]]

    row = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=MemberRow)

    assert row.memberships == (
        MembershipRow(
            topic="b/t",
            last_ms=172_800_005,
            counts=b"\x02\x00\x01",
            gaps_ms=(5,),
            terms=MemberTermsRow(
                day_ms=86_400_000, window_days=28, events_min=2, days_min=3, burst_events_min=4, core_weeks_min=1
            ),
        ),
    )


def test_every_row_is_an_array_outside_the_garbage_collector() -> None:
    """There are many of them: field names would only add to their size, and the collector would walk them in vain."""
    shapes = [kind for kind in vars(member_rows).values() if isinstance(kind, type(msgspec.Struct))]

    assert set(shapes) == {MemberRow, MembershipRow, MemberTermsRow}
    assert all(kind.__struct_config__.array_like and not kind.__struct_config__.gc for kind in shapes)


def test_fullest_row_stays_below_the_limit() -> None:
    """A record that is too large would stop its partition for ever."""
    membership = MembershipRow(
        topic="x" * 300,
        last_ms=LARGEST,
        counts=b"x" * WINDOW_DAYS_MAX,
        gaps_ms=(LARGEST,) * (BURST_EVENTS_MAX - 1),
        terms=MemberTermsRow(*[LARGEST] * 6),
    )

    assert len(msgspec.msgpack.encode(MemberRow((membership,) * TOPICS_MAX))) <= ROW_BYTES_MAX


def test_row_of_a_busy_member_of_one_topic_stays_small() -> None:
    """There is one for everybody who acted within a month: someone who is there every day takes 200 bytes at most."""
    terms_row = MemberTermsRow(86_400_000, 28, 2, 2, 3, 3)
    membership = MembershipRow("some-brand/some-long-topic", 1_790_000_000_000, b"x" * 28, (86_399_999,) * 2, terms_row)

    assert len(msgspec.msgpack.encode(MemberRow((membership,)))) <= 200
