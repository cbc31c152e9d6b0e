"""Keep what is to happen in a season, and say when people do something of their own accord."""

import heapq
import math
import random
from collections.abc import Callable, Iterator, Sequence

from agents.seasons.plan import Phase
from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

DELAY_MS_MIN = 3_000
DELAY_MS_MAX = DAY_MS
SATURDAY = 5
_EPOCH_WEEKDAY = 3  # 1970-01-01 was a Thursday, three days after a Monday.

Act = Callable[[int], Planted | None]
"""What happens at an instant; None where it comes to nothing."""


class Diary:
    """The acts that are planned, in the order of time; what is planned for after the end of the season is dropped."""

    def __init__(self, season: Season, rng: random.Random) -> None:
        self.start_ms = season.start_ms
        self.end_ms = season.end_ms
        self.phases = season.phases_ms()
        self._rhythm_plan = season.plan.rhythm
        self._delay = season.plan.delay
        self._rng = rng
        # Entries are in the order of time, and of being made where they are of one instant.
        self._entries: list[tuple[int, int, Act]] = []
        self._count = 0

    def live(self) -> Iterator[Planted]:
        """Yield everything that happens, in order; acts may note further ones on the way."""
        while self._entries:
            at_ms, _, act = heapq.heappop(self._entries)
            planted = act(at_ms)
            if planted is not None:
                yield planted

    def note(self, at_ms: int, act: Act) -> None:
        """Plan an act."""
        if at_ms < self.end_ms:
            self._count += 1
            heapq.heappush(self._entries, (at_ms, self._count, act))

    def phase_index(self, at_ms: int) -> int:
        """Return the number of the phase that an instant lies in."""
        return max(index for index, (begin_ms, _) in enumerate(self.phases) if begin_ms <= at_ms)

    def phase(self, at_ms: int) -> Phase:
        """Return the phase that an instant lies in."""
        return self.phases[self.phase_index(at_ms)][1]

    def rhythm(self, at_ms: int) -> float:
        """Return how lively people are at an instant, 1 on average over a working day."""
        plan = self._rhythm_plan
        hour = at_ms % DAY_MS / HOUR_MS
        by_hour = 1 + plan.depth * math.cos(2 * math.pi * (hour - plan.peak_hour) / 24)
        is_weekend = (at_ms // DAY_MS + _EPOCH_WEEKDAY) % 7 >= SATURDAY
        return by_hour * plan.weekend if is_weekend else by_hour

    def next_own_accord(self, after_ms: int, act: Act, rates: Sequence[float]) -> None:
        """Plan the next thing that somebody does unprompted: a Poisson process with the rhythm, by thinning.

        `rates` are per hour, one for each phase.
        """
        plan = self._rhythm_plan
        most = max(rates) * (1 + plan.depth) * max(1.0, plan.weekend)
        at = float(after_ms)
        while most and at < self.end_ms:
            at += self._rng.expovariate(most) * HOUR_MS
            at_ms = min(math.ceil(at), self.end_ms)
            rate = rates[self.phase_index(at_ms)] * self.rhythm(at_ms)
            if self._rng.random() * most < rate:
                self.note(at_ms, act)
                return

    def scatter(self, act: Act, *, hour: float, hours: float, count: int) -> None:
        """Plan an act `count` times, evenly at random over some hours from an hour of the season on."""
        begin_ms = self.start_ms + round(hour * HOUR_MS)
        for _ in range(count):
            self.note(begin_ms + int(self._rng.random() * hours * HOUR_MS), act)

    def set_off(self, at_ms: int, act: Act, mean: float) -> None:
        """Plan the reactions to something that was just done, `mean` of them on average."""
        rng, delay = self._rng, self._delay
        mu = math.log(delay.median_minutes * MINUTE_MS)
        # The number of arrivals of rate 1 within `mean` is Poisson.
        spent = rng.expovariate(1)
        while spent < mean:
            delay_ms = round(rng.lognormvariate(mu, delay.sigma))
            self.note(at_ms + min(max(delay_ms, DELAY_MS_MIN), DELAY_MS_MAX), act)
            spent += rng.expovariate(1)
