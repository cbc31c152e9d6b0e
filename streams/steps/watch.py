"""Third step: keep the rolling tables of each topic, judge it at every tick, and raise alerts."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.alert import Alert
from schemas.attributed import Erased, Position
from schemas.cascade import CascadeContribution, CascadeVitals
from schemas.contribution import Contribution, ContributionItem, ContributionPacket, Edit, Retraction
from schemas.rules import DAY_MS
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.attribution.tags import normalize_tag
from streams.eventtime.inlet import PacketInlet
from streams.lifecycle.rules import scaled
from streams.steps.drift import NOW_PANES
from streams.steps.rolling import hour_ms_of
from streams.steps.topic import Topic, is_aside

NAME = "watch"


class Seen(NamedTuple):
    """What one advance told, by tick: vitals of topics and cascades that changed, alerts with the tick (epoch ms)."""

    vitals: list[Vitals]
    cascades: list[CascadeVitals]
    alerts: list[tuple[int, Alert]]


class WatchStep:
    """The topics of one partition, fed with packets in the order of their offsets."""

    def __init__(self, registry: Registry, *, origins: int) -> None:
        self.registry = registry
        self.applied = 0
        self._inlet: PacketInlet[ContributionItem] = PacketInlet(origins=origins)
        self._topics: dict[str, Topic] = {}
        self._awake: set[str] = set()
        # No awake topic has a tick before this one (epoch ms).
        self._due_ms = 0
        self._changed: set[str] = set()
        # By topic, the names of the rows that are stored; of topics that were forgotten, those that have to end.
        self._names: dict[str, set[str]] = {}
        self._ended: set[str] = set()
        self._swept_day = 0

    @property
    def frontier(self) -> Position:
        """The position up to which everything was applied."""
        return self._inlet.position

    @property
    def gaps(self) -> int:
        """How many packets came whose predecessor was lost; they are not taken, their origin sends again."""
        return self._inlet.gaps

    def __len__(self) -> int:
        """Return how many contributions are held back."""
        return len(self._inlet)

    def advance(self, packets: Sequence[tuple[int, ContributionPacket]], *, next_offset: int) -> Seen:
        """Take a batch of packets, apply what is in its final order, and judge every tick that was passed."""
        released = self._inlet.take(packets, next_offset=next_offset)
        by_topic: dict[str, list[ContributionItem]] = {}
        for item in released:
            # Whoever is erased may be known to any topic.
            if isinstance(item, Erased):
                for key in {**self._topics, **by_topic}:
                    by_topic.setdefault(key, []).append(item)
            else:
                by_topic.setdefault(item.topic, []).append(item)
        # Topics do not touch each other, so each is taken through the whole batch by itself.
        frontier_ms = self._inlet.position[0]
        seen = Seen([], [], [])
        is_due = frontier_ms >= self._due_ms
        for key in sorted(self._awake | by_topic.keys() if is_due else by_topic):
            topic = self._take(key, by_topic.get(key, ()), frontier_ms, seen)
            if topic is None:
                continue
            if topic.next_tick_ms is None:
                self._awake.discard(key)
            else:
                self._awake.add(key)
                self._due_ms = min(self._due_ms, topic.next_tick_ms)
        if is_due:
            ticks_ms = [self._topics[key].next_tick_ms or 0 for key in self._awake]
            self._due_ms = min(ticks_ms, default=0)
            self._sweep(frontier_ms)
        seen.vitals.sort(key=_vitals_place)
        seen.cascades.sort(key=_cascade_place)
        seen.alerts.sort(key=_alert_place)
        return seen

    def _new_topic(self, key: str, at_ms: int) -> Topic:
        rules = self.registry.rules(key, at_ms)
        fitted = scaled(rules)
        drift_pane_ms = max(1, fitted.emergent.window_ms // NOW_PANES)
        return Topic(
            key,
            pane_ms=fitted.tick_ms,
            hour_ms=hour_ms_of(rules),
            drift_pane_ms=drift_pane_ms,
            drift_before=max(1, fitted.emergent.before_ms // drift_pane_ms),
        )

    def _seeds(self, key: str, at_ms: int) -> frozenset[str]:
        """Return the tags that mark a topic at an instant, in their normal form."""
        version = self.registry.version(key, at_ms)
        return frozenset() if version is None else _tags_of(version.seeds.tags)

    def _take(self, key: str, items: Sequence[ContributionItem], frontier_ms: int, seen: Seen) -> Topic | None:
        """Apply what came to a topic, with the ticks between and behind; return it, None where it has not begun."""
        topic = self._topics.get(key)
        tick_ms = None if topic is None else topic.next_tick_ms
        changed = False
        for item in items:
            while topic is not None and tick_ms is not None and item.at >= tick_ms:
                tick_ms = self._tick(topic, tick_ms, seen)
                changed = True
            if isinstance(item, Erased):
                changed |= topic is not None and topic.erase(item)
                continue
            changed = True
            if topic is None or topic.is_forgotten(item.at):
                if isinstance(item, Edit | Retraction):
                    # Nothing is left of what it is about.
                    continue
                if isinstance(item, Contribution) and is_aside(item):
                    self.applied += 1
                    continue
                self._forget(key)
                topic = self._topics[key] = self._new_topic(key, item.at)
            if isinstance(item, CascadeContribution):
                vitals = topic.take(item, self.registry.rules(topic.key, item.at))
                if vitals is not None:
                    seen.cascades.append(vitals)
            elif isinstance(item, Retraction):
                topic.take_back(item)
            elif isinstance(item, Edit):
                topic.edit(item, self._seeds(topic.key, item.at))
            else:
                self.applied += 1
                topic.add(item, self._seeds(topic.key, item.at) if item.tags else ())
            if tick_ms is None:
                tick_ms = topic.next_tick_ms
        if topic is None:
            return None
        while tick_ms is not None and tick_ms <= frontier_ms:
            tick_ms = self._tick(topic, tick_ms, seen)
            changed = True
        if changed:
            self._changed.add(key)
        return topic

    def _sweep(self, at_ms: int) -> None:
        """Forget the topics that sleep for good, once a day: what comes to one finds a new one anyway."""
        day = at_ms // DAY_MS
        if day > self._swept_day:
            self._swept_day = day
            for key in [key for key, topic in self._topics.items() if topic.is_forgotten(at_ms)]:
                self._forget(key)

    def _forget(self, key: str) -> None:
        self._topics.pop(key, None)
        self._changed.discard(key)
        self._ended |= self._names.pop(key, set())

    def _tick(self, topic: Topic, tick_ms: int, seen: Seen) -> int | None:
        tick = topic.tick(self.registry.rules(topic.key, tick_ms), self._seeds(topic.key, tick_ms))
        if tick.vitals is not None:
            seen.vitals.append(tick.vitals)
        seen.alerts.extend((tick_ms, alert) for alert in tick.alerts)
        return topic.next_tick_ms

    def resume(self) -> tuple[int, Position, bytes]:
        """Return what a checkpoint says of the input: offset to read again from, frontier, context."""
        return self._inlet.resume()

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call."""
        for key in sorted(self._changed):
            names = self._names.setdefault(key, set())
            for name, value in self._topics[key].changed_rows():
                if value is None:
                    names.discard(name)
                else:
                    names.add(name)
                self._ended.discard(name)
                yield name, value
        self._changed.clear()
        ended, self._ended = self._ended, set()
        yield from ((name, None) for name in sorted(ended))

    def restore(self, rows: Iterable[tuple[str, bytes]], *, offset: int, frontier: Position, context: bytes) -> None:
        """Go on from a checkpoint: its rows, and what its `resume` told."""
        by_topic: dict[str, list[tuple[str, bytes]]] = {}
        for name, value in rows:
            parts = name.split("|")
            by_topic.setdefault(parts[-1], []).append((parts[0], value))
            self._names.setdefault(parts[-1], set()).add(name)
        for key, found in by_topic.items():
            topic = self._topics[key] = Topic.from_rows(key, found)
            if topic.next_tick_ms is not None:
                self._awake.add(key)
        self._inlet.restore(offset=offset, frontier=frontier, context=context)


@lru_cache(maxsize=1_024)
def _tags_of(tags: tuple[str, ...]) -> frozenset[str]:
    return frozenset(normalize_tag(tag) for tag in tags)


def _vitals_place(vitals: Vitals) -> tuple[int, str, str]:
    return vitals.at, vitals.brand, vitals.topic


def _cascade_place(vitals: CascadeVitals) -> tuple[int, str, str, str]:
    return vitals.at, vitals.root, vitals.brand, vitals.topic


def _alert_place(raised: tuple[int, Alert]) -> tuple[int, str, str]:
    # Sorting keeps the order of one tick's alerts: endings before beginnings.
    return raised[0], raised[1].brand, raised[1].topic
