"""One topic: its rolling measures, its cascades and its lifecycle, judged at every tick."""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

import msgspec

from schemas.alert import Alert
from schemas.attributed import BRAND, WILD, Erased
from schemas.burst_rows import BurstRow
from schemas.cascade import CascadeContribution, CascadeVitals
from schemas.contribution import Contribution, Edit, Retraction
from schemas.lifecycle_rows import LifecycleRow
from schemas.rows import TopicRow
from schemas.rules import HOUR_MS, Rules
from schemas.vitals import Measures, Vitals, WindowVitals
from streams.lifecycle.burst import BurstWatch
from streams.lifecycle.conditions import Reading, on_topic, rounded
from streams.lifecycle.rules import rules_hash, scaled
from streams.lifecycle.states import Lifecycle
from streams.lifecycle.viral import IN_CASCADES
from streams.steps.cascades import TopicCascades
from streams.steps.drift import NOW_PANES, TopicDrift
from streams.steps.echo import Echo
from streams.steps.joins import Joins
from streams.steps.leavers import Leavers
from streams.steps.rolling import Rolling

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode

FORGOTTEN_DAYS = 42
"""A topic that slept for so long is a new one: its baseline, six weeks of it, is empty by then."""

_Told = tuple[str, dict[str, WindowVitals], Measures]


class Tick(NamedTuple):
    """What one tick brought: the vitals if anything changed, and the alerts that were raised."""

    vitals: Vitals | None
    alerts: list[Alert]


class Topic:
    """The state of one topic. Contributions come in stamp order, `tick` before the first behind each tick.

    `next_tick_ms` is the tick at which it wants to be judged next, or None while it sleeps: nothing in its windows,
    nothing pending.
    """

    def __init__(
        self,
        key: str,
        *,
        pane_ms: int,
        hour_ms: int = HOUR_MS,
        first_pane: int = -1,
        drift_pane_ms: int = HOUR_MS // 2,
        drift_before: int = 336,
        lifecycle: LifecycleRow | None = None,
        burst: BurstRow | None = None,
    ) -> None:
        self.key = key
        self.brand, _, self.name = key.partition("/")
        self.pane_ms = pane_ms
        self.hour_ms = hour_ms
        self.next_tick_ms: int | None = None
        self.last_ms = 0
        self._drift = TopicDrift(pane_ms=drift_pane_ms, before_panes=drift_before)
        self._rolling = Rolling(
            pane_ms=pane_ms, hour_ms=hour_ms, first_pane=first_pane, active_ms=NOW_PANES * drift_pane_ms
        )
        self._leavers = Leavers(hour_ms=hour_ms)
        self._joins = Joins(hour_ms=hour_ms)
        self._echo = Echo(hour_ms=hour_ms)
        self._cascades = TopicCascades(brand=self.brand, topic=self.name)
        self._lifecycle = Lifecycle(brand=self.brand, topic=self.name, row=lifecycle)
        self._bursts = BurstWatch(brand=self.brand, topic=self.name, row=burst)
        self._told: _Told | None = None
        self._rules: Rules | None = None
        self._scaled = Rules()
        self._hash = ""

    def add(self, contribution: Contribution, seeds: Collection[str] = ()) -> None:
        """Count one contribution; what members say elsewhere counts where it is on what has emerged from the topic.

        `seeds` are the topic's tags of that time. What the brand says elsewhere counts for nothing, but may be news.
        """
        if contribution.lineage == BRAND or is_aside(contribution):
            self._come(contribution)
        if is_aside(contribution):
            return
        self.last_ms = contribution.at
        counts = self._drift.add(contribution, seeds)
        if contribution.member:
            emergent = self._drift.emergent_tags
            self._leavers.act(contribution, seeds=seeds, emergent=emergent)
            if counts:
                self._joins.act(contribution, emergent=emergent)
        if not counts:
            return
        if self.next_tick_ms is None:
            self._wake(contribution.at)
        self._rolling.add(contribution)

    def _come(self, contribution: Contribution) -> None:
        """See whether the brand goes where its community has gone."""
        if self._joins.come(contribution, emergent=self._drift.emergent_tags, state=self._lifecycle.state):
            self._leavers.join(contribution.at)

    def take_back(self, retraction: Retraction) -> None:
        """Take back what was counted; nothing is left of it while the topic sleeps."""
        if self.next_tick_ms is not None:
            self._rolling.take_back(retraction)

    def edit(self, edit: Edit, seeds: Collection[str]) -> None:
        """Count the tags that an edit brought: they are said now, but it is no act."""
        self._drift.add(edit, seeds)

    def erase(self, erased: Erased) -> bool:
        """Forget an actor, and nothing of what was counted; return whether anything was known of it."""
        was_here = self._rolling.erase(erased.actor, erased.at)
        return self._leavers.erase(erased.actor) or was_here

    def take(self, told: CascadeContribution, rules: Rules) -> CascadeVitals | None:
        """Take note of how a cascade stands, and return what there is to tell of it."""
        self.last_ms = told.at
        self._use(rules)
        vitals = self._cascades.take(told, self._scaled)
        if self.next_tick_ms is None and self._cascades.viral.needs_ticks:
            self._wake(told.at)
        return vitals

    def is_forgotten(self, at_ms: int) -> bool:
        """Return whether nothing of it matters any more to what happens at an instant or later."""
        return self.next_tick_ms is None and at_ms - self.last_ms > FORGOTTEN_DAYS * 24 * self.hour_ms

    def _wake(self, at_ms: int) -> None:
        self.next_tick_ms = (at_ms // self.pane_ms + 1) * self.pane_ms

    def tick(self, rules: Rules, seeds: Collection[str] = ()) -> Tick:
        """Close the pane that ends at `next_tick_ms`, judge the topic, and set the next tick."""
        assert self.next_tick_ms is not None, "a sleeping topic has no tick"
        self._use(rules)
        at_ms = self.next_tick_ms
        self._rolling.close(at_ms // self.pane_ms - 1)
        if self._drift.evaluate(at_ms, rules=self._scaled, seeds=seeds):
            self._drift.spread(self._leavers.homes(self._drift.gone), self._cascades.roots())
        reading = self._read(at_ms)
        before = self._lifecycle.state
        alerts = self._judge(reading)
        self._leavers.follow(before, self._lifecycle.state, at_ms)
        self._joins.follow(before, self._lifecycle.state, at_ms)
        self._echo.follow(before, self._lifecycle.state, at_ms, drift=self._drift, rules=self._scaled.escaped)
        told = (self._lifecycle.state, reading.windows, reading.measures)
        changed = told != self._told
        self._told = told
        is_judged = self._lifecycle.needs_ticks or self._cascades.viral.needs_ticks or self._bursts.needs_ticks
        if self._rolling.is_empty() and not is_judged:
            self.next_tick_ms = None
            self._rolling.peak = self._rolling.peak_at_ms = 0
        else:
            self.next_tick_ms = at_ms + self.pane_ms
        return Tick(self._vitals(at_ms, reading) if changed else None, alerts)

    def _judge(self, reading: Reading) -> list[Alert]:
        """Return the alerts of a tick: of cascades, of the lifecycle, of bursts."""
        rules, at_ms = self._scaled, reading.at_ms
        alerts = self._cascades.viral.judge(reading, rules, self._hash)
        if viral := self._cascades.viral.told():
            reading = msgspec.structs.replace(reading, viral=viral)
        alerts += self._lifecycle.judge(reading, rules, self._hash)
        count = on_topic(reading.windows["1h"])
        usual = self._rolling.usual_hour(at_ms, count, rules.baseline)
        alerts += self._bursts.judge(
            reading, usual, rules=rules.burst, reminders=rules.reminders, rules_hash=self._hash
        )
        if self._bursts.is_whole(at_ms=at_ms, hour_ms=self.hour_ms):
            self._rolling.learn_hour(at_ms, count, firing=self._bursts.is_unusual)
        return alerts

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
        windows = self._rolling.windows()
        is_usual = self._lifecycle.state in ("dormant", "seeded")
        measures = self._rolling.measures(at_ms, windows["24h"].actors, self._scaled, learns=is_usual)
        self._drift.tell(measures)
        measures.members = self._rolling.active_members()
        measures.core_members = self._rolling.active_core_members()
        outcome = self._leavers.read(at_ms, self._scaled.returned)
        self._leavers.tell(measures)
        self._joins.tell(measures)
        self._echo.listen(at_ms, is_known=outcome is not None, drift=self._drift, rules=self._scaled.escaped)
        self._echo.tell(measures)
        since_ms = at_ms - self._rolling.day_ms
        by_kind = windows["24h"].by_kind
        share = self._cascades.top_share(
            since_ms=since_ms - self._rolling.day_ms, posts=sum(by_kind[kind] for kind in IN_CASCADES)
        )
        measures.top_cascade_share = rounded(share)
        return Reading(
            at_ms=at_ms,
            windows=windows,
            measures=measures,
            cascades=self._cascades.largest(since_ms=since_ms),
            day_ms=self._rolling.day_ms,
            emergent=self._drift.emergent(),
            outcome=outcome,
            breadth=self._drift.breadth(),
            join=self._joins.evidence(),
            joined_ms=self._joins.first_ms,
            resonance=self._echo.evidence(),
            surge_ms=self._bursts.since_ms,
            is_awaited=self._leavers.is_awaited(at_ms, self._scaled.returned),
        )

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call; only for a topic that was added to or ticked since."""
        key = self.key
        yield f"t|{key}", _encode(self._head())
        for part in (self._rolling, self._cascades, self._drift, self._leavers, self._joins, self._echo):
            for name, value in part.changed_rows():
                yield f"{name}|{key}", value

    def _head(self) -> TopicRow:
        told = b"" if self._told is None else _encode(self._told)
        return TopicRow(
            pane_ms=self.pane_ms,
            first_pane=self._rolling.first_pane,
            end=self._rolling.end,
            next_tick_ms=self.next_tick_ms or 0,
            lifecycle=self._lifecycle.row(),
            told=told,
            hour_ms=self.hour_ms,
            peak=self._rolling.peak,
            peak_at_ms=self._rolling.peak_at_ms,
            burst=self._bursts.row(),
            drift_pane_ms=self._drift.pane_ms,
            drift_before=self._drift.before_panes,
            last_ms=self.last_ms,
        )

    @classmethod
    def from_rows(cls, key: str, rows: Iterable[tuple[str, bytes]]) -> "Topic":
        """Return the topic that rows remember: pairs of a prefix and a value, as `changed_rows` wrote them."""
        by_prefix: dict[str, list[bytes]] = {}
        for prefix, value in rows:
            by_prefix.setdefault(prefix, []).append(value)
        head = _decode(by_prefix["t"][0], type=TopicRow)
        topic = cls(
            key,
            pane_ms=head.pane_ms,
            hour_ms=head.hour_ms,
            first_pane=head.first_pane,
            drift_pane_ms=head.drift_pane_ms,
            drift_before=head.drift_before,
            lifecycle=head.lifecycle,
            burst=head.burst,
        )
        topic.next_tick_ms = head.next_tick_ms or None
        topic.last_ms = head.last_ms
        topic._told = _decode(head.told, type=_Told) if head.told else None
        topic._rolling.restore(head, by_prefix)
        topic._drift.restore(by_prefix)
        topic._leavers.restore(by_prefix)
        topic._joins.restore(by_prefix)
        topic._echo.restore(by_prefix)
        topic._cascades.restore(
            largest=by_prefix.get("k", ()), watched=by_prefix.get("v", ()), histories=by_prefix.get("h", ())
        )
        return topic


def is_aside(contribution: Contribution) -> bool:
    """Return whether a contribution is what the brand says elsewhere: whoever else is heard there is a member."""
    return contribution.lineage == WILD and not contribution.member
