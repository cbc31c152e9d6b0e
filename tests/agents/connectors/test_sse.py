"""Check the reader of server-sent events: however the bytes are cut, the events are the same."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.connectors.sse import ServerEvent, SseReader

NAMES = st.sampled_from(["update", "delete", "status.update", "message"])
LINES = st.binary(max_size=30).filter(lambda data: not {b"\n", b"\r"} & {data[i : i + 1] for i in range(len(data))})


def read(stream: bytes, cuts: list[int], reader: SseReader | None = None) -> list[ServerEvent]:
    """Read a stream in pieces."""
    reader = reader or SseReader()
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[begin:end] for begin, end in pairwise(places)]
    return [event for piece in pieces for event in reader.read(piece)]


@given(
    st.lists(st.tuples(NAMES, st.lists(LINES, min_size=1, max_size=3)), max_size=5),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.lists(st.integers(0, 500), max_size=20),
    st.booleans(),
)
def test_what_is_written_is_read_however_it_is_cut(
    events: list[tuple[str, list[bytes]]], end: bytes, cuts: list[int], marked: bool
) -> None:
    """A chunk may end in the middle of a character, of a line end, or of the mark of the byte order."""
    stream = b"\xef\xbb\xbf" if marked else b""
    for name, lines in events:
        stream += b": comment" + end + b"event: " + name.encode() + end
        stream += b"".join(b"data: " + line + end for line in lines) + end

    # A carriage return alone is known to be a line end by what comes after it.
    assert read(stream + b":", cuts) == [ServerEvent(name, b"\n".join(lines)) for name, lines in events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data\n\n", [ServerEvent("message", b"")]),
        (b"data:x\ndata: y\n\n", [ServerEvent("message", b"x\ny")]),
        (b"event: a\n\ndata: x\n\n", [ServerEvent("message", b"x")]),
        (b"data: x\n", []),
        (b"id: 1\nretry: 5\n:\n\n", []),
        (b"data:  x\n\n", [ServerEvent("message", b" x")]),
    ],
)
def test_fields_mean_what_the_standard_says(stream: bytes, events: list[ServerEvent]) -> None:
    """An event without data is none and its name is forgotten; one space after a colon is no data (HTML, 9.2.6)."""
    assert read(stream, []) == events


@given(st.lists(st.integers(0, 4_000), max_size=30))
def test_an_event_that_is_too_long_is_cut_and_held_in_bounds(cuts: list[int]) -> None:
    """A line without an end must not fill the memory, and the events after it are whole."""
    reader = SseReader(bytes_max=100)
    stream = b"data: " + b"x" * 3_000 + b"\ndata: y\n\ndata: z\n\n"

    assert read(stream, cuts, reader) == [
        ServerEvent("message", b"x" * 100 + b"\n", is_cut=True),
        ServerEvent("message", b"z"),
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300), max_size=20))
def test_any_bytes_are_read_the_same_whole_and_in_pieces(stream: bytes, cuts: list[int]) -> None:
    """Nothing that a server sends may end the connector."""
    assert read(stream, cuts) == read(stream, [])
