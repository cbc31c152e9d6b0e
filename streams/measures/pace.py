"""Tell how fast a cascade grows: the nodes of the last hour, those of the hour before, and the busiest five minutes."""

from array import array

from schemas.cascade import Pace
from schemas.conversation_rows import PaceRow

MINUTES_PER_UNIT = 5
SPANS_MINUTES = (60, 15, 5)
"""Spans that growth is told over, two of each side by side: shorter ones only while the cascade is too young."""
KEPT_MINUTES = 2 * max(SPANS_MINUTES)


class CascadePace:
    """Nodes by minute for two hours, fed in the order of time. A minute is a sixtieth of an hour, however it is scaled.

    Feeding costs O(1), amortised; reading what lies in the two hours.

    >>> pace = CascadePace(minute_ms=60_000)
    >>> for minute in (0, 1, 1, 7, 8, 9):
    ...     pace.add(minute * 60_000)
    >>> pace.read(600_000, began_ms=0)
    Pace(recent=3, before=3, span_ms=300000, unit_ms=300000, peak=3, peak_at_ms=0)
    """

    __slots__ = ("_counts", "_minute_ms", "_minutes", "_peak", "_peak_unit", "_unit", "_unit_count", "has_changed")

    def __init__(self, *, minute_ms: int) -> None:
        self._minute_ms = minute_ms
        self._minutes = array("q")
        self._counts = array("I")
        self._unit = self._unit_count = self._peak = self._peak_unit = 0
        self.has_changed = False

    def add(self, at_ms: int, count: int = 1) -> None:
        """Count nodes of an instant."""
        minute = at_ms // self._minute_ms
        minutes, counts = self._minutes, self._counts
        if minutes and minutes[-1] == minute:
            counts[-1] += count
        else:
            minutes.append(minute)
            counts.append(count)
            if len(minutes) > 2 * KEPT_MINUTES:
                self._forget_before(minute - KEPT_MINUTES)
        unit = minute // MINUTES_PER_UNIT
        self._unit_count = self._unit_count + count if unit == self._unit else count
        self._unit = unit
        if self._unit_count > self._peak:
            self._peak, self._peak_unit = self._unit_count, unit
        self.has_changed = True

    def _forget_before(self, minute: int) -> None:
        gone = next(place for place, known in enumerate(self._minutes) if known >= minute)
        del self._minutes[:gone], self._counts[:gone]

    def read(self, at_ms: int, *, began_ms: int) -> Pace | None:
        """Return the pace of a cascade at an instant that nothing counted comes behind; None while it is too young."""
        minute_ms = self._minute_ms
        age_minutes = (at_ms - began_ms) // minute_ms
        span = next((minutes for minutes in SPANS_MINUTES if age_minutes >= 2 * minutes), None)
        if span is None:
            return None
        end = at_ms // minute_ms
        recent = self._count(end - span)
        return Pace(
            recent=recent,
            before=self._count(end - 2 * span) - recent,
            span_ms=span * minute_ms,
            unit_ms=MINUTES_PER_UNIT * minute_ms,
            peak=self._peak,
            peak_at_ms=self._peak_unit * MINUTES_PER_UNIT * minute_ms,
        )

    def _count(self, since: int) -> int:
        """Return how many nodes there are from a minute on."""
        minutes, total, place = self._minutes, 0, len(self._minutes)
        while place and minutes[place - 1] >= since:
            place -= 1
            total += self._counts[place]
        return total

    def row(self) -> PaceRow:
        """Return what has to be remembered: no more than two hours of it."""
        self.has_changed = False
        if self._minutes:
            self._forget_before(self._minutes[-1] - KEPT_MINUTES)
        return PaceRow(
            minutes=tuple(self._minutes),
            counts=tuple(self._counts),
            unit=self._unit,
            unit_count=self._unit_count,
            peak=self._peak,
            peak_unit=self._peak_unit,
        )

    def restore(self, row: PaceRow) -> None:
        """Go on from a row."""
        self._minutes, self._counts = array("q", row.minutes), array("I", row.counts)
        self._unit, self._unit_count, self._peak, self._peak_unit = row.unit, row.unit_count, row.peak, row.peak_unit
