"""Gather what a log tells of each topic, thinned so that a log ten times as long takes no more memory."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.alert import Alert, EmergentEvidence
from schemas.cascade import CascadeVitals
from schemas.rules import MINUTE_MS
from schemas.vitals import Vitals
from streams.steps.pipeline import Outcome

LINEAGES = ("brand", "seeded", "adopted", "wild")
MEASURES = ("outgrowth_ratio", "drift_share", "tag_divergence_bits")
SAMPLES_MAX = 600
"""A line of more points than pixels says nothing more."""
CASCADES_TOLD = 6
_CASCADES_KEPT = 2_000


class Sample(NamedTuple):
    """A topic at one tick (epoch ms): signals of the last hour by lineage, and the measures, None where unknown."""

    at_ms: int
    lineages: tuple[int, ...]
    measures: tuple[float | None, ...]


class Emerged(NamedTuple):
    """A topic that emerged, as it was told with the most people in it, and when it was first told (RFC 3339)."""

    evidence: EmergentEvidence
    first_at: str


class TopicStory:
    """What was told of one topic: samples, changes of state (tick, state), alerts, and its largest cascades."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples: list[Sample] = []
        self.states: list[tuple[int, str]] = []
        self.alerts: list[Alert] = []
        self._cascades: dict[str, CascadeVitals] = {}
        self._step_ms = MINUTE_MS

    def hear(self, vitals: Vitals) -> None:
        """Take the vitals of a tick."""
        if not self.states or self.states[-1][1] != vitals.state:
            self.states.append((vitals.at, vitals.state))
        hour = vitals.windows.get("1h")
        sample = Sample(
            vitals.at,
            tuple(hour.by_lineage.get(name, 0) if hour else 0 for name in LINEAGES),
            tuple(getattr(vitals.measures, name) for name in MEASURES),
        )
        # The last of each step stands for it: a window of an hour has seen the others.
        if self.samples and self.samples[-1].at_ms // self._step_ms == vitals.at // self._step_ms:
            self.samples[-1] = sample
            return
        self.samples.append(sample)
        if len(self.samples) > 2 * SAMPLES_MAX:
            self._step_ms *= 2
            kept = {sample.at_ms // self._step_ms: sample for sample in self.samples}
            self.samples = list(kept.values())

    def held(self) -> list[Sample]:
        """Return the samples with each value held until the next is told: without a tick nothing has changed."""
        held: list[Sample] = []
        for sample in self.samples:
            if held and sample.at_ms - held[-1].at_ms > 2 * self._step_ms:
                held.append(held[-1]._replace(at_ms=sample.at_ms - self._step_ms))
            held.append(sample)
        return held

    def hear_cascade(self, cascade: CascadeVitals) -> None:
        """Take how a cascade stood at a tick."""
        self._cascades[cascade.root] = cascade
        if len(self._cascades) > _CASCADES_KEPT:
            # A cascade that grows later is told again, whole, so nothing is lost with the small ones.
            largest = self.largest(_CASCADES_KEPT // 2)
            self._cascades = {one.root: one for one in largest}

    def largest(self, count: int = CASCADES_TOLD) -> list[CascadeVitals]:
        """Return the largest cascades, the largest first, each as it was told last."""
        return sorted(self._cascades.values(), key=lambda one: (-one.size, one.root))[:count]

    def emerged(self) -> list[Emerged]:
        """Return where the community went, by the most people: the map of the escape."""
        found: dict[str, Emerged] = {}
        for alert in self.alerts:
            for evidence in alert.evidence.emergent:
                known = found.get(evidence.name)
                if known is None or evidence.actors > known.evidence.actors:
                    found[evidence.name] = Emerged(evidence, known.first_at if known else alert.at)
        return sorted(found.values(), key=lambda one: (-one.evidence.actors, one.evidence.name))


class Story:
    """What was told of every topic, by its name `brand/topic`."""

    def __init__(self) -> None:
        self.topics: dict[str, TopicStory] = {}

    def hear(self, outcome: Outcome) -> None:
        """Take the outcome of a batch."""
        for vitals in outcome.vitals:
            self._topic(vitals.brand, vitals.topic).hear(vitals)
        for cascade in outcome.cascades:
            self._topic(cascade.brand, cascade.topic).hear_cascade(cascade)
        for _, alert in outcome.alerts:
            self._topic(alert.brand, alert.topic).alerts.append(alert)

    def _topic(self, brand: str, topic: str) -> TopicStory:
        name = f"{brand}/{topic}"
        story = self.topics.get(name)
        if story is None:
            story = self.topics[name] = TopicStory(name)
        return story

    def in_order(self) -> Iterable[TopicStory]:
        """Return the topics, those with most alerts first."""
        return sorted(self.topics.values(), key=lambda one: (-len(one.alerts), one.name))
