"""Those of one topic's members who have left for elsewhere: who they are, whether they come back, and how."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas.attributed import WILD
from schemas.cohort_rows import CohortRow
from schemas.contribution import Contribution
from schemas.rules import ReturnedRules
from schemas.vitals import Measures, State
from streams.lifecycle.conditions import rounded
from streams.lifecycle.ladder import AWAY
from streams.measures.cohort import Cohort, CohortReading, outcome

ESCAPED = "escaped"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode

_Read = tuple[int, CohortReading | None]
"""The hour for which a cohort was read last, and what was read."""


class Leavers:
    """The cohort of one topic. Members' acts come in stamp order, `read` and `follow` at every tick.

    A cohort opens as the topic escapes, closes as that is over, and is settled once it is known what became of it.
    """

    def __init__(self, *, hour_ms: int) -> None:
        self._hour_ms = hour_ms
        self._cohort = Cohort(day_ms=24 * hour_ms)
        self._read: _Read = (-1, None)
        self._has_changed = False

    def act(self, contribution: Contribution, *, seeds: Collection[str], emergent: Collection[str]) -> None:
        """Take note of what a member did, on the topic or elsewhere."""
        tags = contribution.tags
        is_wild = contribution.lineage == WILD
        self._cohort.act(
            contribution.actor,
            at_ms=contribution.at,
            on_topic=not is_wild,
            emergent=is_wild and any(tag in emergent for tag in tags),
            root=contribution.root,
            tags=[tag for tag in tags if tag not in seeds],
        )

    def erase(self, actor: str) -> bool:
        """Forget a member; return whether it was known."""
        return self._cohort.erase(actor)

    def join(self, at_ms: int) -> None:
        """Take note that the brand has gone where they are: who comes back from now on has returned."""
        self._cohort.join(at_ms)
        self._read = (-1, None)
        self._has_changed = True

    def homes(self, numbers: Iterable[int]) -> Counter[int]:
        """Return how many of these members came to the topic by which cascade, as far as that is remembered."""
        return self._cohort.homes(numbers)

    def is_awaited(self, at_ms: int, rules: ReturnedRules) -> bool:
        """Return whether it may still be said what has become of those who had left. `rules` are scaled."""
        return self._cohort.is_awaited(at_ms, rules=rules)

    def read(self, at_ms: int, rules: ReturnedRules) -> str | None:
        """Return what has become of the cohort, if that is known; it is looked at once an hour. `rules` are scaled."""
        self._cohort.expire(at_ms)
        hour = at_ms // self._hour_ms
        if hour > self._read[0]:
            told = self._cohort.read(at_ms, rules=rules)
            # That nobody is watched is not noted: rows would tell when it was last looked.
            if told is not None or self._read[1] is not None:
                self._read = (hour, told)
                self._has_changed = True
        told = self._read[1]
        return None if told is None else outcome(told, at_ms=at_ms, rules=rules)

    def tell(self, measures: Measures) -> None:
        """Write what was read into the measures of a tick."""
        told = self._read[1]
        if told is None:
            return
        measures.cohort = told.size * told.scale
        measures.return_rate, measures.return_rate_low = rounded(told.return_rate), rounded(told.return_rate_low)
        measures.prolific_ratio = rounded(told.prolific_ratio)
        measures.prolific_ratio_low = rounded(told.prolific_ratio_low)
        measures.diversity_ratio = rounded(told.diversity_ratio)
        measures.diversity_ratio_low = rounded(told.diversity_ratio_low)

    def follow(self, before: State, after: State, at_ms: int) -> None:
        """Open, close or settle the cohort as the topic goes from one state to another."""
        if before == after:
            return
        if after == ESCAPED:
            self._cohort.open(at_ms)
        elif before == ESCAPED and self._cohort.is_open:
            # A table may be restored without the rows of the cohort; then there is nobody to wait for.
            self._cohort.close(at_ms)
        if before in AWAY and after not in AWAY:
            self._cohort.settle()
        self._read = (-1, None)
        self._has_changed = True

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: `c|chunk` for the cohort, `l` for what was read last."""
        for chunk, row in self._cohort.changed_rows():
            yield f"c|{chunk}", None if row is None else _encode(row)
        if self._has_changed:
            self._has_changed = False
            yield "l", _encode(self._read)

    def restore(self, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Take up the rows of earlier `changed_rows`, by their first letter."""
        self._cohort.restore([_decode(value, type=CohortRow) for value in rows.get("c", ())])
        for value in rows.get("l", ()):
            self._read = _decode(value, type=_Read)
