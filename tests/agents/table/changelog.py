"""Write a changelog as owners of a partition do, take from it what compaction takes, and read it."""

from agents.table import Change, Recovery, Table
from schemas.rows import ROW_VERSION, CheckpointRow

WHERE = "table t, partition 0"

Rows = dict[str, bytes]
Log = list[Change]


def checkpoint_row(offset: int) -> CheckpointRow:
    """Make what a lane says of its input."""
    return CheckpointRow(
        version=ROW_VERSION,
        step="t",
        epoch=0,
        seq=0,
        offset=offset,
        frontier=(offset, ""),
        context=b"",
        partitions=4,
        origins=4,
        epochs=(),
    )


def records(table: Table, rows: dict[str, bytes | None], offset: int = 0) -> Log:
    """Return all records of one checkpoint."""
    return [*table.changes(rows.items()), table.checkpoint(checkpoint_row(offset))]


def recovered(log: Log) -> Recovery:
    """Read a log as a lane does: once, and again where that is asked for."""
    reading: Recovery | None = Recovery(where=WHERE)
    while reading is not None:
        done = reading
        for key, value in log:
            done.feed(key, value)
        reading = done.again()
    return done


def compacted(log: Log) -> Log:
    """Return what compaction leaves at the least: the last record of each key."""
    last = {change.key: index for index, change in enumerate(log)}
    return [change for index, change in enumerate(log) if last[change.key] == index]


def without_tombstones(log: Log) -> Log:
    """Return what is left once Kafka has removed the tombstones too."""
    return [change for change in compacted(log) if change.value is not None]


class Owner:
    """One owner of the partition: its table, the rows as it knows them, and what it has told of them."""

    def __init__(self, log: Log, generation: int) -> None:
        self.recovery = recovered(log)
        self.table = Table(step="t", generation=generation, recovery=self.recovery)
        self.rows: Rows = dict(self.recovery.rows())

    def checkpoint(self, rows: dict[str, bytes | None], offset: int) -> tuple[Log, Rows]:
        """Return the records of one checkpoint and the rows that it leaves."""
        for key, value in rows.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return records(self.table, rows, offset), dict(self.rows)
