"""Write what a worker logs as lines of JSON, one a record, which nothing that is logged can end, colour or reverse."""

import json
import logging
from datetime import UTC, datetime

MESSAGE_CHARS_MAX = 8_192
TRACE_CHARS_MAX = 65_536
_CUT = "…"
_DELETE = "\x7f"


class JsonLines(logging.Formatter):
    r"""Formats a record as `{"time", "level", "logger", "message"}`, with the stack `trace` of an error.

    Lines hold printable ASCII and nothing else: what a message quotes may have come from anybody, and a line feed, an
    escape sequence or a mark that reverses the direction of writing would let it forge a line or hide one.

    >>> record = logging.LogRecord("overgrowth", logging.INFO, "", 0, "got %s", ("a\r\n\x1b[2J\u202e",), None)
    >>> JsonLines().format(record).partition('"message"')[2]
    ':"got a\\r\\n\\u001b[2J\\u202e"}'
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line, without a line end."""
        at = datetime.fromtimestamp(record.created, tz=UTC)
        fields = {
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(_message(record), MESSAGE_CHARS_MAX),
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["trace"] = _cut(self.formatException(record.exc_info), TRACE_CHARS_MAX)
        line = json.dumps(fields, ensure_ascii=True, separators=(",", ":"))
        # The one control character that JSON does not escape.
        return line.replace(_DELETE, "\\u007f")


def log_json_lines(root: logging.Logger) -> None:
    """Have every handler of a logger write JSON, and warnings of Python go the same way."""
    for handler in root.handlers:
        handler.setFormatter(JsonLines())
    logging.captureWarnings(True)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # noqa: BLE001  (arguments that do not fit must not cost us what was to be said)
        return f"{record.msg!r} with {len(record.args or ())} arguments that do not fit: {type(error).__name__}"


def _cut(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + _CUT
