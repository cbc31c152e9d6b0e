"""One topic: what it counts, when it sleeps, what its baseline learns, and what its rows remember."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, BEGINNING, SEEDED
from schemas.cascade import READING_ID, CascadeContribution, CascadeReading
from schemas.contribution import Contribution, ContributionItem, ContributionPacket
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import Rules
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.lifecycle.rules import build_rules
from streams.steps.topic import Topic
from streams.steps.watch import WatchStep
from tests.streams.steps.logs import DAY_MS, EAGER_RULES, MINUTE_MS, START_MS, in_bytes, remember

HOUR_MS = 60 * MINUTE_MS
EAGER = build_rules(EAGER_RULES)


def post(at_ms: int, *, actor: str = "ana", lineage: int = ADOPTED, root: str = "r") -> Contribution:
    """Return a contribution of one whole unit."""
    return Contribution(at_ms, f"s{at_ms}", "b/t", actor, 0, lineage, 1000, root, "n")


def seen(at_ms: int, *, root: str, size: int) -> CascadeContribution:
    """Return how a star of so many posts stood at an instant."""
    reading = CascadeReading(at_ms, READING_ID + root, root, "", -1, "n", ("b/t",), START_MS, size, size, 1, size - 1,
                             None, 0, 0, size - 1)  # fmt: skip
    return CascadeContribution(at_ms, reading.id, root, "b/t", reading)


def next_tick_ms(topic: Topic) -> int | None:
    """Return when a topic wants to be judged next."""
    return topic.next_tick_ms


def ticked(topic: Topic, rules: Rules, *, upto_ms: int) -> list[Vitals]:
    """Judge the topic at every tick up to an instant and return the vitals that it told."""
    told = []
    while topic.next_tick_ms is not None and topic.next_tick_ms <= upto_ms:
        vitals = topic.tick(rules).vitals
        if vitals is not None:
            told.append(vitals)
    return told


def test_a_topic_sleeps_when_its_windows_are_empty_and_wakes_with_the_next_signal() -> None:
    """The last window to empty is that of seven days, whose audience begins at a block of five minutes; a year later
    the tick behind the new signal is the next.
    """
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    topic.add(post(START_MS + 5))
    last_ms = START_MS + 7 * DAY_MS + 5 * MINUTE_MS
    ticked(topic, Rules(), upto_ms=last_ms - MINUTE_MS)
    assert topic.next_tick_ms == last_ms
    ticked(topic, Rules(), upto_ms=last_ms)
    assert next_tick_ms(topic) is None

    later_ms = START_MS + 365 * DAY_MS
    topic.add(post(later_ms + 7))
    assert next_tick_ms(topic) == later_ms + MINUTE_MS
    vitals = topic.tick(Rules()).vitals
    assert vitals is not None
    assert {name: window.signals for name, window in vitals.windows.items()} == dict.fromkeys(
        ("5m", "1h", "24h", "7d"), 1
    )


def test_a_sleeping_topic_has_no_tick() -> None:
    """To tick it all the same is an error of the caller."""
    with pytest.raises(AssertionError, match="sleeping"):
        Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS).tick(Rules())


def test_the_baseline_learns_only_whole_days() -> None:
    """One new actor an hour: a whole day has 24, and that is all that is ever expected; a part of one is not learnt."""
    rules = build_rules({"baseline": {"learning_hours": 0, "weekly_after_hours": 0}})
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    told: list[Vitals] = []
    for hour in range(40):
        at_ms = START_MS + hour * HOUR_MS
        told += ticked(topic, rules, upto_ms=at_ms)
        topic.add(post(at_ms, actor=f"actor{hour}"))
    expected = {one.at: one.measures.baseline_expected for one in told}

    early = [value for at_ms, value in expected.items() if at_ms < START_MS + 25 * HOUR_MS]
    later = [value for at_ms, value in expected.items() if at_ms >= START_MS + 25 * HOUR_MS]
    assert set(early) == {None}
    assert set(later) == {24.0}


def test_a_topic_that_began_within_an_hour_waits_for_the_whole_hour_behind_its_first_day() -> None:
    """A day after 00:30 is over at 00:30, so the first hour learnt is the one that ends at 01:00."""
    rules = build_rules({"baseline": {"learning_hours": 0, "weekly_after_hours": 0}})
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    told: list[Vitals] = []
    for minute in range(30, 28 * 60, 10):
        at_ms = START_MS + minute * MINUTE_MS
        told += ticked(topic, rules, upto_ms=at_ms)
        topic.add(post(at_ms, actor=f"actor{minute % 240}"))
    first = next(one for one in told if one.measures.baseline_expected is not None)

    assert first.at == START_MS + 26 * HOUR_MS
    assert first.measures.baseline_expected == 24.0


def test_vitals_are_told_only_when_something_changed() -> None:
    """After one signal: at its tick, and when it leaves the windows of five minutes, an hour, a day and a week."""
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    topic.add(post(START_MS))
    told = ticked(topic, Rules(), upto_ms=START_MS + 8 * DAY_MS)
    windows = [{name: window.signals for name, window in one.windows.items()} for one in told]
    changes = [one for number, one in enumerate(windows) if number == 0 or one != windows[number - 1]]

    assert changes == [dict(zip(("5m", "1h", "24h", "7d"), counts, strict=True)) for counts in (
        (1, 1, 1, 1), (0, 1, 1, 1), (0, 0, 1, 1), (0, 0, 0, 1), (0, 0, 0, 0))]  # fmt: skip
    kept = [(one.state, one.windows, one.measures) for one in told]
    assert all(kept[number] != kept[number - 1] for number in range(1, len(kept)))


def test_more_actors_than_an_open_pane_keeps_are_counted_all_the_same() -> None:
    """What is handed over before the pane ends is not lost, and the busiest actor is still known."""
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    many = 2_000
    for number in range(many):
        topic.add(post(START_MS + number, actor=f"actor{number}", lineage=SEEDED if number % 2 else ADOPTED))
        topic.add(post(START_MS + number, actor="busy"))
    vitals = topic.tick(Rules()).vitals

    assert vitals is not None
    window = vitals.windows["1h"]
    assert window.signals == 2 * many
    assert window.actors == pytest.approx(many + 1, rel=0.07), "four standard errors of the estimate"
    assert window.top_actor_share == pytest.approx(0.5)


@given(st.integers(0, 2**32))
@settings(max_examples=12)
def test_rows_remember_all_that_later_ticks_tell(seed: int) -> None:
    """From any moment on, the topic from rows tells the bytes that the topic itself tells, also within a pane."""
    random = Random(seed)
    times = sorted(START_MS + random.randrange(3 * HOUR_MS) for _ in range(60))
    topic = Topic("b/t", pane_ms=MINUTE_MS, hour_ms=HOUR_MS)
    rows: dict[str, bytes] = {}
    points: list[tuple[int, dict[str, bytes]]] = []
    acts = [
        post(at_ms, actor=f"a{random.randrange(9)}", lineage=random.randrange(3), root=f"r{random.randrange(5)}")
        if random.random() < 0.7
        else seen(at_ms, root=f"r{random.randrange(5)}", size=n)
        for n, at_ms in enumerate(times)
    ]
    told: list[list[bytes]] = []
    for number, act in enumerate(acts):
        told.append(lived(topic, act))
        if random.random() < 0.2:
            remember(rows, topic.changed_rows())
            points.append((number, dict(rows)))

    for number, kept in points:
        again = Topic.from_rows("b/t", ((name.partition("|")[0], value) for name, value in kept.items()))
        assert [lived(again, act) for act in acts[number + 1 :]] == told[number + 1 :]


def lived(topic: Topic, act: ContributionItem) -> list[bytes]:
    """Take a topic through the ticks before an act and the act itself; return all that was told, as bytes."""
    told: list[object] = []
    while topic.next_tick_ms is not None and topic.next_tick_ms <= act.at:
        tick = topic.tick(EAGER)
        told += [tick.vitals, *tick.alerts]
    if isinstance(act, CascadeContribution):
        told.append(topic.take(act, EAGER))
    elif isinstance(act, Contribution):
        topic.add(act)
    return in_bytes(told)


@pytest.mark.parametrize("tick_minutes", [1, 5, 30])
def test_windows_are_as_long_as_they_say_whatever_the_tick(tick_minutes: int) -> None:
    """The rule `tick` says how often a topic is judged, not how long an hour is; a window has one pane at least."""
    rules = build_rules(EAGER_RULES | {"tick": f"{tick_minutes}m"})
    step = WatchStep(Registry([], overrides=EAGER_RULES | {"tick": f"{tick_minutes}m"}), origins=1)
    random = Random(tick_minutes)
    times = sorted(START_MS + random.randrange(3 * DAY_MS) for _ in range(300))
    acts = [post(at_ms, actor=f"a{random.randrange(9)}") for at_ms in times]
    packet = ContributionPacket(1, 0, BEGINNING, (START_MS + 4 * DAY_MS, ""), tuple(acts))
    seen = step.advance([(0, packet)], next_offset=1)

    assert rules.tick_ms == tick_minutes * MINUTE_MS
    assert {one.at % rules.tick_ms for one in seen.vitals} == {0}
    for one in seen.vitals:
        for name, length_ms in {"5m": 5 * MINUTE_MS, "1h": HOUR_MS, "24h": DAY_MS}.items():
            begin_ms = one.at - max(length_ms, rules.tick_ms)
            assert one.windows[name].signals == sum(begin_ms <= at_ms < one.at for at_ms in times)


def test_the_cascades_in_an_alert_do_not_depend_on_checkpoints() -> None:
    """Of more roots than a row holds only the largest are kept, the same ones wherever a restart falls."""
    random = Random(7)
    acts: list[ContributionItem] = []
    for number in range(3_000):
        at_ms, root = START_MS + 400 * number, f"r{random.randrange(400)}"
        acts += [post(at_ms, actor=f"a{number % 90}", root=root), seen(at_ms, root=root, size=1 + number % 97)]
    whole, rows = Topic("b/t", pane_ms=MINUTE_MS), dict[str, bytes]()
    told: list[list[bytes]] = []
    points = []
    for number, one in enumerate(acts):
        told.append(lived(whole, one))
        if number % 331 == 0:
            remember(rows, whole.changed_rows())
            assert max(map(len, rows.values())) <= ROW_BYTES_MAX
            points.append((number, dict(rows)))
    assert any(b'"cascades":[{' in one for part in told for one in part)
    for number, kept in points:
        again = Topic.from_rows("b/t", ((name.partition("|")[0], value) for name, value in kept.items()))
        assert [lived(again, one) for one in acts[number + 1 :]] == told[number + 1 :]


def test_rows_stay_small_with_the_longest_ids() -> None:
    """Actors and roots of 512 bytes, as many as come, leave every row within its limit."""
    topic = Topic("b/t", pane_ms=MINUTE_MS)
    for number in range(500):
        name = f"{number:04}".rjust(512, "x")
        topic.add(post(START_MS + number, actor=name, root=name, lineage=number % 3))
        topic.take(seen(START_MS + number, root=name, size=9 + number), EAGER)
    sizes = {key: len(value or b"") for key, value in topic.changed_rows()}
    assert {"t|b/t", "o|b/t", "k|b/t"} < set(sizes)
    assert max(sizes.values()) <= ROW_BYTES_MAX


def test_a_checkpoint_writes_only_what_changed() -> None:
    """A tick in which nothing came writes the head, not the open pane and the cascades again."""
    topic = Topic("b/t", pane_ms=MINUTE_MS)
    topic.add(post(START_MS))
    list(topic.changed_rows())
    topic.tick(Rules())
    list(topic.changed_rows())
    topic.tick(Rules())
    assert [key for key, _ in topic.changed_rows()] == ["t|b/t"]
