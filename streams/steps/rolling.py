"""The rolling measures of one topic: its open pane, and what its windows hold at a tick."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from schemas.attributed import LINEAGES
from schemas.contribution import Contribution, Retraction
from schemas.measure_rows import AudienceRow, BaselineRow, ConcentrationRow, CountsRow
from schemas.rows import OpenPaneRow, TopicRow
from schemas.rules import HOUR_MS, BaselineRules, Rules
from schemas.signal import KINDS
from schemas.virality_rows import ReproductionRow
from schemas.vitals import WINDOWS, Measures, WindowVitals
from streams.eventtime.windows import RollingCounts
from streams.lifecycle.conditions import rounded
from streams.measures.audience import Audience
from streams.measures.baseline import Baseline, BaselineReading
from streams.measures.concentration import Concentration
from streams.measures.endogenous import endogenous_share, outgrowth_ratio
from streams.measures.growth import Growth, doubling_time
from streams.measures.reaction_time import FLAT_MS
from streams.measures.reproduction import STEP_UNITS, Reproduction
from streams.steps.pane import COUNTED_AT, LINEAGE_AT, UNITS_AT, WIDTH, OpenPane, vector_of

WINDOW_MINUTES = {"5m": 5, "1h": 60, "24h": 24 * 60, "7d": 7 * 24 * 60}
GROWTH_HOURS = (24, 6, 1)
"""Spans that growth is told over, two of each side by side: a day, so that the daily rhythm cancels out; shorter ones
only while the topic is too young for two days."""
RHYTHM_FACTOR = 4
"""Within a shorter span the rhythm of the day alone doubles or trebles what is said: only more than this is growth."""
COUNT_MINUTES = {
    **WINDOW_MINUTES,
    **{f"{hours}h": hours * 60 for growth_hours in GROWTH_HOURS for hours in (growth_hours, 2 * growth_hours)},
}

ACTIVE = "active"
POST, OFFSPRING = KINDS.index("post"), tuple(KINDS.index(kind) for kind in ("reply", "quote", "share"))
"""What begins a cascade, and what comes from something else: the kinds that reproduction counts."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


def hour_ms_of(rules: Rules) -> int:
    """Return how long an hour lasts under these rules, as they were declared: all windows are multiples of it.

    >>> hour_ms_of(Rules()), hour_ms_of(Rules(scale=1 / 60))
    (3600000, 60000)
    """
    return max(1, round(HOUR_MS * rules.scale))


def panes_of(minutes: int, *, pane_ms: int, hour_ms: int) -> int:
    """Return how many panes make so many sixtieths of an hour, rounded, at least one.

    >>> panes_of(60, pane_ms=60_000, hour_ms=3_600_000), panes_of(5, pane_ms=600_000, hour_ms=3_600_000)
    (60, 1)
    """
    return max(1, (2 * minutes * hour_ms + 60 * pane_ms) // (120 * pane_ms))


class Rolling:
    """What happened on one topic, in panes and windows. Contributions come in stamp order, `close` behind each pane.

    A pane is as long as the tick of the rules that the topic was first seen under, an hour as long as their scale
    makes it.
    """

    def __init__(self, *, pane_ms: int, active_ms: int, hour_ms: int = HOUR_MS, first_pane: int = -1) -> None:
        """Take the lengths of panes and hours, and for how long a member counts as active."""
        self.pane_ms = pane_ms
        self.hour_ms = hour_ms
        self.first_pane = first_pane
        # The most signals of an hour since the topic slept, and the tick at which that was.
        self.peak = self.peak_at_ms = 0
        self._pane = OpenPane()
        self._lengths = {
            name: panes_of(minutes, pane_ms=pane_ms, hour_ms=hour_ms) for name, minutes in COUNT_MINUTES.items()
        }
        lengths = {name: self._lengths[name] for name in WINDOW_MINUTES}
        day = {"24h": self._lengths["24h"]}
        self.day_ms = day["24h"] * pane_ms
        self._counts = RollingCounts(WIDTH, self._lengths)
        self._audience = Audience(lengths)
        self._endogenous_audience = Audience(day)
        self._seeded_audience = Audience(day)
        active = {ACTIVE: max(1, round(active_ms / pane_ms))}
        self._members, self._core_members = Audience(active), Audience(active)
        self._concentration = Concentration(lengths)
        self._baseline = Baseline()
        self._hourly = Baseline()
        self._step_ms = max(1, STEP_UNITS * FLAT_MS * hour_ms // HOUR_MS)
        self._reproduction = Reproduction()

    @property
    def end(self) -> int:
        """The pane before which the windows end."""
        return self._counts.end

    def is_empty(self) -> bool:
        """Return whether no window covers anything; the longer ones of the audience end up to four panes later."""
        return self._counts.is_empty() and self._audience.is_empty()

    def add(self, contribution: Contribution) -> None:
        """Count one contribution in the open pane."""
        pane = contribution.at // self.pane_ms
        if self.first_pane < 0:
            self.first_pane = pane
        self._pane.add(contribution)
        if self._pane.is_crowded:
            self._show_actors(pane)
            self._pane.thin_out()

    def _show_actors(self, pane: int) -> None:
        """Show the open pane's actors to the audiences, before it ends or as it does."""
        self._audience.add(pane, self._pane.counts())
        self._endogenous_audience.add(pane, self._pane.endogenous())
        self._seeded_audience.add(pane, self._pane.seeded())
        self._members.add(pane, self._pane.members())
        self._core_members.add(pane, self._pane.core_members())

    def take_back(self, retraction: Retraction) -> None:
        """Take back what was counted, in all windows that cover it; what is in none has no effect any more.

        Who was there stays so, and what was learned of days gone by.
        """
        pane = retraction.of_ms // self.pane_ms
        if pane >= self.end:
            self._pane.take_back(retraction)
            return
        self._counts.take_back(pane, vector_of(retraction))
        self._concentration.take_back(pane, retraction.actor)
        kind = retraction.kind
        self._reproduction.take_back(
            pane * self.pane_ms // self._step_ms, offspring=int(kind in OFFSPRING), roots=int(kind == POST)
        )

    def erase(self, actor: str, at_ms: int) -> bool:
        """Let nothing name an actor; return whether anything did. Audiences count it: they are sketches of hashes."""
        if actor not in self._pane:
            return False
        self._show_actors(at_ms // self.pane_ms)
        self._pane.erase(actor)
        return True

    def close(self, pane: int) -> None:
        """Give the open pane to the measures, and move all windows behind it."""
        if self._pane.has_actors:
            self._show_actors(pane)
        if any(self._pane.vector):
            self._concentration.add(pane, self._pane.counts())
            self._counts.add(pane, self._pane.vector)
            kinds = self._pane.vector
            step = pane * self.pane_ms // self._step_ms
            self._reproduction.add(step, offspring=sum(kinds[kind] for kind in OFFSPRING), roots=kinds[POST])
        if self._pane.has_actors:
            self._pane.clear()
        end = pane + 1
        self._counts.roll(end)
        for _, audience in self._audiences():
            audience.roll(end)
        self._concentration.roll(end)
        self._reproduction.roll(end * self.pane_ms // self._step_ms)

    # --- asking -------------------------------------------------------------------------------------------------------

    def windows(self) -> dict[str, WindowVitals]:
        """Return what each window holds."""
        return {name: self._window(name) for name in WINDOWS}

    def _window(self, name: str) -> WindowVitals:
        total = self._counts.total(name)
        signals = sum(total[:LINEAGE_AT])
        return WindowVitals(
            signals=signals,
            by_kind=dict(zip(KINDS, total[:LINEAGE_AT], strict=True)),
            by_lineage=dict(zip(LINEAGES, total[LINEAGE_AT:UNITS_AT], strict=True)),
            engagement=sum(total[UNITS_AT:COUNTED_AT]) / 1000,
            actors=self._audience.read(name),
            top_actor_share=rounded(self._concentration.read(name, signals)) or 0.0,
        )

    def measures(self, at_ms: int, actors: int, rules: Rules, *, learns: bool) -> Measures:
        """Read what is judged at a tick, over the last day with so many actors (MEASURES.md §§3, 4, 6).

        `rules` are scaled already; `learns` says that what is seen now is usual, and may shape what is expected.
        """
        day = self._counts.total("24h")
        brand, seeded, adopted, wild = day[LINEAGE_AT:UNITS_AT]
        brand_units, seeded_units, adopted_units, wild_units = day[UNITS_AT:COUNTED_AT]
        ratio = outgrowth_ratio(
            e_endo=(adopted_units + wild_units) / 1000,
            e_seed=seeded_units / 1000,
            e_brand=brand_units / 1000,
            n_endo=adopted + wild,
            n_seed=seeded + brand,
        )
        endogenous_actors = self._endogenous_audience.read("24h")
        seeded_actors = self._seeded_audience.read("24h")
        by_actors = outgrowth_ratio(
            e_endo=endogenous_actors,
            e_seed=seeded_actors,
            e_brand=0.0,
            n_endo=endogenous_actors,
            n_seed=seeded_actors,
        )
        share = endogenous_share(n_endo=adopted + wild, n_seed=seeded)
        growth = self._growth(at_ms // self.pane_ms)
        baseline = self._observed(at_ms, actors, rules.baseline, learns=learns)
        reproduction = self._reproduction.read()
        velocity, acceleration = self._velocity(at_ms)
        return Measures(
            outgrowth_ratio=rounded(ratio.value),
            outgrowth_ratio_low=rounded(ratio.low),
            outgrowth_ratio_high=rounded(ratio.high),
            actor_outgrowth_ratio=rounded(by_actors.value),
            endogenous_share=rounded(share.value) if share else None,
            endogenous_share_low=rounded(share.low) if share else None,
            baseline=baseline.level,
            baseline_expected=rounded(baseline.expected),
            baseline_z=rounded(baseline.z),
            doubling_time_s=rounded(growth.doubling_time_s) if growth else None,
            reproduction_number=rounded(reproduction.value) if reproduction else None,
            reproduction_low=rounded(reproduction.low) if reproduction else None,
            reproduction_high=rounded(reproduction.high) if reproduction else None,
            velocity=velocity,
            acceleration=acceleration,
            peak_velocity=rounded(self.peak * HOUR_MS / self.hour_ms),
            peak_at=self.peak_at_ms or None,
        )

    def _velocity(self, at_ms: int) -> tuple[float | None, float | None]:
        """Return the signals an hour, over the last one, and how that has changed since the hour before."""
        recent = sum(self._counts.total("1h")[:LINEAGE_AT])
        before = sum(self._counts.total("2h")[:LINEAGE_AT]) - recent
        if recent > self.peak:
            self.peak, self.peak_at_ms = recent, at_ms
        hours = self.hour_ms / HOUR_MS
        return rounded(recent / hours), rounded((recent - before) / hours**2)

    def _growth(self, end: int) -> Growth | None:
        """Compare the last day with the day before; shorter spans while the topic is not two days old."""
        age_panes = end - self.first_pane
        for hours in GROWTH_HOURS:
            panes = self._lengths[f"{hours}h"]
            if age_panes >= 2 * panes:
                n2 = self._counts.total(f"{hours}h")[COUNTED_AT]
                n1 = self._counts.total(f"{2 * hours}h")[COUNTED_AT] - n2
                if hours < GROWTH_HOURS[0] and n2 < RHYTHM_FACTOR * n1:
                    return None
                return doubling_time(n1=n1, n2=n2, delta_s=panes * self.pane_ms / 1000)
        return None

    def _observed(self, at_ms: int, actors: int, rules: BaselineRules, *, learns: bool) -> BaselineReading:
        """Read the day's audience against its baseline, and let the baseline learn it when an hour is complete.

        It learns whole days only: while the topic is younger than one, the window is still filling.
        """
        hour = at_ms // self.hour_ms
        reading = self._baseline.read(
            hour=hour,
            count=actors,
            learning_hours=rules.learning_hours,
            weekly_after_hours=rules.weekly_after_hours,
        )
        is_complete = (at_ms - self.pane_ms) // self.hour_ms < hour
        if is_complete and at_ms - self.first_pane * self.pane_ms >= self.day_ms:
            self._baseline.observe(hour=hour, count=actors, firing=not learns)
        return reading

    def active_members(self) -> int:
        """Return how many members have been on the topic lately."""
        return self._members.read(ACTIVE)

    def active_core_members(self) -> int:
        """Return how many of these are core members."""
        return self._core_members.read(ACTIVE)

    def usual_hour(self, at_ms: int, count: int, rules: BaselineRules) -> BaselineReading:
        """Compare the on-topic signals of the last hour with what is usual for it."""
        return self._hourly.read_at(
            at_ms=at_ms,
            hour_ms=self.hour_ms,
            count=count,
            learning_hours=rules.learning_hours,
            weekly_after_hours=rules.weekly_after_hours,
        )

    def learn_hour(self, at_ms: int, count: int, *, firing: bool) -> None:
        """Let what is usual learn the last hour where one is complete, but the first, which is still filling."""
        hour = at_ms // self.hour_ms
        is_complete = (at_ms - self.pane_ms) // self.hour_ms < hour
        if is_complete and at_ms - self.first_pane * self.pane_ms >= self.hour_ms:
            self._hourly.observe(hour=hour, count=count, firing=firing)

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: `o` for the open pane, `letter|chunk` for the rest."""
        if self._pane.has_changed:
            self._pane.has_changed = False
            yield "o", _encode(self._pane.row())
        for prefix, measure in self._chunked():
            for chunk, row in measure.changed_rows():
                yield f"{prefix}|{chunk}", None if row is None else _encode(row)

    def _audiences(self) -> tuple[tuple[str, Audience], ...]:
        return (
            ("a", self._audience),
            ("e", self._endogenous_audience),
            ("s", self._seeded_audience),
            ("n", self._members),
            ("m", self._core_members),
        )

    def _chunked(self) -> tuple[tuple[str, RollingCounts | Audience | Concentration | Baseline | Reproduction], ...]:
        return (
            ("w", self._counts),
            *self._audiences(),
            ("p", self._concentration),
            ("b", self._baseline),
            ("u", self._hourly),
            ("r", self._reproduction),
        )

    def restore(self, head: TopicRow, rows: Mapping[str, Sequence[bytes]]) -> None:
        """Take up the rows of earlier `changed_rows`, by their first letter."""
        end = head.end
        self.peak, self.peak_at_ms = head.peak, head.peak_at_ms
        for row in rows.get("o", ()):
            self._pane.restore(_decode(row, type=OpenPaneRow))
        # Before the first tick there can be an audience already: that of a crowded open pane.
        self._counts.restore([_decode(row, type=CountsRow) for row in rows.get("w", ())], end)
        for prefix, audience in self._audiences():
            audience.restore([_decode(row, type=AudienceRow) for row in rows.get(prefix, ())], end)
        self._concentration.restore([_decode(row, type=ConcentrationRow) for row in rows.get("p", ())], end)
        for prefix, baseline in (("b", self._baseline), ("u", self._hourly)):
            baseline.restore([_decode(row, type=BaselineRow) for row in rows.get(prefix, ())])
        steps = [_decode(row, type=ReproductionRow) for row in rows.get("r", ())]
        self._reproduction.restore(steps, end * self.pane_ms // self._step_ms)
