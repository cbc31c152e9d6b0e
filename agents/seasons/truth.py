"""Say what is true of a season: the states that were planted, from the plan and from who planted each signal."""

import math
from bisect import insort
from collections import deque

import msgspec

from agents.seasons.lived import LivedDay, UsualAudience
from agents.seasons.plan import Circle, Phase
from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import DAY_MS, HOUR_MS

OUTGROWN_RATIO = 2.0
"""The community has outgrown the brand when its planted signals of a day are twice those that the brand set off."""
OUTGROWN_ACTORS_MIN = 250
"""A few busy people are no community, where it is not known how many there are usually."""
OUTGROWN_AUDIENCE_FACTOR = 1.5
"""Where that is known, there must be this many times as many."""
SMOOTHING = 5
OVER_RATIO = 1.3
"""It is over when they are less than this many times as many."""
ESCAPED_DRIFT_MIN = 0.5
"""A drift of this fraction of the people is an escape that must be seen."""
NO_ESCAPE_DRIFT_MAX = 0.2
"""A drift of up to this fraction is none; in between nothing is asked, and `escaped` is tolerated."""
COHORT_MIN = 25
RETURNED_SHARE = 0.3
"""The cohort has returned when surely (by the Wilson bound) this share of it is back on the topic."""
SPOKEN_SHARE = 0.3
RICHER_RATE = 1.2
RETURN_MS = 14 * DAY_MS
"""Who has not returned by then has faded or settled elsewhere."""
WILSON_Z = 1.96

NONE = "none"
"""State of an entry that tells of no change: a disturbance begins, or a drift too small to be called an escape."""


class TruthState(msgspec.Struct, frozen=True, omit_defaults=True):
    """From the instant `at` (epoch milliseconds) on, the topic is truly in this state.

    `endogenous` and `seeded` are the signals planted in the 24 hours up to then: by the community of its own accord,
    and by the brand and those who answered it. `planted` is the instant at which the plan began what led here. A
    return has an `outcome`: returned-richer, returned, faded or settled-elsewhere. An entry of state `none` changes
    nothing: `trap` names what begins and lasts to `until`. States in `tolerated` are neither asked for nor wrong from
    here on (until the next change, or to `until`); every other state that is not the true one is a false alarm.
    """

    at: int
    brand: str
    topic: str
    state: str
    why: str
    endogenous: int = 0
    seeded: int = 0
    planted: int | None = None
    drift: float | None = None
    outcome: str | None = None
    trap: str | None = None
    until: int | None = None
    tolerated: tuple[str, ...] = ()


class TruthKeeper:
    """Watches a season being planted, signal by signal in stamp order, and keeps its true states in `states`.

    What the plan decides is true from the instant that the plan says: seeded from the brand's first post, what each
    phase plants, escaped from the instant at which enough of the people drift, returning when they stop. Whether the
    community has outgrown the brand, and whether who drifted has returned, depends on how the season was lived, so it
    is counted from the labels of the planter, to the signal. Disturbances count for nothing.
    """

    def __init__(self, season: Season) -> None:
        self._season = season
        self._phases = deque(season.phases_ms())
        self._phase: Phase | None = None
        self._phase_ms = season.start_ms
        self._has_circles = any(phase.circle for phase in season.plan.phases)
        self._day = LivedDay()
        self._usual = UsualAudience()
        self._is_seeded = False
        self._is_outgrown = False
        self._before: Circle | None = None
        self._cohort: set[str] = set()
        self._return: _Return | None = None
        self._is_away = False
        self.states: list[TruthState] = []
        self._traps = deque(self._read_traps())
        self._current = ""

    def _read_traps(self) -> list[TruthState]:
        """Return what disturbs the season, in the order of time."""
        season, said = self._season, []
        spans = [(trap.hour, trap.hours, trap.name, trap.tolerated) for trap in season.plan.traps]
        for source in season.plan.sources:
            if source.dead is not None:
                dead = source.dead
                spans.append((dead.hour, dead.hours, f"source {source.name} is dead", dead.tolerated))
            if source.ahead_minutes:
                hours = (season.end_ms - season.start_ms) / HOUR_MS
                spans.append((0, hours, f"source {source.name} is {source.ahead_minutes:g} minutes ahead", ()))
        for hour, hours, name, tolerated in spans:
            at_ms = season.start_ms + round(hour * HOUR_MS)
            until_ms = at_ms + round(hours * HOUR_MS)
            why = "a disturbance, which changes no state"
            said.append(self._state(at_ms, NONE, why, trap=name, until=until_ms, tolerated=tolerated))
        return sorted(said, key=lambda entry: entry.at)

    def observe(self, planted: Planted) -> None:
        """Take note of the next signal."""
        signal = planted.signal
        while self._traps and self._traps[0].at <= signal.at:
            self._write(self._traps.popleft())
        if self._return is not None and not planted.trap:
            self._follow(planted)
        if planted.lineage is None or planted.trap:
            return
        while self._phases and self._phases[0][0] <= signal.at:
            self._enter(*self._phases.popleft())
        self._day.add(planted)
        if not self._is_seeded and planted.lineage == "brand":
            self._is_seeded = True
            assert self._phase is not None, "the first phase begins with the season"
            self._say(signal.at, self._phase.state, self._phase.why)
        elif self._is_seeded:
            assert self._phase is not None, "the first phase begins with the season"
            if self._phase.state == "seeded" and signal.at - self._season.start_ms >= DAY_MS:
                self._usual.sample(signal.at, len(self._day.actors))
            if not self._is_away and self._return is None:
                self._judge(signal.at)
            elif self._is_away and planted.lineage == "wild":
                self._cohort.add(signal.actor)

    # --- what the plan says -------------------------------------------------------------------------------------------

    def _enter(self, begin_ms: int, phase: Phase) -> None:
        before = self._phase
        self._phase, self._phase_ms = phase, begin_ms
        if not self._is_seeded:
            return
        drift = phase.circle.drift if phase.circle else 0.0
        if drift >= ESCAPED_DRIFT_MIN and not self._is_away and self._return is None:
            self._is_away, self._cohort = True, set()
            self._before = before.circle if before else None
            self._say(begin_ms, "escaped", phase.why, planted=begin_ms, drift=drift)
        elif self._is_away and drift < ESCAPED_DRIFT_MIN:
            self._is_away = False
            self._return = _Return(begin_ms, self._cohort)
            self._say(begin_ms, "returning", phase.why, planted=begin_ms)
        elif drift > NO_ESCAPE_DRIFT_MAX and not self._is_away:
            why = f"a drift of {drift:g} is neither an escape for certain nor none"
            tolerated = ("escaped", "returning", "returned")
            self._write(self._state(begin_ms, NONE, why, drift=drift, tolerated=tolerated))
        elif not self._is_outgrown and not self._is_away and self._return is None:
            self._say(begin_ms, phase.state, phase.why)

    def _outcome(self) -> str:
        """Return what the plan means the return to be: richer if people say more, and of more."""
        home, before = self._phase.circle if self._phase else None, self._before
        if home is None or before is None:
            return "returned"
        is_prolific = home.per_day >= RICHER_RATE * before.per_day
        had = (before.tags_beside, before.variety, before.brings_home)
        has = (home.tags_beside, home.variety, home.brings_home)
        is_beautiful = has != had and all(now >= then for now, then in zip(has, had, strict=True))
        return "returned-richer" if is_prolific and is_beautiful else "returned"

    # --- what was lived -----------------------------------------------------------------------------------------------

    def _judge(self, at_ms: int) -> None:
        day = self._day
        endogenous, seeded = day.counts[True], day.counts[False]
        if not self._is_outgrown:
            if endogenous >= OUTGROWN_RATIO * seeded and self._is_large(at_ms):
                self._is_outgrown = True
                why = f"{len(day.actors)} people; the community said {endogenous / max(seeded, 1):.1f} times as much"
                self._say(at_ms, "outgrown", f"{why} in a day as the brand set off", planted=self._phase_ms)
        elif endogenous < OVER_RATIO * seeded:
            self._is_outgrown = False
            assert self._phase is not None, "the first phase begins with the season"
            self._say(at_ms, self._phase.state, self._phase.why)

    def _is_large(self, at_ms: int) -> bool:
        """Say whether many take part: more than usual in a season of known people, and twice as many as for the brand.

        Elsewhere an absolute number must do.
        """
        day = self._day
        if not self._has_circles:
            return len(day.actors) >= OUTGROWN_ACTORS_MIN
        usual = self._usual.read()
        is_wide = len(day.actors) >= (OUTGROWN_AUDIENCE_FACTOR * usual if usual else OUTGROWN_ACTORS_MIN)
        is_by_many = _is_twice(len(day.sides[True]), len(day.sides[False]))
        return is_wide and is_by_many and _is_twice(day.weights[True], day.weights[False])

    def _follow(self, planted: Planted) -> None:
        """Watch for those who drifted away to come back, for as long as they may take."""
        signal, ways = planted.signal, self._return
        if ways is None or ways.is_settled:
            return
        if signal.actor in ways.cohort:
            ways.spoken.add(signal.actor)
            if planted.lineage in ("seeded", "adopted"):
                ways.back.add(signal.actor)
        total = len(ways.cohort)
        said = f"{len(ways.back)} of the {total} people who had drifted away are back on the topic"
        after = {"planted": ways.since_ms, "tolerated": ("seeded", "growing", "outgrown")}
        if total >= COHORT_MIN and wilson_low(len(ways.back), total) >= RETURNED_SHARE:
            ways.is_settled = True
            self._say(signal.at, "returned", said, outcome=self._outcome(), **after)
        elif signal.at >= ways.since_ms + RETURN_MS:
            ways.is_settled = True
            outcome = "faded" if len(ways.spoken) < SPOKEN_SHARE * total else "settled-elsewhere"
            self._say(ways.since_ms + RETURN_MS, "returned", said, outcome=outcome, **after)

    # --- saying it ----------------------------------------------------------------------------------------------------

    def _say(self, at_ms: int, state: str, why: str, **more: object) -> None:
        if self._current == state:
            return
        self._current = state
        self._write(self._state(at_ms, state, why, **more))

    def _write(self, entry: TruthState) -> None:
        """Keep an entry in its place: what the plan decides is known a little after it holds."""
        insort(self.states, entry, key=lambda one: one.at)

    def _state(self, at_ms: int, state: str, why: str, **more: object) -> TruthState:
        season = self._season
        counts = {"endogenous": self._day.counts[True], "seeded": self._day.counts[False]}
        entry = {"at": at_ms, "brand": season.brand, "topic": season.topic, "state": state, "why": why}
        return msgspec.convert({**entry, **counts, **more}, TruthState)


class _Return:
    """Those who drifted away (the cohort), and who of them has been heard since they stopped, and on the topic."""

    def __init__(self, since_ms: int, cohort: set[str]) -> None:
        self.since_ms = since_ms
        self.cohort = cohort
        self.back: set[str] = set()
        self.spoken: set[str] = set()
        self.is_settled = False


def _is_twice(own: float, seeded: float) -> bool:
    """Compare as the outgrowth ratio does (MEASURES.md §4), which a few more or less do not decide."""
    return own + SMOOTHING >= OUTGROWN_RATIO * (seeded + SMOOTHING)


def wilson_low(hits: int, total: int) -> float:
    """Return the lower bound of Wilson's 95 % interval of a share.

    >>> round(wilson_low(30, 50), 3), round(wilson_low(300, 500), 3)
    (0.462, 0.556)
    """
    if not total:
        return 0.0
    share, z2 = hits / total, WILSON_Z**2
    spread = WILSON_Z * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2))
    return (share + z2 / (2 * total) - spread) / (1 + z2 / total)
