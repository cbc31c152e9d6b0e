"""Sums that go on without the shares are what adding up every share gives."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.virality_rows import FoldedSharesRow
from streams.measures.exposure_sums import (
    Ages,
    ExposureSums,
    decayed,
    early_exposure_sum,
    late_exposure_sum,
    yet_to_react_sum,
)
from streams.measures.reaction_time import exposure, yet_to_react

UNIT_MS = 1_000

Share = tuple[int, int]
shares = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 30, 999, 5_000, 40_000]), st.integers(0, 10**6)), min_size=2, max_size=30
).map(lambda drawn: [(sum(gap for gap, _ in drawn[: i + 1]), n) for i, (_, n) in enumerate(drawn)])


def summed(taken: list[Share], *, with_decays: bool = True) -> ExposureSums:
    """Return the sums over shares (at, followers), the first being the root."""
    sums = ExposureSums(with_decays=with_decays)
    for at_ms, followers in taken:
        sums.take([at_ms], [followers], imputed=followers % 2, unit_ms=UNIT_MS)
    return sums


@given(shares)
def test_whole_numbers_are_exact(taken: list[Share]) -> None:
    """The root has followers like every other, and is no share."""
    sums = summed(taken)

    assert (sums.place, sums.shares, sums.at) == (len(taken), len(taken) - 1, sum(at for at, _ in taken[1:]))
    assert (sums.n, sums.moment_1) == (sum(n for _, n in taken), sum(n * at for at, n in taken))
    assert sums.moment_2 == sum(n * at**2 for at, n in taken)
    assert sums.imputed == sum(n % 2 for _, n in taken)


@given(shares, st.integers(1_001, 10**8))
def test_what_is_yet_to_react_equals_share_by_share(taken: list[Share], later_ms: int) -> None:
    """At any instant from a unit after the last share on."""
    sums, at_ms = summed(taken), taken[-1][0] + later_ms
    expected = sum(n * yet_to_react((at_ms - at) / UNIT_MS) for at, n in taken)
    ages = Ages(sums, None, at_ms=at_ms, unit_ms=UNIT_MS)

    assert yet_to_react_sum(ages, decayed(sums, at_ms=at_ms, unit_ms=UNIT_MS)) == pytest.approx(expected, rel=1e-8)


@given(shares, st.integers(1_001, 20_000))
def test_exposure_within_the_window_equals_share_by_share(taken: list[Share], later_ms: int) -> None:
    """For shares that are older than a unit and younger than the window."""
    sums, at_ms = summed(taken), taken[-1][0] + later_ms
    window = (at_ms - taken[0][0]) / UNIT_MS + 1
    expected = sum(n * exposure((at_ms - at) / UNIT_MS, window) for at, n in taken)
    ages = Ages(sums, None, at_ms=at_ms, unit_ms=UNIT_MS)
    found = early_exposure_sum(ages, decayed(sums, at_ms=at_ms, unit_ms=UNIT_MS), window=window)

    assert found == pytest.approx(expected, rel=1e-8, abs=1e-9 * sums.n)


@given(shares, st.sampled_from([1_000, 7_500, 24_000, 300_000]), st.integers(1_001, 10**7))
def test_exposure_behind_the_window_equals_share_by_share(taken: list[Share], window_ms: int, later_ms: int) -> None:
    """For shares that are older than the window and a unit."""
    sums, at_ms = summed(taken), taken[-1][0] + window_ms + later_ms
    expected = sum(n * exposure((at_ms - at) / UNIT_MS, window_ms / UNIT_MS) for at, n in taken)
    ages = Ages(sums, None, at_ms=at_ms, unit_ms=UNIT_MS)
    decays = decayed(sums, at_ms=at_ms - window_ms, unit_ms=UNIT_MS)
    found = late_exposure_sum(ages, decays, window_ms=window_ms, unit_ms=UNIT_MS)

    assert found == pytest.approx(expected, rel=1e-7)


@given(shares, st.integers(0, 29))
def test_ages_between_two_places_are_the_difference(taken: list[Share], cut: int) -> None:
    """What came since some place, at an instant."""
    cut = min(cut, len(taken))
    at_ms = taken[-1][0] + 10
    ages = Ages(summed(taken), summed(taken[:cut]), at_ms=at_ms, unit_ms=UNIT_MS)

    assert ages.n == sum(n for _, n in taken[cut:])
    assert ages.u1 == pytest.approx(sum(n * (at_ms - at) / UNIT_MS for at, n in taken[cut:]), rel=1e-12)
    assert ages.u2 == pytest.approx(sum(n * ((at_ms - at) / UNIT_MS) ** 2 for at, n in taken[cut:]), rel=1e-12)


@given(shares, st.integers(0, 29))
def test_restored_sums_go_on_to_the_last_bit(taken: list[Share], cut: int) -> None:
    """A restart must not change a digit of what is told."""
    old = summed(taken[:cut])
    packed = msgspec.msgpack.encode(old.row(root_at_ms=5))
    new = ExposureSums.from_row(msgspec.msgpack.decode(packed, type=FoldedSharesRow))
    for at_ms, followers in taken[cut:]:
        for sums in (old, new):
            sums.take([at_ms], [followers], imputed=0, unit_ms=UNIT_MS)

    assert old.row(root_at_ms=5) == new.row(root_at_ms=5)


def test_copy_goes_on_by_itself() -> None:
    """A look ahead must leave the sums as they are."""
    sums = summed([(0, 3), (10, 4)])
    before = sums.row(root_at_ms=0)
    sums.copy().take([20], [5], imputed=1, unit_ms=UNIT_MS)

    assert sums.row(root_at_ms=0) == before
    assert sums.copy(with_decays=False).decays is None


@given(shares, st.integers(0, 29))
def test_taking_many_equals_taking_each_to_the_last_bit(taken: list[Share], cut: int) -> None:
    """How many come at once depends on who looks when, which must not show."""
    each, many = summed(taken), ExposureSums(with_decays=True)
    for some in (taken[:cut], taken[cut:]):
        at, followers = [at for at, _ in some], [n for _, n in some]
        many.take(at, followers, imputed=sum(n % 2 for n in followers), unit_ms=UNIT_MS)

    assert many.row(root_at_ms=0) == each.row(root_at_ms=0)


def test_sums_without_decays_are_refused() -> None:
    """An error of the caller."""
    with pytest.raises(ValueError, match="expected sums with decays"):
        decayed(summed([(0, 3)], with_decays=False), at_ms=5_000, unit_ms=UNIT_MS)
