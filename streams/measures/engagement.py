"""Say what a signal is worth: a weight by kind, until its actor has spent what it may count in an hour on a topic."""

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from schemas.measure_rows import ActorCapRow, SpentRow
from schemas.rules import EngagementRules
from schemas.signal import KINDS

UNITS_PER_POINT = 1_000
"""Engagement is counted in thousandths, so that sums are exact and do not depend on their order."""
ENDED_ROWS_MIN = 1_000
"""Rows of hours gone by that are ended in one go, if there are so many."""


class Weights(NamedTuple):
    """What one topic's rules say of engagement, in thousandths; `by_kind` follows `schemas.signal.KINDS`."""

    by_kind: tuple[int, ...]
    cap: int
    hour_ms: int


def weights_of(rules: EngagementRules, *, hour_ms: int) -> Weights:
    """Return the weights in thousandths; `hour_ms` is how long the hour of the cap lasts, scaled like all durations.

    >>> weights_of(EngagementRules(), hour_ms=3_600_000).by_kind
    (1000, 1000, 1000, 1500, 200, 500)
    """
    return Weights(
        by_kind=tuple(round(getattr(rules, kind) * UNITS_PER_POINT) for kind in KINDS),
        cap=round(rules.actor_cap * UNITS_PER_POINT),
        hour_ms=hour_ms,
    )


class _Hour:
    """What actors have spent in the current hour of one length: actor -> topic -> thousandths."""

    __slots__ = ("index", "spent")

    def __init__(self) -> None:
        self.index = -1
        self.spent: dict[str, dict[str, int]] = {}


class ActorCap:
    """What still counts of what an actor does: at most `Weights.cap` per clock hour of event time and topic.

    Remembers the current hour only. Signals come in stamp order, so an hour that has turned does not come back.

    >>> cap, weights = ActorCap(), weights_of(EngagementRules(actor_cap=2.2), hour_ms=3_600_000)
    >>> [cap.units(actor="ana", topic="b/t", kind=0, at_ms=at_ms, weights=weights) for at_ms in (0, 1, 2, 3_600_000)]
    [1000, 1000, 200, 1000]
    """

    def __init__(self) -> None:
        self._hours: dict[int, _Hour] = {}
        self._changed: dict[str, None] = {}
        # Actors of hours gone by, whose rows are to be ended, in the order in which they first acted.
        self._gone: dict[str, None] = {}
        self._told: set[str] = set()

    def units(self, *, actor: str, topic: str, kind: int, at_ms: int, weights: Weights) -> int:
        """Return the thousandths of engagement that a signal still counts, and take note of them.

        `kind` is an index into `schemas.signal.KINDS`. Raises ValueError where time goes back past an hour: an error
        of the caller.
        """
        hour = self._hours.get(weights.hour_ms)
        if hour is None:
            hour = self._hours[weights.hour_ms] = _Hour()
        index = at_ms // weights.hour_ms
        if index != hour.index:
            self._turn(hour, index)
        topics = hour.spent.get(actor)
        used = 0 if topics is None else topics.get(topic, 0)
        counts = min(weights.by_kind[kind], weights.cap - used)
        if counts <= 0:
            return 0
        if topics is None:
            topics = hour.spent[actor] = {}
        topics[topic] = used + counts
        self._changed[actor] = None
        return counts

    def give_back(self, *, actor: str, topic: str, units: int, at_ms: int, weights: Weights) -> None:
        """Let an actor spend again what a signal of `at_ms` had spent, where its hour has not turned.

        Never more than was spent: what a cap kept from counting has spent nothing, and gives nothing back.
        """
        hour = self._hours.get(weights.hour_ms)
        topics = None if hour is None or hour.index != at_ms // weights.hour_ms else hour.spent.get(actor)
        if topics is not None and topic in topics:
            topics[topic] = max(0, topics[topic] - units)
            self._changed[actor] = None

    def erase(self, actor: str) -> None:
        """Forget what an actor has spent."""
        for hour in self._hours.values():
            hour.spent.pop(actor, None)
        self._changed[actor] = None

    def _turn(self, hour: _Hour, index: int) -> None:
        if index < hour.index:
            raise ValueError(f"actor cap: expected hour {hour.index} or later, got {index}: feed it in stamp order")
        self._gone.update(dict.fromkeys(hour.spent))
        hour.index = index
        hour.spent = {}

    def expire(self, at_ms: int) -> None:
        """Forget the hours that have ended at an instant of event time, also where nobody acts any more."""
        for hour_ms, hour in self._hours.items():
            if at_ms // hour_ms > hour.index:
                self._turn(hour, at_ms // hour_ms)

    def changed_rows(self) -> list[tuple[str, ActorCapRow | None]]:
        """Return (actor, its row, or None where nothing of it is left) for the actors that changed since last time.

        When an hour turns, all its rows have come to nothing at once. They are ended bit by bit, as many a time as have
        changed, so that no checkpoint has to end a whole hour; until then `restore` tells them by their hour.
        """
        rows: list[tuple[str, ActorCapRow | None]] = []
        ended = list(islice(self._gone, max(ENDED_ROWS_MIN, len(self._changed))))
        for actor in sorted(self._changed | dict.fromkeys(ended)):
            self._gone.pop(actor, None)
            spent = tuple(
                SpentRow(topic=topic, hour_ms=hour_ms, hour=hour.index, units=units)
                for hour_ms, hour in sorted(self._hours.items())
                for topic, units in sorted(hour.spent.get(actor, {}).items())
            )
            if spent:
                self._told.add(actor)
                rows.append((actor, ActorCapRow(spent)))
            elif actor in self._told:
                self._told.remove(actor)
                rows.append((actor, None))
        self._changed.clear()
        return rows

    def restore(self, rows: Iterable[tuple[str, ActorCapRow]]) -> None:
        """Take up the rows (actor, row) of earlier `changed_rows`, in any order."""
        for actor, row in rows:
            self._told.add(actor)
            for spent in row.spent:
                hour = self._hours.setdefault(spent.hour_ms, _Hour())
                if spent.hour > hour.index:
                    self._turn(hour, spent.hour)
                if spent.hour == hour.index:
                    hour.spent.setdefault(actor, {})[spent.topic] = spent.units
                else:
                    self._gone[actor] = None
