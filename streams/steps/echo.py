"""What the members of one topic talked about while they were elsewhere: how new that was, and whether it lasted."""

from collections.abc import Iterator, Mapping, Sequence
from heapq import nsmallest

import msgspec

from schemas.alert import ResonanceEvidence
from schemas.drift_rows import EchoRow
from schemas.rules import EscapedRules
from schemas.vitals import Measures, State
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.conditions import rounded
from streams.lifecycle.ladder import AWAY, ESCAPED
from streams.measures.resonance import surprise_bits
from streams.steps.drift import TopicDrift

WEEK_DAYS = 7
"""So many days before, and after, are compared; those before end a day ago, as an escape takes hours to be seen."""
BYTES_MAX = 48 * 1024
_TAG_BYTES = 10
REST = " rest"
"""What is left of rare tags, where they are too many to be kept: no tag begins with a space."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


class Echo:
    """Novelty and transience of one escape at a time. `follow` and `listen` come at every tick.

    As the topic escapes, what members said before is put aside; as the escape is over, what they said meanwhile is
    compared with that, and put aside in its place; as it is known what became of those who had left, or after a week,
    it is compared with what they have said since. So nothing is computed but at three ticks of an escape.

    Source: MEASURES.md §4; `streams.measures.resonance`.
    """

    def __init__(self, *, hour_ms: int) -> None:
        self._day_ms = 24 * hour_ms
        self._row = EchoRow()
        self._has_changed = False

    def follow(self, before: State, after: State, at_ms: int, *, drift: TopicDrift, rules: EscapedRules) -> None:
        """Begin as the topic escapes, compare as that is over, end as the topic is itself again; `rules` are scaled.

        What leads into the escape has held for `for_ms` then, and what leads out of it for `keep_ms`.
        """
        if before == after:
            return
        row = self._row
        if after == ESCAPED:
            until_ms = at_ms - self._day_ms
            said = drift.said(since_ms=until_ms - WEEK_DAYS * self._day_ms, until_ms=until_ms, day_ms=self._day_ms)
            self._row = EchoRow(opened_ms=at_ms - rules.for_ms, counts=kept(said))
        elif before == ESCAPED and row.opened_ms is not None:
            turned_ms = max(row.opened_ms, at_ms - rules.keep_ms)
            said = drift.said(since_ms=row.opened_ms, until_ms=turned_ms, day_ms=self._day_ms)
            novelty = surprise_bits(said, dict(row.counts), n_min=rules.uses_min)
            self._row = EchoRow(row.opened_ms, kept(said), turned_ms, rounded(novelty))
        elif after not in AWAY:
            self._row = EchoRow()
        self._has_changed |= self._row != row

    def listen(self, at_ms: int, *, is_known: bool, drift: TopicDrift, rules: EscapedRules) -> None:
        """Compare with what was said since, once `is_known` what became of those who had left, or the week is over."""
        row = self._row
        if row.turned_ms is None or row.heard_ms is not None:
            return
        heard_ms = row.turned_ms + WEEK_DAYS * self._day_ms
        if not is_known and at_ms < heard_ms:
            return
        heard_ms = min(at_ms, heard_ms)
        since = drift.said(since_ms=row.turned_ms, until_ms=heard_ms, day_ms=self._day_ms)
        transience = surprise_bits(dict(row.counts), since, n_min=rules.uses_min)
        self._row = EchoRow(row.opened_ms, (), row.turned_ms, row.novelty, rounded(transience), heard_ms)
        self._has_changed = True

    @property
    def _resonance(self) -> float | None:
        novelty, transience = self._row.novelty, self._row.transience
        return None if novelty is None or transience is None else rounded(novelty - transience)

    def tell(self, measures: Measures) -> None:
        """Write what is known into the measures of a tick."""
        measures.novelty_bits, measures.transience_bits = self._row.novelty, self._row.transience
        measures.resonance_bits = self._resonance

    def evidence(self) -> ResonanceEvidence | None:
        """Return what was found, None until it has been compared with the time after."""
        row = self._row
        if row.opened_ms is None or row.turned_ms is None or row.heard_ms is None:
            return None
        return ResonanceEvidence(
            since=rfc3339(row.opened_ms),
            until=rfc3339(row.turned_ms),
            heard_until=rfc3339(row.heard_ms),
            novelty_bits=row.novelty,
            transience_bits=row.transience,
            resonance_bits=self._resonance,
        )

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the row `z` if it changed since the last call."""
        if self._has_changed:
            self._has_changed = False
            yield "z", _encode(self._row)

    def restore(self, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Take up the row of an earlier `changed_rows`."""
        for value in rows.get("z", ()):
            self._row = _decode(value, type=EchoRow)


def kept(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return counts in the order of their names; of more than fit into a row the rare ones in one, under `REST`.

    >>> kept({"#wild": 3, "#bees": 2})
    (('#bees', 2), ('#wild', 3))
    """
    ordered = nsmallest(len(counts), counts, key=lambda tag: (-counts[tag], tag))
    held: dict[str, int] = {}
    room = BYTES_MAX
    for number, tag in enumerate(ordered):
        room -= len(tag.encode()) + _TAG_BYTES
        if room < 0:
            held[REST] = sum(counts[rare] for rare in ordered[number:])
            break
        held[tag] = counts[tag]
    return tuple(sorted(held.items()))
