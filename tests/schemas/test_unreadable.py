"""What reading any bytes as a shape can raise has one name."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert
from schemas.rows import StoredRow
from schemas.signal import Signal
from schemas.unreadable import UNREADABLE

DECODERS = [
    msgspec.json.Decoder(Signal).decode,
    msgspec.json.Decoder(Alert).decode,
    msgspec.json.Decoder(dict[str, msgspec.Raw]).decode,
    msgspec.msgpack.Decoder(StoredRow).decode,
    msgspec.msgpack.Decoder().decode,
]

pieces = st.sampled_from(
    [b'{"id":', b'"', b"\xff", b"[", b"}", b"\xa1", b"\xc4\x02", b"9" * 400, b"\\ud800", b",", b" "]
)


@given(value=st.one_of(st.binary(max_size=60), st.lists(pieces, max_size=12).map(b"".join)))
def test_whatever_the_bytes_are_it_is_one_of_these(value: bytes) -> None:
    """Anything else would escape from whoever reads what others wrote."""
    for decode in DECODERS:
        try:
            decode(value)
        except UNREADABLE:
            continue


@pytest.mark.parametrize("value", [b'"\xff"', b"[" * 100_000, b"{", b"5"], ids=["bytes", "depth", "cut", "shape"])
def test_each_way_of_being_unreadable_is_there(value: bytes) -> None:
    """No UTF-8, nested too deep, no JSON, another shape."""
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(value, type=list[object])
