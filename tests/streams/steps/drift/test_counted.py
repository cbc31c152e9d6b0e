"""What is found equals a count over everything, behind every restart; of crowds a sample tells the same."""

from collections.abc import Callable
from math import sqrt
from random import Random
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, BRAND, SEEDED, WILD
from schemas.contribution import Contribution
from schemas.drift_rows import DriftRow
from schemas.rules import EmergentRules, EscapedRules, Rules
from streams.measures import tag_actors
from streams.measures.drift import drift_share
from streams.measures.emergence import Candidate, Population, Thresholds, emergent_topics
from streams.measures.tag_divergence import tag_divergence
from streams.steps.drift import EVALUATIONS, KNOWN_MAX, LAG_PANES, NOW_PANES, TopicDrift
from tests.streams.steps.drift.talk import (
    BEFORE_PANES,
    END_MS,
    MEMBERS,
    PANE_MS,
    QUIET_MS,
    SEEDS,
    START_MS,
    WINDOW_MS,
    Table,
    after_quiet_days,
    evaluate,
    planted,
    quiet_days,
    said,
    take,
    told,
    wild,
    within,
)

EAGER = Rules(
    emergent=EmergentRules(lift_min=1.1, g2_min=0.5, q_max=1.0, actors_min=2),
    escaped=EscapedRules(uses_min=5),
)
EAGER_PANES = 12
ACTORS = 30
"""Of the rest of the one shard, in random talk."""


def random_talk(random: Random, *, count: int = 150) -> list[Contribution]:
    """Return talk of a few people over some panes, with silences, whose tags change as time goes on."""
    log, at_ms = [], START_MS
    for number in range(count):
        at_ms += random.choice([0, 0, 60_000, 600_000, PANE_MS]) if random.random() < 0.98 else 4 * PANE_MS
        lineage = random.choice([BRAND, SEEDED, SEEDED, ADOPTED, ADOPTED, WILD, WILD, WILD, WILD])
        member = lineage == WILD or (lineage != BRAND and random.random() < 0.7)
        names = ["#brand", *(f"#t{n}" for n in range(number // 40, number // 40 + 4))]
        tags = random.sample(names, random.randrange(3))
        actor = f"{'member' if member else 'guest'}-{random.randrange(20)}"
        # Shards tell the same of a tag as long as they do, so that the order of their telling is no part of this.
        outside = tuple(len(tag) + number // 40 for tag in tags) if lineage == WILD else ()
        log.append(
            said(at_ms, actor, tags, lineage=lineage, root=f"root{random.randrange(4)}", member=member,
                 outside=outside, actors=ACTORS * (lineage == WILD), shard=5 if lineage == WILD else -1)
        )  # fmt: skip
    return log


def counted(
    log: list[Contribution], chosen: Callable[[Contribution], bool], *, start: int, stop: int
) -> tuple[dict[str, int], int]:
    """Return how many actors used each tag in some panes, and how many used any, of what is chosen."""
    uses = {
        (one.actor, tag) for one in log if one.tags and chosen(one) and start <= one.at // PANE_MS < stop
        for tag in one.tags
    }  # fmt: skip
    return {name: sum(tag == name for _, tag in uses) for name in {tag for _, tag in uses}}, len({a for a, _ in uses})


def is_member(one: Contribution) -> bool:
    """Say whether a member said something, anywhere."""
    return one.member


def is_wild(one: Contribution) -> bool:
    """Say whether something was said elsewhere."""
    return one.lineage == WILD


def is_own(one: Contribution) -> bool:
    """Say whether a member said something on the topic of its own accord."""
    return one.member and one.lineage in (SEEDED, ADOPTED) and (one.lineage == ADOPTED or SEEDS.isdisjoint(one.tags))


def is_seeded(one: Contribution) -> bool:
    """Say whether the brand or its audience said something."""
    return one.lineage == BRAND or (one.lineage == SEEDED and not SEEDS.isdisjoint(one.tags))


def is_placed(one: Contribution) -> bool:
    """Say whether a member said something away from the seeds, elsewhere or in a conversation of the topic."""
    return one.member and (one.lineage == WILD or (one.lineage in (SEEDED, ADOPTED) and SEEDS.isdisjoint(one.tags)))


def by_definition(log: list[Contribution], at_ms: int, *, known: DriftRow) -> DriftRow:
    """Return what an evaluation finds, by counting everything (the tests it makes have tests of their own)."""
    end, number = at_ms // PANE_MS, at_ms * EVALUATIONS // PANE_MS
    start, far, ago = end - NOW_PANES, end + 1, end - LAG_PANES
    if not any(one.member and one.tags and one.at // PANE_MS >= ago - EAGER_PANES for one in log):
        return DriftRow(number, None, None, None, None, ())
    now, now_actors = counted(log, is_member, start=start, stop=far)
    before, before_actors = counted(log, is_member, start=ago - EAGER_PANES, stop=ago)
    placed = [one for one in log if is_placed(one) and start <= one.at // PANE_MS < far]
    rule = EAGER.emergent
    large = {name for name, users in now.items() if users >= rule.actors_min}
    topics = emergent_topics(
        [candidate(name, placed, now=now[name], before=before.get(name, 0), is_large=name in large) for name in now],
        Population(now_actors, before_actors, ACTORS * any(is_wild(one) and large & {*one.tags} for one in placed)),
        seeds=SEEDS,
        thresholds=Thresholds(*(getattr(rule, name) for name in Thresholds._fields)),
    )
    found = [(t.name, six_digits(t.lift), six_digits(t.g2), t.actors, t.cascades, t.exogenous) for t in topics]
    fresh = {topic.name for topic in topics}
    gone_on = [
        (one[0], one[1], one[2], now[one[0]], *one[4:]) for one in known.emergent if one[0] in now.keys() - fresh
    ]
    found += sorted(gone_on, key=lambda topic: (-topic[3], topic[0]))
    names = {name for name, *_, exogenous in found if not exogenous}
    away = {one.actor for one in placed if is_wild(one) and not names.isdisjoint(one.tags)}
    share = drift_share(n_wild=len(away), n_adopted=now.get("#brand", 0), n_seeded=0)
    own, _ = counted(log, is_own, start=start, stop=far)
    off, _ = counted(log, is_wild, start=start, stop=far)
    seeded, _ = counted(log, is_seeded, start=end - EAGER_PANES, stop=far)
    p = {name: own.get(name, 0) + off.get(name, 0) for name in own.keys() | names}
    divergence = tag_divergence(p, seeded, n_min=EAGER.escaped.uses_min)
    return DriftRow(
        number,
        six_digits(share.value) if share else None,
        six_digits(share.low) if share else None,
        six_digits(divergence.bits) if divergence else None,
        six_digits(divergence.log_p) if divergence else None,
        tuple(found),
        len(away),
    )


def candidate(name: str, placed: list[Contribution], *, now: int, before: int, is_large: bool) -> Candidate:
    """Return what was counted of a tag; where it was used is looked at only if enough used it."""
    there = [one for one in placed if name in one.tags and is_large]
    outside = [one.outside[one.tags.index(name)] for one in there if is_wild(one)]
    return Candidate(name, now, before, len({one.root for one in there}), outside[-1] if outside else 0)


def six_digits(number: float) -> float:
    """Return a number with six significant digits."""
    return float(f"{number:.6g}") + 0.0


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_an_evaluation_finds_what_counting_everything_finds(seed: int) -> None:
    """At any instant, with what was evaluated before leaving no trace in it."""
    random = Random(seed)
    log = random_talk(random)
    drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=EAGER_PANES), Table()
    evaluated, found = -1, DriftRow(-1, None, None, None, None, ())
    for number, one in enumerate(log):
        if random.random() < 0.1 and one.at * EVALUATIONS // PANE_MS > evaluated:
            evaluated = one.at * EVALUATIONS // PANE_MS
            evaluate(drift, one.at, rules=EAGER)
            table.take(drift)
            found = by_definition(log[:number], one.at, known=found)

            assert table.found == found
        drift.add(one, SEEDS)


@given(st.integers(0, 10**6), st.integers(0, 149))
@settings(max_examples=40)
def test_a_drift_from_its_rows_goes_on_the_same(seed: int, kept_after: int) -> None:
    """A restart anywhere changes neither what belongs to the topic nor what is found nor what is stored."""
    log = random_talk(Random(seed))
    runs = []
    for restarts in (False, True):
        random = Random(seed)
        drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=EAGER_PANES), Table()
        seen: list[object] = []
        for number, one in enumerate(log):
            if random.random() < 0.3:
                evaluate(drift, one.at, rules=EAGER)
            seen += [drift.add(one, SEEDS), told(drift), drift.emergent()]
            if number == kept_after or random.random() < 0.1:
                table.take(drift)
            if restarts and number == kept_after:
                drift = table.restored(before_panes=EAGER_PANES)
        evaluate(drift, log[-1].at + PANE_MS, rules=EAGER)
        table.take(drift)
        runs.append((seen, told(drift), table.rows))

    assert runs[0] == runs[1]


@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_order_within_a_pane_does_not_matter(seed: int, shuffling: Random) -> None:
    """Within what one evaluation takes in: partitions are read in any order, stamps decide."""
    log = [msgspec.structs.replace(one, outside=tuple(2 for _ in one.outside)) for one in random_talk(Random(seed))]
    rows = []
    for order in (log, sorted(shuffling.sample(log, len(log)), key=lambda one: one.at // PANE_MS)):
        drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=EAGER_PANES), Table()
        for one in order:
            drift.add(one, SEEDS)
        evaluate(drift, log[-1].at + PANE_MS, rules=EAGER)
        table.take(drift)
        rows.append(table.rows)

    assert rows[0] == rows[1]


# --- large ones -------------------------------------------------------------------------------------------------------


def test_a_drift_is_found_where_only_the_past_had_to_be_sampled() -> None:
    """A week holds more than three hours do, so it is the first of which only a sample is kept."""
    with mock.patch.object(tag_actors, "WINDOW_USES_MAX", 1_500):
        drift = after_quiet_days(Random(1), planted(Random(2), 0.5))
        (topic,) = drift.emergent()

    assert (topic.name, topic.actors) == ("#wild", 100)
    assert told(drift).drift_share == 0.5


def test_rows_stay_small_whatever_members_say() -> None:
    """Tags of 100 characters and roots of 512 bytes, of more people than a pane holds: `Table` looks at every row."""
    drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=EAGER_PANES), Table()
    for number in range(4_000):
        tags = [f"#{(number * 7 + place) % 700:04}".ljust(100, "日") for place in range(3)]
        drift.add(
            said(START_MS, f"actor{number}".ljust(512, "a"), tags, lineage=WILD, root=f"{number}".ljust(512, "r"),
                 outside=(2**40,) * 3, actors=2**41, shard=number % 64),
            SEEDS,
        )  # fmt: skip
    evaluate(drift, START_MS + PANE_MS, rules=EAGER)
    table.take(drift)

    assert set(table.rows) == {f"{letter}|{START_MS // PANE_MS}" for letter in "MWx"} | {"d"}


def test_of_many_emergent_topics_the_least_used_are_let_go() -> None:
    """What is remembered of them is one row."""
    drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES), Table()
    take(
        drift,
        [
            *quiet_days(Random(1)),
            *(
                wild(END_MS - WINDOW_MS + PANE_MS * (number % 6), member, f"#new{number:02}")
                for number in range(KNOWN_MAX + 16)
                for member in MEMBERS[: 20 + number]
            ),
        ],
    )
    evaluate(drift, END_MS)
    table.take(drift)

    assert [topic[3] for topic in table.found.emergent] == list(range(99, 99 - KNOWN_MAX, -1))
    assert told(drift).emergent_topics == KNOWN_MAX


@pytest.mark.parametrize("fraction", [0.3, 0.6])
def test_the_share_is_the_same_where_members_are_sampled(fraction: float) -> None:
    """Small talk makes all that members say too large for a pane, but not what they say elsewhere of what is new."""
    random = Random(5)
    crowd = [f"member-{number}" for number in range(2_000)]
    past = [said(START_MS + random.randrange(QUIET_MS), member, ["#brand"]) for member in crowd]
    moved = int(fraction * len(crowd))
    log = [wild(within(random), member, "#wild") for member in crowd[:moved]]
    log += [said(within(random), member, ["#brand", f"#{member}"]) for member in crowd[moved:]]
    with mock.patch.object(tag_actors, "WINDOW_USES_MAX", 1_600):
        drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
        take(drift, [*past, *log])
        evaluate(drift, END_MS)
        scales = [tags.read("now").scale for tags in (drift._all, drift._wild)]
    share = told(drift).drift_share

    assert scales[0] > scales[1]
    assert share is not None
    # Some 500 are seen: four deviations of their share.
    assert abs(share - fraction) < 4 * sqrt(0.25 / 500)
