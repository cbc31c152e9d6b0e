"""One topic: its open pane, its rolling measures and its lifecycle, judged at every tick."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from schemas.alert import Alert
from schemas.attributed import LINEAGES
from schemas.cascade import CascadeContribution, CascadeVitals
from schemas.contribution import Contribution
from schemas.lifecycle_rows import LifecycleRow
from schemas.measure_rows import AudienceRow, BaselineRow, ConcentrationRow, CountsRow
from schemas.rows import OpenPaneRow, TopicRow
from schemas.rules import HOUR_MS, Rules
from schemas.signal import KINDS
from schemas.virality_rows import ReproductionRow
from schemas.vitals import WINDOWS, Measures, Vitals, WindowVitals
from streams.eventtime.windows import RollingCounts
from streams.lifecycle.conditions import Reading, rounded
from streams.lifecycle.rules import rules_hash, scaled
from streams.lifecycle.states import Lifecycle
from streams.measures.audience import Audience
from streams.measures.baseline import Baseline, BaselineReading
from streams.measures.concentration import Concentration
from streams.measures.endogenous import endogenous_share, outgrowth_ratio
from streams.measures.growth import Growth, doubling_time
from streams.measures.reaction_time import FLAT_MS
from streams.measures.reproduction import STEP_UNITS, Reproduction
from streams.steps.cascades import TopicCascades
from streams.steps.pane import LINEAGE_AT, UNITS_AT, WIDTH, OpenPane

WINDOW_MINUTES = {"5m": 5, "1h": 60, "24h": 24 * 60, "7d": 7 * 24 * 60}
GROWTH_HOURS = (24, 6, 1)
"""Spans that growth is told over, two of each side by side: a day, so that the daily rhythm cancels out; shorter ones
only while the topic is too young for two days."""
COUNT_MINUTES = {
    **WINDOW_MINUTES,
    **{f"{hours}h": hours * 60 for growth_hours in GROWTH_HOURS for hours in (growth_hours, 2 * growth_hours)},
}

POST, OFFSPRING = KINDS.index("post"), tuple(KINDS.index(kind) for kind in ("reply", "quote", "share"))
"""What begins a cascade, and what comes from something else: the kinds that reproduction counts."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode

_Told = tuple[str, dict[str, WindowVitals], Measures]


class Tick(NamedTuple):
    """What one tick brought: the vitals if anything changed, and the alerts that were raised."""

    vitals: Vitals | None
    alerts: list[Alert]


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


class Topic:
    """The state of one topic. Contributions come in stamp order, `tick` before the first behind each tick.

    A pane is as long as the tick of the rules that the topic was first seen under, an hour as long as their scale
    makes it. `next_tick_ms` is the tick at which it wants to be judged next, or None while it sleeps: nothing in its
    windows, nothing pending.
    """

    def __init__(
        self,
        key: str,
        *,
        pane_ms: int,
        hour_ms: int = HOUR_MS,
        first_pane: int = -1,
        lifecycle: LifecycleRow | None = None,
    ) -> None:
        self.key = key
        self.brand, _, self.name = key.partition("/")
        self.pane_ms = pane_ms
        self.hour_ms = hour_ms
        self.next_tick_ms: int | None = None
        self._first_pane = first_pane
        self._pane = OpenPane()
        self._cascades = TopicCascades(brand=self.brand, topic=self.name)
        self._reproduction = Reproduction()
        self._step_ms = max(1, STEP_UNITS * FLAT_MS * hour_ms // HOUR_MS)
        # The most signals of an hour since the topic slept, and the tick at which that was.
        self._peak = self._peak_at_ms = 0
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
        self._concentration = Concentration(lengths)
        self._baseline = Baseline()
        self._lifecycle = Lifecycle(brand=self.brand, topic=self.name, row=lifecycle)
        self._told: _Told | None = None
        self._rules: Rules | None = None
        self._scaled = Rules()
        self._hash = ""

    def add(self, contribution: Contribution) -> None:
        """Count one contribution in the open pane."""
        at_ms = contribution.at
        if self.next_tick_ms is None:
            self._wake(at_ms)
        self._pane.add(contribution)
        if self._pane.is_crowded:
            self._show_actors(at_ms // self.pane_ms)
            self._pane.thin_out()

    def take(self, told: CascadeContribution, rules: Rules) -> CascadeVitals | None:
        """Take note of how a cascade stands, and return what there is to tell of it."""
        self._use(rules)
        vitals = self._cascades.take(told, self._scaled)
        if self.next_tick_ms is None and self._cascades.viral.needs_ticks:
            self._wake(told.at)
        return vitals

    def _wake(self, at_ms: int) -> None:
        pane = at_ms // self.pane_ms
        if self._first_pane < 0:
            self._first_pane = pane
        self.next_tick_ms = (pane + 1) * self.pane_ms

    def _show_actors(self, pane: int) -> None:
        """Show the open pane's actors to the audiences, before it ends or as it does."""
        self._audience.add(pane, self._pane.counts())
        self._endogenous_audience.add(pane, self._pane.endogenous())
        self._seeded_audience.add(pane, self._pane.seeded())

    def _close(self, pane: int) -> None:
        """Give the open pane to the measures."""
        if any(self._pane.vector):
            self._show_actors(pane)
            self._concentration.add(pane, self._pane.counts())
            self._counts.add(pane, self._pane.vector)
            kinds = self._pane.vector
            step = pane * self.pane_ms // self._step_ms
            self._reproduction.add(step, offspring=sum(kinds[kind] for kind in OFFSPRING), roots=kinds[POST])
            self._pane.clear()

    def tick(self, rules: Rules) -> Tick:
        """Close the pane that ends at `next_tick_ms`, judge the topic, and set the next tick."""
        assert self.next_tick_ms is not None, "a sleeping topic has no tick"
        self._use(rules)
        at_ms = self.next_tick_ms
        end = at_ms // self.pane_ms
        self._close(end - 1)
        self._counts.roll(end)
        for measure in (self._audience, self._endogenous_audience, self._seeded_audience, self._concentration):
            measure.roll(end)
        self._reproduction.roll(at_ms // self._step_ms)
        reading = self._read(at_ms)
        alerts = self._cascades.viral.judge(reading, self._scaled, self._hash)
        alerts += self._lifecycle.judge(reading, self._scaled, self._hash)
        told = (self._lifecycle.state, reading.windows, reading.measures)
        changed = told != self._told
        self._told = told
        # The longer windows of the audience end up to four panes after the others.
        is_empty = self._counts.is_empty() and self._audience.is_empty()
        if is_empty and not (self._lifecycle.needs_ticks or self._cascades.viral.needs_ticks):
            self.next_tick_ms = None
            self._peak = self._peak_at_ms = 0
        else:
            self.next_tick_ms = at_ms + self.pane_ms
        return Tick(self._vitals(at_ms, reading) if changed else None, alerts)

    def _use(self, rules: Rules) -> None:
        if rules is not self._rules:
            self._rules, self._scaled, self._hash = rules, scaled(rules), rules_hash(rules)

    def _vitals(self, at_ms: int, reading: Reading) -> Vitals:
        return Vitals(
            at=at_ms,
            brand=self.brand,
            topic=self.name,
            state=self._lifecycle.state,
            watermark=at_ms,
            windows=reading.windows,
            measures=reading.measures,
            flags=reading.flags,
        )

    def _read(self, at_ms: int) -> Reading:
        windows = {name: self._window(name) for name in WINDOWS}
        return Reading(
            at_ms=at_ms,
            windows=windows,
            measures=self._measures(at_ms, windows["24h"].actors),
            cascades=self._cascades.largest(since_ms=at_ms - self.day_ms),
            day_ms=self.day_ms,
        )

    def _window(self, name: str) -> WindowVitals:
        total = self._counts.total(name)
        signals = sum(total[:LINEAGE_AT])
        return WindowVitals(
            signals=signals,
            by_kind=dict(zip(KINDS, total[:LINEAGE_AT], strict=True)),
            by_lineage=dict(zip(LINEAGES, total[LINEAGE_AT:UNITS_AT], strict=True)),
            engagement=sum(total[UNITS_AT:]) / 1000,
            actors=self._audience.read(name),
            top_actor_share=rounded(self._concentration.read(name, signals)) or 0.0,
        )

    def _measures(self, at_ms: int, actors: int) -> Measures:
        """Read what the lifecycle judges, over the last day (MEASURES.md §§3, 4)."""
        day = self._counts.total("24h")
        brand, seeded, adopted, wild = day[LINEAGE_AT:UNITS_AT]
        brand_units, seeded_units, adopted_units, wild_units = day[UNITS_AT:]
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
        baseline = self._observed(at_ms, actors)
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
            peak_velocity=rounded(self._peak * HOUR_MS / self.hour_ms),
            peak_at=self._peak_at_ms or None,
        )

    def _velocity(self, at_ms: int) -> tuple[float | None, float | None]:
        """Return the signals an hour, over the last one, and how that has changed since the hour before."""
        recent = sum(self._counts.total("1h")[:LINEAGE_AT])
        before = sum(self._counts.total("2h")[:LINEAGE_AT]) - recent
        if recent > self._peak:
            self._peak, self._peak_at_ms = recent, at_ms
        hours = self.hour_ms / HOUR_MS
        return rounded(recent / hours), rounded((recent - before) / hours**2)

    def _growth(self, end: int) -> Growth | None:
        """Compare the last day with the day before; shorter spans while the topic is not two days old."""
        age_panes = end - self._first_pane
        for hours in GROWTH_HOURS:
            panes = self._lengths[f"{hours}h"]
            if age_panes >= 2 * panes:
                n2 = sum(self._counts.total(f"{hours}h")[:LINEAGE_AT])
                n1 = sum(self._counts.total(f"{2 * hours}h")[:LINEAGE_AT]) - n2
                return doubling_time(n1=n1, n2=n2, delta_s=panes * self.pane_ms / 1000)
        return None

    def _observed(self, at_ms: int, actors: int) -> BaselineReading:
        """Read the day's audience against its baseline, and let the baseline learn it when an hour is complete.

        It learns whole days only: while the topic is younger than one, the window is still filling.
        """
        hour = at_ms // self.hour_ms
        reading = self._baseline.read(
            hour=hour,
            count=actors,
            learning_hours=self._scaled.baseline.learning_hours,
            weekly_after_hours=self._scaled.baseline.weekly_after_hours,
        )
        is_complete = (at_ms - self.pane_ms) // self.hour_ms < hour
        if is_complete and at_ms - self._first_pane * self.pane_ms >= self.day_ms:
            self._baseline.observe(hour=hour, count=actors, firing=self._lifecycle.state not in ("dormant", "seeded"))
        return reading

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call; only for a topic that was added to or ticked since."""
        key = self.key
        yield f"t|{key}", _encode(self._head())
        if self._pane.has_changed:
            self._pane.has_changed = False
            yield f"o|{key}", _encode(self._pane.row())
        for name, value in self._cascades.changed_rows():
            yield f"{name}|{key}", value
        for prefix, measure in self._chunked():
            for chunk, row in measure.changed_rows():
                yield f"{prefix}|{chunk}|{key}", None if row is None else _encode(row)
        for chunk, steps in self._reproduction.changed_rows():
            yield f"r|{chunk}|{key}", None if steps is None else _encode(steps)

    def _chunked(self) -> tuple[tuple[str, RollingCounts | Audience | Concentration | Baseline], ...]:
        return (
            ("w", self._counts),
            ("a", self._audience),
            ("e", self._endogenous_audience),
            ("s", self._seeded_audience),
            ("p", self._concentration),
            ("b", self._baseline),
        )

    def _head(self) -> TopicRow:
        told = b"" if self._told is None else _encode(self._told)
        return TopicRow(
            pane_ms=self.pane_ms,
            first_pane=self._first_pane,
            end=self._counts.end,
            next_tick_ms=self.next_tick_ms or 0,
            lifecycle=self._lifecycle.row(),
            told=told,
            hour_ms=self.hour_ms,
            peak=self._peak,
            peak_at_ms=self._peak_at_ms,
        )

    @classmethod
    def from_rows(cls, key: str, rows: Iterable[tuple[str, bytes]]) -> "Topic":
        """Return the topic that rows remember: pairs of a prefix and a value, as `changed_rows` wrote them."""
        by_prefix: dict[str, list[bytes]] = {}
        for prefix, value in rows:
            by_prefix.setdefault(prefix, []).append(value)
        head = _decode(by_prefix["t"][0], type=TopicRow)
        topic = cls(
            key, pane_ms=head.pane_ms, hour_ms=head.hour_ms, first_pane=head.first_pane, lifecycle=head.lifecycle
        )
        topic.next_tick_ms = head.next_tick_ms or None
        topic._told = _decode(head.told, type=_Told) if head.told else None
        topic._pane.restore(_decode(by_prefix["o"][0], type=OpenPaneRow))
        topic._peak, topic._peak_at_ms = head.peak, head.peak_at_ms
        topic._cascades.restore(
            largest=by_prefix.get("k", ()), watched=by_prefix.get("v", ()), histories=by_prefix.get("h", ())
        )
        steps = [_decode(row, type=ReproductionRow) for row in by_prefix.get("r", ())]
        topic._reproduction.restore(steps, head.end * head.pane_ms // topic._step_ms)
        topic._baseline.restore([_decode(row, type=BaselineRow) for row in by_prefix.get("b", ())])
        # Before the first tick there can be an audience already: that of a crowded open pane.
        topic._counts.restore([_decode(row, type=CountsRow) for row in by_prefix.get("w", ())], head.end)
        for prefix, audience in (
            ("a", topic._audience),
            ("e", topic._endogenous_audience),
            ("s", topic._seeded_audience),
        ):
            audience.restore([_decode(row, type=AudienceRow) for row in by_prefix.get(prefix, ())], head.end)
        topic._concentration.restore([_decode(row, type=ConcentrationRow) for row in by_prefix.get("p", ())], head.end)
        return topic
