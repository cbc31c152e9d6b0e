"""Shape of what did not get in: rejections (refused, with reason and place) and late signals."""

from typing import Literal

import msgspec

from schemas.signal import Signal

Reason = Literal[
    "oversize", "not_utf8", "not_json", "too_deep", "malformed", "at_out_of_range", "empty", "unknown_format", "too_big"
]
REASONS: tuple[Reason, ...] = (
    "oversize",
    "not_utf8",
    "not_json",
    "too_deep",
    "malformed",
    "at_out_of_range",
    "empty",
    "unknown_format",
    "too_big",
)
PAYLOAD_BYTES_MAX = 4096


class Place(msgspec.Struct):
    """Where a payload lies: a channel with partition and offset, or a file with the number of its line."""

    channel: str
    partition: int = 0
    offset: int = 0


class Rejection(msgspec.Struct, omit_defaults=True):
    """Input that was refused: `reason` is a code, `detail` says what was expected, what came and where in it.

    `payload` is the refused text itself, only where it is at most `PAYLOAD_BYTES_MAX` bytes and valid UTF-8.
    """

    reason: Reason
    detail: str
    place: Place
    sha256: str
    size: int
    payload: str | None = None


class Late(msgspec.Struct):
    """A signal that came behind the watermark: the signal without its text, and by how many milliseconds."""

    signal: Signal
    late_ms: int
    watermark: int
    place: Place
