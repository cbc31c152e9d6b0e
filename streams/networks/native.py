"""Read our own wire shape: one JSON object per payload, a signal, a heartbeat or an erasure (WIRE.md §0)."""

import msgspec

from schemas.signal import AT_MS_MAX, AT_MS_MIN, KINDS, Erasure, Heartbeat, Probe, Signal
from schemas.unreadable import UNREADABLE
from streams.networks.bounds import FOLLOWERS_MAX, bounded_erasure, cut_tags, has_nul, without_nul
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

_REQUIRED_IDS = ("id", "network", "actor")
_IDS = (*_REQUIRED_IDS, "source", "post", "parent", "root", "parent_actor", "root_actor")
_OPS = ("create", "update", "delete", "undo")


_decode_signal = msgspec.json.Decoder(Signal).decode
_decode_heartbeat = msgspec.json.Decoder(Heartbeat).decode
_decode_erasure = msgspec.json.Decoder(Erasure).decode
_probe = msgspec.json.Decoder(Probe).decode


def normalize(payload: bytes | None) -> Signal | Heartbeat | Erasure | Refusal:
    """Return what a payload says, or why it was refused; never raises.

    What has all that a signal needs is a signal, whatever else is in it; of the rest, what has the key `heartbeat` is
    a heartbeat, and what has `erase` an erasure. Of a key that comes twice the last value holds; unknown keys are
    ignored; "\\u0000" is taken out of all strings; of more than `TAGS_MAX` tags the first are kept and the signal is
    flagged.

    >>> normalize(b'{"id":"t:1","network":"t","kind":"post","at":1781179212345,"actor":"a"}').kind
    'post'
    >>> normalize(b'{"heartbeat":"t","at":1781179212345}')
    Heartbeat(heartbeat='t', at=1781179212345, end=False)
    >>> normalize(b'{"erase":"ana","network":"t","at":1781179212345}')
    Erasure(erase='ana', network='t', at=1781179212345)
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
    except UNREADABLE as error:
        return _undecodable(payload, error)
    if b"\\" in payload and has_nul(payload):
        signal = without_nul(signal)
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
        cut_tags(signal)
    return signal


def recognises(payload: bytes) -> bool:
    """Return whether a line of a log looks like this format: with `kind` and `at`, or `heartbeat`, or `erase`."""
    probe = _keys_of(payload)
    if probe.heartbeat is not msgspec.UNSET or probe.erase is not msgspec.UNSET:
        return True
    return probe.kind is not msgspec.UNSET and probe.at is not msgspec.UNSET


def _keys_of(payload: bytes) -> Probe:
    try:
        return _probe(payload)
    except UNREADABLE:
        return Probe()


def _heartbeat(payload: bytes) -> Heartbeat | Refusal:
    try:
        heartbeat = _decode_heartbeat(payload)
    except UNREADABLE as error:
        return refuse("malformed", f"{NAME} heartbeat: {error}")
    heartbeat.heartbeat = heartbeat.heartbeat.replace("\0", "")
    if is_overlong(heartbeat.heartbeat):
        return refuse_overlong(heartbeat.heartbeat, place="$.heartbeat", format_name=NAME)
    if not AT_MS_MIN <= heartbeat.at <= AT_MS_MAX:
        return _out_of_range(heartbeat.at)
    return heartbeat


def _erasure(payload: bytes) -> Erasure | Refusal:
    try:
        erasure = _decode_erasure(payload)
    except UNREADABLE as error:
        return refuse("malformed", f"{NAME} erasure: {error}")
    return bounded_erasure(erasure, format_name=NAME)


def _undecodable(payload: bytes, error: Exception) -> Heartbeat | Erasure | Refusal:
    """Tell heartbeats and erasures from what is no signal either, and name the words that a signal may use."""
    refusal = refuse_undecodable(payload, error, format_name=NAME)
    if refusal.reason != "malformed":
        return refusal
    keys = _keys_of(payload)
    if keys.heartbeat is not msgspec.UNSET:
        return _heartbeat(payload)
    if keys.erase is not msgspec.UNSET:
        return _erasure(payload)
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
