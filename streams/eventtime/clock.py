"""Tell how far event time has come in one partition: its watermark over sources, from the log prefix alone."""

from typing import NamedTuple

from schemas.rows import SourceClockRow, SourceRow
from schemas.signal import CLOCK_SOURCE

SKEW_MS_MAX = 120_000
"""An event time later than its record's own timestamp by more than this is replaced by that timestamp."""

SOURCES_MAX = 256
"""Sources remembered; when there are more, those that have ended or are silent are forgotten."""


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
        # While logged time is not behind `_steady_until_ms`, only a source at `_lowest_ms` can move the watermark.
        self._lowest_ms = 0
        self._steady_until_ms = -1
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
            return
        self._hear_among_many(source, at_ms, end)

    def _hear_among_many(self, source: str, at_ms: int, end: bool) -> None:
        if at_ms > self.logged_ms:
            self.logged_ms = at_ms
        logged_ms = self.logged_ms
        known = self._sources.get(source)
        if known is None:
            self._forget_quiet()
            self._sources[source] = [at_ms, logged_ms, int(end)]
        else:
            counted_long = logged_ms <= self._steady_until_ms and known[1] >= logged_ms - self.settings.idle_ms
            steady = counted_long and known[0] > self._lowest_ms and not end and not known[2]
            known[0] = max(known[0], at_ms)
            known[1] = logged_ms
            if steady:
                return
            known[2] = int(end)
        self._note_only()
        self._settle()

    def _forget_quiet(self) -> None:
        """Make room for a new source: whatever names itself as one must not make the clock grow without bound."""
        if len(self._sources) >= SOURCES_MAX:
            spoke_since_ms = self.logged_ms - self.settings.idle_ms
            heard = self._sources.items()
            self._sources = {name: state for name, state in heard if not state[2] and state[1] >= spoke_since_ms}

    def _note_only(self) -> None:
        self._only = None
        if len(self._sources) == 1:
            name, state = next(iter(self._sources.items()))
            if not state[2] and state[0] == self.logged_ms:
                self._only, self._only_name = state, name

    def _settle(self) -> None:
        """Work the watermark out anew, and until when it depends on the source that is furthest behind alone."""
        spoke_since_ms = self.logged_ms - self.settings.idle_ms
        counted = [state for state in self._sources.values() if not state[2] and state[1] >= spoke_since_ms]
        if counted:
            self._lowest_ms = min([state[0] for state in counted])
            self._steady_until_ms = min([state[1] for state in counted]) + self.settings.idle_ms
            watermark_ms = self._lowest_ms - self.settings.lateness_ms
        else:
            self._steady_until_ms = -1
            all_ended = all(ended for _, _, ended in self._sources.values())
            tick_ms = self.settings.tick_ms
            watermark_ms = (self.logged_ms // tick_ms + 1) * tick_ms if all_ended else 0
        if watermark_ms > self.watermark_ms:
            self.watermark_ms = watermark_ms

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
