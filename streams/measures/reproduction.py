"""Tell how many further acts each act of a topic brings, from how the topic renews itself."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple

from schemas.virality_rows import ReproductionRow
from streams.eventtime.windows import Chunks, require_forward, require_open
from streams.measures.chi_square import gamma_quantile
from streams.measures.reaction_time import reacted

STEP_UNITS = 2
"""A step lasts ten minutes: so many units of the kernel."""
WINDOW_STEPS = 7
HORIZON_STEPS = 7 * 144
"""What happened more than seven days ago is taken to bring nothing more."""
OFFSPRING_MIN = 11
"""With fewer the standard deviation of what is estimated is more than 30 % of its mean."""
PRIOR_SHAPE = 1.0
PRIOR_SCALE = 5.0
"""The prior of the number is a gamma distribution with mean 5 and standard deviation 5."""
STEPS_PER_ROW = 144

SERIAL_INTERVAL = tuple(reacted(STEP_UNITS * s) - reacted(STEP_UNITS * (s - 1)) for s in range(1, HORIZON_STEPS + 1))
"""w_1, w_2 …: the chance that a reaction comes between s − 1 and s steps after its cause."""


class ReproductionNumber(NamedTuple):
    """The mean of the posterior, its 95 % interval, and how many acts of offspring it rests on."""

    value: float
    low: float
    high: float
    offspring: int


class Reproduction:
    """The reproduction number of a topic over the seven steps of ten minutes before `end`.

    With I_t acts in step t (offspring, which came from another act, and roots, which came from nothing) and w_s the
    chance that a reaction comes s steps after its cause, Λ_t = Σ_s I_{t−s}·w_s acts of offspring are to be expected for
    each that an act brings. The number of a window has the posterior Gamma(a + Σ offspring, 1/(1/b + Σ Λ)) with a = 1,
    b = 5: its mean is (a + Σ offspring)/(1/b + Σ Λ). Told from 11 acts of offspring on, as the prior weighs on fewer.

    Roots count as causes and not as effects. A reaction within the step of its cause counts with the step after it.
    The kernel has a long tail, 14 % of it beyond the horizon of seven days: of a topic that has gone on evenly for
    weeks the number is up to a sixth too high. Costs O(steps of the horizon) a step.

    Source: Cori, Ferguson, Fraser & Cauchemez 2013, "A New Framework and Software to Estimate Time-Varying Reproduction
    Numbers During Epidemics", Am. J. Epidemiol. 178:1505-1512.

    >>> reproduction = Reproduction()
    >>> for step in range(60):
    ...     reproduction.add(step, offspring=30, roots=20)
    >>> reproduction.roll(60)
    >>> round(reproduction.read().value, 2)
    0.83
    """

    def __init__(self) -> None:
        self._end = 0
        self._counts: dict[int, tuple[int, int]] = {}
        self._expected: dict[int, float] = {}
        self._chunks = Chunks[tuple[int, int]](size=STEPS_PER_ROW)

    @property
    def end(self) -> int:
        """The step before which the window ends."""
        return self._end

    def add(self, step: int, *, offspring: int, roots: int = 0) -> None:
        """Count acts in a step that the window does not cover yet; several calls for one step add up.

        Raises ValueError for a step before the end: an error of the caller.
        """
        require_open(step, end=self._end)
        if offspring or roots:
            known = self._counts.get(step, (0, 0))
            self._counts[step] = (known[0] + offspring, known[1] + roots)
            self._chunks.put(step, self._counts[step])

    def take_back(self, step: int, *, offspring: int, roots: int = 0) -> None:
        """Take acts that were counted out of their step, also one that the window covers; of older ones none are left.

        Raises ValueError where a step would hold less than nothing: an error of the caller.
        """
        known = self._counts.get(step)
        if known is None or not (offspring or roots):
            return
        left = known[0] - offspring, known[1] - roots
        if min(left) < 0:
            raise ValueError(f"reproduction: expected no more to be taken from step {step} than {known}, got {left}")
        self._counts[step] = left
        for later in [later for later in self._expected if later > step]:
            del self._expected[later]
        first = step // STEPS_PER_ROW * STEPS_PER_ROW
        kept = {held: self._counts[held] for held in range(first, first + STEPS_PER_ROW) if held in self._counts}
        self._chunks.rewrite(step // STEPS_PER_ROW, kept)

    def roll(self, end: int) -> None:
        """Move the window so that it ends before step `end`. Raises ValueError where that lies before its end."""
        require_forward(end, now=self._end)
        if end == self._end:
            return
        self._end = end
        before = end - WINDOW_STEPS - HORIZON_STEPS
        for step in [step for step in self._counts if step < before]:
            del self._counts[step]
        window = range(end - WINDOW_STEPS, end)
        self._expected = {step: self._expected.get(step) or self._expect(step) for step in window}
        self._chunks.expire(before=before)

    def _expect(self, step: int) -> float:
        """Return Λ of a step, always added up from the oldest step on."""
        causes = sorted(self._counts.items())
        first = bisect_left(causes, (step - HORIZON_STEPS,))
        stop = bisect_left(causes, (step,))
        return sum(
            [
                (offspring + roots) * SERIAL_INTERVAL[step - earlier - 1]
                for earlier, (offspring, roots) in causes[first:stop]
            ]
        )

    def read(self) -> ReproductionNumber | None:
        """Return the number over the window, None where too little came of anything."""
        window = range(self._end - WINDOW_STEPS, self._end)
        offspring = sum(self._counts.get(step, (0, 0))[0] for step in window)
        if offspring < OFFSPRING_MIN:
            return None
        shape = PRIOR_SHAPE + offspring
        for step in window:
            if step not in self._expected:
                self._expected[step] = self._expect(step)
        rate = 1 / PRIOR_SCALE + sum(self._expected[step] for step in window)
        low, high = (gamma_quantile(p, shape) / rate for p in (0.025, 0.975))
        return ReproductionNumber(shape / rate, low, high, offspring)

    def is_empty(self) -> bool:
        """Return whether nothing that happened has any effect any more."""
        return not self._counts

    def changed_rows(self) -> list[tuple[int, ReproductionRow | None]]:
        """Return (chunk of 144 steps, its row, or None where it expired) for what changed since last time."""
        return [
            (chunk, None if entries is None else _row_of(entries))
            for chunk, entries in self._chunks.changed(closed=self._end)
        ]

    def restore(self, rows: Iterable[ReproductionRow], end: int) -> None:
        """Take up the rows of earlier `changed_rows`, in any order, as they stood when the window ended at `end`."""
        for row in rows:
            for step, offspring, roots in zip(row.steps, row.offspring, row.roots, strict=True):
                self._counts[step] = (offspring, roots)
                self._chunks.put_told(step, self._counts[step])
        self.roll(end)
        self._chunks.let_go(closed=end)


def _row_of(entries: list[tuple[int, tuple[int, int]]]) -> ReproductionRow:
    return ReproductionRow(
        steps=tuple(step for step, _ in entries),
        offspring=tuple(offspring for _, (offspring, _) in entries),
        roots=tuple(roots for _, (_, roots) in entries),
    )
