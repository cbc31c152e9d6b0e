"""Say why a payload was refused, and make the rejection that goes on the wire of it."""

from hashlib import sha256

import msgspec

from schemas.rejection import PAYLOAD_BYTES_MAX, Place, Reason, Rejection

SIZE_BYTES_MAX = 64 * 1024
"""A longer payload is refused unread (DESIGN.md §11)."""
DETAIL_CHARS_MAX = 300
"""Details quote what came, and what came may be anything."""

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# Line separators and the marks that reverse the direction of writing would let a payload forge what a log shows.
_CONTROLS |= {code: f"\\u{code:04x}" for code in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


class Refusal(msgspec.Struct, frozen=True):
    """A payload that is no signal: the code of the reason, and what was expected, what came and where in it."""

    reason: Reason
    detail: str


def refuse(reason: Reason, detail: str) -> Refusal:
    r"""Return a refusal whose detail is short and safe to print on one line, whatever it quotes.

    >>> refuse("malformed", "expected a kind, got 'li\nke'").detail
    "expected a kind, got 'li\\x0ake'"
    """
    # Cut first: escaping may lengthen a text sixfold, and only what is kept needs it.
    detail = detail[:DETAIL_CHARS_MAX].translate(_CONTROLS)
    if len(detail) >= DETAIL_CHARS_MAX:
        detail = detail[: DETAIL_CHARS_MAX - 1] + "…"
    return Refusal(reason, detail)


def refuse_empty(format_name: str) -> Refusal:
    """Return the refusal of a payload in which nothing is written: a tombstone, an empty record, a blank line."""
    return refuse("empty", f"{format_name} payload: expected a signal, got nothing")


def refuse_oversize(format_name: str, size_bytes: int) -> Refusal:
    """Return the refusal of a payload that is too long to be read."""
    expectation = f"expected at most {SIZE_BYTES_MAX} bytes, got {size_bytes}"
    return refuse("oversize", f"{format_name} payload: {expectation}; shorten the text where it is produced")


def refuse_not_utf8(format_name: str, error: UnicodeDecodeError) -> Refusal:
    """Return the refusal of a payload that is not text in UTF-8."""
    came = f"got byte 0x{error.object[error.start]:02x} at byte {error.start}"
    return refuse("not_utf8", f"{format_name} payload: expected UTF-8, {came} ({error.reason})")


def rejection(refusal: Refusal, payload: bytes | None, place: Place) -> Rejection:
    """Return the wire shape of a refusal, with size, hash and, where it is short and readable, text of the payload.

    >>> made = rejection(refuse("empty", "nothing"), None, Place("social.signals", partition=3, offset=912))
    >>> made.size, made.sha256[:8], made.payload
    (0, 'e3b0c442', '')
    """
    payload = payload or b""
    text = None
    if len(payload) <= PAYLOAD_BYTES_MAX:
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            pass
    return Rejection(
        reason=refusal.reason,
        detail=refusal.detail,
        place=place,
        sha256=sha256(payload).hexdigest(),
        size=len(payload),
        payload=text,
    )
