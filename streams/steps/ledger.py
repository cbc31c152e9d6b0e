"""Count what became of every record that was read."""

import msgspec


class Ledger(msgspec.Struct):
    """Records by outcome; `read` is the sum of the others.

    `applied` changed or could have changed a topic, `duplicate` had been applied before under the same id, `late` came
    behind the watermark, `rejected` was refused, `heartbeat` told the progress of a source, `ignored` was in order and
    told of no act. `replayed` was read again after a restart and is covered by the checkpoint. Of changes, `unmatched`
    mean nothing that is remembered here (each partition looks up those that name no conversation) and `foreign` what
    somebody else did. `erased` was said by an actor who was erased: it is not taken, and told nowhere.
    """

    read: int = 0
    applied: int = 0
    duplicate: int = 0
    late: int = 0
    rejected: int = 0
    heartbeat: int = 0
    ignored: int = 0
    replayed: int = 0
    flagged: int = 0
    on_topic: int = 0
    unmatched: int = 0
    foreign: int = 0
    erased: int = 0

    def waiting(self) -> int:
        """Return how many signals are held back until the watermark passes them."""
        settled = self.applied + self.duplicate + self.late + self.rejected + self.heartbeat
        return self.read - settled - self.ignored - self.replayed - self.unmatched - self.foreign - self.erased

    def add(self, other: "Ledger") -> None:
        """Add the counts of another ledger."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
