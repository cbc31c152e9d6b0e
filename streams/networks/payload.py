"""Look at a payload before and while it is decoded: size, encoding, depth, and what a decoder says of it."""

import re
from typing import TypeVar

import msgspec

from schemas.unreadable import UNREADABLE
from streams.networks.refusal import (
    SIZE_BYTES_MAX,
    Refusal,
    refuse,
    refuse_empty,
    refuse_not_utf8,
    refuse_oversize,
)

DEPTH_MAX = 32
"""How deep objects and lists may lie in each other, the outermost counted."""
ID_BYTES_MAX = 512
"""Ids become keys of state rows, which have to stay small."""
TAGS_MAX = 50

# A string, closed or not, so that every quote is taken by one match and the time stays linear in the length.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NOT_A_BRACKET = bytes(sorted(set(range(256)) - set(b"{[]}")))

Shape = TypeVar("Shape")


def decode(payload: bytes | None, decoder: msgspec.json.Decoder[Shape], *, format_name: str) -> Shape | Refusal:
    """Return what a JSON payload decodes to, or why it was refused; never raises.

    >>> decode(b'{"a":1}', msgspec.json.Decoder(dict[str, int]), format_name="some")
    {'a': 1}
    >>> decode(b'{"a":', msgspec.json.Decoder(dict[str, int]), format_name="some").reason
    'not_json'
    """
    if not payload:
        return refuse_empty(format_name)
    refusal = refuse_unread(payload, format_name=format_name)
    if refusal is not None:
        return refusal
    try:
        return decoder.decode(payload)
    except UNREADABLE as error:
        return refuse_undecodable(payload, error, format_name=format_name)


def refuse_unread(payload: bytes, *, format_name: str) -> Refusal | None:
    """Return why a payload is not even decoded: too long, no UTF-8, too deep; None where nothing speaks against it."""
    # This runs for every payload of a firehose: the checks are ordered and written by what they cost.
    if len(payload) > SIZE_BYTES_MAX:
        return refuse_oversize(format_name, len(payload))
    if not payload.isascii():
        # The decoder skips unknown keys without looking at their bytes.
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            return refuse_not_utf8(format_name, error)
    if payload.count(b"{") + payload.count(b"[") > DEPTH_MAX and _is_too_deep(payload):
        return _too_deep(format_name)
    return None


def refuse_undecodable(payload: bytes, error: Exception, *, format_name: str) -> Refusal:
    """Return the refusal of what a decoder could not read: no JSON at all, or JSON of another shape."""
    if isinstance(error, RecursionError):
        return _too_deep(format_name)
    if isinstance(error, msgspec.ValidationError):
        # The decoder stops at the first wrong type; only a look at the rest tells whether it is JSON.
        try:
            msgspec.json.decode(payload)
        except msgspec.ValidationError:
            pass  # a number that no Python value holds: JSON all the same
        except UNREADABLE as deeper:
            error = deeper
    if isinstance(error, msgspec.ValidationError):
        return refuse("malformed", f"{format_name} payload: {error}")
    if not payload.strip():
        return refuse_empty(format_name)
    return refuse("not_json", f"{format_name} payload: expected one JSON object, {error}")


def is_overlong(text: str) -> bool:
    """Return whether an id is longer than `ID_BYTES_MAX`."""
    return len(text) * 4 > ID_BYTES_MAX and len(text.encode()) > ID_BYTES_MAX


def refuse_overlong(text: str, *, place: str, format_name: str) -> Refusal:
    """Return the refusal of an id that is too long, found at a place such as `$.id`."""
    came = f"{len(text.encode())} bytes"
    expectation = f"Expected at most {ID_BYTES_MAX} bytes, got {came}"
    return refuse("malformed", f"{format_name} payload: {expectation} - at `{place}`")


def _is_too_deep(payload: bytes) -> bool:
    """Return whether brackets outside of strings lie deeper in each other than `DEPTH_MAX`."""
    depth = 0
    for bracket in _STRING.sub(b"", payload).translate(None, _NOT_A_BRACKET):
        if bracket in b"{[":
            depth += 1
            if depth > DEPTH_MAX:
                return True
        else:
            depth -= 1
    return False


def _too_deep(format_name: str) -> Refusal:
    return refuse("too_deep", f"{format_name} payload: expected at most {DEPTH_MAX} levels of nesting, got more")
