"""Charts are well-formed, stay within their frame, and let no text out of its place."""

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from agents.reporting.charts import (
    WIDTH,
    Band,
    Mark,
    Threshold,
    TimeAxis,
    engagement,
    measure,
    nice_ceiling,
    tree,
)
from agents.reporting.story import Sample
from agents.reporting.trees import Node, Tree
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

START_MS = 1_777_852_800_000


def samples(ratios: Sequence[float | None]) -> list[Sample]:
    """Return one sample an hour with these outgrowth ratios."""
    return [Sample(START_MS + n * HOUR_MS, (1, n, 2 * n, 0), (one, None, None)) for n, one in enumerate(ratios)]


def coordinates(svg: str, name: str) -> list[tuple[float, float]]:
    """Return the points of every shape of one class."""
    shapes = [shape for shape in ElementTree.fromstring(svg).iter() if shape.get("class") == name]  # noqa: S314
    pairs = [pair.split(",") for shape in shapes for pair in shape.get("points", "").split()]
    return [(float(x), float(y)) for x, y in pairs]


@given(st.integers(0, 400 * DAY_MS))
def test_an_axis_names_few_round_instants_in_their_order(span_ms: int) -> None:
    """Any span from nothing to a year can be read."""
    axis = TimeAxis(START_MS + 12_345, START_MS + 12_345 + span_ms)
    ticks = axis.ticks()

    assert len(ticks) <= 10
    assert [x for x, _ in ticks] == sorted(x for x, _ in ticks)
    assert all(0 <= x <= WIDTH for x, _ in ticks)
    assert len(ticks) >= 1 or span_ms < 10 * MINUTE_MS


@given(st.floats(1e-6, 1e12))
def test_a_ceiling_is_a_round_number_not_far_above(value: float) -> None:
    """At least two fifths of the height are used."""
    ceiling = nice_ceiling(value)

    assert value * (1 - 1e-9) <= ceiling <= value * 2.5 * (1 + 1e-9)
    assert f"{ceiling:e}"[0] in "125"


def test_a_measure_that_was_unknown_for_a_while_has_a_gap() -> None:
    """No line is drawn through what nobody knows."""
    svg = measure(TimeAxis(START_MS, START_MS + 9 * HOUR_MS), samples([1, 2, None, None, 3]), "outgrowth_ratio", ())

    assert svg is not None
    assert svg.count("<polyline") == 2
    assert len(coordinates(svg, "measure")) == 3


def test_a_measure_beyond_its_threshold_stays_in_its_frame() -> None:
    """A ratio of a thousand must not flatten the threshold out of sight."""
    axis = TimeAxis(START_MS, START_MS + HOUR_MS)
    svg = measure(axis, samples([1, 1_000]), "outgrowth_ratio", (Threshold(2.0, "enter 2"), Threshold(1.3, "leave")))

    assert svg is not None
    assert min(y for _, y in coordinates(svg, "measure")) >= 0
    assert svg.count('class="threshold"') == 2


def test_a_measure_that_was_never_known_is_not_drawn() -> None:
    """An empty frame would say that it was nothing."""
    assert measure(TimeAxis(0, HOUR_MS), samples([None, None]), "outgrowth_ratio", ()) is None


def test_lineages_are_stacked_without_a_gap() -> None:
    """The roof of one is the floor of the next."""
    svg = engagement(TimeAxis(START_MS, START_MS + 2 * HOUR_MS), samples([1, 1, 1]), (), ())
    brand, seeded = coordinates(svg, "brand"), coordinates(svg, "seeded")

    assert brand[:3] == seeded[:2:-1]


def test_whatever_a_summary_says_the_picture_is_well_formed() -> None:
    """Tags and ids are other people's words."""
    nasty = "</title><script>alert(1)</script>&\"'"
    axis = TimeAxis(START_MS, START_MS + DAY_MS)
    marks = [Mark(START_MS + HOUR_MS, number, "outgrown", nasty) for number in (1, 2, 3)]
    line = engagement(axis, samples([1, 2]), [Band(START_MS, START_MS + DAY_MS, "growing")], marks)
    planted = tree(Tree(nasty, (Node(0, 0, 0, "post"), Node(1, 0, 0, "share")), 0))

    for svg in (line, planted):
        ElementTree.fromstring(svg)  # noqa: S314  (our own)
        assert "<script" not in svg
    assert re.findall(r'href="#alert-(\d)"', line) == ["1", "2", "3"]
