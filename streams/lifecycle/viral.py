"""Watch the cascades of one topic, and tell which go viral, which head for another size, and which are over.

Viral is no state of the topic: each cascade has an episode of its own, beside the lifecycle.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from schemas.alert import Alert, CascadeEvidence, Condition, Status
from schemas.cascade import CascadeVitals
from schemas.lifecycle_rows import EpisodeRow, TimerRow, ViralRow
from schemas.rules import Rules
from streams.lifecycle import episodes
from streams.lifecycle.alerts import compose_alert, severity_of
from streams.lifecycle.conditions import Reading, rounded, satisfied
from streams.lifecycle.timers import has_lasted, resumed, run_among
from streams.lifecycle.viral_conditions import ENDED_NAME, is_too_old, viral_enter, viral_leave
from streams.lifecycle.viral_words import is_supercritical, viral_summary_of

STATE = "viral"
IN_CASCADES = ("post", "reply", "share", "quote")
"""The kinds of signals that cascades are made of."""
WATCHED_MAX = 200
"""Cascades of one topic that are watched at a time; of those without an episode the smallest are left out."""

ENTERING, FADING, DIFFERING = TIMERS = ("entering", "fading", "differing")
"""What may hold for how long: what leads into an episode, what leads out of it, and that its forecast is another."""

SUPERCRITICAL = "supercritical"
"""Flag of an alert: each share brings one or more, so no end is in sight."""


@dataclass(frozen=True)
class _Tick:
    """What one judgement is given, and what it makes known."""

    reading: Reading
    rules: Rules
    rules_hash: str
    endings: list[Alert] = field(default_factory=list)
    others: list[Alert] = field(default_factory=list)


class ViralWatch:
    """The cascades of one topic that are large enough to be viral, with their timers and open episodes.

    A cascade fires once it has met `viral_enter` for `for_ms`. It is told again once its forecast has differed for
    `for_ms` from the one told, and for the last time once it has been fading for `keep_ms`, is too old, or has ended.
    Then it may fire anew, unless it is too old or has ended. There are no reminders.

    Invariants: a row without an episode has no timer but `entering`, one with an episode any but that. A timer runs
    while what it stands for holds at every tick; it stands still while a reading is stale. What is told does not depend
    on the order in which the vitals of a tick are taken.
    """

    def __init__(self, *, brand: str, topic: str, rows: Iterable[ViralRow] = ()) -> None:
        self.brand = brand
        self.topic = topic
        self._rows: dict[str, ViralRow] = {}
        self._changed: set[str] = set()
        self._fresh: set[str] = set()
        self._hash: str | None = None
        self._at_ms: int | None = None
        self.restore(rows)

    def restore(self, rows: Iterable[ViralRow]) -> None:
        """Take up what rows remember, in any order; it goes on exactly as the watch that wrote them."""
        self._rows = {row.vitals.root: row for row in rows}
        self._changed.clear()
        # Judging anew what is idle changes nothing, so it need not be remembered what was judged already.
        self._fresh = set(self._rows)

    def changed_rows(self) -> list[tuple[str, ViralRow | None]]:
        """Return the rows that changed since the last call, by root; None for a cascade no longer watched."""
        found = [(root, self._rows.get(root)) for root in sorted(self._changed)]
        self._changed.clear()
        return found

    @property
    def needs_ticks(self) -> bool:
        """Whether the topic must be judged at every tick, traffic or not: an episode is open, or a timer runs."""
        return any(row.episode is not None or row.timers for row in self._rows.values())

    def told(self) -> frozenset[str]:
        """Return the roots of the cascades that are told of as viral at the moment."""
        return frozenset(root for root, row in self._rows.items() if row.episode is not None)

    def take(self, vitals: CascadeVitals, rules: Rules) -> None:
        """Remember how a cascade stands, until its next vitals; `rules` are scaled already.

        Older vitals than those known are ignored. A cascade without an episode that is small or has ended is not
        watched.
        """
        root = vitals.root
        known = self._rows.get(root)
        if known is not None and known.vitals.at >= vitals.at:
            return
        if (known is None or known.episode is None) and (
            vitals.size < rules.viral.size_min or ENDED_NAME in vitals.flags
        ):
            self._put(root, None)
            return
        self._put(root, ViralRow(vitals) if known is None else msgspec.structs.replace(known, vitals=vitals))
        self._fresh.add(root)

    def judge(self, reading: Reading, rules: Rules, rules_hash: str) -> list[Alert]:
        """Judge every cascade at one tick and return what has to be told: endings first, each in the order of roots.

        Ticks come in order; `rules` are scaled already. While a reading is stale nothing is decided or told, and timers
        stand still. Raises ValueError for a tick that is not after the one before it.
        """
        at_ms = reading.at_ms
        if self._at_ms is not None and at_ms <= self._at_ms:
            raise ValueError(
                f"viral cascades of {self.brand}/{self.topic}: expected a tick after {self._at_ms} ms, got {at_ms}: "
                "judge each tick once and in order"
            )
        self._at_ms = at_ms
        if not self._rows:
            return []
        if reading.stale:
            self._keep_largest()
            self._pause(at_ms)
            return []
        self._drop_idle(at_ms, rules)
        self._keep_largest()
        # A cascade without a timer or an episode can only begin to hold by new vitals or other rules.
        every = rules_hash != self._hash
        self._hash = rules_hash
        due = sorted(
            root
            for root, row in self._rows.items()
            if every or row.timers or row.episode is not None or root in self._fresh
        )
        self._fresh.clear()
        tick = _Tick(reading, rules, rules_hash)
        for root in due:
            row = _resumed(self._rows[root], at_ms)
            self._put(root, self._wait(row, tick) if row.episode is None else self._follow(row, row.episode, tick))
        return tick.endings + tick.others

    # --- which are watched --------------------------------------------------------------------------------------------

    def _put(self, root: str, row: ViralRow | None) -> None:
        if self._rows.get(root) == row:
            return
        self._changed.add(root)
        if row is None:
            del self._rows[root]
            self._fresh.discard(root)
        else:
            assert {timer.state for timer in row.timers} <= ({ENTERING} if row.episode is None else {FADING, DIFFERING})
            self._rows[root] = row

    def _drop_idle(self, at_ms: int, rules: Rules) -> None:
        """Watch no longer what cannot fire: too small by the rules of now, or too old."""
        for root, row in tuple(self._rows.items()):
            is_small = row.vitals.size < rules.viral.size_min
            if row.episode is None and (is_small or is_too_old(row.vitals, rules, at_ms=at_ms)):
                self._put(root, None)

    def _keep_largest(self) -> None:
        """Keep as many as may be watched; those with an episode before the others, then large before small."""
        if len(self._rows) <= WATCHED_MAX:
            return
        order = sorted(
            self._rows, key=lambda root: (self._rows[root].episode is None, -self._rows[root].vitals.size, root)
        )
        for root in order[WATCHED_MAX:]:
            assert self._rows[root].episode is None, "an episode begins among those kept, so there are never more"
            self._put(root, None)

    def _pause(self, at_ms: int) -> None:
        """Let the timers stand still from the first tick without data on."""
        for root, row in tuple(self._rows.items()):
            if row.timers and row.stale_since_ms is None:
                self._put(root, msgspec.structs.replace(row, stale_since_ms=at_ms))

    # --- one cascade --------------------------------------------------------------------------------------------------

    def _wait(self, row: ViralRow, tick: _Tick) -> ViralRow:
        """Open an episode, if the cascade has met the conditions for long enough."""
        vitals, at_ms = row.vitals, tick.reading.at_ms
        found = viral_enter(vitals, tick.rules)
        timers = {timer.state: timer for timer in row.timers}
        run_among(timers, ENTERING, satisfied(found), at_ms=at_ms)
        if not has_lasted(timers.get(ENTERING), tick.rules.viral.for_ms, at_ms=at_ms):
            return _with(row, timers)
        episode = episodes.opened(
            brand=self.brand,
            topic=self.topic,
            state=STATE,
            entered_ms=at_ms,
            since_ms=timers[ENTERING].since_ms,
            severity=severity_of(found),
            subject=vitals.root,
        )
        tick.others.append(self._alert(tick, episode, "firing", episode.severity, vitals, found))
        return ViralRow(vitals, episode=episode, told_forecast=rounded(vitals.forecast))

    def _follow(self, row: ViralRow, episode: EpisodeRow, tick: _Tick) -> ViralRow | None:
        """End an open episode, tell it again, or go on with it."""
        vitals, rules, at_ms = row.vitals, tick.rules, tick.reading.at_ms
        timers = {timer.state: timer for timer in row.timers}
        fading, *over = leave = viral_leave(vitals, rules, at_ms=at_ms)
        is_over = any(one.holds for one in over)
        run_among(timers, FADING, fading.holds, at_ms=at_ms)
        if has_lasted(timers.get(FADING), rules.viral.keep_ms, at_ms=at_ms) or is_over:
            last = episodes.told_again(episode, at_ms=at_ms, severity=episode.severity)
            tick.endings.append(self._alert(tick, last, "resolved", last.severity, vitals, leave))
            return None if is_over else ViralRow(vitals)
        differs = is_another(vitals.forecast, told=row.told_forecast, change=rules.viral.forecast_change)
        differs = differs and is_sure(vitals, told=row.told_forecast)
        run_among(timers, DIFFERING, differs, at_ms=at_ms)
        if not has_lasted(timers.get(DIFFERING), rules.viral.for_ms, at_ms=at_ms):
            return _with(row, timers)
        found = viral_enter(vitals, rules)
        severity = severity_of(found)
        episode = episodes.told_again(episode, at_ms=at_ms, severity=severity)
        tick.others.append(self._alert(tick, episode, "updated", severity, vitals, found, told=row.told_forecast))
        del timers[DIFFERING]
        return msgspec.structs.replace(_with(row, timers), episode=episode, told_forecast=rounded(vitals.forecast))

    def _alert(
        self,
        tick: _Tick,
        episode: EpisodeRow,
        status: Status,
        severity: int,
        vitals: CascadeVitals,
        found: tuple[Condition, ...],
        *,
        told: float | None = None,
    ) -> Alert:
        flags = (*tick.reading.flags, *vitals.flags, *((SUPERCRITICAL,) if is_supercritical(found) else ()))
        cascade = CascadeEvidence(**{name: getattr(vitals, name) for name in CascadeEvidence.__struct_fields__})
        return compose_alert(
            brand=self.brand,
            topic=self.topic,
            episode=episode,
            status=status,
            severity=severity,
            reading=msgspec.structs.replace(tick.reading, cascades=(cascade,), flags=flags),
            conditions=found,
            rules_hash=tick.rules_hash,
            summary=viral_summary_of(
                f"{self.brand}/{self.topic}",
                episode=episode,
                status=status,
                at_ms=tick.reading.at_ms,
                vitals=vitals,
                conditions=found,
                told_forecast=told,
                surge_ms=tick.reading.surge_ms if status == "firing" and is_surge(vitals, tick.reading) else None,
            ),
            since_ms=vitals.began_at,
            signals=vitals.size,
        )


def is_surge(vitals: CascadeVitals, reading: Reading) -> bool:
    """Say whether a cascade is most of what was posted and shared within the hour; only where it is no older."""
    by_kind = reading.windows["1h"].by_kind
    posts = sum(by_kind.get(kind, 0) for kind in IN_CASCADES)
    return vitals.began_at >= reading.at_ms - reading.hour_ms and 2 * vitals.size >= posts


def is_another(forecast: float | None, *, told: float | None, change: float) -> bool:
    """Say whether a forecast is news: away from the one told by `change` of it, or with more or fewer digits.

    Digits are those of the whole number of shares. None, no end in sight, is news beside any number.

    >>> [is_another(now, told=8_800.0, change=0.5) for now in (8_800.0, 12_000.0, 9_999.0, 4_400.0, None)]
    [False, True, False, True, True]
    """
    now = rounded(forecast)
    if now is None or told is None:
        return now is not told
    if len(str(round(now))) != len(str(round(told))):
        return True
    return now != told and abs(now - told) >= change * told


def is_sure(vitals: CascadeVitals, *, told: float | None) -> bool:
    """Say whether the forecast told lies outside the interval of the present one: else nothing has changed for sure.

    An end of the interval that is None is no end, as is a forecast told that is None.
    """
    low, high = vitals.forecast_low, vitals.forecast_high
    if told is None:
        return high is not None
    return (low is None or told < low) or (high is not None and told > high)


# --- timers -----------------------------------------------------------------------------------------------------------


def _with(row: ViralRow, timers: dict[str, TimerRow]) -> ViralRow:
    """Return the row with these timers, in the order of `TIMERS` and not in that in which they were started."""
    return msgspec.structs.replace(row, timers=tuple(timers[name] for name in TIMERS if name in timers))


def _resumed(row: ViralRow, at_ms: int) -> ViralRow:
    """Return the row with the time without data taken out of its timers."""
    if row.stale_since_ms is None:
        return row
    stale_ms = at_ms - row.stale_since_ms
    return msgspec.structs.replace(
        row, timers=tuple(resumed(timer, stale_ms=stale_ms) for timer in row.timers), stale_since_ms=None
    )
