"""Check what of a log lies in a span of time, and what tells one log from another."""

import asyncio
from pathlib import Path

import pytest

from agents.log_source import FileSource, SourceReader, Span, Within, open_source, pinned
from agents.logs import LogError, read_signals
from agents.settings import Settings
from schemas.signal import Signal
from streams.backtest import Entry
from streams.networks.refusal import refuse

AWAY = Settings(kafka="127.0.0.1:1")
BEGIN_MS = 1_341_388_800_000


def line(number: int) -> bytes:
    """Return a signal as a line of a log."""
    return b'{"id":"t:%d","network":"t","kind":"post","at":%d,"actor":"a"}' % (number, BEGIN_MS + number * 1_000)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Return a log of ten seconds."""
    path = tmp_path / "log.ndjson"
    path.write_bytes(b"\n".join(line(number) for number in range(10)))
    return str(path)


def identity_of(path: str) -> str | None:
    """Return what tells a file from others."""
    source = FileSource(read_signals(path))
    asyncio.run(source.close())
    return source.identity


def test_the_span_is_read_and_the_rest_is_counted() -> None:
    """From the first instant on, up to the second; a line without a time goes with those before it."""
    entries: list[Entry] = [(n, b"", Signal(f"t:{n}", "t", "post", at_ms, "a")) for n, at_ms in enumerate((1, 5, 9, 3))]
    entries.insert(2, (9, b"?", refuse("malformed", "what is this")))
    within = Within(Span(5, 9), "log")

    assert [number for number, _, _ in within.of(entries)] == [1, 9]
    assert within.skipped == 3
    within.refuse_nothing()


def test_a_span_in_which_nothing_happened_says_how_far_the_log_reaches(log: str) -> None:
    """A wrong year or zone is found at once."""
    reader = SourceReader(AWAY, log, None, Span(from_ms=BEGIN_MS + 60_000))

    with pytest.raises(LogError) as caught:
        list(reader)

    reached = "the log reaches from 2012-07-04T08:00:00Z to 2012-07-04T08:00:09Z"
    assert str(caught.value) == f"{log}: expected signals in the span, got none; {reached}"


def test_a_file_is_read_without_a_broker(log: str) -> None:
    """And it has no bounds to pin."""
    span = Span(from_ms=BEGIN_MS + 8_000)

    numbers = [number for batch in SourceReader(AWAY, log, None, span) for number, _, _ in batch]

    assert numbers == [9, 10]
    assert pinned(AWAY, log, span) == span


def test_a_file_is_the_same_under_another_name_and_another_with_another_line(log: str, tmp_path: Path) -> None:
    """Logs are moved; one that has grown is not the one that was read."""
    other = tmp_path / "renamed"
    other.write_bytes(Path(log).read_bytes())
    before = identity_of(log)

    assert identity_of(str(other)) == before
    other.write_bytes(other.read_bytes() + b"\n" + line(11))
    assert identity_of(str(other)) != before


@pytest.mark.parametrize(
    ("name", "format_name", "span", "said"),
    [
        ("LOG", None, Span(offsets=((0, 5),)), "expected a channel (kafka:NAME) with --from-offset, got a file"),
        ("kafka:social.signals", "snap-higgs", Span(), "expected no --format, a channel has its own, got snap-higgs"),
        ("kafka:social.alerts", None, Span(), "expected social.signals or social.raw.NETWORK (one of native, "),
        ("kafka:a.b.social.signals", None, Span(), "got 'a.b.social.signals'"),
    ],
)
def test_what_cannot_be_read_so_is_one_line(
    name: str, format_name: str | None, span: Span, said: str, log: str
) -> None:
    """Wrong names and flags are found before a broker is asked."""
    with pytest.raises(LogError) as caught:
        asyncio.run(open_source(AWAY, log if name == "LOG" else name, format_name, span))

    assert said in str(caught.value)
