"""Unpack gzip and zstd as they stream, bounded so that a small file cannot fill the memory at once."""

import zlib
from collections.abc import Callable, Generator, Iterator

import zstandard

CHUNK_BYTES = 256 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_GZIP_WBITS = 31
_ZSTD_PIECE_BYTES = 4 * 1024
"""What is unpacked at once: there is no other bound, but no more than some tens of megabytes come of it."""


class Damaged(Exception):
    """Packed data that is not what it claims to be; the text says what the unpacker said."""


class CutOff(Exception):
    """Packed data that ends before its end."""


def unpacker_of(start: bytes) -> tuple[str, Callable[[Iterator[bytes]], Iterator[bytes]]] | None:
    """Return name and unpacker of data that begins so, told by its first bytes; None where it is not packed.

    The unpacker takes chunks and yields chunks; it raises `Damaged` and `CutOff`.

    >>> unpacker_of(b"plain text")
    """
    if start.startswith(_GZIP_MAGIC):
        return "gzip", _gunzipped
    if start.startswith(_ZSTD_MAGIC):
        return "zstd", _unzstd
    return None


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = None
    try:
        for packed in chunks:
            while packed:
                if unpacker is None:
                    # Between members, padding with zeros is allowed; anything else starts the next one.
                    packed = packed.lstrip(b"\0")
                    if not packed:
                        break
                    unpacker = zlib.decompressobj(_GZIP_WBITS)
                packed, ended = yield from _unpack(unpacker, packed)
                if ended:
                    unpacker = None
    except zlib.error as error:
        raise Damaged(str(error)) from error
    if unpacker is not None:
        raise CutOff


def _unpack(unpacker: "zlib._Decompress", packed: bytes) -> Generator[bytes, None, tuple[bytes, bool]]:
    """Yield what `packed` unpacks to; return the bytes behind the end of the member, and whether it was reached."""
    while True:
        plain = unpacker.decompress(packed, CHUNK_BYTES)
        yield plain
        if unpacker.eof:
            return unpacker.unused_data, True
        packed = unpacker.unconsumed_tail
        # A full answer may leave more inside, even where nothing of the input is left.
        if not packed and len(plain) < CHUNK_BYTES:
            return b"", False


def _unzstd(chunks: Iterator[bytes]) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor()
    frame = None
    try:
        for chunk in chunks:
            for start in range(0, len(chunk), _ZSTD_PIECE_BYTES):
                packed = chunk[start : start + _ZSTD_PIECE_BYTES]
                while packed:
                    # Frames may follow each other, as `cat` puts them.
                    frame = frame or decompressor.decompressobj()
                    yield frame.decompress(packed)
                    packed = frame.unused_data if frame.eof else b""
                    if frame.eof:
                        frame = None
    except zstandard.ZstdError as error:
        raise Damaged(str(error)) from error
    if frame is not None:
        raise CutOff
