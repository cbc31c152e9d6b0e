"""Read logs as they stream: lines of a file, packed or not, or of standard input, and the signals they stand for."""

import io
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from types import TracebackType
from typing import Self

from agents.unpacking import CHUNK_BYTES, CutOff, Damaged, unpacker_of
from streams.backtest import Entry
from streams.networks import NETWORKS
from streams.networks.refusal import Refusal

STDIN = "-"
LINE_BYTES_MAX = 1024 * 1024
"""What of a line is longer is thrown away: it is refused as oversize anyway, and must not fill the memory."""
DETECT_LINES = 20
CHANGE_LINES = 3
"""So many lines, one after the other, that are refused and look like another format: the log has changed to that."""

_UTF8_BOM = b"\xef\xbb\xbf"
# Compressed in a way that is not read here: what its first bytes are, and what unpacks it.
_OTHER_MAGICS = {
    b"BZh": "bzip2 -dc",
    b"\xfd7zXZ\x00": "xz -dc",
    b"PK\x03\x04": "unzip -p",
}


class LogError(Exception):
    """A log cannot be read: one line that says what was expected, what came, where, and what to do."""


class OpenLog:
    """A log being read: an iterator of (number from 1 on, line without its line end), once through.

    `bytes_read` of `bytes_total` (None where that is not known) tell how far it has come, in bytes of the file, which
    for a packed one are the compressed bytes. Reading to the end closes it, and so does leaving a `with` block.
    """

    def __init__(self, path: str, read: Callable[[int], bytes], close: Callable[[], None], *, bytes_total: int | None):
        self.path = path
        self.bytes_total = bytes_total
        self.bytes_read = 0
        self.lines_read = 0
        self.close = close
        self._read = read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return chain.from_iterable(enumerate(lines, start=first) for first, lines in self.blocks())

    def blocks(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield (number of the first line, lines), block by block; raises `LogError` where the log breaks off."""
        try:
            for lines in _split_lines(self._unpacked()):
                if self.lines_read == 0:
                    lines[0] = lines[0].removeprefix(_UTF8_BOM)
                first = self.lines_read + 1
                self.lines_read += len(lines)
                yield first, lines
            if self.lines_read == 0:
                raise LogError(f"{self.path}: expected at least one line, got an empty log")
        finally:
            self.close()

    def _chunks(self) -> Iterator[bytes]:
        while True:
            try:
                chunk = self._read(CHUNK_BYTES)
            except OSError as error:
                raise LogError(
                    f"{self.path}: expected more bytes after {self._place()}, got: {error.strerror}"
                ) from error
            if not chunk:
                return
            self.bytes_read += len(chunk)
            yield chunk

    def _unpacked(self) -> Iterator[bytes]:
        chunks = self._chunks()
        start = b""
        for chunk in chunks:
            start += chunk
            if len(start) >= max(map(len, _OTHER_MAGICS)):
                break
        for magic, unpack in _OTHER_MAGICS.items():
            if start.startswith(magic):
                came = f"got what `{unpack}` unpacks"
                raise LogError(
                    f"{self.path}: expected plain lines, gzip or zstd, {came}; pipe it: {unpack} FILE | ... -"
                )
        chunks = chain([start], chunks)
        packing = unpacker_of(start)
        return chunks if packing is None else self._read_packed(*packing, chunks)

    def _read_packed(
        self, name: str, unpack: Callable[[Iterator[bytes]], Iterator[bytes]], chunks: Iterator[bytes]
    ) -> Iterator[bytes]:
        try:
            yield from unpack(chunks)
        except Damaged as error:
            came = f"got damaged data ({error})"
            raise LogError(
                f"{self.path}: expected {name}, {came} at or before {self._place()}; fetch it again"
            ) from error
        except CutOff as error:
            came = "got the end of the log"
            raise LogError(
                f"{self.path}: expected the rest of {name} data, {came} at {self._place()}; fetch it again"
            ) from error

    def _place(self) -> str:
        return f"byte {self.bytes_read}, line {self.lines_read}"


def open_log(path: str) -> OpenLog:
    """Open a log: a file, plain, gzip or zstd (told by its first bytes, not by its name), or `-` for standard input.

    Raises `LogError` here where there is nothing to read, and while it is read where it breaks off.
    """
    if path == STDIN:
        # read1 gives what has arrived: a pipe that is still being written to is read as it comes.
        stdin = sys.stdin.buffer
        read = stdin.read1 if isinstance(stdin, io.BufferedReader) else stdin.read
        return OpenLog("standard input", read, lambda: None, bytes_total=None)
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115  (it is closed by who reads it to its end)
    except FileNotFoundError as error:
        raise LogError(f"{path}: expected a log file, found nothing there; check the path") from error
    except IsADirectoryError as error:
        raise LogError(f"{path}: expected a log file, got a directory; name one file in it") from error
    except (OSError, ValueError) as error:
        raise LogError(f"{path}: expected a log file that can be read, got: {error}") from error
    status = os.fstat(file.fileno())
    return OpenLog(path, file.read, file.close, bytes_total=status.st_size if stat.S_ISREG(status.st_mode) else None)


def detect_format(lines: Sequence[bytes], *, path: str = "log") -> str:
    """Return the name of the format that most of the first lines look like; raises `LogError` where none does.

    >>> detect_format([b"376989 50329 1341101181 RT"])
    'snap-higgs'
    """
    lines = lines[:DETECT_LINES]
    claims = {name: sum(map(network.recognises, lines)) for name, network in NETWORKS.items()}
    name = max(claims, key=claims.__getitem__)
    if not claims[name]:
        came = next((line for line in lines if line.strip()), b"")[:60]
        expectation = f"expected lines of one of the formats {', '.join(NETWORKS)}"
        raise LogError(f"{path}: {expectation}, got {came!r} at line 1; say which with --format")
    return name


class SignalLog:
    """The signals of a log, an iterator of batches of entries, once through; `log` tells how far it has come.

    A line gives an entry for each thing that it says; `ignored` counts the lines that are in order and say nothing.
    """

    def __init__(self, log: OpenLog, format_name: str | None) -> None:
        self.log = log
        self.ignored = 0
        self._blocks = log.blocks()
        self._foreign = _Foreign() if format_name is None else None
        if format_name is None:
            # A log without a line raises here, before anything is made of it.
            first = next(self._blocks)
            try:
                format_name = detect_format(first[1], path=log.path)
            except LogError:
                log.close()
                raise
            self._blocks = chain([first], self._blocks)
        self.format = format_name

    def __iter__(self) -> Iterator[list[Entry]]:
        normalize = NETWORKS[self.format].normalize
        foreign = self._foreign
        for first, lines in self._blocks:
            entries: list[Entry] = []
            for number, line in enumerate(lines, start=first):
                # A log does not say when its lines came in.
                said = normalize(line, None)
                if isinstance(said, Refusal):
                    entries.append((number, line, said))
                    if foreign is not None and foreign.is_change(number, line, self.format):
                        self.log.close()
                        raise LogError(
                            f"{self.log.path}: expected lines of {self.format} as at its beginning, got lines of "
                            f"{foreign.format} from line {foreign.first} on; split it there, or name one with "
                            "--format to have the others refused"
                        )
                elif said:
                    entries += [(number, line, one) for one in said]
                else:
                    self.ignored += 1
            yield entries


class _Foreign:
    """Lines one after the other that are not of the log's format but look like one and the same other."""

    def __init__(self) -> None:
        self.format = ""
        self.first = 0
        self._last = 0

    def is_change(self, number: int, line: bytes, format_name: str) -> bool:
        """Take note of a refused line; return whether there are enough now to say that the log has changed."""
        claims = [name for name, network in NETWORKS.items() if network.recognises(line)]
        if not claims or format_name in claims:
            self.format = ""
        elif self.format not in claims or number != self._last + 1:
            self.format, self.first = claims[0], number
        self._last = number
        return bool(self.format) and number - self.first + 1 >= CHANGE_LINES


def read_signals(path: str, format_name: str | None = None) -> SignalLog:
    """Read a log as signals, heartbeats and refusals, line by line; a blank line is a refusal too.

    Without `format_name` the format is told from the first lines. Raises `LogError` where the log cannot be read.
    """
    if format_name is not None and format_name not in NETWORKS:
        raise LogError(f"{path}: expected one of the formats {', '.join(NETWORKS)}, got {format_name!r}")
    return SignalLog(open_log(path), format_name)


def _split_lines(chunks: Iterator[bytes]) -> Iterator[list[bytes]]:
    pieces: list[bytes] = []
    size_bytes = 0
    for chunk in chunks:
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines:
            if pieces:
                lines[0] = b"".join([*pieces, lines[0]])
            yield lines
            pieces, size_bytes = [], 0
        if rest and size_bytes < LINE_BYTES_MAX:
            pieces.append(rest)
            size_bytes += len(rest)
    if pieces:
        yield [b"".join(pieces)]
