"""Keep what a signal may hold within the bounds that our own shape has, whatever network it came from."""

from typing import Any

import msgspec

from schemas.signal import AT_MS_MAX, AT_MS_MIN, FLAG_TAGS_TRUNCATED, Erasure, Signal
from streams.networks.payload import ID_BYTES_MAX, TAGS_MAX, is_overlong, refuse_overlong
from streams.networks.refusal import Refusal, refuse

FOLLOWERS_MAX = 2**63 - 1
"""What a signed integer of 64 bits holds: more could not be written again."""

FLAG_SELF_PARENT = "self_parent"
"""The post claims to answer or quote itself: it is kept, the claim is not (WIRE.md §5)."""

_SHORT_CHARS = ID_BYTES_MAX // 4
_REQUIRED_IDS = ("id", "network", "actor")
# Network and source are named by the format.
_IDS = ("id", "actor", "post", "parent", "root", "parent_actor", "root_actor")

# Written as JSON escapes or not at all: a raw NUL byte is no JSON. (`\\u0000`, a backslash and five letters, also
# matches; it costs a look and changes nothing.)
_NUL_ESCAPE = b"\\u0000"


def bounded_erasure(erasure: Erasure, *, format_name: str) -> Erasure | Refusal:
    """Return an erasure without NULs in its names; refused where one is empty or too long, or its time cannot be.

    >>> bounded_erasure(Erasure("", "t", 1_781_179_212_345), format_name="t").detail
    't erasure: Expected a non-empty `str`, got an empty one - at `$.erase`'
    """
    made = Erasure(erasure.erase.replace("\0", ""), erasure.network.replace("\0", ""), erasure.at)
    for name, value in (("erase", made.erase), ("network", made.network)):
        if not value:
            came = "Expected a non-empty `str`, got an empty one"
            return refuse("malformed", f"{format_name} erasure: {came} - at `$.{name}`")
        if is_overlong(value):
            return refuse_overlong(value, place=f"$.{name}", format_name=format_name)
    if not AT_MS_MIN <= made.at <= AT_MS_MAX:
        expectation = f"expected epoch milliseconds from {AT_MS_MIN} (2000) to {AT_MS_MAX} (9999) at `$.at`"
        return refuse("at_out_of_range", f"{format_name} erasure: {expectation}, got {made.at}")
    return made


def has_nul(payload: bytes) -> bool:
    """Return whether some string of a JSON payload may hold a NUL."""
    return _NUL_ESCAPE in payload


def without_nul(signal: Signal) -> Signal:
    """Return the signal without NULs in its strings, which much that they get into cannot hold."""
    changes: dict[str, Any] = {}
    for name in signal.__struct_fields__:
        value = getattr(signal, name)
        if isinstance(value, str):
            changes[name] = value.replace("\0", "")
        elif isinstance(value, tuple):
            changes[name] = tuple(item.replace("\0", "") for item in value)
    return msgspec.structs.replace(signal, **changes)


def cut_tags(signal: Signal) -> None:
    """Keep the first `TAGS_MAX` tags of a signal, and flag it where there were more."""
    if len(signal.tags) > TAGS_MAX:
        signal.tags = signal.tags[:TAGS_MAX]
        if FLAG_TAGS_TRUNCATED not in signal.flags:
            signal.flags = (*signal.flags, FLAG_TAGS_TRUNCATED)


def bounded(signal: Signal, payload: bytes, *, format_name: str) -> Signal | Refusal:
    """Return what our own format would make of a signal that another format read from a payload.

    NULs are taken out, tags beyond `TAGS_MAX` cut off with a flag, and numbers of followers that cannot be are not
    known; a post is no parent of itself, which is flagged; an id that is empty or too long is refused.

    >>> bounded(Signal("t:1", "t", "post", 0, "a", followers=-1), b"{}", format_name="t").followers is None
    True
    >>> bounded(Signal("t:1", "t", "post", 0, ""), b"{}", format_name="t").detail
    't payload: Expected a non-empty `str`, got an empty one - at `actor` of the signal'
    """
    # This runs for every signal of a firehose: whatever is not the case is found out cheaply.
    if b"\\" in payload and has_nul(payload):
        signal = without_nul(signal)
    if not (signal.id and signal.network and signal.actor):
        name = next(name for name in _REQUIRED_IDS if not getattr(signal, name))
        came = "Expected a non-empty `str`, got an empty one"
        return refuse("malformed", f"{format_name} payload: {came} - at `{name}` of the signal")
    if len(payload) > ID_BYTES_MAX and (
        len(signal.id) > _SHORT_CHARS
        or len(signal.actor) > _SHORT_CHARS
        or (signal.post is not None and len(signal.post) > _SHORT_CHARS)
        or (signal.parent is not None and len(signal.parent) > _SHORT_CHARS)
        or (signal.root is not None and len(signal.root) > _SHORT_CHARS)
        or (signal.parent_actor is not None and len(signal.parent_actor) > _SHORT_CHARS)
        or (signal.root_actor is not None and len(signal.root_actor) > _SHORT_CHARS)
    ):
        for name in _IDS:
            if is_overlong(getattr(signal, name) or ""):
                return refuse_overlong(getattr(signal, name), place=f"{name} of the signal", format_name=format_name)
    if signal.followers is not None and not 0 <= signal.followers <= FOLLOWERS_MAX:
        signal.followers = None
    if signal.parent is not None and signal.parent == signal.post and signal.kind != "share":
        signal.parent = signal.parent_actor = None
        if FLAG_SELF_PARENT not in signal.flags:
            signal.flags = (*signal.flags, FLAG_SELF_PARENT)
    if len(signal.tags) > TAGS_MAX:
        cut_tags(signal)
    return signal
