"""A circle of known people talks steadily, drifts as planned, and comes home with what it found."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

from agents.seasons import grow_planted, load_season
from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import DAY_MS
from streams.attribution.tags import normalize_tags

SHORT: dict[str, object] = {"quiet_hours": 96, "away_hours": 24, "home_hours": 36}


def live(name: str, **settings: object) -> tuple[Season, dict[str, list[Planted]]]:
    """Live a season, and return what was planted in each phase."""
    season = load_season(name, {**SHORT, **settings})
    begins = [*season.phases_ms()]
    phases: dict[str, list[Planted]] = {phase.name: [] for _, phase in begins}
    for planted in grow_planted(season, 4):
        name = [phase.name for at_ms, phase in begins if at_ms <= planted.signal.at][-1]
        phases[name].append(planted)
    return season, phases


@pytest.fixture(scope="module")
def escape() -> tuple[Season, dict[str, list[Planted]]]:
    """Return a short escape, lived once."""
    return live("escape")


def tags_of(planted: Planted) -> set[str]:
    """Return the tags of a signal as they are compared."""
    return set(normalize_tags(planted.signal.tags)[0])


def on_topic(planted: Iterable[Planted]) -> list[Planted]:
    """Return what the community said on the topic or where it drifted to."""
    return [one for one in planted if one.lineage in ("seeded", "adopted", "wild")]


def test_nine_of_ten_of_the_circle_belong_by_the_rules_after_the_quiet_days(
    escape: tuple[Season, dict[str, list[Planted]]],
) -> None:
    """Two interactions on two UTC days make a member (MEASURES.md §1)."""
    days: dict[str, set[int]] = defaultdict(set)
    for one in on_topic(escape[1]["quiet"]):
        days[one.signal.actor].add(one.signal.at // DAY_MS)
    members = [actor for actor, seen in days.items() if len(seen) >= 2]

    assert 360 <= len(members) <= len(days) <= 400


@pytest.mark.slow
@pytest.mark.parametrize("drift", [0.2, 0.5, 0.8])
def test_the_fraction_that_drifts_is_that_of_the_talk(drift: float) -> None:
    """People lean evenly over their liveliness, so a fraction of them says the same fraction of all."""
    talk = on_topic(live("escape", drift=drift)[1]["away"])
    share = sum(one.lineage == "wild" for one in talk) / len(talk)

    assert len(talk) > 1_500
    assert abs(share - drift) < 0.04


def test_answers_to_the_brand_set_off_few_others(escape: tuple[Season, dict[str, list[Planted]]]) -> None:
    """Every fourth answer is to another answer, so that threads die out by themselves and none grows into a crowd.

    A thread is then 4/3 of what the post itself brings: some thirty answers in the quiet days.
    """
    below, answers, sizes = 0, 0, Counter[str]()
    for one in escape[1]["quiet"]:
        if one.lineage == "seeded" and one.signal.kind != "like" and one.signal.parent is not None:
            answers += 1
            below += one.signal.parent != one.signal.root
            sizes[one.signal.root or ""] += 1

    assert answers > 1_000
    assert 0.1 < below / answers < 0.3
    assert max(sizes.values()) < 100


def test_who_drifts_away_says_nothing_on_the_topic_meanwhile(escape: tuple[Season, dict[str, list[Planted]]]) -> None:
    """The talk of a person moves as a whole, so the cohort is sharp."""
    speakers: dict[bool, set[str]] = defaultdict(set)
    for one in on_topic(escape[1]["away"]):
        speakers[one.lineage == "wild"].add(one.signal.actor)

    assert len(speakers[True]) > 300
    assert not speakers[True] & speakers[False]


def test_what_drifted_is_neither_the_brands_nor_does_it_carry_a_seed(
    escape: tuple[Season, dict[str, list[Planted]]],
) -> None:
    """Wild by the definition: its root is not the brand's, and no tag, mention or link of the topic is in it."""
    season, phases = escape
    seeds = set(normalize_tags(season.tags)[0])
    emergent = set(normalize_tags(season.plan.emergent_tags)[0])
    wild = [one for one in phases["away"] if one.lineage == "wild"]
    for one in wild:
        assert one.signal.root_actor not in season.accounts
        assert one.signal.parent_actor not in season.accounts
        assert not tags_of(one) & seeds
        assert tags_of(one) <= emergent
        assert one.signal.links == ()
    roots = {one.signal.root for one in wild}

    assert len(roots) > 50
    assert len(wild) > 2 * len(roots)


def test_the_brand_joins_what_drifted_by_tag_or_reply(escape: tuple[Season, dict[str, list[Planted]]]) -> None:
    """Only when the plan says so: in the last phase."""
    season, phases = escape
    emergent = set(normalize_tags(season.plan.emergent_tags)[0])
    joins = {
        name: [one for one in planted if one.lineage == "brand" and (one.signal.parent or tags_of(one) & emergent)]
        for name, planted in phases.items()
    }

    # 36 hours with 0.5 an hour bring 18 on average.
    assert 5 <= len(joins.pop("home")) <= 40
    assert not any(joins.values())


def rate_and_diversity(planted: list[Planted]) -> tuple[float, float]:
    """Return signals per person and day on which they spoke, and the effective number of tags (e to the entropy)."""
    talk = on_topic(planted)
    days = {(one.signal.actor, one.signal.at // DAY_MS) for one in talk}
    tags = Counter(tag for one in talk if one.signal.kind == "post" for tag in sorted(tags_of(one)))
    entropy = -sum(count / tags.total() * math.log(count / tags.total()) for count in tags.values())
    return len(talk) / len(days), math.exp(entropy)


def test_who_comes_home_richer_says_more_and_of_more(escape: tuple[Season, dict[str, list[Planted]]]) -> None:
    """Measured by the definitions of MEASURES.md §7, against the days in bloom, before the escape."""
    phases = escape[1]
    (rate, diversity), (rate_before, diversity_before) = map(rate_and_diversity, (phases["home"], phases["bloom"]))

    assert rate / rate_before >= 1.2
    assert diversity / diversity_before >= 1.3


def test_who_comes_home_as_before_says_no_more() -> None:
    """Neither ratio reaches what would be called richer."""
    phases = live("homecoming", quiet_hours=24)[1]
    (rate, diversity), (rate_before, diversity_before) = map(rate_and_diversity, (phases["home"], phases["bloom"]))

    assert rate / rate_before < 1.1
    assert diversity / diversity_before < 1.1


@pytest.mark.parametrize(("name", "left"), [("faded", set()), ("settled", {None})])
def test_who_has_gone_is_silent_or_talks_of_other_things(name: str, left: set[str | None]) -> None:
    """Nobody of the cohort is on the topic again; only where they settled elsewhere are they heard at all."""
    phases = live(name, quiet_hours=24)[1]
    cohort = {one.signal.actor for one in phases["away"] if one.lineage == "wild"}

    assert {one.lineage for one in phases["home"] if one.signal.actor in cohort} == left
    assert any(one.lineage == "adopted" for one in phases["home"])
