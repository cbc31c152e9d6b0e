"""Refusals are short and safe to print; rejections carry size, hash and, where allowed, the payload."""

import hashlib

import pytest

from schemas.rejection import PAYLOAD_BYTES_MAX, Place
from streams.networks.refusal import DETAIL_CHARS_MAX, refuse, refuse_empty, refuse_not_utf8, refuse_oversize, rejection

PLACE = Place("social.signals", partition=3, offset=912)


@pytest.mark.parametrize("forged", ["a\nb", "a\r\nb", "\x1b[2J", "\x9b1m", "\u2028", "\u202eabc", "\x00"])
def test_a_detail_cannot_forge_lines_or_colours_of_a_log(forged: str) -> None:
    """What a payload says is quoted in logs, so what moves a cursor must not come through."""
    detail = refuse("malformed", f"got {forged}").detail

    assert detail.isprintable()
    assert detail.startswith("got ")


@pytest.mark.parametrize("text", ["x" * 100_000, "\x00" * 100_000])
def test_a_detail_is_short_whatever_it_quotes(text: str) -> None:
    """A hostile payload must not multiply in rejections and logs."""
    detail = refuse("malformed", text).detail

    assert len(detail) == DETAIL_CHARS_MAX
    assert detail.endswith("…")


def test_a_rejection_tells_size_hash_place_and_payload() -> None:
    """The payload can be found again by its hash, and read where it is short."""
    payload = '{"id": "ä"}'.encode()

    made = rejection(refuse("malformed", "why"), payload, PLACE)

    assert made.reason == "malformed"
    assert made.detail == "why"
    assert made.place == PLACE
    assert made.size == len(payload)
    assert made.sha256 == hashlib.sha256(payload).hexdigest()
    assert made.payload == '{"id": "ä"}'


def test_the_payload_is_kept_up_to_its_limit_only() -> None:
    """4,096 bytes are kept, one more is not."""
    kept = rejection(refuse("not_json", "why"), b"x" * PAYLOAD_BYTES_MAX, PLACE)
    left_out = rejection(refuse("not_json", "why"), b"x" * (PAYLOAD_BYTES_MAX + 1), PLACE)

    assert kept.payload == "x" * PAYLOAD_BYTES_MAX
    assert left_out.payload is None
    assert left_out.size == PAYLOAD_BYTES_MAX + 1


def test_a_payload_that_is_no_text_is_told_by_its_hash_alone() -> None:
    """JSON cannot carry bytes that are no UTF-8."""
    made = rejection(refuse("not_utf8", "why"), b"\xff\xfe", PLACE)

    assert made.payload is None
    assert made.sha256 == hashlib.sha256(b"\xff\xfe").hexdigest()


def test_no_payload_at_all_is_a_rejection_of_nothing() -> None:
    """A record without a value has a place, no bytes, and the hash of no bytes."""
    made = rejection(refuse_empty("native"), None, PLACE)

    assert made.reason == "empty"
    assert made.size == 0
    assert made.sha256 == hashlib.sha256(b"").hexdigest()


def test_what_every_format_refuses_says_what_was_expected_and_what_came() -> None:
    """The texts are read by people who have to mend a producer."""
    with pytest.raises(UnicodeDecodeError) as caught:
        b"ab\xffc".decode()

    assert refuse_oversize("native", 70_000).detail == (
        "native payload: expected at most 65536 bytes, got 70000; shorten the text where it is produced"
    )
    assert refuse_not_utf8("native", caught.value).detail == (
        "native payload: expected UTF-8, got byte 0xff at byte 2 (invalid start byte)"
    )
