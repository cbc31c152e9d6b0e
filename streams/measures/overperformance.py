"""Compare what a root has brought at some age with what its author's last roots of its kind had brought at that age."""

from array import array
from collections.abc import Iterable
from typing import NamedTuple

from schemas.virality_rows import OverperformanceRow

BENCHMARK_UNITS = (3, 12, 60, 288)
"""The ages at which roots are compared, 15 min, 1 h, 5 h and 24 h, in units of five minutes."""
ROOTS_MAX = 100
ROOTS_MIN = 20
"""With fewer roots there is no telling what is usual."""
FLOOR = 10
"""Interactions below which a score stays between -1 and 1."""
_INTERACTIONS_MAX = 2**32 - 1


class Overperforming(NamedTuple):
    """How a root does at a benchmark age: its score, what was expected, and of how many roots that is the middle."""

    score: float
    expected: float
    roots: int


class Overperformance:
    """What the last 100 roots of one actor and kind had brought at each benchmark age, and how others compare with it.

    What is expected is the mean of the middle half: of n roots the n // 4 that brought the most and the n // 4 that
    brought the least are left out. With `actual` interactions the score is

        actual/expected       from what is expected on (2: twice as much); actual/10 where that is below 10,
        −expected/actual      below it (−2: half as much); −2·expected where nothing came;
                              −expected/10 where fewer than 10 were expected.

    Source: CrowdTangle, "How do you calculate overperforming scores?" (help pages, as archived): the last 100 posts of
    an account and type, the middle 50 %, both quotients, the doubling for nothing, and actual/minimum. The last line is
    our reading of a case that the page only names; the minimum of 10 is its example; that fewer than 20 roots say
    nothing is ours, and nothing is multiplied by weights.

    >>> history = Overperformance()
    >>> for interactions in range(40, 60):
    ...     history.add(0, interactions)
    >>> history.read(0, 99)
    Overperforming(score=2.0, expected=49.5, roots=20)
    >>> history.read(1, 99) is None
    True
    """

    __slots__ = ("_changed", "_expected", "_interactions")

    def __init__(self) -> None:
        self._interactions = tuple(array("I") for _ in BENCHMARK_UNITS)
        self._expected: list[float | None] = [None] * len(BENCHMARK_UNITS)
        self._changed = False

    def add(self, benchmark: int, interactions: int) -> None:
        """Take note of what a root has brought as it reaches a benchmark age, an index into `BENCHMARK_UNITS`."""
        if interactions < 0:
            raise ValueError(f"overperformance: expected interactions >= 0, got {interactions}")
        known = self._interactions[benchmark]
        known.append(min(interactions, _INTERACTIONS_MAX))
        if len(known) > ROOTS_MAX:
            del known[0]
        self._expected[benchmark] = None
        self._changed = True

    def read(self, benchmark: int, interactions: int) -> Overperforming | None:
        """Return how a root does that has brought so much at a benchmark age, None below 20 roots before it."""
        known = self._interactions[benchmark]
        if len(known) < ROOTS_MIN:
            return None
        expected = self._expected[benchmark]
        if expected is None:
            left_out = len(known) // 4
            middle = sorted(known)[left_out : len(known) - left_out]
            expected = self._expected[benchmark] = sum(middle) / len(middle)
        return Overperforming(_score(interactions, expected), expected, len(known))

    def changed_rows(self) -> list[tuple[int, OverperformanceRow]]:
        """Return (0, the row) if anything was added since last time; the row never expires."""
        if not self._changed:
            return []
        self._changed = False
        return [(0, OverperformanceRow(tuple(tuple(known) for known in self._interactions)))]

    def restore(self, rows: Iterable[OverperformanceRow]) -> None:
        """Take up the row of an earlier `changed_rows`."""
        for row in rows:
            for known, told in zip(self._interactions, row.interactions, strict=True):
                del known[:]
                known.extend(told)
            self._expected = [None] * len(BENCHMARK_UNITS)


def _score(actual: int, expected: float) -> float:
    if actual >= expected:
        return actual / expected if actual >= FLOOR and expected > 0 else actual / FLOOR
    if expected < FLOOR:
        return -expected / FLOOR
    return -expected / actual if actual else -2 * expected
