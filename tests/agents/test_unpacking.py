"""What was packed comes out as it went in, however it is cut, and what is broken is told."""

import gzip
from collections.abc import Callable

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from agents.unpacking import CutOff, Damaged, unpacker_of

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": lambda plain: zstandard.ZstdCompressor(write_checksum=True).compress(plain),
}
every_packer = pytest.mark.parametrize("name", PACKERS)


def unpacked(packed: bytes, *, size: int = 7) -> bytes:
    """Return what packed data unpacks to, read in chunks of one size."""
    found = unpacker_of(packed[:4])
    assert found is not None
    return b"".join(found[1](packed[start : start + size] for start in range(0, len(packed), size)))


@every_packer
@given(parts=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4), size=st.integers(1, 64))
def test_unpacking_is_the_inverse_of_packing(name: str, parts: list[bytes], size: int) -> None:
    """Several packed pieces one after another are one log, wherever the chunks are cut."""
    packed = b"".join(map(PACKERS[name], parts))

    assert unpacked(packed, size=size) == b"".join(parts)


@every_packer
def test_what_unpacks_to_far_more_than_it_is_comes_out_whole(name: str) -> None:
    """Three megabytes of one letter are a few hundred bytes."""
    plain = b"x" * 3_000_001

    assert unpacked(PACKERS[name](plain), size=100_000) == plain


@every_packer
@given(data=st.data())
def test_what_is_cut_off_is_told(name: str, data: st.DataObject) -> None:
    """Nobody takes a part for the whole."""
    packed = PACKERS[name](b"".join(b"%d\n" % number for number in range(100)))
    kept = data.draw(st.integers(4, len(packed) - 1))

    with pytest.raises(CutOff):
        unpacked(packed[:kept])


@every_packer
def test_what_is_damaged_is_told(name: str) -> None:
    """The checksum finds what the structure does not."""
    packed = bytearray(PACKERS[name](bytes(range(256)) * 10))
    packed[-6] ^= 0xFF

    with pytest.raises(Damaged):
        unpacked(bytes(packed))


def test_what_is_not_packed_has_no_unpacker() -> None:
    """Lines begin with letters."""
    assert unpacker_of(b'{"id":1}') is None
    assert unpacker_of(b"") is None
