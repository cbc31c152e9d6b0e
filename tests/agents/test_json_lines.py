"""Claims about lines of the log: one record is one line of JSON in printable ASCII, whatever it quotes."""

import io
import json
import logging
import re
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.json_lines import MESSAGE_CHARS_MAX, TRACE_CHARS_MAX, JsonLines, log_json_lines

HOSTILE = {
    "a line of our own": 'x\n{"time":"2026-01-01T00:00:00.000Z","level":"critical","message":"ok"}',
    "carriage return": "harmless\rlevel=critical",
    "both, and a tab": "a\r\nb\tc",
    "closing the string": '"} {"level":"critical","message":"',
    "backslashes": '\\n\\" \\u000a',
    "clearing the screen": "\x1b[2J\x1b[H\x1b]0;owned\x07",
    "colours in one byte": "\x9b31mred\x9b0m",
    "right to left": "\u202eelba\u202c \u2066x\u2069 \u200f\u061c",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "invisible": "a\u200bb\ufeffc\u00add",
    "delete and backspace": "abc\x7f\x7f\x08\x08",
    "nothing and null": "\x00\x00",
    "half a character": "\ud800 \udfff",
    "tags and emoji": "\U000e0041👩‍👩‍👧",
    "formats": "%s %d %(name)s {0} {x!r}",
}
PRINTABLE = re.compile(r"[\x20-\x7e]*")


def logged(message: object, *args: object, error: BaseException | None = None) -> str:
    """Return what a handler writes for one record, with its line end."""
    stream = io.StringIO()
    logger = logging.Logger("overgrowth")
    logger.addHandler(logging.StreamHandler(stream))
    log_json_lines(logger)
    logging.captureWarnings(False)
    logger.error(message, *args, exc_info=error)
    return stream.getvalue()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_quoted_comes_back_and_changes_nothing_else(text: str) -> None:
    """As an argument, as the format itself, and as the words of an exception."""
    for line in (logged("got %s", text), logged(text), logged("failed", error=ValueError(text))):
        assert line.endswith("\n")
        assert PRINTABLE.fullmatch(line[:-1])
        fields = json.loads(line)
        assert fields["level"] == "error"
        assert fields["logger"] == "overgrowth"
        assert text in fields["message"] + fields.get("trace", "")


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_no_text_at_all_makes_a_second_line(text: str) -> None:
    """Found by search, not by what we thought of."""
    line = logged("got %s", text)
    assert PRINTABLE.fullmatch(line[:-1])
    assert json.loads(line)["message"] == f"got {text}"


def test_a_line_has_a_bound() -> None:
    """A payload of megabytes is no message; the escapes of what is kept may lengthen it six times."""
    try:
        raise ValueError("\x1b" * 10 * TRACE_CHARS_MAX)
    except ValueError as error:
        line = logged("\u202e" * 10 * MESSAGE_CHARS_MAX, error=error)
    assert len(line) < 12 * (MESSAGE_CHARS_MAX + TRACE_CHARS_MAX)
    assert json.loads(line)["message"].endswith("…")


def test_arguments_that_do_not_fit_are_told_and_do_no_harm() -> None:
    """Python would write a stack trace in the middle of the log."""
    line = logged("%d of %d", "x\ny")
    assert json.loads(line)["message"] == "'%d of %d' with 1 arguments that do not fit: TypeError"
    assert line.count("\n") == 1


def test_time_is_rfc_3339_in_utc() -> None:
    """As alerts tell it: to the millisecond, with its zone."""
    record = logging.LogRecord("overgrowth", logging.INFO, "", 0, "x", None, None)
    record.created = datetime(2012, 7, 4, 8, 0, 0, 250_000, tzinfo=UTC).timestamp()
    assert json.loads(JsonLines().format(record))["time"] == "2012-07-04T08:00:00.250Z"


def test_no_trace_without_an_error() -> None:
    """`exc_info=True` outside of an exception has nothing to tell."""
    assert sys.exc_info()[0] is None
    record = logging.LogRecord("overgrowth", logging.INFO, "", 0, "x", None, (None, None, None))
    assert set(json.loads(JsonLines().format(record))) == {"time", "level", "logger", "message"}
