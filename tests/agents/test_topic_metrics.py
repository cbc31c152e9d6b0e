"""What Prometheus sees of topics: their newest vitals, a bounded number of them, gone with their partition."""

from prometheus_client import CollectorRegistry

from agents.topic_metrics import TOPICS_MAX, TopicMetrics
from schemas.vitals import STATES, Measures, Vitals, WindowVitals


def vitals(topic: str, state: str = "growing", measures: Measures | None = None) -> Vitals:
    """Make the vitals of a topic with one window."""
    window = WindowVitals(9, {"post": 9}, {"brand": 2, "wild": 7}, 12.5, 6, 0.5)
    return Vitals(1, "cern", topic, state, 1, {"24h": window}, measures or Measures())


class Shown:
    """Topics and what a scrape finds of them."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.topics = TopicMetrics(self.registry)

    def sample(self, name: str, **labels: str) -> float | None:
        """Return the value of one series."""
        return self.registry.get_sample_value(f"overgrowth_{name}", labels)

    def states(self) -> dict[str, float]:
        """Return the states that topics are in, with how many."""
        return {state: count for state in STATES if (count := self.sample("topics", state=state))}

    def named(self) -> int:
        """Return how many topics have a state of their own."""
        families = (family for family in self.registry.collect() if family.name == "overgrowth_state")
        return len({sample.labels["topic"] for family in families for sample in family.samples})


def test_a_topic_is_told_as_its_vitals_tell() -> None:
    """The state is one-hot; a lineage that nobody had is 0."""
    shown = Shown()
    shown.topics.set(0, vitals("higgs", measures=Measures(outgrowth_ratio=2.5, drift_share=0.25)))

    assert [state for state in STATES if shown.sample("state", topic="cern/higgs", state=state)] == ["growing"]
    assert shown.sample("engagement", topic="cern/higgs", window="24h") == 12.5
    assert shown.sample("engagement", topic="cern/higgs", window="5m") is None
    assert shown.sample("unique_actors", topic="cern/higgs", window="24h") == 6
    lineages = [
        shown.sample("lineage_signals", topic="cern/higgs", lineage=name) for name in ("brand", "seeded", "wild")
    ]
    assert lineages == [2, 0, 7]
    assert shown.sample("outgrowth_ratio", topic="cern/higgs") == 2.5
    assert shown.sample("drift_ratio", topic="cern/higgs") == 0.25


def test_a_measure_that_is_not_to_be_had_any_more_disappears() -> None:
    """An old number beside new ones would be taken for a new one."""
    shown = Shown()
    shown.topics.set(0, vitals("higgs", measures=Measures(outgrowth_ratio=2.5)))
    shown.topics.set(0, vitals("higgs"))
    assert shown.sample("outgrowth_ratio", topic="cern/higgs") is None


def test_topics_are_counted_by_their_present_state() -> None:
    """A topic that goes on is counted once, where it is now."""
    shown = Shown()
    shown.topics.set(0, vitals("higgs"))
    shown.topics.set(1, vitals("roses", "dormant"))
    shown.topics.set(0, vitals("higgs", "outgrown"))
    shown.topics.set(0, vitals("higgs", "outgrown"))
    assert shown.states() == {"outgrown": 1, "dormant": 1}


def test_topics_go_with_their_partition() -> None:
    """Another worker tells them now; and one that comes back is told again."""
    shown = Shown()
    shown.topics.set(0, vitals("higgs", measures=Measures(outgrowth_ratio=2.0)))
    shown.topics.set(1, vitals("roses"))
    shown.topics.drop(0)
    shown.topics.drop(7)
    assert shown.states() == {"growing": 1}
    assert (shown.sample("outgrowth_ratio", topic="cern/higgs"), shown.named()) == (None, 1)
    shown.topics.set(0, vitals("higgs"))
    assert (shown.states(), shown.named()) == ({"growing": 2}, 2)


def test_more_topics_than_fit_are_counted_and_not_named() -> None:
    """Whatever brands declare, the number of series stays bounded; a place that is freed is taken."""
    shown = Shown()
    for number in range(TOPICS_MAX + 7):
        shown.topics.set(number % 2, vitals(f"t{number}"))
    assert (shown.named(), shown.states()) == (TOPICS_MAX, {"growing": TOPICS_MAX + 7})

    shown.topics.drop(0)
    shown.topics.set(1, vitals(f"t{TOPICS_MAX + 5}"))
    assert shown.sample("state", topic=f"cern/t{TOPICS_MAX + 5}", state="growing") == 1
