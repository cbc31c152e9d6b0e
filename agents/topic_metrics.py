"""Show topics to Prometheus: state, engagement and measures as their newest vitals tell, of a bounded number of topics.

A topic is named `brand/topic`; brands declare them, so no name comes with data. What is null in the vitals has no
series. Beyond `TOPICS_MAX` topics on one worker only the numbers by state are told, so that an installation with
thousands of topics does not flood Prometheus: `social.vitals` and Redis hold all of them.
"""

from prometheus_client import CollectorRegistry, Gauge

from schemas.attributed import LINEAGES
from schemas.vitals import STATES, WINDOWS, Vitals

TOPICS_MAX = 50
LINEAGE_WINDOW = "24h"
"""The window whose signals are told by lineage; the others would add a third of all series and say little more."""

MEASURES: tuple[tuple[str, str, str], ...] = (
    ("outgrowth_ratio", "outgrowth_ratio", "Engagement of the community for one unit of the brand's and its seeds'."),
    ("drift_share", "drift_ratio", "Part of active members who talk in topics that emerged elsewhere."),
    ("tag_divergence_bits", "tag_divergence", "How far members' tags are from the network's, in bits of information."),
    ("reproduction_number", "reproduction_number", "Further acts that each act brings."),
    ("baseline_z", "baseline_deviations", "Deviations of the trailing hour from its usual level."),
)
"""(measure in the vitals, name of the gauge without prefix, its help)."""


class TopicMetrics:
    """The gauges of the topics that this worker watches, in the registry of its metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"overgrowth_{name}", text, labels, registry=registry)

        self._counts = gauge("topics", "Topics that this worker watches, by state.", "state")
        self._state = gauge("state", "1 for the state that a topic is in.", "topic", "state")
        self._engagement = gauge("engagement", "Weighted engagement in a window.", "topic", "window")
        self._actors = gauge("unique_actors", "Distinct actors in a window.", "topic", "window")
        self._lineages = gauge(
            "lineage_signals",
            f"Signals of the last {LINEAGE_WINDOW} by how they relate to the brand.",
            "topic",
            "lineage",
        )
        self._measures = {field: gauge(name, text, "topic") for field, name, text in MEASURES}
        # Partition -> topic -> state, of all topics; and the topics that have series of their own.
        self._states: dict[int, dict[str, str]] = {}
        self._shown: set[str] = set()
        for state in STATES:
            self._counts.labels(state)

    def set(self, partition: int, vitals: Vitals) -> None:
        """Tell the newest vitals of a topic, which lies in this partition of the contributions."""
        topic = f"{vitals.brand}/{vitals.topic}"
        states = self._states.setdefault(partition, {})
        before, states[topic] = states.get(topic), vitals.state
        if before != vitals.state:
            if before is not None:
                self._counts.labels(before).dec()
            self._counts.labels(vitals.state).inc()
        if topic not in self._shown:
            if len(self._shown) >= TOPICS_MAX:
                return
            self._shown.add(topic)
        self._show(topic, vitals)

    def _show(self, topic: str, vitals: Vitals) -> None:
        for state in STATES:
            self._state.labels(topic, state).set(state == vitals.state)
        for window in WINDOWS:
            if (told := vitals.windows.get(window)) is not None:
                self._engagement.labels(topic, window).set(told.engagement)
                self._actors.labels(topic, window).set(told.actors)
        by_lineage = vitals.windows[LINEAGE_WINDOW].by_lineage if LINEAGE_WINDOW in vitals.windows else {}
        for lineage in LINEAGES:
            self._lineages.labels(topic, lineage).set(by_lineage.get(lineage, 0))
        for field, gauge in self._measures.items():
            value = getattr(vitals.measures, field)
            if value is None:
                # An old number beside new ones would be taken for a new one.
                gauge.remove(topic)
            else:
                gauge.labels(topic).set(value)

    def drop(self, partition: int) -> None:
        """Forget the topics of a partition: another worker tells them now."""
        for topic, state in self._states.pop(partition, {}).items():
            self._counts.labels(state).dec()
            if topic in self._shown:
                self._shown.discard(topic)
                for gauge in (self._state, self._engagement, self._actors, self._lineages, *self._measures.values()):
                    gauge.remove_by_labels({"topic": topic})
