"""Each disturbance is as large as planned, by whom it was planned, and known as one."""

from collections import Counter

import pytest

from agents.seasons import grow_planted, load_season
from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import HOUR_MS
from streams.attribution.tags import normalize_tags

HOURS = 120


def disturbed(name: str, **settings: object) -> tuple[Season, list[Planted], list[Planted]]:
    """Live a season; return it, what is part of its disturbance, and the rest."""
    season = load_season(name, settings)
    lived = list(grow_planted(season, 2))
    return season, [one for one in lived if one.trap], [one for one in lived if not one.trap]


@pytest.mark.parametrize(
    ("name", "settings", "actors", "posts", "lineage"),
    [
        ("bot_flood", {"hours": 130, "posts": 2_000}, 1, 2_000, "adopted"),
        ("bot_net", {"hours": 131, "posts": 2_400}, 24, 2_400, "adopted"),
        ("brand_flood", {"hours": HOURS, "posts": 1_000}, 1, 1_000, "brand"),
        ("hijack", {"hours": HOURS}, 300, 1_500, "adopted"),
    ],
)
def test_a_flood_is_many_posts_by_a_few_who_are_answered_by_nobody(
    name: str, settings: dict[str, object], actors: int, posts: int, lineage: str
) -> None:
    """Each carries the topic's tag; bots and strangers never did anything else."""
    season, flood, rest = disturbed(name, **settings)
    tags = set(normalize_tags(season.tags)[0])
    people = {one.signal.actor for one in flood}
    flooded = {one.signal.post for one in flood}

    assert len(flood) == posts
    assert abs(len(people) - actors) <= 0.02 * actors
    assert {one.lineage for one in flood} == {lineage}
    assert all(tags & set(normalize_tags(one.signal.tags)[0]) for one in flood)
    assert all(one.signal.at >= season.start_ms + 106 * HOUR_MS for one in flood)
    assert not any(one.signal.root in flooded for one in rest)
    if lineage == "adopted":
        assert not people & {one.signal.actor for one in rest}


def test_a_viral_post_is_one_huge_cascade_by_strangers_to_the_topic() -> None:
    """All of it hangs on one post of a member, and most of it is shares by people who never touch the topic."""
    _, cascade, rest = disturbed("viral_post", hours=HOURS, reactions=1_000)
    community = {one.signal.actor for one in rest if one.lineage in ("seeded", "adopted")}
    kinds = Counter(one.signal.kind for one in cascade)

    assert len(cascade) == 1_001
    assert {one.signal.root for one in cascade} == {cascade[0].signal.post}
    assert 0.45 < kinds["share"] / 1_001 < 0.65
    assert not {one.signal.actor for one in cascade[1:]} & community


def test_a_shock_reaches_everybody_and_has_nothing_to_do_with_the_topic() -> None:
    """The neighbours post most of it, the community its part."""
    settings = {"quiet_hours": 24, "away_hours": 100, "home_hours": 1, "posts": 900, "member_posts": 400}
    season, shock, _ = disturbed("shock", **settings)
    tags = set(normalize_tags(season.tags)[0])
    members = [one for one in shock if int(one.signal.actor[1:]) <= season.plan.people.community]

    assert (len(shock), len(members)) == (1_300, 400)
    assert {one.lineage for one in shock} == {None}
    assert not any(tags & set(normalize_tags(one.signal.tags)[0]) for one in shock)
