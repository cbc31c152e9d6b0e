"""A topic's drift is what its members do: planted ones are found with their size, look-alikes are none."""

from collections import Counter
from math import sqrt
from random import Random

import pytest

from schemas.attributed import ADOPTED, BRAND, SEEDED, WILD
from schemas.drift_rows import DriftRow
from schemas.rules import DAY_MS, HOUR_MS
from streams.measures.cohort_actor import home_of
from streams.steps.drift import TOLD_MAX, TopicDrift
from tests.streams.steps.drift.talk import (
    BEFORE_PANES,
    END_MS,
    MEMBERS,
    PANE_MS,
    RULES,
    SEEDS,
    SMALL_TALK,
    START_MS,
    Table,
    after_quiet_days,
    evaluate,
    planted,
    quiet_days,
    said,
    take,
    told,
    wild,
    wilson_low,
    within,
)

# --- what is found ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5, 0.8, 1.0])
def test_a_planted_drift_is_found_with_its_size(fraction: float) -> None:
    """The share of the members who went, Wilson's lower bound of it, and the tag that they went to."""
    drift = after_quiet_days(Random(1), planted(Random(2), fraction))
    measures, moved = told(drift), round(200 * fraction)
    (topic,) = drift.emergent()

    assert measures.drift_share == pytest.approx(fraction, abs=1e-5)
    assert measures.drift_share_low == pytest.approx(wilson_low(moved, 200), abs=1e-5)
    assert (measures.emergent_topics, measures.emergent_actors) == (1, moved)
    assert (topic.name, topic.actors, topic.exogenous) == ("#wild", moved, False)
    assert topic.cascades >= 2
    assert topic.lift >= 3


def test_the_share_of_a_random_drift_lies_around_its_fraction() -> None:
    """Of 20 communities whose members go with the chance of one half each, no more than a few miss Wilson's bound."""
    low = 0
    for seed in range(20):
        random = Random(seed)
        log = [
            wild(within(random), member, "#wild") if random.random() < 0.5 else said(within(random), member, ["#brand"])
            for member in MEMBERS
        ]
        measures = told(after_quiet_days(Random(1), log))
        assert measures.drift_share is not None
        assert measures.drift_share_low is not None
        assert abs(measures.drift_share - 0.5) < 4 * sqrt(0.25 / 200)
        low += measures.drift_share_low < 0.5

    assert low >= 18


def test_what_the_rest_of_the_network_takes_up_alike_is_exogenous_and_no_drift() -> None:
    """It is told, because it explains, and nobody has left for it."""
    drift = after_quiet_days(Random(1), planted(Random(2), 0.5, users=50))
    measures = told(drift)
    (topic,) = drift.emergent()

    assert (topic.name, topic.exogenous) == ("#wild", True)
    assert (measures.drift_share, measures.emergent_topics, measures.emergent_actors) == (0.0, 0, 0)
    assert not drift.add(wild(END_MS, "member-0", "#wild"), SEEDS)


def test_what_emerges_is_told_before_what_the_network_talks_about_and_five_at_most() -> None:
    """Whoever reads five topics has to see the escape among them, although more people talk about the weather."""
    random = Random(3)
    log = [wild(within(random), member, f"#storm{n}", users=80) for member in MEMBERS for n in range(6)]
    log += [wild(within(random), member, "#wild") for member in MEMBERS[:50]]
    told_topics = after_quiet_days(Random(1), log).emergent()

    assert len(told_topics) == TOLD_MAX
    assert [topic.name for topic in told_topics if not topic.exogenous] == [told_topics[0].name] == ["#wild"]


def test_talk_within_a_conversation_of_the_topic_emerges_too() -> None:
    """Replies below the brand's post with other tags than its own are where members go first."""
    random = Random(3)
    log = [
        said(within(random), member, ["#wild"], lineage=SEEDED, root=f"post{number % 3}")
        for number, member in enumerate(MEMBERS[:80])
    ]
    (topic,) = after_quiet_days(Random(1), log).emergent()

    assert (topic.name, topic.actors, topic.cascades, topic.exogenous) == ("#wild", 80, 3, False)


def test_divergence_compares_what_members_say_of_their_own_accord_with_the_brand_and_its_audience() -> None:
    """All of the brand's audience says the seed, all members one other tag: they lie one bit apart, less chance."""
    random = Random(3)
    audience = [
        said(within(random), f"fan-{number}", ["#brand"], lineage=SEEDED, member=False) for number in range(400)
    ]
    measures = told(after_quiet_days(Random(1), [*planted(Random(2), 1.0), *audience]))
    assert measures.tag_divergence_bits is not None
    assert measures.tag_divergence_log_p is not None

    # Of the members' own uses 200 are of the new tag; small talk elsewhere is no part of them.
    assert measures.tag_divergence_bits == pytest.approx(1.0, abs=0.01)
    assert measures.tag_divergence_log_p < -13.8


# --- what is none -----------------------------------------------------------------------------------------------------


def test_one_actor_with_a_thousand_posts_is_no_drift() -> None:
    """Actors count, not posts, in however many conversations."""
    random = Random(3)
    flood = [wild(within(random), "member-0", "#wild", root=f"post{number}") for number in range(1_000)]
    drift = after_quiet_days(Random(1), [*flood, *planted(Random(2), 0.0)])

    assert drift.emergent() == ()
    assert (told(drift).drift_share, told(drift).emergent_topics) == (0.0, 0)


def test_one_conversation_is_no_drift() -> None:
    """Many who talk in one thread are a thread."""
    random = Random(3)
    log = [wild(within(random), member, "#wild", root="one") for member in MEMBERS[:100]]

    assert after_quiet_days(Random(1), log).emergent() == ()


def test_usual_small_talk_is_no_drift() -> None:
    """All members talk elsewhere at once, about what they have always talked about."""
    random = Random(3)
    log = [wild(within(random), member, random.choice(SMALL_TALK), users=5) for member in MEMBERS]
    drift = after_quiet_days(Random(1), [*log, *planted(Random(2), 0.0)])

    assert drift.emergent() == ()
    assert told(drift).drift_share == 0.0


def test_what_was_there_before_members_were_known_has_not_emerged() -> None:
    """In its first hours a topic has no past, and everything is new."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    take(drift, planted(Random(2), 0.5))
    evaluate(drift, END_MS)

    assert drift.emergent() == ()


def test_seeds_do_not_emerge() -> None:
    """What a brand seeded anew is its campaign."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    take(drift, [*quiet_days(Random(1)), *planted(Random(2), 0.5)])
    drift.evaluate(END_MS, rules=RULES, seeds=SEEDS | {"#wild"})

    assert drift.emergent() == ()


@pytest.mark.parametrize("lineage", [SEEDED, ADOPTED])
def test_what_those_say_who_are_no_members_counts_for_nothing(lineage: int) -> None:
    """A crowd that comes by with a tag of its own leaves what is found as it is."""
    random, rows = Random(3), []
    crowd = [
        said(within(random), f"guest-{number}", ["#crowd"], lineage=lineage, root=f"g{number}", member=False)
        for number in range(300)
    ]
    for guests in ([], crowd):
        drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES), Table()
        take(drift, [*quiet_days(Random(1)), *planted(Random(2), 0.3), *guests])
        evaluate(drift, END_MS)
        table.take(drift)
        rows.append(table.found)

    assert rows[0] == rows[1]
    assert rows[0].share is not None


def test_posts_without_tags_say_nothing_of_where_talk_goes() -> None:
    """They are on the topic all the same, where their conversation is."""
    drift, table = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES), Table()
    seen = [drift.add(said(START_MS, "ana", [], lineage=lineage), SEEDS) for lineage in (BRAND, SEEDED, ADOPTED, WILD)]
    evaluate(drift, START_MS + HOUR_MS)
    table.take(drift)

    assert seen == [True, True, True, False]
    assert table.rows.keys() == {"d"}
    assert table.found == DriftRow((START_MS + HOUR_MS) * 3 // PANE_MS, None, None, None, None, ())


# --- what belongs to the topic ----------------------------------------------------------------------------------------


def test_what_is_wild_belongs_to_the_topic_once_it_is_on_what_has_emerged() -> None:
    """Not before the evaluation that finds it, not for other tags, and not for ever."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)
    log = planted(Random(2), 0.5)
    take(drift, quiet_days(Random(1)))
    before = [drift.add(one, SEEDS) for one in sorted(log, key=lambda one: one.at) if one.lineage == WILD]
    evaluate(drift, END_MS)
    after = [drift.add(wild(END_MS + 1, "member-0", tag), SEEDS) for tag in ("#wild", "#talk0")]
    both = drift.add(said(END_MS + 1, "member-1", ["#talk0", "#wild"], lineage=WILD, outside=(0, 0)), SEEDS)
    evaluate(drift, END_MS + DAY_MS)
    later = drift.add(wild(END_MS + DAY_MS, "member-0", "#wild"), SEEDS)

    assert not any(before)
    assert (after, both, later) == ([True, False], True, False)


@pytest.mark.parametrize("lineage", [BRAND, SEEDED, ADOPTED])
@pytest.mark.parametrize("member", [False, True])
@pytest.mark.parametrize("tags", [(), ("#brand",), ("#else",)])
def test_what_is_on_the_topic_belongs_to_it(lineage: int, member: bool, tags: tuple[str, ...]) -> None:
    """Whoever says it and whatever the tags are."""
    drift = TopicDrift(pane_ms=PANE_MS, before_panes=BEFORE_PANES)

    assert drift.add(said(START_MS, "ana", tags, lineage=lineage, member=member), SEEDS)


# --- how broad it is --------------------------------------------------------------------------------------------------


def test_breadth_is_over_the_cascades_by_which_those_who_went_had_come() -> None:
    """Of forty who went, twenty had come by one cascade, ten by each of two others: H = 1.5 ln 2; and it is stored."""
    drift, table = after_quiet_days(Random(1), planted(Random(2), 0.2)), Table()
    homes = Counter({home_of("one"): 20, home_of("two"): 10, home_of("three"): 10})
    gone = len(drift.gone)
    drift.spread(homes, ["two", "one"])
    breadth, measures = drift.breadth(), told(drift)
    table.take(drift)

    assert gone == 40
    assert breadth is not None
    assert breadth.hill == pytest.approx(2**1.5, rel=1e-5)
    assert breadth.entropy_nats == pytest.approx(1.03972, rel=1e-5)
    assert (breadth.concentration, breadth.parts, breadth.actors) == (0.5, 3, 40)
    assert [(one.root, one.actors) for one in breadth.communities[:1]] == [("one", 20)]
    assert {(one.root, one.actors) for one in breadth.communities[1:]} == {("two", 10), (None, 10)}
    assert (measures.breadth_hill, measures.breadth_concentration) == (breadth.hill, 0.5)
    assert table.restored().breadth() == breadth


def test_nobody_who_went_is_spread_over_nothing() -> None:
    """Where nothing emerged, or nobody is known by whose cascade they came, there is no number."""
    drift = after_quiet_days(Random(1))
    nobody = len(drift.gone)
    drift.spread(Counter(), ["one"])

    assert nobody == 0
    assert drift.breadth() is None
    assert told(drift).breadth_hill is None
