"""Tell how far event time has come in one partition: its watermark over sources, from the log prefix alone."""

from typing import NamedTuple

from schemas.rows import SourceClockRow, SourceRow
from schemas.signal import CLOCK_SOURCE

SKEW_MS_MAX = 120_000
"""An event time later than its record's own timestamp by more than this is replaced by that timestamp."""


class ClockSettings(NamedTuple):
    """How long a partition waits: for late signals of a source that speaks, and for a source that is silent.

    A finished log is released up to the end of the `tick_ms` that its last signal lies in.
    """

    lateness_ms: int = 10_000
    idle_ms: int = 60_000
    tick_ms: int = 60_000


def clamp_to_record(at_ms: int, *, record_ms: int | None) -> tuple[int, bool]:
    """Return the event time to use and whether it was replaced because it lies in the future of its own record.

    >>> clamp_to_record(1_000_000, record_ms=900_000)
    (1000000, False)
    >>> clamp_to_record(1_000_000, record_ms=800_000)
    (800000, True)
    """
    if record_ms is not None and record_ms >= 0 and at_ms > record_ms + SKEW_MS_MAX:
        return record_ms, True
    return at_ms, False


class SourceClock:
    """The watermark of one partition: the event time before which nothing more is expected from it.

    For each source the largest event time seen, less the allowed lateness; the minimum over the sources that are
    neither ended nor silent. It is a function of the records in their order, never of batches, and never decreases.
    A source is silent when logged time (the largest event time seen of any source) has passed the last time it spoke
    by `idle_ms`; it counts again as soon as it speaks. The source `clock` is wall time: it moves logged time, and
    like any other source it holds back what is younger than the allowed lateness.

    >>> clock = SourceClock(ClockSettings(lateness_ms=10_000))
    >>> clock.hear("a", at_ms=1_000_000)
    >>> clock.watermark_ms
    990000
    """

    def __init__(self, settings: ClockSettings = ClockSettings()) -> None:
        self.settings = settings
        self.watermark_ms = 0
        self.logged_ms = 0
        # source -> [largest event time, logged time when it last spoke, 1 if ended]
        self._sources: dict[str, list[int]] = {}
        self._only: list[int] | None = None
        self._only_name = ""

    def hear(self, source: str, *, at_ms: int, end: bool = False) -> None:
        """Take note that `source` has come to `at_ms`; `end` says that it will not speak again."""
        if self._only is not None and source == self._only_name and not end:
            # The common case, one live source: its own largest time decides alone.
            if at_ms > self.logged_ms:
                self.logged_ms = self._only[0] = self._only[1] = at_ms
                watermark_ms = at_ms - self.settings.lateness_ms
                if watermark_ms > self.watermark_ms:
                    self.watermark_ms = watermark_ms
            else:
                self._only[1] = self.logged_ms
            return
        self._hear_among_many(source, at_ms, end)

    def _hear_among_many(self, source: str, at_ms: int, end: bool) -> None:
        self.logged_ms = max(self.logged_ms, at_ms)
        known = self._sources.get(source)
        if known is None:
            known = self._sources[source] = [at_ms, self.logged_ms, 0]
        known[0] = max(known[0], at_ms)
        known[1] = self.logged_ms
        known[2] = 1 if end else 0
        self._note_only()
        watermark_ms = self._lowest_ms()
        if watermark_ms > self.watermark_ms:
            self.watermark_ms = watermark_ms

    def _note_only(self) -> None:
        self._only = None
        if len(self._sources) == 1:
            name, state = next(iter(self._sources.items()))
            if not state[2]:
                self._only, self._only_name = state, name

    def _lowest_ms(self) -> int:
        spoke_since_ms = self.logged_ms - self.settings.idle_ms
        lowest_ms = -1
        for largest_ms, spoke_ms, ended in self._sources.values():
            if not ended and spoke_ms >= spoke_since_ms and (lowest_ms < 0 or largest_ms < lowest_ms):
                lowest_ms = largest_ms
        if lowest_ms >= 0:
            return lowest_ms - self.settings.lateness_ms
        if all(ended for _, _, ended in self._sources.values()):
            tick_ms = self.settings.tick_ms
            return (self.logged_ms // tick_ms + 1) * tick_ms
        return 0

    def silent_sources(self) -> list[str]:
        """Return the sources that are set aside, in alphabetical order; `clock` is never missed."""
        spoke_since_ms = self.logged_ms - self.settings.idle_ms
        return sorted(
            name
            for name, (_, spoke_ms, ended) in self._sources.items()
            if not ended and spoke_ms < spoke_since_ms and name != CLOCK_SOURCE
        )

    def row(self) -> SourceClockRow:
        """Return what a restart needs to go on from here."""
        sources = {name: SourceRow(*state) for name, state in self._sources.items()}
        return SourceClockRow(watermark_ms=self.watermark_ms, logged_ms=self.logged_ms, sources=sources)

    def restore(self, row: SourceClockRow) -> None:
        """Go on from a row."""
        self.watermark_ms, self.logged_ms = row.watermark_ms, row.logged_ms
        self._sources = {name: [s.largest_ms, s.spoke_ms, s.ended] for name, s in row.sources.items()}
        self._note_only()
