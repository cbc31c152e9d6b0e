"""Remember the ids of recent signals, so that one that comes twice counts once."""

from collections.abc import Iterable

from schemas.rows import RecentIdsRow

_CHUNK_IDS_MAX = 400
_CHUNK_BYTES_MAX = 48 * 1024
_AT_BYTES = 12
"""Bytes that an event time and the length of an id take in a row, at the most."""


class RecentIds:
    """The ids of the signals applied within the last `span_ms` of event time.

    Must be asked in stamp order. Whether an id is remembered depends on its own two event times only, not on what
    else passes through the partition.

    >>> recent = RecentIds(span_ms=60_000)
    >>> [recent.is_repeated("a", at_ms=at_ms) for at_ms in (0, 60_000, 200_000)]
    [False, True, False]
    """

    def __init__(self, *, span_ms: int) -> None:
        self.span_ms = span_ms
        self._bucket_ms = max(1, span_ms // 6)
        self._at_ms: dict[str, int] = {}
        self._chunks: dict[tuple[int, int], list[str]] = {}
        self._open: tuple[int, int] = (-1, 0)
        self._open_bytes = 0
        self._open_chunk: list[str] = []
        self._open_changed = False
        self._changed: set[tuple[int, int]] = set()
        self._oldest_bucket = -1

    def __len__(self) -> int:
        return len(self._at_ms)

    def is_repeated(self, signal_id: str, *, at_ms: int) -> bool:
        """Say whether the id was applied within the span before `at_ms`; if not, remember it."""
        known_ms = self._at_ms.get(signal_id)
        if known_ms is not None and at_ms - known_ms <= self.span_ms:
            return True
        self._at_ms[signal_id] = at_ms
        bucket = at_ms // self._bucket_ms
        if bucket != self._open[0] or self._open_bytes >= _CHUNK_BYTES_MAX:
            self._start_chunk(bucket)
        chunk = self._open_chunk
        chunk.append(signal_id)
        self._open_bytes += _bytes_of(signal_id)
        if not self._open_changed:
            self._open_changed = True
            self._changed.add(self._open)
        if len(chunk) >= _CHUNK_IDS_MAX:
            self._open_bytes = _CHUNK_BYTES_MAX
        return False

    def _start_chunk(self, bucket: int) -> None:
        number = self._open[1] + 1 if bucket == self._open[0] else 0
        self._open, self._open_bytes = (bucket, number), 0
        self._open_chunk = self._chunks[self._open] = []
        self._open_changed = False
        self._expire(bucket)

    def _expire(self, bucket: int) -> None:
        """Forget the buckets that no later signal can ask for: one bucket more than the span is kept."""
        if bucket == self._oldest_bucket:
            return
        self._oldest_bucket = bucket
        # Buckets come in order, so the expired ones stand first.
        while self._chunks:
            key = next(iter(self._chunks))
            if (key[0] + 1) * self._bucket_ms + self.span_ms > bucket * self._bucket_ms:
                return
            for signal_id in self._chunks.pop(key):
                # An id that came again after the span has a younger entry, which stays.
                if self._at_ms[signal_id] // self._bucket_ms == key[0]:
                    del self._at_ms[signal_id]
            self._changed.add(key)

    def changed_rows(self) -> list[tuple[str, RecentIdsRow | None]]:
        """Return the rows that changed since the last call, None for those that ended."""
        rows: list[tuple[str, RecentIdsRow | None]] = []
        for key in sorted(self._changed):
            ids = self._chunks.get(key)
            name = f"{key[0]}.{key[1]}"
            if ids is None:
                rows.append((name, None))
            elif ids:
                at_ms = tuple(self._row_at_ms(signal_id, key[0]) for signal_id in ids)
                rows.append((name, RecentIdsRow(ids=tuple(ids), at_ms=at_ms)))
        self._changed.clear()
        self._open_changed = False
        return rows

    def _row_at_ms(self, signal_id: str, bucket: int) -> int:
        at_ms = self._at_ms[signal_id]
        # An id with a younger entry elsewhere is told here with the start of this bucket; the younger one wins.
        return at_ms if at_ms // self._bucket_ms == bucket else bucket * self._bucket_ms

    def restore(self, rows: Iterable[tuple[str, RecentIdsRow]]) -> None:
        """Remember again what rows say."""
        named = sorted((tuple(map(int, name.split("."))), row) for name, row in rows)
        for (bucket, number), row in named:
            self._chunks[bucket, number] = list(row.ids)
            for signal_id, at_ms in zip(row.ids, row.at_ms, strict=True):
                self._at_ms[signal_id] = max(at_ms, self._at_ms.get(signal_id, 0))
            # The last chunk of the last bucket goes on where it was, unless it is full.
            self._open = (bucket, number)
            self._open_chunk = self._chunks[self._open]
            full = len(row.ids) >= _CHUNK_IDS_MAX
            self._open_bytes = _CHUNK_BYTES_MAX if full else sum(map(_bytes_of, row.ids))
            self._oldest_bucket = bucket


def _bytes_of(signal_id: str) -> int:
    """Return what an id takes in a row, at the most."""
    return len(signal_id) * (1 if signal_id.isascii() else 4) + _AT_BYTES
