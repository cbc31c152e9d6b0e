"""Read server-sent events from the bytes of a stream, however they are cut (WHATWG HTML, 9.2.6)."""

import re
from typing import NamedTuple

EVENT_BYTES_MAX = 1024 * 1024
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """One event: its name, its data, and whether the data was cut because it is longer than the limit."""

    name: str
    data: bytes
    is_cut: bool = False


class SseReader:
    r"""Turns chunks into events; comments and fields that nobody asks for are left out, an event cut off as well.

    >>> reader = SseReader()
    >>> reader.read(b": thump\nevent: update\ndata: {")
    []
    >>> reader.read(b"}\n\n")
    [ServerEvent(name='update', data=b'{}', is_cut=False)]
    """

    def __init__(self, bytes_max: int = EVENT_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._pending = bytearray()
        self._is_line_cut = False
        self._is_first = True
        self._begin()

    def _begin(self) -> None:
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._is_cut = False

    def read(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that this chunk completes."""
        self._pending += chunk
        if self._is_first and len(self._pending) >= len(_BYTE_ORDER_MARK):
            self._is_first = False
            if self._pending.startswith(_BYTE_ORDER_MARK):
                del self._pending[: len(_BYTE_ORDER_MARK)]
        # A carriage return at the end may be the first half of a line end.
        held = b"\r" if self._pending.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(bytes(self._pending[: len(self._pending) - len(held)]))
        events = []
        for line in lines:
            if event := self._take(line):
                events.append(event)
            self._is_line_cut = False
        self._keep(rest, held)
        return events

    def _keep(self, rest: bytes, held: bytes) -> None:
        """Keep what is no whole line yet, up to the limit and the name of its field."""
        limit = self._bytes_max + len(b"data: ")
        if len(rest) > limit:
            rest, self._is_line_cut = rest[:limit], True
        self._pending = bytearray(rest + held)

    def _take(self, line: bytes) -> ServerEvent | None:
        if not line:
            return self._complete()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            self._name = value.decode(errors="replace")
        elif field == b"data":
            room = max(0, self._bytes_max - self._data_bytes)
            self._is_cut |= self._is_line_cut or len(value) > room
            self._data.append(value[:room])
            self._data_bytes += len(value[:room]) + 1
        return None

    def _complete(self) -> ServerEvent | None:
        event = ServerEvent(self._name or "message", b"\n".join(self._data), self._is_cut) if self._data else None
        self._begin()
        return event
