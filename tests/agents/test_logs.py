"""Logs are read as they stream, whole lines only, and say in one line why they cannot be read."""

import gzip
import io
import itertools
import os
import threading
import zlib
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import logs
from agents.logs import LogError, detect_format, open_log, read_signals
from agents.unpacking import CHUNK_BYTES
from schemas.signal import Heartbeat, Signal
from streams.networks import NETWORKS
from streams.networks.refusal import Refusal

HIGGS_LINE = b"376989 50329 1341101181 RT"
NATIVE_LINE = b'{"id":"t:1","network":"t","kind":"post","at":1781179212345,"actor":"a"}'
HEARTBEAT_LINE = b'{"heartbeat":"t","at":1781179212345}'


def lines_of(path: Path) -> list[tuple[int, bytes]]:
    """Return all numbered lines of a log."""
    return list(open_log(str(path)))


def failure_of(path: Path) -> str:
    """Return what is said when a log is read to its end and cannot be."""
    with pytest.raises(LogError) as caught:
        lines_of(path)
    return str(caught.value)


def consume_into(got: list[tuple[int, bytes]], log: Iterable[tuple[int, bytes]]) -> None:
    """Append what comes out of a log, so that it is known where the log breaks off."""
    for entry in log:
        got.append(entry)


@given(
    lines=st.lists(st.binary(max_size=50).map(lambda line: line.replace(b"\n", b"")), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 700), max_size=8),
)
def test_lines_are_the_same_wherever_the_chunks_are_cut(lines: list[bytes], cuts: list[int]) -> None:
    """Where a read ends depends on the disk and the pipe, so it must not show."""
    whole = b"\n".join([*lines, b""])
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    chunks = [whole[start:end] for start, end in itertools.pairwise(edges)]

    assert [line for block in logs._split_lines(iter(chunks)) for line in block] == lines


@pytest.mark.parametrize(("end", "note"), [(b"", "without"), (b"\n", "with")])
def test_the_last_line_counts_with_and_without_its_line_end(tmp_path: Path, end: bytes, note: str) -> None:
    """Many programs leave out the last line end, and what follows it is no line."""
    path = tmp_path / note
    path.write_bytes(b"a\n\nb" + end)

    assert lines_of(path) == [(1, b"a"), (2, b""), (3, b"b")]


def test_a_byte_order_mark_is_not_part_of_the_first_line(tmp_path: Path) -> None:
    """Some editors write one, and no JSON reader takes it."""
    path = tmp_path / "log"
    path.write_bytes(b"\xef\xbb\xbf" + NATIVE_LINE + b"\n")

    assert lines_of(path) == [(1, NATIVE_LINE)]


def test_gzip_is_told_by_its_first_bytes_and_not_by_the_name(tmp_path: Path) -> None:
    """Logs get renamed."""
    packed, plain = tmp_path / "log.txt", tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(b"a\nb\n"))
    plain.write_bytes(b"a\nb\n")

    assert lines_of(packed) == lines_of(plain) == [(1, b"a"), (2, b"b")]


def test_gzip_members_one_after_another_are_one_log(tmp_path: Path) -> None:
    """Logs that were appended to, or put together with cat, have several members, some of them padded."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"") + b"\0" * 100 + gzip.compress(b"c\n"))

    assert lines_of(path) == [(1, b"a"), (2, b"bc")]


@pytest.mark.parametrize("size_bytes", [CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES, 5_000_000])
def test_what_unpacks_to_far_more_than_it_is_comes_out_whole(tmp_path: Path, size_bytes: int) -> None:
    """The unpacker hands out bounded pieces, and must have handed out all of them before the end is judged."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress((b"x" * 1023 + b"\n") * (size_bytes // 1024) + b"y" * (size_bytes % 1024)))

    assert sum(len(line) + 1 for _, line in lines_of(path)) - (size_bytes % 1024 > 0) == size_bytes


@pytest.mark.parametrize("kept", [5, 11, 200, -9, -8, -1])
def test_a_truncated_gzip_log_gives_its_whole_lines_and_then_an_error(tmp_path: Path, kept: int) -> None:
    """What was read stays read, a half line is not invented, and nobody takes the log for complete."""
    numbers = b"".join(b"%d\n" % number for number in range(1000))
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(numbers)[:kept])
    got: list[tuple[int, bytes]] = []

    with pytest.raises(LogError) as caught:
        consume_into(got, open_log(str(path)))

    assert got == [(number + 1, b"%d" % number) for number in range(len(got))]
    size = path.stat().st_size
    assert str(caught.value) == (
        f"{path}: expected the rest of gzip data, got the end of the log at byte {size}, line {len(got)}; "
        "fetch it again"
    )


@pytest.mark.parametrize("position", [12, 60, -5])
def test_damaged_gzip_is_an_error(tmp_path: Path, position: int) -> None:
    """A wrong byte anywhere is found, by the structure or by the checksum."""
    packed = bytearray(gzip.compress(bytes(range(256)) * 10))
    packed[position] ^= 0xFF
    path = tmp_path / "log.gz"
    path.write_bytes(packed)

    assert failure_of(path).startswith(f"{path}: expected ")


def test_rubbish_behind_gzip_is_an_error(tmp_path: Path) -> None:
    """It could be the rest of a log that somebody appended unpacked, so it is not passed over."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"a\n") + b"b\n")

    assert "expected gzip, got damaged data" in failure_of(path)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0)])
def test_an_empty_log_is_an_error(tmp_path: Path, content: bytes) -> None:
    """Nobody means to read nothing."""
    path = tmp_path / "log"
    path.write_bytes(content)

    assert failure_of(path) == f"{path}: expected at least one line, got an empty log"


def test_what_is_no_file_is_told_apart(tmp_path: Path) -> None:
    """A missing file, a directory and an impossible name each say what is there and what to do."""
    missing = tmp_path / "missing"

    assert failure_of(missing) == f"{missing}: expected a log file, found nothing there; check the path"
    assert failure_of(tmp_path) == f"{tmp_path}: expected a log file, got a directory; name one file in it"
    with pytest.raises(LogError, match="expected a log file that can be read"):
        open_log("a\0b")


def test_other_compressions_say_how_to_unpack_them(tmp_path: Path) -> None:
    """They would otherwise be taken for lines of rubbish."""
    path = tmp_path / "log.bz2"
    path.write_bytes(b"BZh9" + b"x" * 100)

    assert failure_of(path) == (
        f"{path}: expected plain lines, gzip or zstd, got what `bzip2 -dc` unpacks; pipe it: bzip2 -dc FILE | ... -"
    )


def test_an_endless_line_is_cut_and_the_next_one_is_whole(tmp_path: Path) -> None:
    """A file without line ends must not fill the memory, and the numbers of the lines stay right."""
    path = tmp_path / "log"
    path.write_bytes(b"x" * (3 * logs.LINE_BYTES_MAX) + b"\nb\n")

    (first, long_line), second = lines_of(path)

    assert first == 1
    assert logs.LINE_BYTES_MAX <= len(long_line) <= logs.LINE_BYTES_MAX + 2 * CHUNK_BYTES
    assert second == (2, b"b")


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that was written to a pipe is there before the pipe is closed or a chunk is full."""
    reading, writing = os.pipe()
    with open(reading, "rb") as stdin:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(stdin))
        os.write(writing, NATIVE_LINE + b"\n")
        log = read_signals("-")
        batches = iter(log)

        assert [number for number, _, _ in next(batches)] == [1]
        os.write(writing, HEARTBEAT_LINE)
        os.close(writing)
        assert [entry[2] for entry in next(batches)] == [Heartbeat("t", 1781179212345)]
        assert log.log.bytes_total is None


def test_a_named_pipe_is_a_log(tmp_path: Path) -> None:
    """Shells hand over the output of a program this way."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"a\nb\n",))
    writer.start()

    assert lines_of(path) == [(1, b"a"), (2, b"b")]
    writer.join()


def test_how_far_a_log_has_come_is_known_in_bytes_of_the_file(tmp_path: Path) -> None:
    """Progress of a gzipped log is counted in what there is a total of: compressed bytes."""
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(b"a\n" * 1000))
    log = open_log(str(path))

    assert (log.bytes_read, log.bytes_total) == (0, path.stat().st_size)
    assert len(list(log)) == 1000
    assert (log.bytes_read, log.lines_read) == (path.stat().st_size, 1000)


def test_a_log_can_be_left_before_its_end(tmp_path: Path) -> None:
    """A `with` block closes the file whatever was read of it."""
    path = tmp_path / "log"
    path.write_bytes(b"a\nb\n")

    with open_log(str(path)) as log:
        assert next(iter(log)) == (1, b"a")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ([NATIVE_LINE], "native"),
        ([b"  " + NATIVE_LINE + b"\r"], "native"),
        ([HEARTBEAT_LINE], "native"),
        ([HIGGS_LINE], "snap-higgs"),
        ([b'{"id":"\xff"}', b'{"kind":"\xff"}', b'{"did":"\xff"}', b'{"event":"\xff"}', NATIVE_LINE], "native"),
        ([b"", b"garbage", HIGGS_LINE, HIGGS_LINE, b"{}"], "snap-higgs"),
    ],
)
def test_the_format_is_told_from_the_first_lines(lines: list[bytes], name: str) -> None:
    """The majority decides, so one broken line at the top does not."""
    assert detect_format(lines) == name


@pytest.mark.parametrize("lines", [[b"what is this"], [b"", b"what is this"]])
def test_an_unknown_format_is_an_error_that_lists_the_known(lines: list[bytes]) -> None:
    """The text says what came and how to decide by hand."""
    with pytest.raises(LogError) as caught:
        detect_format(lines, path="x.log")

    assert str(caught.value) == (
        f"x.log: expected lines of one of the formats {', '.join(NETWORKS)}, got b'what is this' at line 1; "
        "say which with --format"
    )


def test_every_line_becomes_a_signal_a_heartbeat_or_a_refusal(tmp_path: Path) -> None:
    """Nothing is passed over, blank lines included, so that the counts add up to the lines of the log."""
    path = tmp_path / "log"
    path.write_bytes(b"\n".join([NATIVE_LINE, HEARTBEAT_LINE, b"", b"{", NATIVE_LINE]))
    log = read_signals(str(path))

    entries = [entry for batch in log for entry in batch]

    assert log.format == "native"
    assert [type(outcome) for _, _, outcome in entries] == [Signal, Heartbeat, Refusal, Refusal, Signal]
    assert [number for number, _, _ in entries] == [1, 2, 3, 4, 5]
    assert [payload for _, payload, _ in entries] == [NATIVE_LINE, HEARTBEAT_LINE, b"", b"{", NATIVE_LINE]


def test_the_format_that_was_named_is_used_whatever_the_lines_look_like(tmp_path: Path) -> None:
    """Who names a format wants refusals where it does not fit, not a guess."""
    path = tmp_path / "log"
    path.write_bytes(HIGGS_LINE)

    ((entry,),) = read_signals(str(path), "native")

    assert isinstance(entry[2], Refusal)
    with pytest.raises(LogError, match=f"expected one of the formats {', '.join(NETWORKS)}, got 'csv'"):
        read_signals(str(path), "csv")


def test_a_log_of_no_known_format_is_closed(tmp_path: Path) -> None:
    """A file that is left open warns, and warnings are errors here."""
    path = tmp_path / "log"
    path.write_bytes(zlib.compress(b"rubbish"))

    with pytest.raises(LogError, match="say which with --format"):
        read_signals(str(path))
    with pytest.raises(LogError, match="found nothing there"):
        read_signals(str(tmp_path / "missing"))


@pytest.mark.slow
def test_the_higgs_log_is_recognised_and_read_whole(shared_data: Path) -> None:
    """All 563,069 lines come out as signals, in order."""
    log = read_signals(str(shared_data / "higgs-activity_time.txt.gz"))

    entries = [(number, type(outcome)) for batch in log for number, _, outcome in batch]

    assert log.format == "snap-higgs"
    assert entries == [(number, Signal) for number in range(1, 563_070)]


def mixed(path: Path, *others: bytes) -> str:
    """Write 100 native lines and others behind them."""
    path.write_bytes(b"\n".join([*[NATIVE_LINE] * 100, *others]))
    return str(path)


def test_a_log_that_changes_its_format_says_at_which_line(tmp_path: Path) -> None:
    """Two logs in one file would else be one log and a heap of refusals."""
    path = mixed(tmp_path / "log", HIGGS_LINE, HIGGS_LINE, HIGGS_LINE)

    with pytest.raises(LogError) as caught:
        list(read_signals(path))

    assert str(caught.value) == (
        f"{path}: expected lines of native as at its beginning, got lines of snap-higgs from line 101 on; "
        "split it there, or name one with --format to have the others refused"
    )


@pytest.mark.parametrize(
    "others",
    [
        [HIGGS_LINE, HIGGS_LINE, NATIVE_LINE, HIGGS_LINE],
        [HIGGS_LINE, HIGGS_LINE, b"garbage", HIGGS_LINE],
        [b"garbage"] * 10,
        [b'{"kind":"post","at":"soon"}'] * 10,
    ],
)
def test_a_broken_line_does_not_make_another_log(tmp_path: Path, others: list[bytes]) -> None:
    """Single lines that look like something else are refused like any other."""
    entries = [entry for batch in read_signals(mixed(tmp_path / "log", *others)) for entry in batch]

    refused = len([line for line in others if line != NATIVE_LINE])
    assert sum(isinstance(said, Refusal) for _, _, said in entries) == refused


def test_the_format_that_was_named_is_kept_to(tmp_path: Path) -> None:
    """Who names it wants the others refused, each with its place."""
    path = mixed(tmp_path / "log", *[HIGGS_LINE] * 5)

    entries = [entry for batch in read_signals(path, "native") for entry in batch]

    assert [number for number, _, said in entries if isinstance(said, Refusal)] == [101, 102, 103, 104, 105]
