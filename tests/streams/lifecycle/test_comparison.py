"""Two runs over one log are told apart episode by episode."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alert import Alert
from streams.lifecycle.comparison import compare, episodes_of
from tests.streams.lifecycle.told import START_MS, alert


def life(start: float, end: float | None, *, state: str = "outgrown", root: str | None = None) -> list[Alert]:
    """Return the alerts of one episode from one hour to another, or without an end."""
    episode = f"{state}{start:g}"
    told = [alert(start, state=state, episode=episode, root=root)]
    if end is not None:
        told.append(alert(end, state=state, episode=episode, status="resolved", root=root))
    return told


def changes(before: list[Alert], after: list[Alert]) -> list[str]:
    """Return what became of each episode, in the order of event time."""
    return [difference.change for difference in compare(before, after)]


def test_an_episode_is_one_life_however_often_it_is_told() -> None:
    """The first alert raised it; only its end ends it."""
    told = [
        alert(1),
        alert(2, status="updated", severity=9),
        alert(5, status="superseded"),
        alert(6, episode="e2"),
    ]

    first, second = episodes_of(told)

    assert (first.raised, first.at_ms, first.ended_ms) == (told[0], START_MS + 3_600_000, START_MS + 5 * 3_600_000)
    assert (second.raised, second.ended_ms) == (told[3], None)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (life(1, 9), life(1, 9), ["same"]),
        (life(1, 9), life(3, 9), ["moved"]),
        (life(1, 9), life(1, None), ["moved"]),
        (life(1, 9), [], ["vanished"]),
        ([], life(1, 9), ["appeared"]),
        (life(1, 3), life(5, 9), ["vanished", "appeared"]),
        (life(1, 3) + life(5, 9), life(5, 9), ["vanished", "same"]),
        (life(1, 9), life(1, 9, state="escaped"), ["appeared", "vanished"]),
        (life(1, 9, state="viral", root="a"), life(1, 9, state="viral", root="b"), ["vanished", "appeared"]),
        ([alert(1)], [alert(1, ratio=4)], ["changed"]),
    ],
)
def test_what_became_of_each_episode(before: list[Alert], after: list[Alert], expected: list[str]) -> None:
    """Lives that overlap are one story; another state, or another cascade, never is."""
    assert changes(before, after) == expected


def test_conditions_stand_side_by_side() -> None:
    """The reader sees what the rules made of the same moment."""
    (difference,) = compare([alert(1, ratio=3)], [alert(2, ratio=5)])

    (side,) = difference.sides
    assert side.name == "outgrowth_ratio"
    assert side.before is not None
    assert side.after is not None
    assert (side.before.value, side.after.value) == (3, 5)


spans = st.lists(st.integers(1, 40), min_size=1, max_size=12, unique=True).map(
    lambda hours: [
        one
        for start, end in zip(sorted(hours)[::2], sorted(hours)[1::2], strict=False)
        for one in life(start, end - 0.5)
    ]
)


@given(spans, spans)
def test_each_episode_is_told_once(before: list[Alert], after: list[Alert]) -> None:
    """None is lost and none is told twice, and the other way round is the mirror image."""
    told = compare(before, after)

    assert [one.before for one in told if one.before] == episodes_of(before)
    assert [one.after for one in told if one.after] == episodes_of(after)
    mirrored = {"vanished": "appeared", "appeared": "vanished"}
    assert sorted(changes(after, before)) == sorted(mirrored.get(one.change, one.change) for one in told)
