"""Check the shape of rejections and of late signals."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejection import PAYLOAD_BYTES_MAX, REASONS, Late, Place, Reason, Rejection
from schemas.signal import Signal

NUMBERS = st.integers(0, 2**63 - 1)
PLACES = st.builds(Place, channel=st.text(max_size=8), partition=NUMBERS, offset=NUMBERS)
REJECTIONS = st.builds(
    Rejection,
    reason=st.sampled_from(REASONS),
    detail=st.text(max_size=20),
    place=PLACES,
    sha256=st.text(max_size=8),
    size=NUMBERS,
    payload=st.none() | st.text(max_size=20),
)


@given(REJECTIONS)
def test_a_rejection_comes_back_as_it_was_sent(rejection: Rejection) -> None:
    """Whoever repairs refused input reads it from there."""
    assert msgspec.json.decode(msgspec.json.encode(rejection), type=Rejection) == rejection


@given(place=PLACES, late_ms=NUMBERS, watermark_ms=NUMBERS)
def test_a_late_signal_comes_back_as_it_was_sent(place: Place, late_ms: int, watermark_ms: int) -> None:
    """A late signal can be put in again by hand, so it must be whole."""
    signal = Signal(id="t:1", network="t", kind="like", at=1_341_388_800_000, actor="a", post="x", tags=("y",))
    late = Late(signal=signal, late_ms=late_ms, watermark=watermark_ms, place=place)

    assert msgspec.json.decode(msgspec.json.encode(late), type=Late) == late


def test_a_rejection_says_what_the_contract_promises() -> None:
    """Reason, place, hash and size are always there; the payload only where it was kept (WIRE.md §0)."""
    rejection = Rejection("not_json", "expected, got", Place("social.signals", 3, 912), sha256="ab", size=9_000)

    assert json.loads(msgspec.json.encode(rejection)) == {
        "reason": "not_json",
        "detail": "expected, got",
        "place": {"channel": "social.signals", "partition": 3, "offset": 912},
        "sha256": "ab",
        "size": 9_000,
    }
    assert PAYLOAD_BYTES_MAX == 4 * 1024


def test_a_reason_is_one_of_the_codes() -> None:
    """Reasons are labels of metrics and keys of records: there are few, and all are listed."""
    assert get_args(Reason) == REASONS
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'because'"):
        msgspec.json.decode(
            b'{"reason":"because","detail":"","place":{"channel":"c"},"sha256":"","size":0}', type=Rejection
        )
