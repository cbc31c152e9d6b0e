"""Watch one topic for bursts: hours with far more talk than usual, told as episodes beside those of its states."""

from dataclasses import dataclass

from schemas.alert import Alert, Condition, Status
from schemas.burst_rows import BurstRow
from schemas.lifecycle_rows import EpisodeRow
from schemas.rules import BurstRules, ReminderRules
from streams.lifecycle import episodes, timers
from streams.lifecycle.alerts import severity_of
from streams.lifecycle.burst_alerts import build_burst_alert
from streams.lifecycle.burst_conditions import burst_enter, burst_leave
from streams.lifecycle.conditions import Reading, satisfied
from streams.measures.baseline import BaselineReading

BURST = "burst"
"""What alerts call it. It is no state of the ladder: a topic in any state can burst."""

Conditions = tuple[Condition, ...]


@dataclass(frozen=True)
class _Tick:
    """What one judgement is given."""

    reading: Reading
    baseline: BaselineReading
    rules: BurstRules
    reminders: ReminderRules
    rules_hash: str


class BurstWatch:
    """The open burst of one topic if there is one, and the timers that lead into it and out of it.

    Invariant: the timer that leads in runs only while no burst is open, the one that leads out only while one is.
    Timers stand still while a reading is stale.
    """

    def __init__(self, *, brand: str, topic: str, row: BurstRow | None = None) -> None:
        row = row or BurstRow()
        self.brand = brand
        self.topic = topic
        self._entering = row.entering
        self._leaving = row.leaving
        self._episode = row.episode
        self._resolved_ms = row.resolved_ms
        self._stale_since_ms = row.stale_since_ms
        self._heard_ms = row.heard_ms
        self._at_ms: int | None = None

    def row(self) -> BurstRow:
        """Return what has to be remembered. It stays equal while no timer starts or stops and nothing is told."""
        return BurstRow(
            entering=self._entering,
            leaving=self._leaving,
            episode=self._episode,
            resolved_ms=self._resolved_ms,
            stale_since_ms=self._stale_since_ms,
            heard_ms=self._heard_ms,
        )

    @property
    def is_unusual(self) -> bool:
        """Whether a burst is open or its conditions hold: what is seen now is not what a baseline should learn."""
        return self._episode is not None or self._entering is not None

    @property
    def since_ms(self) -> int | None:
        """Since when the open burst has lasted (epoch ms), None where there is none."""
        return None if self._episode is None else self._episode.since_ms

    @property
    def needs_ticks(self) -> bool:
        """Whether the topic must be judged at every tick, traffic or not: otherwise silent ticks may be left out."""
        return self.is_unusual

    def is_whole(self, *, at_ms: int, hour_ms: int) -> bool:
        """Say whether data came throughout the hour that ends at the tick `at_ms`: else its count is no count at all.

        To be asked after that tick was judged. It knows of gaps between ticks that were judged, not of those before
        the first.
        """
        return self._stale_since_ms is None and (self._heard_ms is None or at_ms - self._heard_ms >= hour_ms)

    def judge(
        self,
        reading: Reading,
        baseline: BaselineReading,
        *,
        rules: BurstRules,
        reminders: ReminderRules,
        rules_hash: str,
    ) -> list[Alert]:
        """Judge the hour that ends at one tick and return what has to be told, one alert at most.

        `baseline` compares the on-topic signals of the window `1h` with what is usual (`Baseline.read_at`). `rules`
        and `reminders` are scaled already. While a reading is stale nothing is decided or told.
        Raises ValueError for a tick that is not after the one before it.
        """
        at_ms = reading.at_ms
        if self._at_ms is not None and at_ms <= self._at_ms:
            raise ValueError(
                f"bursts of {self.brand}/{self.topic}: expected a tick after {self._at_ms} ms, got {at_ms}: "
                "judge each tick once and in order"
            )
        self._at_ms = at_ms
        if reading.stale:
            if self._stale_since_ms is None:
                self._stale_since_ms = at_ms
            return []
        self._resume(at_ms)
        tick = _Tick(reading, baseline, rules, reminders, rules_hash)
        return self._judge_calm(tick) if self._episode is None else self._judge_burst(tick, self._episode)

    def _resume(self, at_ms: int) -> None:
        """Take the time without data out of the running timer."""
        if self._stale_since_ms is None:
            return
        stale_ms = at_ms - self._stale_since_ms
        self._stale_since_ms, self._heard_ms = None, at_ms
        self._entering = self._entering and timers.resumed(self._entering, stale_ms=stale_ms)
        self._leaving = self._leaving and timers.resumed(self._leaving, stale_ms=stale_ms)

    def _judge_calm(self, tick: _Tick) -> list[Alert]:
        """Open a burst if its conditions have held for long enough and the last one ended long enough ago."""
        at_ms, rules = tick.reading.at_ms, tick.rules
        found = burst_enter(tick.reading, tick.baseline, rules)
        self._entering = timers.run(self._entering, BURST, satisfied(found), at_ms=at_ms)
        is_cooling = self._resolved_ms is not None and at_ms - self._resolved_ms < rules.cooldown_ms
        if self._entering is None or is_cooling or not timers.has_lasted(self._entering, rules.for_ms, at_ms=at_ms):
            return []
        self._episode = episodes.opened(
            brand=self.brand,
            topic=self.topic,
            state=BURST,
            entered_ms=at_ms,
            since_ms=self._entering.since_ms,
            severity=severity_of(found),
        )
        self._entering = None
        return [self._alert(tick, self._episode, "firing", self._episode.severity, found)]

    def _judge_burst(self, tick: _Tick, episode: EpisodeRow) -> list[Alert]:
        """End the open burst if it has been calm for long enough, else tell it again if that is due."""
        at_ms, rules = tick.reading.at_ms, tick.rules
        left = burst_leave(tick.reading, tick.baseline, rules)
        # After a gap the hour lacks what was not heard: what looks like calm is missing data.
        is_calm = satisfied(left) and self.is_whole(at_ms=at_ms, hour_ms=tick.reading.hour_ms)
        self._leaving = timers.run(self._leaving, BURST, is_calm, at_ms=at_ms)
        if timers.has_lasted(self._leaving, rules.keep_ms, at_ms=at_ms):
            self._episode = self._leaving = None
            self._resolved_ms = at_ms
            last = episodes.told_again(episode, at_ms=at_ms, severity=episode.severity)
            return [self._alert(tick, last, "resolved", last.severity, left)]
        found = burst_enter(tick.reading, tick.baseline, rules)
        severity = severity_of(found)
        rising = episodes.has_risen(episode, severity=severity)
        if not rising and not episodes.reminder_is_due(episode, at_ms=at_ms, reminders=tick.reminders):
            return []
        self._episode = episodes.told_again(episode, at_ms=at_ms, severity=severity)
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
        return build_burst_alert(
            brand=self.brand,
            topic=self.topic,
            episode=episode,
            status=status,
            severity=severity,
            reading=tick.reading,
            baseline=tick.baseline,
            conditions=found,
            rules_hash=tick.rules_hash,
            rising=rising,
        )
