"""Say what a replay has done so far, or did."""

from collections.abc import Callable

import msgspec


class ReplaySummary(msgspec.Struct):
    """What a replay has done so far, or did: lines read and what became of them, event time, and the time it took.

    `refused` lines were sent as they are (native logs without pseudonyms; the worker rejects them) or told on
    `social.rejections`; `skipped` ones lie outside the span that was asked for; `heartbeats` counts records, those of
    the log and ours, `erasures` lines that had an actor erased. `resumed` were sent by the replay before, which this
    one goes on from; they are in none of the other counts but `lines`. `late` signals lie behind the watermark of the
    log: it is not in the order of time, and the worker will set them aside. `first_ms` and `last_ms` are the least and
    the largest event time sent. `done` is the share of the log that was read, None where its size is not known, and
    `seconds_left` how long the rest takes at this pace.
    """

    lines: int = 0
    signals: int = 0
    refused: int = 0
    skipped: int = 0
    heartbeats: int = 0
    erasures: int = 0
    resumed: int = 0
    late: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    seconds: float = 0.0
    done: float | None = None
    seconds_left: float | None = None

    @property
    def signals_per_second(self) -> float:
        """Signals sent per second of wall time."""
        return self.signals / self.seconds if self.seconds else 0.0


Report = Callable[[ReplaySummary], None]
