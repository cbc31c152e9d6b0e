"""Count what was planted in the last day: signals, their weight, and people, by who began it."""

from collections import Counter, deque
from statistics import median

from agents.seasons.scribe import Planted
from schemas.rules import DAY_MS, HOUR_MS, EngagementRules
from schemas.signal import Kind

ENDOGENOUS = ("adopted", "wild")

_RULES = EngagementRules()
_WEIGHTS: dict[Kind, float] = {
    "post": _RULES.post,
    "reply": _RULES.reply,
    "quote": _RULES.quote,
    "share": _RULES.share,
    "like": _RULES.like,
    "follow": _RULES.follow,
}


class LivedDay:
    """The signals in the 24 hours up to the last one that was added, by the labels of their planter.

    Of each pair, [True] is what the community did of its own accord and [False] what the brand did and set off.
    """

    def __init__(self) -> None:
        self.counts = {True: 0, False: 0}
        self.weights = {True: 0.0, False: 0.0}
        self.actors: Counter[str] = Counter()
        self.sides: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
        self._lived: deque[tuple[int, bool, str, float]] = deque()

    def add(self, planted: Planted) -> None:
        """Count a signal, and forget those that are a day old."""
        signal = planted.signal
        is_endogenous = planted.lineage in ENDOGENOUS
        weight = _WEIGHTS[signal.kind]
        self._lived.append((signal.at, is_endogenous, signal.actor, weight))
        self._count(is_endogenous, signal.actor, weight, 1)
        while self._lived[0][0] <= signal.at - DAY_MS:
            _, was_endogenous, gone, weight = self._lived.popleft()
            self._count(was_endogenous, gone, weight, -1)

    def _count(self, is_endogenous: bool, actor: str, weight: float, sign: int) -> None:
        self.counts[is_endogenous] += sign
        self.weights[is_endogenous] += sign * weight
        for actors in (self.actors, self.sides[is_endogenous]):
            actors[actor] += sign
            if not actors[actor]:
                del actors[actor]


class UsualAudience:
    """How many people a day usually has: the median of samples, one each hour."""

    def __init__(self) -> None:
        self._samples: list[int] = []
        self._hour = -1

    def sample(self, at_ms: int, actors: int) -> None:
        """Take a sample if there is none of this hour yet."""
        if at_ms // HOUR_MS != self._hour:
            self._hour = at_ms // HOUR_MS
            self._samples.append(actors)

    def read(self) -> float:
        """Return the median, 0 without samples."""
        return median(self._samples) if self._samples else 0.0
