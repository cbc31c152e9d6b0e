"""Overperformance is what the published formula makes of an author's last hundred roots."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import OverperformanceRow
from streams.measures.overperformance import BENCHMARK_UNITS, Overperformance


def history_of(interactions: list[int]) -> Overperformance:
    """Return a history whose roots had brought this at the first benchmark age."""
    history = Overperformance()
    for brought in interactions:
        history.add(0, brought)
    return history


def test_benchmark_ages_are_those_of_the_definition() -> None:
    """15 minutes, 1, 5 and 24 hours (MEASURES.md §2), in units of five minutes."""
    assert [5 * units for units in BENCHMARK_UNITS] == [15, 60, 300, 1_440]


@pytest.mark.parametrize(
    ("expected", "actual", "score"),
    [
        (50, 100, 2.0),
        (50, 50, 1.0),
        (200, 100, -2.0),
        (200, 1, -200.0),
        (200, 0, -400.0),
        (2, 9, 0.9),
        (2, 20, 10.0),
        (0, 30, 3.0),
        (0, 0, 0.0),
        (5, 2, -0.5),
    ],
)
def test_scores_are_those_of_the_published_examples(expected: int, actual: int, score: float) -> None:
    """The first seven are the examples of the help page, or follow from its formulas; the rest are the corners."""
    reading = history_of([expected] * 30).read(0, actual)

    assert reading is not None
    assert reading == (score, expected, 30)


@given(st.lists(st.integers(0, 10**6), min_size=20, max_size=250))
def test_expected_is_the_mean_of_the_middle_half_of_the_last_hundred(interactions: list[int]) -> None:
    """By sorting the hundred and leaving out a quarter at each end."""
    last = sorted(interactions[-100:])
    quarter = len(last) // 4
    middle = last[quarter : len(last) - quarter]
    reading = history_of(interactions).read(0, 10**7)

    assert reading is not None
    assert reading.expected == pytest.approx(sum(middle) / len(middle), rel=1e-12)
    assert reading.roots == len(last)


def test_one_hit_does_not_change_what_is_expected() -> None:
    """That is what the ends are left out for."""
    assert history_of([100] * 39 + [10**6]).read(0, 200) == (2.0, 100.0, 40)


def test_ages_do_not_mix_and_few_roots_say_nothing() -> None:
    """A root that is an hour old is compared with others at an hour."""
    history = history_of([10] * 19)

    assert history.read(0, 10) is None

    history.add(0, 10)

    assert history.read(0, 10) == (1.0, 10.0, 20)
    assert history.read(1, 10) is None


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**9)), max_size=150), st.integers(0, 150))
def test_restored_history_goes_on_as_the_old_one(added: list[tuple[int, int]], cut: int) -> None:
    """One row, which stays small."""
    old, stored = Overperformance(), dict[int, bytes]()
    for benchmark, interactions in added[:cut]:
        old.add(benchmark, interactions)
        stored.update((key, msgspec.msgpack.encode(row)) for key, row in old.changed_rows())
    new = Overperformance()
    new.restore(msgspec.msgpack.decode(row, type=OverperformanceRow) for row in stored.values())
    for benchmark, interactions in added[cut:]:
        old.add(benchmark, interactions)
        new.add(benchmark, interactions)

    assert [old.read(benchmark, 50) for benchmark in range(4)] == [new.read(benchmark, 50) for benchmark in range(4)]
    assert old.changed_rows() == new.changed_rows()
    assert old.changed_rows() == []
    assert all(len(row) < 4_000 < ROW_BYTES_MAX for row in stored.values())


def test_negative_interactions_are_refused() -> None:
    """An error of the caller."""
    with pytest.raises(ValueError, match="overperformance: expected interactions >= 0, got -1"):
        Overperformance().add(0, -1)
