"""One topic: its open pane, its rolling measures and its lifecycle, judged at every tick."""

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import NamedTuple

import msgspec

from schemas.alert import Alert, CascadeEvidence
from schemas.attributed import ADOPTED, LINEAGES, SEEDED
from schemas.contribution import Contribution
from schemas.lifecycle_rows import LifecycleRow
from schemas.measure_rows import AudienceRow, BaselineRow, ConcentrationRow, CountsRow
from schemas.rows import OpenPaneRow, TopicCascadesRow, TopicRow
from schemas.rules import Rules
from schemas.signal import KINDS
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

HOUR_PANES = 60
DAY_PANES = 24 * HOUR_PANES
LENGTHS = {"5m": 5, "1h": HOUR_PANES, "24h": DAY_PANES, "7d": 7 * DAY_PANES}
GROWTH_HOURS = (24, 6, 1)
"""Spans that growth is told over, two of each side by side: a day, so that the daily rhythm cancels out; shorter ones
only while the topic is too young for two days."""
COUNT_LENGTHS = {
    **LENGTHS,
    **{f"{hours}h": hours * HOUR_PANES for growth_hours in GROWTH_HOURS for hours in (growth_hours, 2 * growth_hours)},
}
DAY = {"24h": DAY_PANES}

OPEN_ACTORS_MAX = 1_500
"""Actors of the open pane kept by name; more are handed to the measures before the pane ends, so that its row stays
small."""
CASCADES_MAX = 128
CASCADES_KEPT = 64
CASCADES_TOLD = 5

_LINEAGE_AT = len(KINDS)
_UNITS_AT = _LINEAGE_AT + len(LINEAGES)
_WIDTH = _UNITS_AT + len(LINEAGES)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode

_Told = tuple[str, dict[str, WindowVitals], Measures]


class Tick(NamedTuple):
    """What one tick brought: the vitals if anything changed, and the alerts that were raised."""

    vitals: Vitals | None
    alerts: list[Alert]


class Topic:
    """The state of one topic. Contributions come in stamp order, `tick` before the first behind each tick.

    A pane is as long as the tick of the rules that the topic was first seen under. `next_tick_ms` is the tick at which
    it wants to be judged next, or None while it sleeps: nothing in its windows, nothing pending.
    """

    def __init__(self, key: str, *, pane_ms: int, first_pane: int = -1, lifecycle: LifecycleRow | None = None) -> None:
        self.key = key
        self.brand, _, self.name = key.partition("/")
        self.pane_ms = pane_ms
        self.next_tick_ms: int | None = None
        self._first_pane = first_pane
        self._vector = [0] * _WIDTH
        self._actors: dict[str, int] = {}
        self._endogenous: set[str] = set()
        self._seeded: set[str] = set()
        self._cascades: dict[str, tuple[int, int, int]] = {}
        self._counts = RollingCounts(_WIDTH, COUNT_LENGTHS)
        self._audience = Audience(LENGTHS)
        self._endogenous_audience = Audience(DAY)
        self._seeded_audience = Audience(DAY)
        self._concentration = Concentration(LENGTHS)
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
        lineage = contribution.lineage
        vector = self._vector
        vector[contribution.kind] += 1
        vector[_LINEAGE_AT + lineage] += 1
        vector[_UNITS_AT + lineage] += contribution.units
        actor = contribution.actor
        actors = self._actors
        actors[actor] = actors.get(actor, 0) + 1
        if lineage >= ADOPTED:
            self._endogenous.add(actor)
        elif lineage == SEEDED:
            self._seeded.add(actor)
        self._cascades[contribution.root] = (contribution.cascade_size, contribution.cascade_depth, at_ms)
        if len(actors) >= OPEN_ACTORS_MAX:
            self._hand_over(at_ms // self.pane_ms)
        if len(self._cascades) > CASCADES_MAX:
            self._keep_largest_cascades(at_ms)

    def _wake(self, at_ms: int) -> None:
        pane = at_ms // self.pane_ms
        if self._first_pane < 0:
            self._first_pane = pane
        self.next_tick_ms = (pane + 1) * self.pane_ms

    def _hand_over(self, pane: int) -> None:
        """Give the open pane's actors to the measures, before it ends or as it does."""
        if self._actors:
            self._audience.add(pane, self._actors)
            self._concentration.add(pane, self._actors)
            self._actors.clear()
        if self._endogenous:
            self._endogenous_audience.add(pane, self._endogenous)
            self._endogenous.clear()
        if self._seeded:
            self._seeded_audience.add(pane, self._seeded)
            self._seeded.clear()

    def _keep_largest_cascades(self, at_ms: int) -> None:
        since_ms = at_ms - DAY_PANES * self.pane_ms
        live = [(root, found) for root, found in self._cascades.items() if found[2] >= since_ms]
        live.sort(key=lambda entry: (-entry[1][0], entry[0]))
        self._cascades = dict(live[:CASCADES_KEPT])

    def tick(self, rules: Rules) -> Tick:
        """Close the pane that ends at `next_tick_ms`, judge the topic, and set the next tick."""
        assert self.next_tick_ms is not None, "a sleeping topic has no tick"
        self._use(rules)
        at_ms = self.next_tick_ms
        end = at_ms // self.pane_ms
        self._hand_over(end - 1)
        if any(self._vector):
            self._counts.add(end - 1, self._vector)
            self._vector = [0] * _WIDTH
        self._counts.roll(end)
        for measure in (self._audience, self._endogenous_audience, self._seeded_audience, self._concentration):
            measure.roll(end)
        reading = self._read(at_ms, end)
        alerts = self._lifecycle.judge(reading, self._scaled, self._hash)
        told = (self._lifecycle.state, reading.windows, reading.measures)
        changed = told != self._told
        self._told = told
        if self._counts.is_empty() and not self._lifecycle.needs_ticks:
            self.next_tick_ms = None
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

    def _read(self, at_ms: int, end: int) -> Reading:
        windows = {name: self._window(name) for name in WINDOWS}
        return Reading(
            at_ms=at_ms,
            windows=windows,
            measures=self._measures(end, windows["24h"].actors),
            cascades=self._largest_cascades(at_ms),
            day_ms=DAY_PANES * self.pane_ms,
        )

    def _window(self, name: str) -> WindowVitals:
        total = self._counts.total(name)
        signals = sum(total[:_LINEAGE_AT])
        return WindowVitals(
            signals=signals,
            by_kind=dict(zip(KINDS, total[:_LINEAGE_AT], strict=True)),
            by_lineage=dict(zip(LINEAGES, total[_LINEAGE_AT:_UNITS_AT], strict=True)),
            engagement=sum(total[_UNITS_AT:]) / 1000,
            actors=self._audience.read(name),
            top_actor_share=rounded(self._concentration.read(name, signals)) or 0.0,
        )

    def _measures(self, end: int, actors: int) -> Measures:
        """Read what the lifecycle judges, over the last day (MEASURES.md §§3, 4)."""
        day = self._counts.total("24h")
        brand, seeded, adopted, wild = day[_LINEAGE_AT:_UNITS_AT]
        brand_units, seeded_units, adopted_units, wild_units = day[_UNITS_AT:]
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
        growth = self._growth(end)
        baseline = self._observed(end, actors)
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
        )

    def _growth(self, end: int) -> Growth | None:
        """Compare the last day with the day before; shorter spans while the topic is not two days old."""
        age_panes = end - self._first_pane
        for hours in GROWTH_HOURS:
            panes = hours * HOUR_PANES
            if age_panes >= 2 * panes:
                n2 = sum(self._counts.total(f"{hours}h")[:_LINEAGE_AT])
                n1 = sum(self._counts.total(f"{2 * hours}h")[:_LINEAGE_AT]) - n2
                return doubling_time(n1=n1, n2=n2, delta_s=panes * self.pane_ms / 1000)
        return None

    def _observed(self, end: int, actors: int) -> BaselineReading:
        """Read the day's audience against its baseline, and let the baseline learn it when an hour is complete.

        It learns whole days only: while the topic is younger than one, the window is still filling.
        """
        hour = end // HOUR_PANES
        reading = self._baseline.read(
            hour=hour,
            count=actors,
            learning_hours=self._scaled.baseline.learning_hours,
            weekly_after_hours=self._scaled.baseline.weekly_after_hours,
        )
        if end % HOUR_PANES == 0 and end - self._first_pane >= DAY_PANES:
            self._baseline.observe(hour=hour, count=actors, firing=self._lifecycle.state not in ("dormant", "seeded"))
        return reading

    def _largest_cascades(self, at_ms: int) -> tuple[CascadeEvidence, ...]:
        since_ms = at_ms - DAY_PANES * self.pane_ms
        live = [
            (-size, root, depth)
            for root, (size, depth, last_ms) in self._cascades.items()
            if last_ms >= since_ms and size > 1
        ]
        return tuple(
            CascadeEvidence(root=root, size=-size, depth=depth) for size, root, depth in nsmallest(CASCADES_TOLD, live)
        )

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call; only for a topic that was added to or ticked since."""
        key = self.key
        yield f"t|{key}", _encode(self._head())
        open_pane = OpenPaneRow(
            vector=tuple(self._vector),
            actors=self._actors,
            endogenous=tuple(sorted(self._endogenous)),
            seeded=tuple(sorted(self._seeded)),
        )
        yield f"o|{key}", _encode(open_pane)
        yield f"k|{key}", _encode(TopicCascadesRow(cascades=self._cascades))
        for prefix, measure in self._chunked():
            for chunk, row in measure.changed_rows():
                yield f"{prefix}|{chunk}|{key}", None if row is None else _encode(row)

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
        )

    @classmethod
    def from_rows(cls, key: str, rows: Iterable[tuple[str, bytes]]) -> "Topic":
        """Return the topic that rows remember: pairs of a prefix and a value, as `changed_rows` wrote them."""
        by_prefix: dict[str, list[bytes]] = {}
        for prefix, value in rows:
            by_prefix.setdefault(prefix, []).append(value)
        head = _decode(by_prefix["t"][0], type=TopicRow)
        topic = cls(key, pane_ms=head.pane_ms, first_pane=head.first_pane, lifecycle=head.lifecycle)
        topic.next_tick_ms = head.next_tick_ms or None
        topic._told = _decode(head.told, type=_Told) if head.told else None
        open_pane = _decode(by_prefix["o"][0], type=OpenPaneRow)
        topic._vector = list(open_pane.vector)
        topic._actors = open_pane.actors
        topic._endogenous = set(open_pane.endogenous)
        topic._seeded = set(open_pane.seeded)
        topic._cascades = _decode(by_prefix["k"][0], type=TopicCascadesRow).cascades
        topic._baseline.restore([_decode(row, type=BaselineRow) for row in by_prefix.get("b", ())])
        if head.end:
            topic._counts.restore([_decode(row, type=CountsRow) for row in by_prefix.get("w", ())], head.end)
            for prefix, audience in (
                ("a", topic._audience),
                ("e", topic._endogenous_audience),
                ("s", topic._seeded_audience),
            ):
                audience.restore([_decode(row, type=AudienceRow) for row in by_prefix.get(prefix, ())], head.end)
            topic._concentration.restore(
                [_decode(row, type=ConcentrationRow) for row in by_prefix.get("p", ())], head.end
            )
        return topic
