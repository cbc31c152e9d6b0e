"""The busiest actor's share is what a count over all signals would say, and a near lower bound where crowds are cut."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.measure_rows import ConcentrationRow
from streams.measures.concentration import ACTORS_PER_PANE_MAX, Concentration, Sums, pack_busiest

LENGTHS = {"5m": 5, "1h": 60, "24h": 1_440, "7d": 10_080}

gaps = st.one_of(st.integers(1, 3), st.sampled_from([5, 59, 60, 61, 1_440, 10_080, 50_000]))
few = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 50), max_size=8)


@given(st.lists(st.tuples(gaps, few), min_size=1, max_size=25))
def test_share_equals_a_count_over_all_panes(run: list[tuple[int, dict[str, int]]]) -> None:
    """With no more than 64 actors in a pane nothing is cut, so the share is exact in every window."""
    concentration, panes, end = Concentration(LENGTHS), dict[int, dict[str, int]](), 0
    for gap, counts in run:
        end += gap
        concentration.add(end - 1, counts)
        concentration.roll(end)
        panes[end - 1] = counts
        for name, length in LENGTHS.items():
            inside = sum((Counter(c) for pane, c in panes.items() if end - length <= pane < end), Counter[str]())
            expected = max(inside.values()) / inside.total() if inside else 0.0

            assert concentration.read(name, inside.total()) == expected


@given(st.lists(st.tuples(gaps, few), min_size=1, max_size=15), st.data())
def test_what_is_taken_back_leaves_every_window_that_covers_it(
    run: list[tuple[int, dict[str, int]]], data: st.DataObject
) -> None:
    """The share is that of what is left, also behind a restart; of whom a pane has not kept nothing is taken."""
    concentration, panes, end = Concentration(LENGTHS), dict[int, dict[str, int]](), 0
    rows: dict[int, ConcentrationRow] = {}
    for gap, counts in run:
        end += gap
        concentration.add(end - 1, counts)
        concentration.roll(end)
        panes[end - 1] = dict(counts)
        pane = data.draw(st.sampled_from(sorted(panes)))
        actor = data.draw(st.sampled_from(["nobody", *sorted(panes[pane])]))
        concentration.take_back(pane, actor)
        if panes[pane].get(actor):
            panes[pane][actor] -= 1
        for chunk, row in concentration.changed_rows():
            if row is None:
                del rows[chunk]
            else:
                rows[chunk] = row
        again = Concentration(LENGTHS)
        again.restore(rows.values(), end)
        for name, length in LENGTHS.items():
            inside = sum((Counter(c) for place, c in panes.items() if end - length <= place < end), Counter[str]())
            expected = max(inside.values()) / inside.total() if inside else 0.0
            assert concentration.read(name, inside.total()) == again.read(name, inside.total()) == expected


@given(st.lists(st.lists(st.integers(0, 150), min_size=1, max_size=400), min_size=1, max_size=5))
def test_share_of_crowded_panes_is_a_lower_bound_short_by_one_in_65(panes: list[list[int]]) -> None:
    """Whoever is cut has no more than each of the 64 who stay, so at most a 65th of the pane."""
    concentration, everything = Concentration(LENGTHS), Counter[int]()
    for pane, signals in enumerate(panes):
        # A crowd of a hundred, each with one signal, beside whoever is drawn.
        counts = Counter(signals) + Counter(range(pane * 10, pane * 10 + 100))
        concentration.add(pane, {f"actor-{actor}": count for actor, count in counts.items()})
        everything += counts
    concentration.roll(len(panes))
    exact = max(everything.values()) / everything.total()

    assert exact - 1 / 65 <= concentration.read("1h", everything.total()) <= exact


def test_ties_in_a_crowd_have_one_outcome() -> None:
    """Which of a thousand equals is kept must not depend on the order in which they were counted."""
    actors = [f"actor-{number:04}" for number in range(1_000)]
    forwards, backwards = (dict.fromkeys(order, 1) for order in (actors, actors[::-1]))

    assert pack_busiest(forwards) == pack_busiest(backwards) == pack_busiest(dict.fromkeys(actors[:64], 1))
    assert len(pack_busiest(forwards)) == ACTORS_PER_PANE_MAX * 12


def test_share_is_of_what_the_window_counted() -> None:
    """Three of four signals are 0.75, and nothing of nothing is 0."""
    concentration = Concentration(LENGTHS)

    assert concentration.read("5m", 0) == 0.0

    concentration.add(0, {"bot": 2})
    concentration.add(0, {"bot": 1, "ana": 1})
    concentration.roll(1)

    assert concentration.read("5m", 4) == 0.75


def test_share_falls_when_the_busiest_leaves() -> None:
    """The next largest is found after the largest has gone from a window, and still counts in a longer one."""
    concentration = Concentration(LENGTHS)
    concentration.add(0, {"bot": 1_000_000})
    concentration.add(3, {"ana": 2, "bo": 1})
    concentration.roll(6)

    assert concentration.read("5m", 3) == 2 / 3
    assert concentration.read("1h", 1_000_003) == 1_000_000 / 1_000_003


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 5), min_size=1), max_size=30), st.data())
def test_largest_sum_is_the_largest_of_all(panes: list[dict[str, int]], data: st.DataObject) -> None:
    """The pointer to the largest never lags behind what is added and taken away, in whatever order."""
    sums, held = Sums(), list[dict[str, int]]()
    for pane in panes:
        sums.add(pack_busiest(pane))
        held.append(pane)
        if data.draw(st.booleans()):
            sums.add(pack_busiest(held.pop(0)), sign=-1)
        inside = sum((Counter(counts) for counts in held), Counter[str]())

        assert sums.largest() == max(inside.values(), default=0)


def test_rows_want_closed_panes() -> None:
    """A pane that is still open has no bound on its actors and so no row: the error says to roll first."""
    concentration = Concentration(LENGTHS)
    concentration.add(7, {"ana": 1})

    with pytest.raises(ValueError, match=r"expected every pane before 0, got \[7\]: roll"):
        concentration.changed_rows()


def test_counts_of_nothing_make_no_pane() -> None:
    """Zero is no signal."""
    concentration = Concentration(LENGTHS)
    concentration.add(0, {"ana": 0})
    concentration.roll(1)

    assert concentration.is_empty()
    assert concentration.changed_rows() == []
