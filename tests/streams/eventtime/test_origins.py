"""The frontier of packed records is what every origin has told without a hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.attributed import BEGINNING, Position
from streams.eventtime.origins import OriginFrontier, Verdict

ORIGINS = 3
# (origin, after, upto - after - 1), as instants of ten.
packets = st.lists(st.tuples(st.integers(0, ORIGINS - 1), st.integers(0, 9), st.integers(0, 3)), max_size=40)


def at(instant: int) -> Position:
    """Return the position before everything of an instant."""
    return instant, ""


def test_a_packet_that_goes_on_where_its_origin_was_is_taken() -> None:
    """Packets without a hole between them move their origin on, one that overlaps too."""
    frontier = OriginFrontier(origins=1)
    assert frontier.hear(0, after=BEGINNING, upto=at(5)) == "taken"
    assert frontier.hear(0, after=at(5), upto=(7, "x")) == "taken"
    assert frontier.hear(0, after=at(6), upto=at(9)) == "taken"
    assert frontier.position == at(9)


def test_a_packet_that_tells_nothing_new_is_repeated() -> None:
    """One that ends where its origin was heard up to, or before, changes nothing."""
    frontier = OriginFrontier(origins=1)
    frontier.hear(0, after=BEGINNING, upto=at(5))
    assert frontier.hear(0, after=BEGINNING, upto=at(5)) == "repeated"
    assert frontier.hear(0, after=at(1), upto=at(4)) == "repeated"
    assert frontier.position == at(5)


def test_a_packet_behind_a_hole_is_not_taken_until_the_lost_one_comes() -> None:
    """Taking it would pass over what was lost; its origin sends again from there."""
    frontier = OriginFrontier(origins=1)
    assert frontier.hear(0, after=at(5), upto=at(9)) == "gap"
    assert frontier.position == BEGINNING
    assert frontier.hear(0, after=BEGINNING, upto=at(5)) == "taken"
    assert frontier.hear(0, after=at(5), upto=at(9)) == "taken"
    assert frontier.position == at(9)


def test_the_frontier_waits_for_an_origin_that_has_told_nothing() -> None:
    """As long as one origin has not spoken, anything may still come from it."""
    frontier = OriginFrontier(origins=2)
    frontier.hear(0, after=BEGINNING, upto=at(9))
    assert frontier.position == BEGINNING
    frontier.hear(1, after=BEGINNING, upto=at(4))
    assert frontier.position == at(4)


@given(packets)
def test_the_frontier_is_the_least_of_what_each_origin_told_without_a_hole(told: list[tuple[int, int, int]]) -> None:
    """Kept as sets of instants that were covered, the frontier and every verdict are the same."""
    frontier = OriginFrontier(origins=ORIGINS)
    covered: list[set[int]] = [set() for _ in range(ORIGINS)]
    for origin, after, length in told:
        span = set(range(after + 1, after + length + 2))
        expected: Verdict = "taken"
        if span <= covered[origin]:
            expected = "repeated"
        elif not set(range(1, after + 1)) <= covered[origin]:
            expected = "gap"
        assert frontier.hear(origin, after=at(after), upto=at(after + length + 1)) == expected
        if expected == "taken":
            covered[origin] |= span
        assert frontier.position == at(min(len(instants) for instants in covered))


@given(packets, st.integers(0, 40))
def test_a_restored_frontier_goes_on_where_it_was(told: list[tuple[int, int, int]], cut: int) -> None:
    """After a restart every verdict and every position is what it would have been without it."""
    whole, restored = OriginFrontier(origins=ORIGINS), OriginFrontier(origins=ORIGINS)
    for number, (origin, after, length) in enumerate(told):
        if number == cut:
            restored.restore(whole.row())
        verdict = whole.hear(origin, after=at(after), upto=at(after + length + 1))
        if number >= cut:
            assert restored.hear(origin, after=at(after), upto=at(after + length + 1)) == verdict
            assert (restored.position, restored.row()) == (whole.position, whole.row())


def test_another_number_of_origins_is_refused() -> None:
    """A row of three origins says nothing about two: positions would be given to the wrong ones."""
    frontier = OriginFrontier(origins=2)
    with pytest.raises(ValueError, match="expected the positions of 2 origins, got 3"):
        frontier.restore((BEGINNING, BEGINNING, BEGINNING))
