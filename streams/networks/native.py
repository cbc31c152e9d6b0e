"""Read our own wire shape: one JSON object per payload, a signal or a heartbeat (WIRE.md §0)."""

from typing import Any

import msgspec

from schemas.signal import AT_MS_MAX, AT_MS_MIN, FLAG_TAGS_TRUNCATED, KINDS, Heartbeat, Signal
from streams.networks.payload import (
    ID_BYTES_MAX,
    TAGS_MAX,
    is_overlong,
    refuse_overlong,
    refuse_undecodable,
    refuse_unread,
)
from streams.networks.refusal import Refusal, refuse, refuse_empty

NAME = "native"
FOLLOWERS_MAX = 2**63 - 1
"""What a signed integer of 64 bits holds: more could not be written again."""

_REQUIRED_IDS = ("id", "network", "actor")
_IDS = (*_REQUIRED_IDS, "source", "post", "parent", "root", "parent_actor", "root_actor")
_OPS = ("create", "update", "delete", "undo")

# Written as JSON escapes or not at all: a raw NUL byte is no JSON. (`\\u0000`, a backslash and five letters, also
# matches; it costs a look and changes nothing.)
_NUL_ESCAPE = b"\\u0000"


class _Probe(msgspec.Struct):
    """Tells whether an object has the key `heartbeat` at its top, whatever lies under it."""

    heartbeat: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_decode_signal = msgspec.json.Decoder(Signal).decode
_decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode
_probe = msgspec.json.Decoder(_Probe).decode


def normalize(payload: bytes | None) -> Signal | Heartbeat | Refusal:
    """Return what a payload says, or why it was refused; never raises.

    What has all that a signal needs is a signal, whatever else is in it; of the rest, what has the key `heartbeat` is
    a heartbeat. Of a key that comes twice the last value holds; unknown keys are ignored; "\\u0000" is taken out of
    all strings; of more than `TAGS_MAX` tags the first are kept and the signal is flagged.

    >>> normalize(b'{"id":"t:1","network":"t","kind":"post","at":1781179212345,"actor":"a"}').kind
    'post'
    >>> normalize(b'{"heartbeat":"t","at":1781179212345}')
    Heartbeat(heartbeat='t', at=1781179212345, end=False)
    >>> normalize(b"[]").detail
    'native payload: Expected `object`, got `array`'
    """
    # This runs for every signal of a firehose: the checks below are ordered and written by what they cost.
    if not payload:
        return refuse_empty(NAME)
    refusal = refuse_unread(payload, format_name=NAME)
    if refusal is not None:
        return refusal
    size_bytes = len(payload)
    try:
        signal = _decode_signal(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return _undecodable(payload, error)
    if b"\\" in payload and _NUL_ESCAPE in payload:
        signal = _without_nul(signal)
    if not (signal.id and signal.network and signal.actor):
        return _empty_id(signal)
    if size_bytes > ID_BYTES_MAX and size_bytes - len(signal.text or "") > ID_BYTES_MAX:
        # No string is longer than what its payload leaves for it, so most signals need no measuring.
        for name in _IDS:
            if is_overlong(getattr(signal, name) or ""):
                return refuse_overlong(getattr(signal, name), place=f"$.{name}", format_name=NAME)
    if signal.followers is not None and not 0 <= signal.followers <= FOLLOWERS_MAX:
        return _followers_out_of_range(signal.followers)
    if not AT_MS_MIN <= signal.at <= AT_MS_MAX:
        return _out_of_range(signal.at)
    if len(signal.tags) > TAGS_MAX:
        signal.tags = signal.tags[:TAGS_MAX]
        if FLAG_TAGS_TRUNCATED not in signal.flags:
            signal.flags = (*signal.flags, FLAG_TAGS_TRUNCATED)
    return signal


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: a JSON object."""
    return payload.lstrip()[:1] == b"{"


def _has_heartbeat_key(payload: bytes) -> bool:
    try:
        return _probe(payload).heartbeat is not msgspec.UNSET
    except (msgspec.DecodeError, RecursionError):
        return False


def _heartbeat(payload: bytes) -> Heartbeat | Refusal:
    try:
        heartbeat = _decode_heartbeat(payload)
    except (msgspec.DecodeError, RecursionError) as error:
        return refuse("malformed", f"{NAME} heartbeat: {error}")
    heartbeat.heartbeat = heartbeat.heartbeat.replace("\0", "")
    if is_overlong(heartbeat.heartbeat):
        return refuse_overlong(heartbeat.heartbeat, place="$.heartbeat", format_name=NAME)
    if not AT_MS_MIN <= heartbeat.at <= AT_MS_MAX:
        return _out_of_range(heartbeat.at)
    return heartbeat


def _undecodable(payload: bytes, error: Exception) -> Heartbeat | Refusal:
    """Tell a heartbeat from what is no signal either, and name the words that a signal may use."""
    refusal = refuse_undecodable(payload, error, format_name=NAME)
    if refusal.reason != "malformed":
        return refusal
    if _has_heartbeat_key(payload):
        return _heartbeat(payload)
    if refusal.detail.endswith("`$.kind`"):
        return refuse("malformed", f"{refusal.detail}, expected one of {', '.join(KINDS)}")
    if refusal.detail.endswith("`$.op`"):
        return refuse("malformed", f"{refusal.detail}, expected one of {', '.join(_OPS)}")
    return refusal


def _empty_id(signal: Signal) -> Refusal:
    name = next(name for name in _REQUIRED_IDS if not getattr(signal, name))
    return refuse("malformed", f"{NAME} payload: Expected a non-empty `str`, got an empty one - at `$.{name}`")


def _followers_out_of_range(followers: int) -> Refusal:
    expectation = f"Expected `int` from 0 to {FOLLOWERS_MAX} or `null`, got {followers}"
    return refuse("malformed", f"{NAME} payload: {expectation} - at `$.followers`")


def _out_of_range(at_ms: int) -> Refusal:
    expectation = f"expected epoch milliseconds from {AT_MS_MIN} (2000) to {AT_MS_MAX} (9999) at `$.at`, got {at_ms}"
    hint = ""
    if AT_MS_MIN <= at_ms * 1000 <= AT_MS_MAX:
        hint = ", which looks like seconds: multiply by 1000"
    elif AT_MS_MIN <= at_ms // 1000 <= AT_MS_MAX:
        hint = ", which looks like microseconds: divide by 1000"
    return refuse("at_out_of_range", f"{NAME} payload: {expectation}{hint}")


def _without_nul(signal: Signal) -> Signal:
    changes: dict[str, Any] = {}
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if isinstance(value, str):
            changes[name] = value.replace("\0", "")
        elif isinstance(value, tuple):
            changes[name] = tuple(item.replace("\0", "") for item in value)
    return msgspec.structs.replace(signal, **changes)
