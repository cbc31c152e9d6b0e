"""Keep one topic in its state, move it when conditions have held long enough, and tell what has to be told.

The states are the rows of `ladder.LADDER`. A state is entered once its own conditions have held for its `for`, the
highest first; it is left once the conditions of one of its exits have held for their `keep`: to the state that follows
it, else down to the next one whose conditions hold at that tick, else to the lowest one.

While a community is elsewhere (`escaped`) or on its way back (`returning`), whatever else grows below is not told: the
topic stays where it is until it is known what became of those who had left, or until they are off again.
"""

from dataclasses import dataclass

from schemas.alert import Alert, Status
from schemas.lifecycle_rows import EpisodeRow, LifecycleRow
from schemas.rules import Rules
from schemas.vitals import State
from streams.lifecycle import episodes, timers
from streams.lifecycle.alerts import build_alert, severity_of
from streams.lifecycle.conditions import Reading, satisfied, verdict
from streams.lifecycle.ladder import (
    AWAY,
    DORMANT,
    EXITS,
    HEIGHTS,
    LADDER,
    RETURNED,
    WAYS_IN,
    WAYS_OUT,
    Conditions,
    Exit,
    Rung,
)


@dataclass(frozen=True)
class _Tick:
    """What one judgement is given."""

    reading: Reading
    rules: Rules
    rules_hash: str


@dataclass(frozen=True)
class _Found:
    """The conditions that were judged at one tick: into states, by the state, and out of them, by the timer."""

    enter: dict[State, Conditions]
    leave: dict[str, Conditions]


class Lifecycle:
    """The state of one topic, its running timers, and its open episode if that state is told.

    Invariants: an episode is open if and only if the present state is told, and it is of that state. A timer runs
    while its conditions hold at every tick; it stands still while a reading is stale. It is known since when the
    community has been elsewhere if and only if it is escaped, returning or returned.
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
        self._left_ms = row.left_ms
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
            # In the order of the states, not in that in which they were started.
            entering=tuple(self._entering[rung.state] for rung in LADDER if rung.state in self._entering),
            leaving=tuple(self._leaving[name] for name in EXITS if name in self._leaving),
            stale_since_ms=self._stale_since_ms,
            episode=self._episode,
            left_ms=self._left_ms,
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
        found = self._run_timers(tick)
        target, way = self._target(tick)
        alerts = self._remind(tick, found) if target == self._height else self._move(tick, target, way, found)
        self._check()
        return alerts

    # --- timers -------------------------------------------------------------------------------------------------------

    def _resume_timers(self, at_ms: int) -> None:
        """Take the time without data out of every running timer."""
        if self._stale_since_ms is None:
            return
        stale_ms = at_ms - self._stale_since_ms
        self._stale_since_ms = None
        for running in (self._entering, self._leaving):
            for timer in tuple(running.values()):
                running[timer.state] = timers.resumed(timer, stale_ms=stale_ms)

    def _wakes(self, tick: _Tick) -> bool:
        """Step from the ground to the lowest state, if its time has come."""
        lowest, at_ms = LADDER[0], tick.reading.at_ms
        holds = satisfied(lowest.enter(tick.reading, tick.rules))
        timers.run_among(self._entering, lowest.state, holds, at_ms=at_ms)
        if not timers.has_lasted(self._entering.get(lowest.state), lowest.for_ms(tick.rules), at_ms=at_ms):
            return False
        del self._entering[lowest.state]
        self._height = 0
        return True

    def _run_timers(self, tick: _Tick) -> _Found:
        """Start, go on with, halt or stop all timers; return the conditions that were judged.

        Timers into the free states run whatever the present one is, so that a fall knows since when the state below
        holds. Timers out of the lower ones run too: silence counts from its beginning, not from the end of an episode.
        A number that is missing stops what leads into a state, but only halts what leads out of it.
        """
        reading, rules, at_ms = tick.reading, tick.rules, tick.reading.at_ms
        enter = {rung.state: rung.enter(reading, rules) for rung in WAYS_IN[self.state]}
        leave = {way.timer: way.leave(reading, rules) for way in WAYS_OUT[self.state]}
        for state, conditions in enter.items():
            timers.run_among(self._entering, state, satisfied(conditions), at_ms=at_ms)
        for name, conditions in leave.items():
            timers.run_among(self._leaving, name, verdict(conditions), at_ms=at_ms)
        return _Found(enter, leave)

    def _forget(self) -> None:
        """Drop the timers that do not run in the present state."""
        entered = {rung.state for rung in WAYS_IN[self.state]}
        left = {way.timer for way in WAYS_OUT[self.state]}
        self._entering = {state: timer for state, timer in self._entering.items() if state in entered}
        self._leaving = {name: timer for name, timer in self._leaving.items() if name in left}

    # --- moves --------------------------------------------------------------------------------------------------------

    def _target(self, tick: _Tick) -> tuple[int, Exit | None]:
        """Return the height to be at, and the exit that leads there; None where the way in does, or nothing happens.

        The highest state that is ripe comes first, then the exits in their order.
        """
        at_ms, rules = tick.reading.at_ms, tick.rules
        for height in range(len(LADDER) - 1, -1, -1):
            rung = LADDER[height]
            is_ahead = height > self._height if rung.is_free else rung.follows(self.state)
            if is_ahead and timers.has_lasted(self._entering.get(rung.state), rung.for_ms(rules), at_ms=at_ms):
                return height, None
        for way in LADDER[self._height].exits:
            if timers.has_lasted(self._leaving.get(way.timer), way.keep_ms(rules), at_ms=at_ms):
                return self._below(), way
        return self._height, None

    def _below(self) -> int:
        """Return the height to which the present state falls."""
        follower = LADDER[self._height].falls_to
        if follower is not None:
            return HEIGHTS[follower]
        for height in range(self._height - 1, 0, -1):
            if LADDER[height].is_free and LADDER[height].state in self._entering:
                return height
        return min(0, self._height - 1)

    def _move(self, tick: _Tick, target: int, way: Exit | None, found: _Found) -> list[Alert]:
        """Go to another height: end the open episode, and open that of the new state if it is told."""
        alerts = []
        left = self._episode
        self._height = target
        since_ms = self._entering[self.state].since_ms if self.state in self._entering else None
        if left is not None:
            last = episodes.told_again(left, at_ms=tick.reading.at_ms, severity=left.severity)
            if way is None:
                alerts.append(self._alert(tick, last, "superseded", last.severity, found.enter[left.state]))
            else:
                alerts.append(self._alert(tick, last, "resolved", last.severity, found.leave[way.timer]))
        self._episode = None
        if self.state not in AWAY:
            self._left_ms = None
        elif self._left_ms is None:
            self._left_ms = since_ms
        if target >= 0 and LADDER[target].told:
            assert since_ms is not None, "a state that is told is entered by its conditions"
            after = left.state if left is not None and way is not None else None
            alerts.append(self._open(tick, LADDER[target], found.enter[self.state], since_ms, after=after))
        self._forget()
        return alerts

    def _open(self, tick: _Tick, rung: Rung, enter: Conditions, since_ms: int, *, after: State | None) -> Alert:
        """Open the episode of the present state, and tell it; `after` is the state that ended and left it, if any."""
        found = enter if rung.beside is None else (*enter, *rung.beside(tick.reading, tick.rules))
        self._episode = episodes.opened(
            brand=self.brand,
            topic=self.topic,
            state=rung.state,
            entered_ms=tick.reading.at_ms,
            since_ms=since_ms,
            severity=severity_of(found),
            outcome=tick.reading.outcome if rung.state == RETURNED else None,
        )
        return self._alert(tick, self._episode, "firing", self._episode.severity, found, neighbour=after)

    def _remind(self, tick: _Tick, found: _Found) -> list[Alert]:
        """Tell the open episode again: it is more severe than ever told, the brand has joined, or a reminder is due."""
        rung = LADDER[self._height]
        if self._episode is None or not rung.reminded:
            return []
        at_ms, enter = tick.reading.at_ms, found.enter.get(rung.state) or rung.enter(tick.reading, tick.rules)
        severity = severity_of(enter)
        rising = episodes.has_risen(self._episode, severity=severity)
        joined = episodes.is_untold(self._episode, tick.reading.joined_ms)
        is_due = episodes.reminder_is_due(self._episode, at_ms=at_ms, reminders=tick.rules.reminders)
        if not (rising or joined or is_due):
            return []
        self._episode = episodes.told_again(self._episode, at_ms=at_ms, severity=severity)
        return [self._alert(tick, self._episode, "updated", severity, enter, rising=rising, joined=joined)]

    def _alert(
        self,
        tick: _Tick,
        episode: EpisodeRow,
        status: Status,
        severity: int,
        found: Conditions,
        *,
        rising: bool = False,
        joined: bool = False,
        neighbour: State | None = None,
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
            joined=joined,
            neighbour=self.state if status == "superseded" else neighbour,
            left_ms=self._left_ms,
        )

    def _check(self) -> None:
        told = self.state if self._height >= 0 and LADDER[self._height].told else None
        assert (self._episode and self._episode.state) == told, "an episode is open if and only if its state is told"
        assert (self._left_ms is not None) == (self.state in AWAY), "who is elsewhere has left, and nobody else"
