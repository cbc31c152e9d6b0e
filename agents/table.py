"""Keep the rows of one partition in a changelog so that a checkpoint counts as a whole or not at all.

Every row has two places (slots) in the changelog, used in turn: a checkpoint writes a row into the place that does not
hold its last completed version, and only the checkpoint row, written last, makes the new versions count. So a crash in
the middle leaves the previous checkpoint whole, even where compaction keeps only the last record of each key.
A row that ended is first marked as ended, and its two places are emptied (tombstones) one checkpoint later.

An owner of the partition writes under its *epoch*, which no two owners share. It claims the table first: behind the
claim no checkpoint of a lower epoch counts, and an owner that finds records of others between what it read and its
claim begins anew. So the changelog itself orders the owners, whatever Kafka knows of the group. The checkpoint row
lists up to which checkpoint the rows of each epoch count, so what a paused former owner writes late is told apart. Nor
does that count which the network brings once more when younger rows have been written. Pure: no Kafka here.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from schemas.rows import ROW_VERSION, CheckpointRow, EpochSpan, StoredRow
from schemas.unreadable import UNREADABLE

CHECKPOINT_KEY = b"!checkpoint"
NOBODY = 0
"""An epoch that no owner has: it stands in the list of epochs for those of which the changelog holds nothing."""

MARK_BITS = 16
"""How long the mark of an owner is, the lower part of its epoch."""

_CHECKPOINT_PLACES = frozenset((b"0" + CHECKPOINT_KEY, b"1" + CHECKPOINT_KEY))
CLAIM_PLACE = b"0!owner"
_SLOT_ZERO = ord("0")
_SLOTS = frozenset(b"01")

_encode = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(StoredRow).decode
_decode_checkpoint = msgspec.msgpack.Decoder(CheckpointRow).decode


class TableError(Exception):
    """A table that cannot be used: the message says what was expected, what came and what to do."""


class Change(NamedTuple):
    """One record for the changelog; a value of None empties the key's place."""

    key: bytes
    value: bytes | None


def _place(slot: int, key: bytes) -> bytes:
    return b"%d%s" % (slot, key)


class Recovery:
    """Read a changelog from its beginning and find the rows that the last completed checkpoint left.

    Records may be missing where compaction removed older ones of the same key; what late writers of former epochs
    added is ignored (`stale` counts it). A late writer may even have completed checkpoints that the next owner did not
    know of; by the time that this is seen they have been applied, so `again` asks for a second reading.
    """

    def __init__(self, *, where: str, checkpoint: CheckpointRow | None = None) -> None:
        self.where = where
        self.checkpoint: CheckpointRow | None = None
        self.records = 0
        self.stale = 0
        self.highest_epoch = NOBODY
        self.epochs_seen: set[int] = set()
        self.overwritten: set[bytes] = set()
        # Row key -> the record that counts: the place where it lies, and the row.
        self._rows: dict[bytes, tuple[bytes, StoredRow]] = {}
        # Row key -> the checkpoint that ended it, where both of its places were emptied since.
        self._ended: dict[bytes, int] = {}
        # Records that no checkpoint has decided about yet, in the order of the log; None is a tombstone.
        self._waiting: list[tuple[bytes, StoredRow] | tuple[bytes, None]] = []
        self._left_over: set[bytes] = set()
        self._upto = (NOBODY, 0)
        self._claimed = NOBODY
        self._spans: dict[int, tuple[int, int]] = {}
        self._must_read_again = False
        if checkpoint is not None:
            self._begin(checkpoint, _spans_of(checkpoint))

    def feed(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record, in the order of the log; raises `TableError` for what no table of ours holds."""
        self.records += 1
        if not key or key[0] not in _SLOTS:
            raise TableError(
                f"{self.where}: expected a key that begins with 0 or 1, got {key!r}; nothing else may write here"
            )
        if key in _CHECKPOINT_PLACES:
            if value is not None:
                self._complete(self._decoded_checkpoint(value))
        elif key == CLAIM_PLACE:
            if value is not None:
                self._note_epoch(epoch := self._decoded_row(value).epoch)
                self._claimed = max(self._claimed, epoch)
        elif value is not None:
            row = self._decoded_row(value)
            if row.epoch not in self.epochs_seen:
                self._note_epoch(row.epoch)
            if (row.epoch, row.seq) > self._upto or self._waiting:
                # Also what is known not to count: it may lie over one that waits, which compaction would then take.
                self._waiting.append((key, row))
            else:
                self._decide([(key, row)])
        elif self._waiting:
            self._waiting.append((key, None))
        else:
            self._empty(key)

    def _note_epoch(self, epoch: int) -> None:
        self.epochs_seen.add(epoch)
        self.highest_epoch = max(self.highest_epoch, epoch)

    def _decoded_row(self, value: bytes) -> StoredRow:
        try:
            row = _decode_row(value)
        except UNREADABLE as error:
            raise self._unreadable("a row", value, error) from None
        if row.version != ROW_VERSION:
            raise self._unreadable("a row", value, None)
        return row

    def _decoded_checkpoint(self, value: bytes) -> CheckpointRow:
        try:
            checkpoint = _decode_checkpoint(value)
        except UNREADABLE as error:
            raise self._unreadable("a checkpoint", value, error) from None
        if checkpoint.version != ROW_VERSION:
            raise self._unreadable("a checkpoint", value, None)
        return checkpoint

    def _unreadable(self, what: str, value: bytes, error: Exception | None) -> TableError:
        """Return the error for a record of another version, whatever its shape, or of no version at all."""
        try:
            version = msgspec.msgpack.decode(value, type=list[msgspec.Raw])[0]
            number = msgspec.msgpack.decode(version, type=int)
        except (*UNREADABLE, IndexError):
            number = ROW_VERSION
        if number == ROW_VERSION:
            return TableError(f"{self.where}: expected {what} of version {ROW_VERSION}, got {error}")
        return TableError(
            f"{self.where}: expected {what} of version {ROW_VERSION}, got version {number}; "
            "run the release that wrote it, or replay into a new namespace"
        )

    def _complete(self, checkpoint: CheckpointRow) -> None:
        """Let the rows count that this checkpoint covers."""
        self._note_epoch(checkpoint.epoch)
        before, spans = self.checkpoint, _spans_of(checkpoint)
        if before is not None and (checkpoint.epoch, checkpoint.seq) <= self._upto:
            self.stale += (checkpoint.epoch, checkpoint.seq) != self._upto
            return
        if checkpoint.epoch < self._claimed:
            # Its owner had been passed over when it came.
            self.stale += 1
            return
        if before is not None and not _counts(spans, epoch=before.epoch, seq=before.seq):
            self._must_read_again = True
        self._begin(checkpoint, spans)
        waiting, self._waiting = self._waiting, []
        self._decide(waiting)

    def _begin(self, checkpoint: CheckpointRow, spans: dict[int, tuple[int, int]]) -> None:
        self.checkpoint = checkpoint
        self._upto = (checkpoint.epoch, checkpoint.seq)
        self._spans = spans

    def _decide(self, waiting: Iterable[tuple[bytes, StoredRow] | tuple[bytes, None]]) -> None:
        """Let those rows count that the checkpoint covers; this runs for every record of a changelog."""
        rows, spans, overwritten, left_over = self._rows, self._spans, self.overwritten, self._left_over
        ended = self._ended
        for place, row in waiting:
            if row is None:
                self._empty(place)
                continue
            span = spans.get(row.epoch)
            if span is not None and span[0] < row.seq <= span[1]:
                key = place[1:]
                known = rows.get(key)
                if row.seq < (ended.get(key, 0) if known is None else known[1].seq):
                    # An old copy of a request, which the network held back: what was written since stays.
                    self._ignore(place)
                    continue
                rows[key] = (place, row)
                if overwritten:
                    overwritten.discard(key)
                if left_over:
                    left_over.discard(place)
            elif (row.epoch, row.seq) > self._upto:
                self._waiting.append((place, row))
            else:
                self._ignore(place)

    def _ignore(self, place: bytes) -> None:
        """Note what a row that does not count did to the one that does."""
        self.stale += 1
        self._left_over.add(place)
        known = self._rows.get(place[1:])
        if known is not None and known[0] == place:
            # Only what is late comes where the row lies that counts; compaction will remove that one day.
            self.overwritten.add(place[1:])

    def _empty(self, place: bytes) -> None:
        """Take a tombstone: it ends what is marked as ended. Where it hits a row that lives, it came too late."""
        self._left_over.discard(place)
        known = self._rows.get(place[1:])
        if known is None or known[0] != place:
            return
        if known[1].value is None:
            del self._rows[place[1:]]
            self._ended[place[1:]] = known[1].seq
        else:
            self.overwritten.add(place[1:])

    def again(self) -> "Recovery | None":
        """Return what must be fed with the whole log once more, or None where this reading is final."""
        if not self._must_read_again:
            return None
        return Recovery(where=self.where, checkpoint=self.checkpoint)

    def rows(self) -> list[tuple[str, bytes]]:
        """Return the rows that count, in the order of their keys."""
        live = [(key.decode(), row.value) for key, (_, row) in self._rows.items() if row.value is not None]
        live.sort()
        return live

    def versions(self) -> dict[bytes, tuple[int, bytes | None]]:
        """Return for each key which of its places counts, and what lies there: None where the row ended."""
        return {key: (place[0] - _SLOT_ZERO, row.value) for key, (place, row) in self._rows.items()}

    def left_over(self) -> list[bytes]:
        """Return the places with records that will never count, of keys that have no version which does."""
        waiting = {place for place, row in self._waiting if row is not None}
        return sorted(place for place in waiting | self._left_over if place[1:] not in self._rows)


def _spans_of(checkpoint: CheckpointRow) -> dict[int, tuple[int, int]]:
    """Return for each epoch the checkpoints of it that count: those after the first number, up to the second."""
    ends = [*(span.after_seq for span in checkpoint.epochs[1:]), checkpoint.seq]
    return {span.epoch: (span.after_seq, end) for span, end in zip(checkpoint.epochs, ends, strict=False)}


def _counts(spans: dict[int, tuple[int, int]], *, epoch: int, seq: int) -> bool:
    span = spans.get(epoch)
    return span is not None and span[0] < seq <= span[1]


def _kept_spans(spans: Iterable[EpochSpan], *, seen: set[int]) -> list[EpochSpan]:
    """Return the spans without those of epochs of which nothing is left in the changelog.

    In their stead stands one of nobody, for where it begins the epoch before it ends.
    """
    kept: list[EpochSpan] = []
    for span in spans:
        if span.epoch in seen:
            kept.append(span)
        elif kept and kept[-1].epoch != NOBODY:
            kept.append(EpochSpan(epoch=NOBODY, after_seq=span.after_seq))
    return kept


class Table:
    """The writing side: turns changed rows into the records of a checkpoint."""

    def __init__(self, *, step: str, generation: int, mark: int = 0, recovery: Recovery | None = None) -> None:
        recovery = recovery or Recovery(where=f"table {step}")
        before = recovery.checkpoint
        self.step = step
        self.seq = before.seq if before is not None else 0
        # Above every epoch in the log, and above that of an owner of a former generation who read the same log and has
        # not written yet. Generations begin anew when Kafka forgets the group, so they alone would not do: two owners
        # that read the same log under one number are told apart by their marks.
        self.epoch = ((recovery.highest_epoch >> MARK_BITS) + 1 + max(0, generation)) << MARK_BITS | mark
        epochs = _kept_spans(before.epochs, seen=recovery.epochs_seen) if before is not None else []
        self.epochs = (*epochs, EpochSpan(epoch=self.epoch, after_seq=self.seq))
        # Row key -> the slot that counts, and above that bit the bytes that lie there (key and value; 0 for one that
        # ended). One number, because there is one for every row that is remembered.
        self._held: dict[bytes, int] = {}
        self.size_bytes = 0
        """Bytes of all rows that count, with their keys."""
        self._ended: list[tuple[bytes, int]] = []
        self._rewrite: dict[bytes, bytes | None] = {}
        for place in recovery.left_over():
            # What never counted is ended like a row: by a tombstone alone, an old copy of a row that has ended would
            # come back where compaction took the mark of its end before.
            self._hold(place[1:], place[0] - _SLOT_ZERO, None)
            self._rewrite[place[1:]] = None
        for key, (slot, value) in recovery.versions().items():
            self._hold(key, slot, value)
            if key in recovery.overwritten:
                # Also the mark of an end: without it the tombstones that follow would be taken for late ones.
                self._rewrite[key] = value
            elif value is None:
                self._ended.append((key, slot))

    def __len__(self) -> int:
        return len(self._held)

    def _slot(self, key: bytes) -> int | None:
        """Return in which of its two places a row counts, None where it is not known."""
        held = self._held.get(key)
        return None if held is None else held & 1

    def _hold(self, key: bytes, slot: int, value: bytes | None) -> None:
        """Note where a row counts now, and how large it is there."""
        size_bytes = 0 if value is None else len(key) + len(value)
        self.size_bytes += size_bytes - (self._held.get(key, 0) >> 1)
        self._held[key] = size_bytes << 1 | slot

    def claim(self) -> Change:
        """Return the record behind which no checkpoint of a lower epoch counts."""
        return Change(CLAIM_PLACE, _encode(StoredRow(version=ROW_VERSION, epoch=self.epoch, seq=0, value=None)))

    def changes(self, rows: Iterable[tuple[str, bytes | None]]) -> list[Change]:
        """Return the records of the next checkpoint but for its checkpoint row, which `checkpoint` returns.

        Must be sent in this order. A row that is given twice counts as given last.
        """
        self.seq += 1
        written, self._rewrite = self._rewrite, {}
        written.update((name.encode(), value) for name, value in rows)
        changes: list[Change] = []
        for key, slot in self._ended:
            if key not in written and self._slot(key) == slot:
                # The older version goes first: were it the other way round, a crash between would revive it.
                changes.append(Change(_place(1 - slot, key), None))
                changes.append(Change(_place(slot, key), None))
                del self._held[key]
        self._ended = []
        for key, value in written.items():
            before = self._slot(key)
            if before is None and value is None:
                continue
            slot = 0 if before is None else 1 - before
            self._hold(key, slot, value)
            row = StoredRow(version=ROW_VERSION, epoch=self.epoch, seq=self.seq, value=value)
            changes.append(Change(_place(slot, key), _encode(row)))
            if value is None:
                self._ended.append((key, slot))
        return changes

    def checkpoint(self, row: CheckpointRow) -> Change:
        """Return the record that makes the rows of the last `changes` count; its epoch and seq are filled in here."""
        row.epoch, row.seq, row.epochs = self.epoch, self.seq, self.epochs
        return Change(_place(self.seq % 2, CHECKPOINT_KEY), _encode(row))
