"""Times in ids: as published examples tell them, and as ids were made of times."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.networks.id_times import SNOWFLAKE_MIN, TWITTER_EPOCH_MS, snowflake_ms, tid_ms

BASE32_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"


def ms_of(year: int, month: int, day: int, hour: int, minute: int, second: int, millisecond: int) -> int:
    """Return the epoch milliseconds of an instant in UTC."""
    whole = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(whole.timestamp()) * 1000 + millisecond


def tid_of(microseconds: int, clock: int) -> str:
    """Return the TID of an instant, digit by digit as the specification lays it out."""
    number = microseconds << 10 | clock
    return "".join(BASE32_SORTABLE[number >> shift & 31] for shift in range(60, -1, -5))


def test_the_zero_of_the_specification_is_the_epoch() -> None:
    """The specification writes the integer zero as thirteen times the digit 2."""
    assert tid_ms("2222222222222") == 0


def test_the_example_of_jetstream_lies_just_before_its_arrival() -> None:
    """Jetstream's documentation shows a like with this key, witnessed at 19:46:02.329 and declared for 19:46:02.102."""
    told_ms = tid_ms("3l3qo2vuowo2b")

    assert told_ms is not None
    assert ms_of(2024, 9, 9, 19, 46, 2, 102) <= told_ms <= ms_of(2024, 9, 9, 19, 46, 2, 329)


@given(microseconds=st.integers(0, 2**53 - 1), clock=st.integers(0, 1023))
def test_the_time_that_a_tid_was_made_of_is_read_back(microseconds: int, clock: int) -> None:
    """All 53 bits count, and none of those that tell clocks apart."""
    assert tid_ms(tid_of(microseconds, clock)) == microseconds // 1000


@pytest.mark.parametrize(
    "text",
    ["", "self", "3jzfcijpj2z2", "3jzfcijpj2z2aa", "3jzfcijpj2z21", "zzzzzzzzzzzzz", "3JZFCIJPJ2Z2A", "kjzfcijpj2z2a"],
)
def test_what_is_no_tid_holds_no_time(text: str) -> None:
    """Too short, too long, digits that there are not, a top bit that is set: keys of records may be anything."""
    assert tid_ms(text) is None


@pytest.mark.parametrize(
    ("post_id", "second_ms"),
    [
        # By which Wikipedia explains snowflakes: 28 June 2022, 16:07:40.105 UTC.
        ("1541815603606036480", ms_of(2022, 6, 28, 16, 7, 40, 0)),
        # The example of the documentation of v1.1, "created_at": "Wed Oct 10 20:19:24 +0000 2018".
        ("1050118621198921728", ms_of(2018, 10, 10, 20, 19, 24, 0)),
        # The example of the documentation of v2, "created_at": "2020-09-18T18:36:15.000Z".
        ("1307025659294674945", ms_of(2020, 9, 18, 18, 36, 15, 0)),
    ],
)
def test_published_posts_were_written_in_the_second_that_their_ids_tell(post_id: str, second_ms: int) -> None:
    """Documented ids stand beside documented times."""
    told_ms = snowflake_ms(post_id)

    assert told_ms is not None
    assert told_ms // 1000 * 1000 == second_ms


@given(at_ms=st.integers(TWITTER_EPOCH_MS + 70_000, TWITTER_EPOCH_MS + 2**41 - 1), rest=st.integers(0, 2**22 - 1))
def test_the_time_that_a_snowflake_was_made_of_is_read_back(at_ms: int, rest: int) -> None:
    """All 41 bits of time count, and none of machine and sequence."""
    assert snowflake_ms(str(at_ms - TWITTER_EPOCH_MS << 22 | rest)) == at_ms


@pytest.mark.parametrize(
    "post_id", ["", "20", "29700859247", str(SNOWFLAKE_MIN - 1), "-5", "1e18", "٣" * 18, str(2**63)]
)
def test_what_is_no_snowflake_holds_no_time(post_id: str) -> None:
    """Counted ids of the first years would all seem to be from one minute of November 2010."""
    assert snowflake_ms(post_id) is None
