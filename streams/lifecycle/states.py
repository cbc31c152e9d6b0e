"""Keep one topic in its state, move it when conditions have held long enough, and tell what has to be told.

The states are the rows of one ordered table, `LADDER`. A higher state is entered from any lower one but dormant once
its own conditions have held for its `for`; it is left once its leaving conditions have held for its `keep`, down to
the next state whose conditions hold at that tick, else to the lowest one. A state above these is one more row.
"""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.alert import Alert, Condition, Status
from schemas.lifecycle_rows import EpisodeRow, LifecycleRow, TimerRow
from schemas.rules import Rules
from schemas.vitals import State
from streams.lifecycle import conditions, episodes
from streams.lifecycle.alerts import build_alert, severity_of
from streams.lifecycle.conditions import Reading, satisfied

DORMANT: State = "dormant"
"""The ground below the ladder: nothing is judged there but the way up."""

Conditions = tuple[Condition, ...]


@dataclass(frozen=True)
class Rung:
    """One state: what leads into it for how long, what leads out of it for how long, and whether it is told."""

    state: State
    enter: Callable[[Reading, Rules], Conditions]
    leave: Callable[[Reading, Rules], Conditions]
    for_ms: Callable[[Rules], int]
    keep_ms: Callable[[Rules], int]
    told: bool


LADDER: tuple[Rung, ...] = (
    Rung(
        state="seeded",
        enter=conditions.seeded_enter,
        leave=conditions.seeded_leave,
        for_ms=lambda rules: 0,
        keep_ms=lambda rules: rules.seeded.silence_ms,
        told=False,
    ),
    Rung(
        state="growing",
        enter=conditions.growing_enter,
        leave=conditions.growing_leave,
        for_ms=lambda rules: rules.growing.for_ms,
        keep_ms=lambda rules: rules.growing.keep_ms,
        told=True,
    ),
    Rung(
        state="outgrown",
        enter=conditions.outgrown_enter,
        leave=conditions.outgrown_leave,
        for_ms=lambda rules: rules.outgrown.for_ms,
        keep_ms=lambda rules: rules.outgrown.keep_ms,
        told=True,
    ),
)
HEIGHTS: dict[State, int] = {DORMANT: -1} | {rung.state: height for height, rung in enumerate(LADDER)}


@dataclass(frozen=True)
class _Tick:
    """What one judgement is given."""

    reading: Reading
    rules: Rules
    rules_hash: str


class Lifecycle:
    """The state of one topic, its running timers, and its open episode if that state is told.

    Invariants: an episode is open if and only if the present state is told, and it is of that state. A timer runs
    while its conditions hold at every tick; it stands still while a reading is stale.
    """

    def __init__(self, *, brand: str, topic: str, row: LifecycleRow | None = None) -> None:
        row = row or LifecycleRow()
        if row.state not in HEIGHTS:
            raise ValueError(
                f"lifecycle row of {brand}/{topic}: expected a state of {', '.join(HEIGHTS)}, got `{row.state}`: "
                "it was written by a newer version; run that one, or rebuild the table"
            )
        self.brand = brand
        self.topic = topic
        self._height = HEIGHTS[row.state]
        self._entering = {timer.state: timer for timer in row.entering}
        self._leaving = {timer.state: timer for timer in row.leaving}
        self._stale_since_ms = row.stale_since_ms
        self._episode = row.episode
        self._at_ms: int | None = None
        self._check()

    @classmethod
    def from_row(cls, row: LifecycleRow, *, brand: str, topic: str) -> "Lifecycle":
        """Return the lifecycle that a row remembers; it goes on exactly as the one that wrote it."""
        return cls(brand=brand, topic=topic, row=row)

    def row(self) -> LifecycleRow:
        """Return what has to be remembered. It stays equal while no timer starts or stops and nothing is told."""
        return LifecycleRow(
            state=self.state,
            entering=_in_order(self._entering),
            leaving=_in_order(self._leaving),
            stale_since_ms=self._stale_since_ms,
            episode=self._episode,
        )

    @property
    def state(self) -> State:
        """The present state, one of `schemas.vitals.STATES`."""
        return DORMANT if self._height < 0 else LADDER[self._height].state

    @property
    def needs_ticks(self) -> bool:
        """Whether the topic must be judged at every tick, traffic or not.

        Where it is false, ticks without a new signal may be left out: they would change nothing.
        """
        return self._height >= 0 or bool(self._entering)

    def judge(self, reading: Reading, rules: Rules, rules_hash: str) -> list[Alert]:
        """Judge the topic at one tick and return what has to be told, endings first.

        Ticks come in order; durations are differences of event time, so gaps between ticks count as time. `rules` are
        scaled already. While a reading is stale nothing is decided or told, and timers stand still.
        Raises ValueError for a tick that is not after the one before it.
        """
        if self._at_ms is not None and reading.at_ms <= self._at_ms:
            raise ValueError(
                f"lifecycle of {self.brand}/{self.topic}: expected a tick after {self._at_ms} ms, got {reading.at_ms}: "
                "judge each tick once and in order"
            )
        self._at_ms = reading.at_ms
        if reading.stale:
            if self._stale_since_ms is None and self.needs_ticks:
                self._stale_since_ms = reading.at_ms
            return []
        self._resume_timers(reading.at_ms)
        tick = _Tick(reading, rules, rules_hash)
        if self._height < 0 and not self._wakes(tick):
            return []
        enter, leave = self._run_timers(tick)
        target = self._target(tick)
        alerts = self._remind(tick, enter) if target == self._height else self._move(tick, target, enter, leave)
        self._check()
        return alerts

    # --- timers -------------------------------------------------------------------------------------------------------

    def _resume_timers(self, at_ms: int) -> None:
        """Take the time without data out of every running timer."""
        if self._stale_since_ms is None:
            return
        paused_ms = at_ms - self._stale_since_ms
        self._stale_since_ms = None
        for timers in (self._entering, self._leaving):
            for timer in tuple(timers.values()):
                timers[timer.state] = TimerRow(timer.state, timer.since_ms, timer.paused_ms + paused_ms)

    def _wakes(self, tick: _Tick) -> bool:
        """Step from the ground to the lowest state, if its time has come."""
        lowest = LADDER[0]
        _run(self._entering, lowest.state, satisfied(lowest.enter(tick.reading, tick.rules)), tick.reading.at_ms)
        if not _is_over(self._entering, lowest.state, lowest.for_ms(tick.rules), tick.reading.at_ms):
            return False
        del self._entering[lowest.state]
        self._height = 0
        return True

    def _run_timers(self, tick: _Tick) -> tuple[dict[State, Conditions], dict[State, Conditions]]:
        """Start, go on with or stop all timers; return the conditions into and out of the states that were judged.

        Timers into states run whatever the present one is, so that a fall knows since when the state below holds.
        Timers out of the lower states run too: silence counts from its beginning, not from the end of an episode.
        """
        enter = {rung.state: rung.enter(tick.reading, tick.rules) for rung in LADDER[1:]}
        leave = {rung.state: rung.leave(tick.reading, tick.rules) for rung in LADDER[: self._height + 1]}
        for timers, judged in ((self._entering, enter), (self._leaving, leave)):
            for state, found in judged.items():
                _run(timers, state, satisfied(found), tick.reading.at_ms)
        return enter, leave

    # --- moves --------------------------------------------------------------------------------------------------------

    def _target(self, tick: _Tick) -> int:
        """Return the height to be at: the highest that is ripe, else that to which a left state falls."""
        at_ms, rules = tick.reading.at_ms, tick.rules
        for height in range(len(LADDER) - 1, self._height, -1):
            if _is_over(self._entering, LADDER[height].state, LADDER[height].for_ms(rules), at_ms):
                return height
        present = LADDER[self._height]
        if not _is_over(self._leaving, present.state, present.keep_ms(rules), at_ms):
            return self._height
        for height in range(self._height - 1, 0, -1):
            if LADDER[height].state in self._entering:
                return height
        return min(0, self._height - 1)

    def _move(
        self, tick: _Tick, target: int, enter: dict[State, Conditions], leave: dict[State, Conditions]
    ) -> list[Alert]:
        """Go to another height: end the open episode, and open that of the new state if it is told."""
        alerts = []
        climbs, left = target > self._height, self._episode
        self._height = target
        if left is not None:
            last = episodes.told_again(left, at_ms=tick.reading.at_ms, severity=left.severity)
            if climbs:
                told = self._alert(tick, last, "superseded", last.severity, enter[left.state])
            else:
                told = self._alert(tick, last, "resolved", last.severity, leave[left.state])
            alerts.append(told)
        self._episode = None
        if target < 0:
            self._entering.clear()
        for rung in LADDER[target + 1 :]:
            self._leaving.pop(rung.state, None)
        if target >= 0 and LADDER[target].told:
            found = enter[self.state]
            self._episode = episodes.opened(
                brand=self.brand,
                topic=self.topic,
                state=self.state,
                entered_ms=tick.reading.at_ms,
                since_ms=self._entering[self.state].since_ms,
                severity=severity_of(found),
            )
            alerts.append(self._alert(tick, self._episode, "firing", self._episode.severity, found))
        return alerts

    def _remind(self, tick: _Tick, enter: dict[State, Conditions]) -> list[Alert]:
        """Tell the open episode again, if it has become more severe than ever told or a reminder is due."""
        if self._episode is None:
            return []
        at_ms, found = tick.reading.at_ms, enter[self._episode.state]
        severity = severity_of(found)
        rising = episodes.has_risen(self._episode, severity=severity)
        if not rising and not episodes.reminder_is_due(self._episode, at_ms=at_ms, reminders=tick.rules.reminders):
            return []
        self._episode = episodes.told_again(self._episode, at_ms=at_ms, severity=severity)
        return [self._alert(tick, self._episode, "updated", severity, found, rising=rising)]

    def _alert(
        self,
        tick: _Tick,
        episode: EpisodeRow,
        status: Status,
        severity: int,
        found: Conditions,
        *,
        rising: bool = False,
    ) -> Alert:
        return build_alert(
            brand=self.brand,
            topic=self.topic,
            episode=episode,
            status=status,
            severity=severity,
            reading=tick.reading,
            conditions=found,
            rules_hash=tick.rules_hash,
            rising=rising,
            successor=self.state if status == "superseded" else None,
        )

    def _check(self) -> None:
        told = self.state if self._height >= 0 and LADDER[self._height].told else None
        assert (self._episode and self._episode.state) == told, "an episode is open if and only if its state is told"


def _run(timers: dict[State, TimerRow], state: State, holds: bool, at_ms: int) -> None:
    """Start the timer of a state, let it go on, or stop it: one tick at which its conditions fail ends it."""
    if not holds:
        timers.pop(state, None)
    elif state not in timers:
        timers[state] = TimerRow(state, at_ms)


def _is_over(timers: dict[State, TimerRow], state: State, duration_ms: int, at_ms: int) -> bool:
    timer = timers.get(state)
    return timer is not None and at_ms - timer.since_ms - timer.paused_ms >= duration_ms


def _in_order(timers: dict[State, TimerRow]) -> tuple[TimerRow, ...]:
    """Return timers in the order of the states, not in that in which they were started."""
    return tuple(timers[rung.state] for rung in LADDER if rung.state in timers)
