"""Read the time that an id holds: that of a record on the AT Protocol (TID) and that of a post on Twitter (snowflake).

Both are told by whoever makes the id, so they are as good as that one's clock; they stand in for a time that was not
told otherwise (`times.told_time`).
"""

import re

TWITTER_EPOCH_MS = 1_288_834_974_657
SNOWFLAKE_MIN = 2**38
"""Ids below it are no snowflakes: until 4 November 2010 posts were counted, up to some 3e10, and snowflakes began with
numbers of 1e14."""
SNOWFLAKE_MAX = 2**63 - 1

_TID = re.compile(r"[2-7a-j][2-7a-z]{12}", re.ASCII)
# The digits of TIDs as the digits that `int` knows; the last two are the number of a clock.
_DIGITS = str.maketrans("234567abcdefghijklmnopqrstuvwxyz", "0123456789abcdefghijklmnopqrstuv")
_CLOCK_DIGITS = 2
_DIGITS_MAX = 19


def tid_ms(tid: str) -> int | None:
    """Return the epoch milliseconds of a TID, None where it is none (https://atproto.com/specs/tid).

    13 digits of base 32 make 64 bits: a zero, 53 bits of microseconds, 10 bits that tell clocks apart.

    >>> tid_ms("3l3qo2vutsw2b")
    1725911162251
    >>> tid_ms("self") is None
    True
    """
    if _TID.fullmatch(tid) is None:
        return None
    return int(tid[:-_CLOCK_DIGITS].translate(_DIGITS), 32) // 1000


def snowflake_ms(post_id: str) -> int | None:
    """Return the epoch milliseconds of a post's id on Twitter, None where it holds none.

    The upper bits count milliseconds since `TWITTER_EPOCH_MS`, the lower 22 tell apart what came in the same one
    (https://github.com/twitter-archive/snowflake).

    >>> snowflake_ms("1541815603606036480")
    1656432460105
    >>> snowflake_ms("20") is None
    True
    """
    if len(post_id) > _DIGITS_MAX or not (post_id.isascii() and post_id.isdigit()):
        return None
    number = int(post_id)
    return (number >> 22) + TWITTER_EPOCH_MS if SNOWFLAKE_MIN <= number <= SNOWFLAKE_MAX else None
