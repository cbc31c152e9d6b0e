"""A season is lived as planned, the same for the same seed, in signals that anybody could have sent."""

import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from agents.seasons import grow, grow_planted, load_season
from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import HOUR_MS
from schemas.signal import KINDS
from streams.attribution.tags import normalize_tags
from streams.networks import native
from tests.agents.seasons.small_season import small_season

_FINGERPRINT = """
import hashlib, msgspec
from agents.seasons import grow
from tests.agents.seasons.small_season import small_season
print(hashlib.sha256(b"".join(map(msgspec.json.encode, grow(small_season(), 3)))).hexdigest())
"""


@pytest.fixture(scope="module")
def small() -> Season:
    """Return the small season."""
    return small_season()


@pytest.fixture(scope="module")
def lived(small: Season) -> list[Planted]:
    """Return the small season, lived once."""
    return list(grow_planted(small, 3))


@pytest.fixture(scope="module")
def garden() -> list[Planted]:
    """Return the season that comes along, lived once."""
    return list(grow_planted(load_season(), 1))


def rates_by_phase(season: Season, planted: list[Planted]) -> dict[str, Counter[str | None]]:
    """Count the signals of each phase by the lineage that they were planted with."""
    edges = [*season.phases_ms(), (season.end_ms, None)]
    found: dict[str, Counter[str | None]] = {}
    for (begin_ms, phase), (end_ms, _) in pairwise(edges):
        assert phase is not None
        found[phase.name] = Counter(one.lineage for one in planted if begin_ms <= one.signal.at < end_ms)
    return found


def test_the_same_seed_gives_the_same_signals_and_another_seed_gives_others(small: Season) -> None:
    """A seed is all that is needed to tell somebody which season was meant."""
    assert list(grow(small, 3)) == list(grow(small, 3))
    assert list(grow(small, 3)) != list(grow(small, 4))


def test_the_same_seed_gives_the_same_bytes_in_every_process(project_root: Path) -> None:
    """Strings hash differently from process to process, and nothing may depend on it."""
    prints = {
        subprocess.run(
            [sys.executable, "-c", _FINGERPRINT],
            cwd=project_root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(project_root)},
            capture_output=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }

    assert len(prints) == 1


def test_signals_come_in_stamp_order_within_the_season(small: Season, lived: list[Planted]) -> None:
    """The log is in the total order, so it can be read as it is."""
    stamps = [(one.signal.at, one.signal.id) for one in lived]

    assert stamps == sorted(set(stamps))
    assert small.start_ms <= stamps[0][0]
    assert stamps[-1][0] < small.end_ms


def test_every_signal_is_one_that_the_native_format_accepts(lived: list[Planted]) -> None:
    """What is written to the log reads back as itself."""
    assert all(native.normalize(msgspec.json.encode(one.signal)) == one.signal for one in lived)


def test_parents_roots_and_posts_were_there_before_those_who_name_them(lived: list[Planted]) -> None:
    """Ids are real: each answer names a post or share that came earlier, by its author, in the same conversation."""
    author_of: dict[str, str] = {}
    root_of: dict[str, str | None] = {}
    for signal, _, _ in lived:
        if signal.parent is not None:
            assert author_of[signal.parent] == signal.parent_actor
            assert root_of[signal.parent] == signal.root
            assert signal.actor != signal.parent_actor or signal.kind != "share"
        assert signal.root is not None
        made = signal.id if signal.kind in ("share", "like") else signal.post
        assert made is not None
        author_of[made], root_of[made] = signal.actor, signal.root
        assert author_of[signal.root] == signal.root_actor


def test_the_lineage_that_was_planted_is_what_the_signal_says(small: Season, lived: list[Planted]) -> None:
    """Derived from the text of the definitions: the brand's own, in its conversations, with its tag elsewhere."""
    tags = set(normalize_tags(small.tags)[0])
    adopted_roots = {
        one.signal.root
        for one in lived
        if one.signal.post == one.signal.root and tags & set(normalize_tags(one.signal.tags)[0])
    }
    for signal, lineage, _ in lived:
        expected: str | None
        if signal.actor in small.accounts:
            expected = "brand"
        elif signal.root_actor in small.accounts:
            expected = "seeded"
        else:
            expected = "adopted" if signal.root in adopted_roots else None
        assert lineage == expected


def test_talk_about_other_things_never_touches_the_topic(garden: list[Planted]) -> None:
    """Neither a tag nor a phrase nor a link nor a mention of the brand is in it."""
    season = load_season()
    tags = set(normalize_tags(season.tags)[0])
    for signal, lineage, _ in garden:
        if lineage is None:
            assert not tags & set(normalize_tags(signal.tags)[0])
            assert not set(season.accounts) & {*signal.mentions, signal.actor, signal.parent_actor, signal.root_actor}
            assert "let it grow" not in (signal.text or "").casefold()
            assert signal.links == ()


def test_the_brand_keeps_its_schedule(small: Season, lived: list[Planted]) -> None:
    """Its first post opens the season; waits are within a fifth of the planned ones; a new phase begins at once."""
    at_ms = [one.signal.at - small.start_ms for one in lived if one.lineage == "brand"]
    waits = [after - before for before, after in pairwise(at_ms)]
    campaign_ms = [instant for instant in at_ms if instant >= 4 * HOUR_MS]

    assert at_ms[0] == 0
    assert campaign_ms[0] == 4 * HOUR_MS
    assert 25 <= len(campaign_ms) <= 38
    assert all(wait <= 1.2 * HOUR_MS for wait in waits)


@pytest.mark.slow
def test_what_people_do_of_their_own_accord_follows_the_days_rhythm() -> None:
    """Twelve hours around the peak at 18 h bring (1 + 2·0.5/pi)/(1 - 2·0.5/pi) = 1.93 times as much as the others."""
    season = small_season(old="hours: 2, state: seeded", new="hours: 720, state: seeded")
    background = [
        one.signal.at - season.start_ms
        for one in grow_planted(season, 1)
        if one.lineage is None and not one.signal.parent
    ]
    by_day = Counter(12 <= at_ms // HOUR_MS % 24 < 24 for at_ms in background if at_ms < 720 * HOUR_MS)

    # About 28,800 posts, so the ratio has a standard error of about 0.023.
    assert abs(by_day[True] / by_day[False] - 1.934) < 0.1
    assert abs(by_day.total() - 28_800) < 5 * 28_800**0.5


def test_reactions_are_as_many_as_planned() -> None:
    """A post sets off 0.3/(1 - 0.35 likes) reactions, each of them 0.3 more, so 1 + 0.4615/0.7 signals come of it."""
    season = small_season(old="hours: 2, state: seeded", new="hours: 240, state: seeded")
    background = [one.signal for one in grow_planted(season, 1) if one.lineage is None]
    posts = sum(signal.parent is None for signal in background)

    # About 9,700 trees whose size has a standard deviation near 1, likes and the end of the season included.
    assert abs(len(background) / posts - 1.6593) < 0.06


def test_a_phase_in_which_the_brand_is_silent_has_no_post_of_its() -> None:
    """A rate of zero means never, whatever was planned before."""
    season = small_season(
        old="brand_posts_per_hour: 30, reactions_per_post: 40,\n     adopted_per_hour: 0, reproduction: 0, reach: 1",
        new="brand_posts_per_hour: 0, reactions_per_post: 0,\n     adopted_per_hour: 0, reproduction: 0, reach: 1",
    )
    campaign_ms = season.phases_ms()[2][0]

    assert not [one for one in grow_planted(season, 3) if one.lineage == "brand" and one.signal.at >= campaign_ms]


def test_the_garden_keeps_its_promises(garden: list[Planted]) -> None:
    """Size, mix and course of the season that comes along, as the documentation describes them."""
    season = load_season()
    phases = rates_by_phase(season, garden)
    lineages = Counter(one.lineage for one in garden)
    people_in_bloom = {
        one.signal.actor
        for one in garden
        if one.lineage is not None and season.phases_ms()[1][0] <= one.signal.at < season.phases_ms()[3][0]
    }

    assert 25_000 <= len(garden) <= 40_000
    assert 1 / 3 <= lineages[None] / len(garden) <= 1 / 2
    assert set(Counter(one.signal.kind for one in garden)) == set(KINDS) - {"follow"}
    assert phases["quiet"]["adopted"] < 0.55 * phases["quiet"]["seeded"]
    assert phases["in full bloom"]["adopted"] > 10 * phases["in full bloom"]["seeded"]
    assert phases["campaign"]["seeded"] > 10 * phases["campaign"]["adopted"]
    assert len(people_in_bloom) > 500
