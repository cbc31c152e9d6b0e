"""What is told of those who left has the values that anybody would count by hand."""

from math import exp, sqrt
from unittest import mock

import msgspec
import pytest

from schemas.attributed import ADOPTED, BRAND, SEEDED, WILD
from schemas.contribution import Contribution
from schemas.vitals import Measures
from streams.measures import cohort as cohort_module
from streams.steps.topic import Topic
from tests.streams.steps.leavers.lives import (
    SEEDS,
    Turn,
    Z,
    last,
    left,
    richer,
    said,
)
from tests.streams.steps.logs import MINUTE_MS, START_MS


def test_what_is_told_of_those_who_left_has_the_values_by_hand() -> None:
    """Thirty of forty are back, with 40 acts in 120 hours after 36 in 216, and 32 uses of four tags after 32 of two."""
    told = last(richer())
    wilson_low = (0.75 + Z * Z / 80 - Z * sqrt(0.75 * 0.25 / 40 + Z * Z / 6400)) / (1 + Z * Z / 40)
    # Nobody differs from the others, so the error of the ratio is that of the counts: 1/1200 + 1/1080.
    prolific_low = 2 / exp(Z * sqrt(1 / (30 * 40) + 1 / (30 * 36)))
    # Every tag is used alike, so no use pulls: there is the error for one and for three kinds of 960 uses.
    diverse_low = 2 / exp(Z * sqrt((1 + 3) / (2 * (30 * 32) ** 2)))

    assert told.outcome == "returned-richer"
    assert msgspec.structs.asdict(told.measures) == msgspec.structs.asdict(Measures()) | {
        "cohort": 40,
        "return_rate": 0.75,
        "return_rate_low": pytest.approx(wilson_low, rel=1e-5),
        "prolific_ratio": 2.0,
        "prolific_ratio_low": pytest.approx(prolific_low, rel=1e-5),
        "diversity_ratio": 2.0,
        "diversity_ratio_low": pytest.approx(diverse_low, rel=1e-5),
    }


def test_seeds_are_not_counted_as_tags_of_ones_own() -> None:
    """They come with being on topic, and would make everybody look alike."""
    assert last(richer("#brand", "#launch")) == last(richer())


def test_who_uses_nothing_but_seeds_says_nothing_of_how_diverse_a_return_is() -> None:
    """There is nothing to compare, so there is no number."""
    steps = richer()
    for one in steps:
        if isinstance(one, Contribution) and one.lineage != WILD:
            one.tags = ("#brand",)
    measures = last(steps).measures

    assert (measures.prolific_ratio, measures.diversity_ratio, measures.diversity_ratio_low) == (2.0, None, None)


def test_of_a_crowd_the_size_is_told_and_not_that_of_its_sample() -> None:
    """Of 2,000 who leave some hundred are followed: within four standard errors of a sample of one in 32."""
    with mock.patch.multiple(cohort_module, ACTORS_MAX=100):
        crowd = [f"actor-{number}" for number in range(2_000)]
        told = last([Turn("growing", "escaped", START_MS), *left(START_MS + 1, *crowd), START_MS + 2])

    assert told.measures.cohort == pytest.approx(2_000, abs=4 * sqrt(2_000 * 31))


# --- who is followed --------------------------------------------------------------------------------------------------


def test_a_topic_follows_its_members_alone() -> None:
    """Whoever passes by has nothing to leave; and what members say elsewhere is told here, on no topic."""
    rows = []
    for member in (False, True):
        topic = Topic("b/t", pane_ms=MINUTE_MS)
        for lineage in (BRAND, SEEDED, ADOPTED):
            topic.add(said(START_MS + lineage, "ana", "#own", lineage=lineage, member=member), SEEDS)
        rows.append([name for name, _ in topic.changed_rows() if name.startswith(("c|", "l|"))])

    assert rows[0] == []
    # Where everything is counted from, and the row in which this member is.
    assert len(rows[1]) == 2
