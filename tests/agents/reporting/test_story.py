"""A story keeps what a picture needs of a log of any length."""

from agents.reporting.story import SAMPLES_MAX, Sample, Story, TopicStory
from schemas.alert import Alert, EmergentEvidence
from schemas.cascade import CascadeVitals
from schemas.rules import MINUTE_MS
from schemas.vitals import Measures, Vitals, WindowVitals
from streams.steps.pipeline import Outcome
from tests.streams.lifecycle.told import alert

START_MS = 1_777_852_800_000


def vitals(minute: int, count: int = 0, *, state: str = "seeded", topic: str = "roses") -> Vitals:
    """Return vitals with so many adopted signals in the last hour."""
    window = WindowVitals(count, {}, {"adopted": count}, float(count), count, 0.0)
    at_ms = START_MS + minute * MINUTE_MS
    return Vitals(at_ms, "nursery", topic, state, at_ms, {"1h": window}, Measures(outgrowth_ratio=float(count)))


def cascade(root: str, size: int) -> CascadeVitals:
    """Return how a cascade stood."""
    return CascadeVitals(
        START_MS,
        root,
        "nursery",
        "roses",
        "garden",
        size,
        2,
        size - 1,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        "observed",
        START_MS,
        size - 1,
    )


def test_a_long_log_is_thinned_and_keeps_its_ends_and_its_order() -> None:
    """However many ticks there are, there are no more points than can be seen."""
    story = TopicStory("nursery/roses")
    for minute in range(50_000):
        story.hear(vitals(minute, minute))

    assert SAMPLES_MAX <= len(story.samples) <= 2 * SAMPLES_MAX
    times = [sample.at_ms for sample in story.samples]
    assert times == sorted(set(times))
    assert times[-1] == START_MS + 49_999 * MINUTE_MS
    assert times[0] - START_MS < 2 * 50_000 / SAMPLES_MAX * MINUTE_MS


def test_a_value_holds_until_the_next_is_told() -> None:
    """Where nothing is told nothing has changed, so a rise after a pause is no slope."""
    story = TopicStory("nursery/roses")
    story.hear(vitals(0, 5))
    story.hear(vitals(100, 9))

    assert [(sample.at_ms - START_MS) // MINUTE_MS for sample in story.held()] == [0, 99, 100]
    assert [sample.lineages[2] for sample in story.held()] == [5, 5, 9]
    assert isinstance(story.held()[0], Sample)


def test_states_are_kept_where_they_change() -> None:
    """A band begins with a change and not with each tick."""
    story = TopicStory("nursery/roses")
    for minute, state in enumerate(["seeded", "seeded", "growing", "growing", "seeded"]):
        story.hear(vitals(minute, state=state))

    assert [((at_ms - START_MS) // MINUTE_MS, state) for at_ms, state in story.states] == [
        (0, "seeded"),
        (2, "growing"),
        (4, "seeded"),
    ]


def test_the_largest_cascades_survive_any_number_of_small_ones() -> None:
    """What is forgotten was smaller than what is shown."""
    story = TopicStory("nursery/roses")
    for number in range(10_000):
        story.hear_cascade(cascade(f"p{number}", 2 + (number * 7919) % 10_000))

    assert [one.size for one in story.largest(3)] == [10_001, 10_000, 9_999]


def test_a_place_is_told_with_the_most_people_and_the_first_time() -> None:
    """The map names each place once."""
    first, second = alert(1), alert(2, status="updated")
    first.evidence.emergent = (EmergentEvidence("bees", 4.0, 20.0, 12), EmergentEvidence("ants", 4.0, 20.0, 15))
    second.evidence.emergent = (EmergentEvidence("bees", 5.0, 30.0, 40),)
    story = TopicStory("nursery/roses")
    story.alerts += [first, second]

    assert [(one.evidence.name, one.evidence.actors, one.first_at) for one in story.emerged()] == [
        ("bees", 40, first.at),
        ("ants", 15, first.at),
    ]


def test_topics_are_kept_apart_and_those_with_most_alerts_come_first() -> None:
    """A reader begins where most happened."""
    told: list[tuple[int, Alert]] = [(0, alert(1, topic="tulips"))]
    story = Story()
    story.hear(Outcome([vitals(0), vitals(0, topic="tulips")], [cascade("p", 3)], told, [], []))

    assert [topic.name for topic in story.in_order()] == ["nursery/tulips", "nursery/roses"]
    assert [len(topic.largest()) for topic in story.in_order()] == [0, 1]
