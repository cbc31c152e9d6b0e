"""Keep the rows of one partition in a changelog so that a checkpoint counts as a whole or not at all.

Every row has two places (slots) in the changelog, used in turn: a checkpoint writes a row into the place that does not
hold its last completed version, and only the checkpoint row, written last, makes the new versions count. So a crash in
the middle leaves the previous checkpoint whole, even where compaction keeps only the last record of each key.
A row that ended is first marked as ended, and its two places are emptied (tombstones) one checkpoint later.

An owner of the partition writes under its *epoch*; the checkpoint row lists up to which checkpoint the rows of each
epoch count. So what a paused former owner writes late is told apart and never counts. Pure: no Kafka here.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.rows import ROW_VERSION, CheckpointRow, EpochSpan, StoredRow

CHECKPOINT_KEY = b"!checkpoint"

_encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(StoredRow).decode
_decode_checkpoint = msgspec.msgpack.Decoder(CheckpointRow).decode


class TableError(Exception):
    """A table that cannot be used: the message says what was expected, what came and what to do."""


class Change(NamedTuple):
    """One record for the changelog; a value of None empties the key's place."""

    key: bytes
    value: bytes | None


class _Version(NamedTuple):
    epoch: int
    seq: int
    slot: int
    value: bytes | None


def _place(slot: int, key: bytes) -> bytes:
    return b"%d%s" % (slot, key)


class Recovery:
    """Read a changelog from its beginning and find the rows that the last completed checkpoint left.

    Records may be missing where compaction removed older ones of the same key; what late writers of former epochs
    added is ignored (`stale` counts it).
    """

    def __init__(self, *, where: str) -> None:
        self.where = where
        self.checkpoint: CheckpointRow | None = None
        self.records = 0
        self.stale = 0
        self._rows: dict[bytes, _Version] = {}
        self._pending: dict[tuple[int, int], dict[bytes, _Version]] = {}

    def feed(self, key: bytes, value: bytes | None) -> None:
        """Take one record, in the order of the log."""
        self.records += 1
        slot, row_key = key[0] - 48, key[1:]
        if row_key == CHECKPOINT_KEY:
            if value is not None:
                self._complete(self._decoded_checkpoint(value))
        elif value is None:
            self._empty(slot, row_key)
        else:
            row = self._decoded_row(value)
            version = _Version(row.epoch, row.seq, slot, row.value)
            self._pending.setdefault((row.seq, row.epoch), {})[row_key] = version

    def _decoded_row(self, value: bytes) -> StoredRow:
        try:
            row = _decode_row(value)
        except msgspec.DecodeError as error:
            raise TableError(f"{self.where}: expected a row of version {ROW_VERSION}, got {error}") from None
        if row.version != ROW_VERSION:
            raise TableError(self._unknown_version(row.version))
        return row

    def _decoded_checkpoint(self, value: bytes) -> CheckpointRow:
        try:
            checkpoint = _decode_checkpoint(value)
        except msgspec.DecodeError as error:
            raise TableError(f"{self.where}: expected a checkpoint of version {ROW_VERSION}, got {error}") from None
        if checkpoint.version != ROW_VERSION:
            raise TableError(self._unknown_version(checkpoint.version))
        return checkpoint

    def _unknown_version(self, version: int) -> str:
        return (
            f"{self.where}: expected rows of version {ROW_VERSION}, got version {version}; "
            "run the release that wrote them, or replay into a new namespace"
        )

    def _empty(self, slot: int, row_key: bytes) -> None:
        version = self._rows.get(row_key)
        if version is not None and version.slot == slot:
            del self._rows[row_key]
        for rows in self._pending.values():
            waiting = rows.get(row_key)
            if waiting is not None and waiting.slot == slot:
                del rows[row_key]

    def _complete(self, checkpoint: CheckpointRow) -> None:
        """Let the rows count that this checkpoint covers."""
        now = self.checkpoint
        if now is not None and (checkpoint.epoch, checkpoint.seq) <= (now.epoch, now.seq):
            self.stale += 1
            return
        self.checkpoint = checkpoint
        for seq, epoch in sorted(self._pending):
            if (epoch, seq) > (checkpoint.epoch, checkpoint.seq):
                continue
            rows = self._pending.pop((seq, epoch))
            if not _counts(checkpoint, epoch=epoch, seq=seq):
                self.stale += len(rows)
                continue
            self._rows.update(rows)

    def rows(self) -> list[tuple[str, bytes]]:
        """Return the rows that count, in the order of their keys."""
        live = [(key, version.value) for key, version in self._rows.items() if version.value is not None]
        return sorted((key.decode(), value) for key, value in live if value is not None)

    def versions(self) -> dict[bytes, tuple[int, bool]]:
        """Return for each key which of its places counts, and whether it lives."""
        return {key: (version.slot, version.value is not None) for key, version in self._rows.items()}


def _counts(checkpoint: CheckpointRow, *, epoch: int, seq: int) -> bool:
    """Say whether rows of (epoch, seq) lie within the span of checkpoints that this epoch completed."""
    spans = checkpoint.epochs
    for index, span in enumerate(spans):
        if span.epoch == epoch:
            last_seq = spans[index + 1].after_seq if index + 1 < len(spans) else checkpoint.seq
            return span.after_seq < seq <= last_seq
    return False


class Table:
    """The writing side: turns changed rows into the records of a checkpoint."""

    def __init__(self, *, step: str, generation: int, recovery: Recovery | None = None) -> None:
        before = recovery.checkpoint if recovery is not None else None
        self.step = step
        self.seq = before.seq if before is not None else 0
        self.epoch = max(generation, before.epoch + 1) if before is not None else max(1, generation)
        epochs = before.epochs if before is not None else ()
        self.epochs = (*epochs, EpochSpan(epoch=self.epoch, after_seq=self.seq))
        self._slots: dict[bytes, int] = {}
        self._ended: list[tuple[bytes, int]] = []
        if recovery is not None:
            for key, (slot, lives) in recovery.versions().items():
                self._slots[key] = slot
                if not lives:
                    self._ended.append((key, slot))

    def __len__(self) -> int:
        return len(self._slots)

    def changes(self, rows: Iterable[tuple[str, bytes | None]]) -> list[Change]:
        """Return the records of the next checkpoint but for its checkpoint row, which `checkpoint` returns.

        Must be sent in this order. A row that is given twice counts as given last.
        """
        self.seq += 1
        written = {name.encode(): value for name, value in rows}
        changes = []
        for key, slot in self._ended:
            if key not in written and self._slots.get(key) == slot:
                # The older version goes first: were it the other way round, a crash between would revive it.
                changes.append(Change(_place(1 - slot, key), None))
                changes.append(Change(_place(slot, key), None))
                del self._slots[key]
        self._ended = []
        for key, value in written.items():
            before = self._slots.get(key)
            if before is None and value is None:
                continue
            slot = 0 if before is None else 1 - before
            self._slots[key] = slot
            row = StoredRow(version=ROW_VERSION, epoch=self.epoch, seq=self.seq, value=value)
            changes.append(Change(_place(slot, key), _encode(row)))
            if value is None:
                self._ended.append((key, slot))
        return changes

    def checkpoint(self, row: CheckpointRow) -> Change:
        """Return the record that makes the rows of the last `changes` count; its epoch and seq are filled in here."""
        row.epoch, row.seq, row.epochs = self.epoch, self.seq, self.epochs
        return Change(_place(self.seq % 2, CHECKPOINT_KEY), _encode(row))
