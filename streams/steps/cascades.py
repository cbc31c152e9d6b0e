"""The cascades of one topic: what is told of each, how unusual it is, which are the largest, and which are viral."""

from collections.abc import Iterable, Iterator
from heapq import nsmallest
from operator import attrgetter
from typing import NamedTuple

import msgspec

from schemas.alert import CascadeEvidence
from schemas.cascade import (
    EDGES,
    ENDED,
    FLAG_GUESSED,
    FLAG_IMPUTED,
    FLAG_NAMES,
    CascadeContribution,
    CascadeReading,
    CascadeVitals,
)
from schemas.lifecycle_rows import ViralRow
from schemas.rows import KnownCascadeRow, TopicCascadesRow
from schemas.rules import HOUR_MS, Rules
from schemas.virality_rows import HistoryRow
from streams.lifecycle.viral import ViralWatch
from streams.measures.growth import doubling_time
from streams.measures.infectiousness import IMPUTED_RATIO_MAX, Infection, final_shares, forecast_interval
from streams.measures.percentile import CascadeHistory

CASCADES_MAX = 100
"""Cascades remembered as evidence: roots have up to 512 bytes, and a row is at most 64 KiB."""
CASCADES_KEPT = 50
CASCADES_TOLD = 5
NETWORKS_MAX = 32
"""Networks whose cascades have a history of their own; what comes from others is compared with nothing."""
COMPARED_SIZE = 10
"""From this size on a shape is compared with those of other cascades (MEASURES.md §5)."""
DIGITS = 9
"""Significant digits of what is told: more than anybody needs, fewer than two machines could differ in."""
_STEADY = f"%.{DIGITS}g"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.decode


_known_of = attrgetter(*KnownCascadeRow.__struct_fields__)
_evidence_of = attrgetter(*CascadeEvidence.__struct_fields__[1:])

_NEVER_MS = 2**63


class _Largest(NamedTuple):
    """The largest cascades, until one of them is too old; what does not come before `last` is not among them."""

    evidence: tuple[CascadeEvidence, ...]
    last: tuple[int, str]
    until_ms: int


class _TopYoung(NamedTuple):
    """The largest cascade that began after an instant; size 0 stands for none."""

    size: int
    root: str
    began_ms: int


class TopicCascades:
    """The cascades of one topic, fed with their readings in stamp order."""

    def __init__(self, *, brand: str, topic: str) -> None:
        self.brand = brand
        self.topic = topic
        self.viral = ViralWatch(brand=brand, topic=topic)
        self._known: dict[str, KnownCascadeRow] = {}
        self._known_changed = False
        # What was read last, until it may be something else: the largest ones, and the size of the largest young one.
        self._largest: _Largest | None = None
        self._top_young: _TopYoung | None = None
        self._histories: dict[str, CascadeHistory] = {}

    def take(self, told: CascadeContribution, rules: Rules) -> CascadeVitals | None:
        """Take note of a reading and return its vitals, None below two posts and shares; `rules` are scaled already."""
        reading = told.reading
        history = self._histories.get(reading.network)
        vitals = None
        if reading.size > 1:
            vitals = self._vitals(reading, told.overperforming, rules, history)
            self._remember(vitals, day_ms=rules.cascade.silence_ms)
            self.viral.take(vitals, rules)
        if reading.flags & ENDED and reading.size > 0:
            self._end(reading, history)
        return vitals

    def _end(self, reading: CascadeReading, history: CascadeHistory | None) -> None:
        if history is None:
            if len(self._histories) == NETWORKS_MAX:
                return
            history = self._histories[reading.network] = CascadeHistory()
        history.add(size=reading.size, virality=reading.virality if reading.size >= COMPARED_SIZE else None)

    def _vitals(
        self, reading: CascadeReading, overperforming: float | None, rules: Rules, history: CascadeHistory | None
    ) -> CascadeVitals:
        infected, n_star = reading.infected, rules.cascade.followers_per_share
        value = low = high = reproduction = forecast = forecast_low = forecast_high = None
        flags = [name for flag, name in FLAG_NAMES if reading.flags & flag]
        if infected is not None:
            value, low, high = infected.value, infected.low, infected.high
            reproduction = value * n_star
            if infected.imputed_ratio > 0:
                flags.append(FLAG_IMPUTED)
            if infected.imputed_ratio > IMPUTED_RATIO_MAX:
                flags.append(FLAG_GUESSED)
            else:
                infection = Infection(value, low, high, reading.shares, infected.direct, infected.imputed_ratio)
                forecast = final_shares(
                    shares=reading.shares, value=value, direct=infected.direct, followers_per_share=n_star
                )
                forecast_low, forecast_high = forecast_interval(infection, followers_per_share=n_star)
        vitals = CascadeVitals(
            at=reading.at + 1,
            root=reading.root,
            brand=self.brand,
            topic=self.topic,
            network=reading.network,
            size=reading.size,
            depth=reading.depth,
            breadth=reading.breadth,
            structural_virality=_steady(reading.virality),
            infectiousness=_steady(value),
            low=_steady(low),
            high=_steady(high),
            forecast=_steady(forecast),
            forecast_low=_steady(forecast_low),
            forecast_high=_steady(forecast_high),
            reproduction=_steady(reproduction),
            edge=EDGES[reading.edge],
            began_at=reading.began_ms,
            shares=reading.shares,
            overperforming=_steady(overperforming),
            flags=tuple(flags),
        )
        _add_pace(vitals, reading)
        if history is not None:
            _compare(vitals, reading, history)
        return vitals

    # --- the largest --------------------------------------------------------------------------------------------------

    def _remember(self, vitals: CascadeVitals, *, day_ms: int) -> None:
        self._known[vitals.root] = KnownCascadeRow(*_known_of(vitals))
        self._known_changed = True
        self._outdate(vitals.root, vitals.size)
        if len(self._known) > CASCADES_MAX:
            live = [(root, known) for root, known in self._known.items() if known.at >= vitals.at - day_ms]
            live.sort(key=lambda entry: (-entry[1].size, entry[0]))
            self._known = dict(live[:CASCADES_KEPT])
            self._largest = self._top_young = None

    def _outdate(self, root: str, size: int) -> None:
        """Forget what was read where a cascade that is known anew may change it: most are too small for that."""
        largest, top = self._largest, self._top_young
        if largest is not None and ((-size, root) < largest.last or any(one.root == root for one in largest.evidence)):
            self._largest = None
        if top is not None and (size >= top.size or root == top.root):
            self._top_young = None

    def largest(self, *, since_ms: int) -> tuple[CascadeEvidence, ...]:
        """Return the largest cascades that were read since an instant, as evidence for an alert."""
        told = self._largest
        if told is None or told.until_ms < since_ms:
            live = [(-known.size, root) for root, known in self._known.items() if known.at >= since_ms]
            found = nsmallest(CASCADES_TOLD, live)
            told = self._largest = _Largest(
                tuple([CascadeEvidence(root, *_evidence_of(self._known[root])) for _, root in found]),
                found[-1] if len(found) == CASCADES_TOLD else (1, ""),
                min((self._known[root].at for _, root in found), default=_NEVER_MS),
            )
        return told.evidence

    def roots(self) -> Iterable[str]:
        """Return the roots of the cascades that are remembered as evidence."""
        return self._known.keys()

    def top_share(self, *, since_ms: int, posts: int) -> float | None:
        """Return what part of so many posts and shares the largest cascade made of those that began after an instant.

        Of a cascade that began before the posts were counted, all counts: one post that goes around is a young one.
        """
        top = self._top_young
        if top is None or top.began_ms < since_ms:
            young = [
                (known.size, root, known.began_at) for root, known in self._known.items() if known.began_at >= since_ms
            ]
            top = self._top_young = _TopYoung(*max(young, default=(0, "", _NEVER_MS)))
        return min(1.0, top.size / posts) if top.size and posts else None

    # --- remembering --------------------------------------------------------------------------------------------------

    def changed_rows(self) -> Iterator[tuple[str, bytes | None]]:
        """Yield the rows that changed since the last call: `k` for the largest, `v|root` for what is watched,
        `h|bin|network` for histories.
        """
        if self._known_changed:
            self._known_changed = False
            yield "k", _encode(TopicCascadesRow(cascades=self._known))
        for root, watched in self.viral.changed_rows():
            yield f"v|{root}", None if watched is None else _encode(watched)
        for network in sorted(self._histories):
            for number, histogram in self._histories[network].changed_rows():
                yield f"h|{number}|{network}", _encode(HistoryRow(network, histogram))

    def restore(
        self, *, largest: Iterable[bytes] = (), watched: Iterable[bytes] = (), histories: Iterable[bytes] = ()
    ) -> None:
        """Take up the rows of earlier `changed_rows`."""
        for value in largest:
            self._known = _decode(value, type=TopicCascadesRow).cascades
            self._largest = self._top_young = None
        self.viral.restore([_decode(value, type=ViralRow) for value in watched])
        by_network: dict[str, list[HistoryRow]] = {}
        for value in histories:
            row = _decode(value, type=HistoryRow)
            by_network.setdefault(row.network, []).append(row)
        for network, rows in by_network.items():
            history = self._histories[network] = CascadeHistory()
            history.restore(row.histogram for row in rows)


def _add_pace(vitals: CascadeVitals, reading: CascadeReading) -> None:
    """Tell how fast the cascade grows, in nodes an hour."""
    pace = reading.pace
    if pace is None:
        return
    hours = pace.span_ms / HOUR_MS
    growth = doubling_time(n1=pace.before, n2=pace.recent, delta_s=pace.span_ms / 1000)
    vitals.velocity = _steady(pace.recent / hours)
    vitals.acceleration = _steady((pace.recent - pace.before) / hours**2)
    vitals.peak_velocity = _steady(pace.peak * HOUR_MS / pace.unit_ms)
    vitals.peak_at = pace.peak_at_ms
    vitals.doubling_time_s = None if growth is None else _steady(growth.doubling_time_s)


def _compare(vitals: CascadeVitals, reading: CascadeReading, history: CascadeHistory) -> None:
    """Tell how unusual the cascade is among those that have ended: its shape, and the size that it will come to."""
    if reading.size >= COMPARED_SIZE and reading.virality is not None:
        vitals.virality_percentile = _steady(history.virality_percentile(size=reading.size, virality=reading.virality))
    if vitals.forecast is not None:
        # Sizes count all posts and shares, a forecast counts shares: what is still to come is added to the size.
        final_size = reading.size + max(0.0, vitals.forecast - reading.shares)
        vitals.forecast_percentile = _steady(history.size_percentile(final_size))


def _steady(number: float | None) -> float | None:
    # This runs ten times for every reading; a format that is known beforehand takes two thirds of the time.
    return None if number is None else float(_STEADY % number)
