"""Looking at payloads: each kind of fault has its own reason, wherever it lies and however long the payload is."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.networks.payload import DEPTH_MAX, ID_BYTES_MAX, decode, is_overlong
from streams.networks.refusal import SIZE_BYTES_MAX, Refusal

_decoder = msgspec.json.Decoder(dict[str, object])

values = st.recursive(st.none() | st.booleans() | st.integers(0, 9) | st.text(), lambda v: st.lists(v, max_size=3))


def nested(depth: int) -> bytes:
    """Return an object with lists in it, `depth` levels in all."""
    return b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


@given(st.dictionaries(st.text(), values, max_size=4))
def test_decoding_is_the_inverse_of_encoding(value: dict[str, object]) -> None:
    """What is JSON, short and shallow comes out as it went in."""
    assert decode(json.dumps(value).encode(), _decoder, format_name="some") == value


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" \n", "empty"),
        (b'{"a":', "not_json"),
        (b"[]", "malformed"),
        (b'{"a":"\xff"}', "not_utf8"),
        (nested(DEPTH_MAX + 1), "too_deep"),
        (b'{"a":"' + b"x" * SIZE_BYTES_MAX + b'"}', "oversize"),
    ],
)
def test_each_fault_has_its_reason(payload: bytes | None, reason: str) -> None:
    """A refusal says which of the faults it was, and of which format."""
    outcome = decode(payload, _decoder, format_name="some")

    assert isinstance(outcome, Refusal)
    assert outcome.reason == reason
    assert outcome.detail.startswith("some payload: ")


def test_brackets_in_strings_are_not_depth() -> None:
    """Only what lies in each other counts, not what a text is made of; exactly the limit is allowed."""
    assert decode(b'{"a":"' + b"[" * 99 + b'"}', _decoder, format_name="some") == {"a": "[" * 99}
    deepest = decode(nested(DEPTH_MAX), _decoder, format_name="some")
    assert not isinstance(deepest, Refusal)


def test_the_length_of_an_id_is_counted_in_bytes() -> None:
    """Keys of rows are bytes: a letter may take four of them."""
    assert not is_overlong("x" * ID_BYTES_MAX)
    assert is_overlong("x" * (ID_BYTES_MAX + 1))
    assert not is_overlong("𐍈" * (ID_BYTES_MAX // 4))
    assert is_overlong("𐍈" * (ID_BYTES_MAX // 4 + 1))
