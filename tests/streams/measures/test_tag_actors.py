"""Actors by tag are counted once per window; what does not fit is counted among a sample that no order changes."""

import random
from collections import Counter
from collections.abc import Iterable
from math import sqrt
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.drift_rows import TagActorsRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures import tag_actors
from streams.measures.tag_actors import ACTOR_BYTES_MAX, PANE_BYTES_MAX, TagActors, TagReading, number_of
from streams.measures.tag_divergence import NO_TAG

LENGTHS = {"hour": 1, "day": 24, "week": 168, "week before": 168}
LAGS = {"week before": 24}

Said = tuple[str, tuple[str, ...]]
Panes = dict[int, dict[str, set[str]]]

said = st.lists(
    st.tuples(st.sampled_from([f"actor-{n}" for n in range(40)]), st.lists(st.sampled_from("abcdefgh"), max_size=4)),
    max_size=25,
)
gaps = st.one_of(st.integers(1, 3), st.sampled_from([22, 24, 25, 143, 168, 169, 192, 600]))


def own_level(actor: str) -> int:
    """Return how many of the 48 bits of an actor's number are 0 from the left: the last level that it is part of."""
    return f"{number_of(actor):048b}".find("1") % 49


def charge(tags: Iterable[str]) -> int:
    """Return what an actor costs in a pane: 7 bytes, and 5 and its text for each tag, up to one more than allowed."""
    return min(7 + sum(5 + len(tag) for tag in tags), tag_actors.ACTOR_BYTES_MAX + 1)


def pane_level(pane: dict[str, set[str]]) -> int:
    """Return the least level at which the actors of a pane fit."""
    return next(
        level
        for level in range(49)
        if sum(charge(tags) for actor, tags in pane.items() if own_level(actor) >= level) <= tag_actors.PANE_BYTES_MAX
    )


def by_definition(panes: Panes, *, start: int, stop: int, running: int | None) -> TagReading:
    """Return what a window says of the panes from start to stop, and of the one that runs, by counting everything."""
    whole = {index: pane for index, pane in panes.items() if start <= index < stop}
    covered = {**whole, **({running: panes[running]} if running in panes and running is not None else {})}

    def uses(level: int) -> int:
        # Who flooded has no use to keep, but takes a place.
        return sum(
            1 if charge(tags) > tag_actors.ACTOR_BYTES_MAX else len(tags)
            for index, pane in whole.items()
            for actor, tags in pane.items()
            if own_level(actor) >= max(level, pane_level(panes[index]))
        )

    level = max((pane_level(pane) for pane in whole.values()), default=0)
    while uses(level) > tag_actors.WINDOW_USES_MAX:
        level += 1
    level = max(level, *(pane_level(pane) for pane in covered.values()), 0)
    counted = [(actor, tags) for pane in covered.values() for actor, tags in pane.items() if own_level(actor) >= level]
    pairs = {(actor, tag) for actor, tags in counted if charge(tags) <= tag_actors.ACTOR_BYTES_MAX for tag in tags}
    return TagReading(
        counts=dict(Counter(tag for _, tag in pairs)),
        actors=len({actor for actor, _ in counted}),
        tagged=len({actor for actor, tags in counted if tags != {NO_TAG}}),
        untagged=len({actor for actor, tag in pairs if tag == NO_TAG}),
        scale=2**level,
    )


def check_against_definition(run: list[tuple[int, list[Said]]]) -> None:
    """Compare every window with its definition, as a pane runs and when it is whole."""
    measure, panes, end = TagActors(LENGTHS, LAGS), Panes(), 0
    for gap, acts in run:
        end += gap
        measure.roll(end - 1)
        for actor, tags in acts:
            measure.add(end - 1, actor, tags)
            panes.setdefault(end - 1, {}).setdefault(actor, set()).update(tags or {NO_TAG})
        for stop, running in ((end - 1, end - 1), (end, None)):
            measure.roll(stop)
            for name, length in LENGTHS.items():
                lag = LAGS.get(name, 0)
                expected = by_definition(
                    panes, start=stop - lag - length, stop=stop - lag, running=None if lag else running
                )

                assert measure.read(name) == expected, (name, stop, running)


@given(st.lists(st.tuples(gaps, said), min_size=1, max_size=10))
def test_windows_say_what_a_count_of_everything_says(run: list[tuple[int, list[Said]]]) -> None:
    """While all fits, every actor counts once per tag and window, and the pane that runs counts at once."""
    check_against_definition(run)


@given(
    st.lists(st.tuples(gaps, said), min_size=1, max_size=8),
    st.integers(0, 400),
    st.integers(20, 60),
    st.integers(1, 60),
)
def test_samples_are_those_of_the_definition(
    run: list[tuple[int, list[Said]]], pane_bytes: int, actor_bytes: int, window_uses: int
) -> None:
    """With limits so small that a few actors reach them: levels, floods and counts as the docstrings define them."""
    with mock.patch.multiple(
        tag_actors, PANE_BYTES_MAX=pane_bytes, ACTOR_BYTES_MAX=actor_bytes, WINDOW_USES_MAX=window_uses
    ):
        check_against_definition(run)


@given(st.lists(st.tuples(gaps, said), min_size=1, max_size=8), st.integers(0, 200), st.integers(0, 200))
def test_any_span_that_is_remembered_is_what_a_count_of_everything_says(
    run: list[tuple[int, list[Said]]], ago: int, length: int
) -> None:
    """Whole panes and those that run alike, and whatever the windows are; what they let go of is gone."""
    measure, panes, end = TagActors(LENGTHS, LAGS), Panes(), 0
    for gap, acts in run:
        end += gap
        measure.roll(end - 1)
        for actor, tags in acts:
            measure.add(end - 1, actor, tags)
            panes.setdefault(end - 1, {}).setdefault(actor, set()).update(tags or {NO_TAG})
    since = max(0, end - ago)
    kept = max(since, end - 1 - 192)

    assert measure.between(since, since + length) == by_definition(panes, start=kept, stop=since + length, running=None)


@given(st.lists(st.tuples(gaps, said), min_size=1, max_size=6), st.integers(0, 5), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_the_order_within_a_pane(
    run: list[tuple[int, list[Said]]], stopped_after: int, rng: random.Random
) -> None:
    """Not even where the sample was narrowed on the way, nor where it went through its row; the bytes are the same."""
    with mock.patch.multiple(tag_actors, PANE_BYTES_MAX=150, ACTOR_BYTES_MAX=40, WINDOW_USES_MAX=30):
        one, other, end = TagActors(LENGTHS), TagActors(LENGTHS), 0
        for number, (gap, acts) in enumerate(run):
            end += gap
            for measure in (one, other):
                measure.roll(end - 1)
                for actor, tags in acts:
                    measure.add(end - 1, actor, tags)
                rng.shuffle(acts)
            if number == stopped_after:
                restored = TagActors(LENGTHS)
                restored.restore([row for _, row in other.changed_rows() if row], other.end)
                one.changed_rows()
                other = restored

        assert one.changed_rows() == other.changed_rows()
        assert [one.read(name) for name in LENGTHS] == [other.read(name) for name in LENGTHS]


def test_sample_of_a_crowd_tells_its_size_and_its_shares() -> None:
    """20,000 actors in an hour: within four standard errors, sqrt(c·s·(s − 1)), of what they are."""
    measure = TagActors(LENGTHS)
    for number in range(20_000):
        tags = ["#all", *(["#tenth"] if number % 10 == 0 else []), *(["#half"] if number % 2 else [])]
        measure.add(0, f"actor-{number}", tags)
    reading = measure.read("day")

    assert reading.scale in (8, 16)
    assert reading.tagged == reading.actors == reading.counts["#all"]
    for tag, truth in (("#all", 20_000), ("#half", 10_000), ("#tenth", 2_000)):
        error = sqrt(truth * (reading.scale - 1))

        assert abs(reading.counts[tag] * reading.scale - truth) < 4 * error
    # More than one in 32 of them, or the next lower level would have fitted.
    assert reading.actors > 20_000 / 32


def test_one_sample_serves_all_panes_of_a_window() -> None:
    """An actor of a quiet hour that a busy one left out would count in part of a window only: so it does in none."""
    measure = TagActors(LENGTHS)
    quiet = [f"actor-{number}" for number in range(500)]
    for actor in quiet:
        measure.add(0, actor, ["#quiet"])
    measure.roll(1)
    before = measure.read("day")
    for number in range(10_000):
        measure.add(1, f"actor-{number}", ["#busy"])
    reading = measure.read("day")
    inside = [actor for actor in quiet if number_of(actor) * reading.scale < 2**48]

    assert (before.counts, before.scale) == ({"#quiet": 500}, 1)
    assert reading.scale > 1
    assert reading.counts["#quiet"] == len(inside)
    assert reading.actors == reading.counts["#busy"]


def test_who_floods_counts_for_no_tag_and_pushes_nobody_out() -> None:
    """A bot with ten thousand tags in an hour is one actor, and what others use stays exact."""
    measure = TagActors(LENGTHS, LAGS)
    for number in range(10_000):
        measure.add(0, "bot", [f"#buy-{number}"])
        if number < 100:
            measure.add(0, f"actor-{number}", ["#garden"])
    measure.add(1, "bot", ["#garden"])
    measure.roll(1)

    assert measure.read("hour") == TagReading({"#garden": 101}, actors=101, tagged=101, untagged=0, scale=1)
    measure.roll(2)
    assert measure.read("hour").counts == {"#garden": 1}
    assert measure.read("week before").actors == 0
    assert TagActors({"hour": 1}).read("hour") == TagReading({}, 0, 0, 0, 1)


def test_who_says_something_with_and_without_tags_is_both() -> None:
    """Actors are people: one of them can be tagged and untagged, and is there once."""
    measure = TagActors(LENGTHS)
    measure.add(0, "ana", [])
    measure.add(0, "ana", ["#garden", "#garden"])
    measure.add(0, "bo", [])
    measure.roll(3)

    assert measure.read("day") == TagReading({NO_TAG: 2, "#garden": 1}, actors=2, tagged=1, untagged=2, scale=1)


@pytest.mark.parametrize("length", [1, 20, 300])
def test_rows_of_the_busiest_panes_fit(length: int) -> None:
    """Tags short or long, shared or not: a record that is too large would stop its partition for ever."""
    measure = TagActors(LENGTHS)
    for number in range(6_000 // length + 2_000):
        measure.add(0, f"actor-{number}", [str(number).rjust(length, "é")])
    ((_, row),) = measure.changed_rows()
    assert row is not None

    assert row.level > 0
    assert PANE_BYTES_MAX / 3 < len(msgspec.msgpack.encode(row)) <= ROW_BYTES_MAX


def test_actor_holds_what_fifty_usual_tags_take() -> None:
    """7 bytes and 5 + 15 for each of 50 tags are 1,007; with the 51st it floods."""
    measure = TagActors(LENGTHS)
    tags = [f"#a-usual-tag-{number:02}" for number in range(51)]
    measure.add(0, "ana", tags[:50])

    assert ACTOR_BYTES_MAX == 1_024
    assert len(measure.read("hour").counts) == 50
    measure.add(0, "ana", tags[50:])
    assert measure.read("hour") == TagReading({}, actors=1, tagged=1, untagged=0, scale=1)


def test_rows_are_told_when_they_change_and_end_once() -> None:
    """What was heard before is nothing to tell; a pane ends when the longest window has left it, its lag included."""
    measure = TagActors({"day": 24, "day before": 24}, {"day before": 24})
    measure.add(3, "ana", ["#garden"])
    first = measure.changed_rows()
    measure.add(3, "ana", ["#garden"])
    again = measure.changed_rows()
    measure.roll(51)
    still = measure.changed_rows()
    measure.roll(52)

    assert first == [(3, TagActorsRow(3, 0, ("#garden",), number_of("ana").to_bytes(6, "little"), b"\1", b"\0\0"))]
    assert again == still == []
    assert measure.changed_rows() == [(3, None)]
    assert measure.is_empty()


def test_errors_say_what_was_expected() -> None:
    """A pane that is whole, a lag of no window, a lag into the future."""
    measure = TagActors(LENGTHS)
    measure.roll(5)

    with pytest.raises(ValueError, match="expected a pane from 5 on, got 4"):
        measure.add(4, "ana", [])
    with pytest.raises(ValueError, match="expected an end from pane 5 on, got 3"):
        measure.roll(3)
    with pytest.raises(ValueError, match=r"expected lags of \['day'\], got \['week'\] too"):
        TagActors({"day": 24}, {"week": 1})
    with pytest.raises(ValueError, match="expected a lag of at least no pane, got -1"):
        TagActors({"day": 24}, {"day": -1})
