"""Say what is true of a season: the states that were planted, from the plan and from who planted each signal."""

from collections import Counter, deque

import msgspec

from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import DAY_MS

OUTGROWN_RATIO = 2.0
"""The community has outgrown the brand when its planted signals of a day are twice those that the brand set off."""
OUTGROWN_ACTORS_MIN = 250
"""A few busy people are no community."""
OVER_RATIO = 1.3
"""It is over when they are less than this many times as many."""


class TruthState(msgspec.Struct, frozen=True):
    """From the instant `at` (epoch milliseconds) on, the topic is truly in this state.

    `endogenous` and `seeded` are the signals planted in the 24 hours up to then: by the community of its own accord,
    and by the brand and those who answered it.
    """

    at: int
    brand: str
    topic: str
    state: str
    why: str
    endogenous: int
    seeded: int


class TruthKeeper:
    """Watches a season being planted, signal by signal in stamp order, and keeps its true states in `states`.

    What the plan decides is true from the instant that the plan says: seeded from the brand's first post, then what
    each phase plants. Whether the community has outgrown the brand depends on how the season was lived, so it is
    counted over the last 24 hours from the labels of the planter, to the signal.
    """

    def __init__(self, season: Season) -> None:
        self.states: list[TruthState] = []
        self._season = season
        self._phases = deque(season.phases_ms())
        self._planned: tuple[str, str] | None = None
        self._lived: deque[tuple[int, bool, str]] = deque()
        self._actors: Counter[str] = Counter()
        self._counts = {True: 0, False: 0}
        self._is_seeded = False
        self._is_outgrown = False

    def observe(self, planted: Planted) -> None:
        """Take note of the next signal."""
        if planted.lineage is None:
            return
        signal = planted.signal
        is_endogenous = planted.lineage == "adopted"
        while self._phases and self._phases[0][0] <= signal.at:
            begin_ms, phase = self._phases.popleft()
            self._planned = (phase.state, phase.why)
            if self._is_seeded and not self._is_outgrown:
                self._say(begin_ms, *self._planned)
        self._count(signal.at, is_endogenous, signal.actor)
        if not self._is_seeded and planted.lineage == "brand":
            self._is_seeded = True
            assert self._planned is not None, "the first phase begins with the season"
            self._say(signal.at, *self._planned)
        elif self._is_seeded:
            self._judge(signal.at)

    def _count(self, at_ms: int, is_endogenous: bool, actor: str) -> None:
        self._lived.append((at_ms, is_endogenous, actor))
        self._actors[actor] += 1
        self._counts[is_endogenous] += 1
        while self._lived[0][0] <= at_ms - DAY_MS:
            _, was_endogenous, gone = self._lived.popleft()
            self._counts[was_endogenous] -= 1
            self._actors[gone] -= 1
            if not self._actors[gone]:
                del self._actors[gone]

    def _judge(self, at_ms: int) -> None:
        endogenous, seeded = self._counts[True], self._counts[False]
        if not self._is_outgrown:
            if endogenous >= OUTGROWN_RATIO * seeded and len(self._actors) >= OUTGROWN_ACTORS_MIN:
                self._is_outgrown = True
                why = f"{len(self._actors)} people; the community said {endogenous / max(seeded, 1):.1f} times as much"
                self._say(at_ms, "outgrown", f"{why} in a day as the brand set off")
        elif endogenous < OVER_RATIO * seeded:
            self._is_outgrown = False
            assert self._planned is not None, "the first phase begins with the season"
            self._say(at_ms, *self._planned)

    def _say(self, at_ms: int, state: str, why: str) -> None:
        if self.states and self.states[-1].state == state:
            return
        season = self._season
        counts = {"endogenous": self._counts[True], "seeded": self._counts[False]}
        self.states.append(TruthState(at_ms, season.brand, season.topic, state, why, **counts))
