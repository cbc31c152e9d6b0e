"""Read the log of the Higgs week on Twitter (SNAP; De Domenico et al. 2013, Sci. Rep. 3:2980), line by line.

A line is `userA userB unix_seconds kind`: A retweets B (RT), replies to B (RE) or mentions B (MT). The log holds no
post ids, so which of B's posts was meant is not known. On Twitter a retweet always points at the author of the
original, never at the one it was seen through, so each act is taken to be on B's current conversation, and all acts on
one account form one star: its root is a post that stands for all of B's, called `@B`, and `edge` says "star". Hence
depth means nothing in this log, and a lineage is that of B: whatever is done on a brand's account is seeded. An act of
an account on itself (7,588 lines) is one more act on its own star: A answers, spreads or names an earlier post of A.
No two of the 563,069 lines are equal, so the content of a line is its identity.
"""

from schemas.signal import AT_MS_MAX, AT_MS_MIN, Kind, Signal
from streams.networks.refusal import (
    SIZE_BYTES_MAX,
    Refusal,
    refuse,
    refuse_empty,
    refuse_not_utf8,
    refuse_oversize,
)

NAME = "snap-higgs"
NETWORK = "twitter"
EDGE_STAR = "star"
DIGITS_MAX = 20
"""Accounts and times of the log have 1 to 10; the bound keeps ids short and numbers cheap."""

_KINDS: dict[bytes, Kind] = {b"RT": "share", b"RE": "reply", b"MT": "post"}
_SHAPE = "`userA userB unix_seconds kind` with kind RT, RE or MT"


def normalize(payload: bytes | None) -> Signal | Refusal:
    """Return the signal that a line stands for, or why it was refused; never raises.

    >>> signal = normalize(b"376989 50329 1341101181 RT")
    >>> signal.id, signal.kind, signal.actor, signal.root, signal.root_actor
    ('higgs:376989:50329:1341101181:RT', 'share', '376989', '@50329', '50329')
    """
    if not payload:
        return refuse_empty(NAME)
    if len(payload) > SIZE_BYTES_MAX:
        return refuse_oversize(NAME, len(payload))
    fields = payload.split()
    if len(fields) != 4:
        return _misshapen(payload)
    actor_digits, other_digits, seconds_digits, code = fields
    kind = _KINDS.get(code)
    if (
        kind is None
        or not (actor_digits.isdigit() and other_digits.isdigit() and seconds_digits.isdigit())
        or len(actor_digits) > DIGITS_MAX
        or len(other_digits) > DIGITS_MAX
        or len(seconds_digits) > DIGITS_MAX
    ):
        return _misshapen(payload)
    at_ms = int(seconds_digits) * 1000
    if not AT_MS_MIN <= at_ms <= AT_MS_MAX:
        seconds = seconds_digits.decode()
        expectation = f"expected epoch seconds from {AT_MS_MIN // 1000} (2000) to {AT_MS_MAX // 1000} (9999)"
        hint = ", which looks like milliseconds: divide by 1000" if AT_MS_MIN <= int(seconds) <= AT_MS_MAX else ""
        return refuse("at_out_of_range", f"{NAME} line: {expectation} in field 3, got {seconds}{hint}")
    actor, other = actor_digits.decode(), other_digits.decode()
    star = f"@{other}"
    return Signal(
        id=f"higgs:{actor}:{other}:{seconds_digits.decode()}:{code.decode()}",
        network=NETWORK,
        kind=kind,
        at=at_ms,
        actor=actor,
        source=NAME,
        post=star if kind == "share" else None,
        parent=star,
        root=star,
        parent_actor=other,
        root_actor=other,
        mentions=(other,) if kind == "post" else (),
        edge=EDGE_STAR,
    )


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: two accounts, a number, RT, RE or MT."""
    fields = payload.split()
    return len(fields) == 4 and fields[3] in _KINDS and all(field.isdigit() for field in fields[:3])


def _misshapen(payload: bytes) -> Refusal:
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        return refuse_not_utf8(NAME, error)
    if not text.strip():
        return refuse_empty(NAME)
    return refuse("malformed", f"{NAME} line: expected {_SHAPE}, got {text[:80]!r}")
