"""Run the conformance suite over every measure, and show that it catches one that breaks a promise."""

from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.measure_rows import ConcentrationRow
from streams.measures.audience import Audience
from streams.measures.concentration import Concentration
from tests.checks.measure_checks import (
    WindowedDriver,
    check_incremental_equals_batch,
    check_input_is_left_alone,
    check_pieces_merge_in_any_order,
    check_state_survives_rows,
    driver_of,
    find_measures,
)

every_measure = pytest.mark.parametrize("kind", find_measures(), ids=lambda kind: kind.__name__)


def test_measures_are_found_by_walking_the_package() -> None:
    """A new measure is held to the promises without being named anywhere."""
    found = {kind.__name__ for kind in find_measures()}

    assert {"Audience", "Concentration", "Baseline", "ActorCap", "TagActors"} <= found


def test_measure_of_unknown_shape_without_driver_is_refused() -> None:
    """A measure that nobody knows how to feed must not pass unseen."""

    class Unfed:
        def changed_rows(self) -> None: ...

    with pytest.raises(LookupError, match="Unfed has neither add, roll, read, restore nor a driver: add one"):
        driver_of(Unfed)


@every_measure
@given(data=st.data())
@settings(max_examples=25)
def test_input_is_left_alone(kind: type, data: st.DataObject) -> None:
    """What is fed belongs to the caller, who may go on with it."""
    driver = driver_of(kind)
    check_input_is_left_alone(driver, data.draw(driver.runs()))


@every_measure
@given(data=st.data())
@settings(max_examples=25)
def test_pieces_merge_in_any_order(kind: type, data: st.DataObject) -> None:
    """Order and grouping within a pane depend on batches and partitions; readings must not."""
    driver = driver_of(kind)
    check_pieces_merge_in_any_order(driver, data.draw(driver.runs()))


@every_measure
@given(data=st.data())
@settings(max_examples=40)
def test_incremental_equals_batch(kind: type, data: st.DataObject) -> None:
    """Shortcuts that make a measure incremental must not show in what it says."""
    driver = driver_of(kind)
    check_incremental_equals_batch(driver, data.draw(driver.runs()))


@every_measure
@given(data=st.data())
@settings(max_examples=60)
def test_state_survives_rows(kind: type, data: st.DataObject) -> None:
    """After a crash a measure goes on as if nothing had happened."""
    driver = driver_of(kind)
    run = data.draw(driver.runs())
    steps = st.integers(0, len(run) - 1)
    check_state_survives_rows(driver, run, told_after=data.draw(st.lists(steps)), stopped_after=data.draw(steps))


class Greedy(Concentration):
    """Takes what the caller gave."""

    def add(self, pane: int, counts: Mapping[str, int]) -> None:
        """Add and empty the caller's counts."""
        super().add(pane, counts)
        assert isinstance(counts, dict)
        counts.clear()


class LastWins(Concentration):
    """Lets the last piece of a pane replace those before it."""

    def add(self, pane: int, counts: Mapping[str, int]) -> None:
        """Set instead of adding."""
        self._open[pane] = dict(counts)


class Forgetful(Concentration):
    """Loses the largest sums when it is restored."""

    def restore(self, rows: Iterable[ConcentrationRow], end: int) -> None:
        """Come to the end without the rows."""
        self.roll(end)


class Hasty(Audience):
    """Says something else each time it is asked."""

    def read(self, window: str) -> int:
        """Add how often it was asked."""
        self.reads = getattr(self, "reads", 0) + 1
        return super().read(window) + self.reads


RUN = [(1, [{"a": 2}, {"b": 5}]), (1, [{"a": 1}])]


def test_suite_catches_a_measure_that_changes_its_input() -> None:
    """A check that cannot fail proves nothing."""
    with pytest.raises(AssertionError):
        check_input_is_left_alone(WindowedDriver(Greedy), [(1, [{"a": 2}])])


def test_suite_catches_a_measure_that_depends_on_order() -> None:
    """A check that cannot fail proves nothing."""
    with pytest.raises(AssertionError):
        check_pieces_merge_in_any_order(WindowedDriver(LastWins), RUN)


def test_suite_catches_a_measure_that_differs_from_batch() -> None:
    """A check that cannot fail proves nothing."""
    with pytest.raises(AssertionError):
        check_incremental_equals_batch(WindowedDriver(Hasty), [(1, [["a"]]), (1, [["b"]])])


def test_suite_catches_a_measure_that_loses_state() -> None:
    """A check that cannot fail proves nothing."""
    with pytest.raises(AssertionError):
        check_state_survives_rows(WindowedDriver(Forgetful), RUN, told_after=[0], stopped_after=0)
