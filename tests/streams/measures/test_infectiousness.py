"""Infectiousness and forecast are those of the paper's authors, for long cascades and after restarts too."""

import csv
import random
from collections.abc import Iterator
from math import inf
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rows import ROW_BYTES_MAX
from schemas.virality_rows import SharesRow
from streams.measures import infectiousness
from streams.measures.chi_square import chi_square_quantile
from streams.measures.infectiousness import Infection, Infectiousness, final_shares, forecast_interval

START_MS = 1_600_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS

Share = tuple[int, int | None]


def cascade_of(shares: list[Share], *, imputed: int = 100) -> Infectiousness:
    """Return the cascade of these shares (ms after the root, followers), the first being the root."""
    cascade = Infectiousness()
    for at_ms, followers in shares:
        cascade.add(START_MS + at_ms, followers, followers_imputed=imputed)
    return cascade


def final_of(found: Infection, *, followers_per_share: float = 100.0) -> float | None:
    """Return how many shares there will be in the end."""
    return final_shares(
        shares=found.shares, value=found.value, direct=found.direct, followers_per_share=followers_per_share
    )


@pytest.fixture(params=["share by share", "by sums"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compute in one of the two ways, whatever the number of shares."""
    monkeypatch.setattr(infectiousness, "SUMMED_MAX", 10**9 if request.param == "share by share" else 5)
    return str(request.param)


def rows_of(path: Path) -> Iterator[list[float]]:
    """Yield the rows of a file of numbers with a header."""
    with path.open() as file:
        yield from ([float(cell) for cell in row] for row in list(csv.reader(file))[1:])


def assert_reference_is_matched(folder: Path, name: str) -> None:
    """Read at every instant of a reference what it says there, the shares of that very second among those so far."""
    shares = [(round(second * 1_000), int(followers)) for second, followers in rows_of(folder / f"{name}.csv")]
    cascade, fed = Infectiousness(), 0
    for second, count, *expected in rows_of(folder / f"{name}_reference.csv"):
        while fed < len(shares) and shares[fed][0] <= second * 1_000:
            cascade.add(START_MS + shares[fed][0], shares[fed][1], followers_imputed=0)
            fed += 1
        found = cascade.read(START_MS + round(second * 1_000))
        if count < 5:
            assert found is None
            continue

        assert found is not None
        assert found.shares == count
        final = final_of(found)
        assert [found.value, found.low, found.high, inf if final is None else final] == pytest.approx(
            expected, rel=1e-6
        )


@pytest.mark.usefixtures("way")
def test_simulated_cascade_matches_the_reference() -> None:
    """The values that the authors' implementation gives, every hour of a day."""
    assert_reference_is_matched(Path(__file__).parents[2] / "fixtures" / "cascades", "simulated")


@pytest.mark.usefixtures("way")
def test_real_cascade_matches_the_reference(shared_data: Path) -> None:
    """Fifteen thousand shares of one tweet: every half hour of its first six hours."""
    assert_reference_is_matched(shared_data / "cascades", "seismic_tweet")


GAPS_MS = st.sampled_from([0, 1, 700, 9_000, 60_000, 240_000, 1_000_000, 4_000_000, 9_000_000, 86_400_000])
histories = st.lists(
    st.tuples(GAPS_MS, st.integers(1, 6), st.sampled_from([0, 1, 50, 3_000, 10**6])), min_size=3, max_size=40
).map(
    lambda bursts: [
        (sum(gap for gap, _, _ in bursts[: i + 1]) + j, followers)
        for i, (_, count, followers) in enumerate(bursts)
        for j in range(count)
    ]
)


def followed(history: list[Share], *, waits_ms: list[int], summed_max: int) -> list[Infection | None]:
    """Return what is read after each share, some time later, as far as the next share has not come by then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infectiousness, "SUMMED_MAX", summed_max)
        patch.setattr(infectiousness, "SHARES_PER_ROW", 4)
        cascade, said = Infectiousness(), list[Infection | None]()
        origin_ms = history[0][0]
        for i, (at_ms, followers) in enumerate(history):
            cascade.add(at_ms, followers, followers_imputed=0)
            read_at_ms = at_ms + waits_ms[i % len(waits_ms)] + 1
            if read_at_ms > origin_ms and (i + 1 == len(history) or read_at_ms <= history[i + 1][0]):
                said.append(cascade.read(read_at_ms))
        return said


@given(histories, st.lists(st.sampled_from([0, 30_000, 500_000, 7_000_000]), min_size=1, max_size=5))
@settings(max_examples=150)
def test_sums_equal_share_by_share(history: list[Share], waits_ms: list[int]) -> None:
    """Bursts and silences of days, windows that reach back and shrink again: within 1e-7 of adding up every share."""
    history = sorted(history, key=lambda share: share[0])
    each = followed(history, waits_ms=waits_ms, summed_max=10**9)
    sums = followed(history, waits_ms=waits_ms, summed_max=5)

    assert [found is None for found in each] == [found is None for found in sums]
    for one, other in zip(each, sums, strict=True):
        if one is not None and other is not None:
            assert other == pytest.approx(one, rel=1e-7)


def long_history(days: int, seed: int) -> list[Share]:
    """Return a cascade that never quite ends: shares thin out as 1/t, with a burst now and then."""
    rng, at_ms, history = random.Random(seed), 0.0, list[Share]([(0, 5_000)])
    while at_ms < days * 24 * HOUR_MS:
        at_ms += rng.expovariate(1) * (at_ms / 200 + 1_000) * rng.choice([0.02, 1, 1, 3])
        history.append((int(at_ms), int(rng.paretovariate(1.2) * 40)))
    return history


def test_sums_stay_near_for_ninety_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has become old must not drift away: within 1e-7, with a share in front of a million followers among it."""
    history = long_history(90, seed=3)
    history[len(history) // 2] = (history[len(history) // 2][0], 10**7)
    by_sums = cascade_of(history)
    monkeypatch.setattr(infectiousness, "SUMMED_MAX", 10**9)
    each = cascade_of(history)
    for hours in (0, 1, 5, 48, 24 * 7):
        at_ms = START_MS + history[-1][0] + hours * HOUR_MS + 1
        found, expected = by_sums.read(at_ms), each.read(at_ms)

        assert found is not None
        assert expected is not None
        assert found == pytest.approx(expected, rel=1e-7)


def test_only_shares_of_the_window_are_remembered() -> None:
    """Thirty days of shares cost what the last two hours hold."""
    history = long_history(30, seed=1)
    cascade = cascade_of(history)
    stored: dict[int, bytes] = {}
    for chunk, row in cascade.changed_rows():
        assert row is not None
        stored[chunk] = msgspec.msgpack.encode(row)
    window = sum(at_ms > history[-1][0] - 125 * MINUTE_MS for at_ms, _ in history)

    assert len(history) > 1_000
    assert len(stored) <= window / 256 + 2
    assert max(map(len, stored.values())) < 8_000 < ROW_BYTES_MAX


@given(histories, st.data())
@settings(max_examples=150)
def test_restored_cascade_goes_on_to_the_last_bit(history: list[Share], data: st.DataObject) -> None:
    """Rows told at any time; chunks that are forgotten end; nothing that is said later differs in a digit."""
    history = sorted(history, key=lambda share: share[0])
    stopped = data.draw(st.integers(0, len(history) - 1))
    stored: dict[int, bytes] = {}

    def tell(cascade: Infectiousness) -> None:
        for chunk, row in cascade.changed_rows():
            if row is None:
                del stored[chunk]
            else:
                stored[chunk] = msgspec.msgpack.encode(row)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infectiousness, "SUMMED_MAX", 6)
        patch.setattr(infectiousness, "SHARES_PER_ROW", 4)
        old = Infectiousness()
        for at_ms, followers in history[: stopped + 1]:
            old.add(at_ms, followers, followers_imputed=0)
            if data.draw(st.booleans()):
                old.read(at_ms)
            if data.draw(st.booleans()):
                tell(old)
        tell(old)
        new = Infectiousness()
        new.restore(msgspec.msgpack.decode(row, type=SharesRow) for row in stored.values())
        assert old.changed_rows() == []
        assert set(stored) == set(old.chunks) == set(new.chunks)
        for at_ms, followers in history[stopped + 1 :]:
            old.add(at_ms, followers, followers_imputed=0)
            new.add(at_ms, followers, followers_imputed=0)

            assert new.read(at_ms) == old.read(at_ms)
            assert new.has_changed
            assert new.changed_rows() == old.changed_rows()
            assert not new.has_changed


@given(histories, st.data())
def test_readings_do_not_depend_on_what_was_read_before(history: list[Share], data: st.DataObject) -> None:
    """A worker that ticks more often, or less, tells the same number to the last bit."""
    history = sorted(history, key=lambda share: share[0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infectiousness, "SUMMED_MAX", 6)
        patch.setattr(infectiousness, "SHARES_PER_ROW", 4)
        often, once = Infectiousness(), Infectiousness()
        for at_ms, followers in history:
            often.add(at_ms, followers, followers_imputed=0)
            once.add(at_ms, followers, followers_imputed=0)
            if data.draw(st.booleans()):
                often.read(at_ms)
        last_ms = history[-1][0] + 1_000

        assert often.read(last_ms) == once.read(last_ms)


STEADY: list[Share] = [(i * MINUTE_MS, 1_000) for i in range(20)]


def test_unknown_followers_are_guessed_and_said_to_be() -> None:
    """What was imputed counts like what was told, and how much of it there was is told with the reading."""
    half: list[Share] = [(at_ms, None if i % 2 else 1_000) for i, (at_ms, _) in enumerate(STEADY)]
    some = cascade_of(half, imputed=1_000).read(START_MS + 20 * MINUTE_MS)
    known = cascade_of(STEADY).read(START_MS + 20 * MINUTE_MS)

    assert some is not None
    assert known is not None
    assert (some.imputed_ratio, known.imputed_ratio) == (0.5, 0.0)
    assert some[:5] == known[:5]


@pytest.mark.usefixtures("way")
def test_supercritical_cascade_has_no_final_size() -> None:
    """With p̂·n* ≥ 1 it has no end: one share a minute among 2,000 who saw it is too much for n* = 100."""
    shares: list[Share] = [(at_ms, 100) for at_ms, _ in STEADY]
    found = cascade_of(shares).read(START_MS + 20 * MINUTE_MS)

    assert found is not None
    assert found.value >= 0.01
    assert final_of(found) is None
    assert forecast_interval(found, followers_per_share=100.0)[1] is None
    calm = final_of(found, followers_per_share=1.0)
    assert calm is not None
    assert calm > found.shares == 19


def test_final_shares_are_those_of_the_formula() -> None:
    """By hand: 10 that come directly, of which each brings half a share, which bring half …: 20 more."""
    assert final_shares(shares=7, value=0.25, direct=10.0, followers_per_share=2.0) == 27.0
    assert final_shares(shares=7, value=0.25, direct=10.0, followers_per_share=4.0) is None


def test_forecast_interval_is_the_forecast_at_both_ends() -> None:
    """By hand: half of p̂ brings 5 directly and 5/(1 − 1/4) in all; double brings 20, of which each brings another."""
    found = Infection(value=0.25, low=0.125, high=0.5, shares=7, direct=10.0, imputed_ratio=0.0)
    nothing = Infection(value=0.0, low=0.0, high=0.0, shares=7, direct=0.0, imputed_ratio=0.0)

    assert forecast_interval(found, followers_per_share=2.0) == (7 + 5 / 0.75, None)
    assert forecast_interval(found, followers_per_share=1.0) == (7 + 5 / 0.875, 7 + 20 / 0.5)
    assert forecast_interval(nothing, followers_per_share=2.0) == (7.0, 7.0)


@pytest.mark.parametrize("m", [100, 101, 150, 400, 3_000])
def test_interval_of_many_shares_is_the_inverted_distribution(m: int) -> None:
    """What is expanded instead of inverted comes to the same."""
    shares: list[Share] = [(0, 1_000), *((10 * MINUTE_MS + i, 10) for i in range(m))]
    found = cascade_of(shares).read(START_MS + 10 * MINUTE_MS + m)

    assert found is not None
    expected = [chi_square_quantile(p, 2 * m) / (2 * m) for p in (0.05, 0.95)]
    assert [found.low / found.value, found.high / found.value] == pytest.approx(expected, rel=3e-8)


# --- a root that comes late -------------------------------------------------------------------------------------------


@given(histories, st.integers(0, 10**6), st.booleans(), st.data())
def test_late_root_is_as_if_it_had_come_first(
    history: list[Share], followers: int, imputed: bool, data: st.DataObject
) -> None:
    """As long as it is kept, with few shares or many; and its row says so, even where it was told before."""
    history = sorted(history, key=lambda share: share[0])
    late_at = data.draw(st.integers(0, len(history) - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(infectiousness, "SUMMED_MAX", 6)
        late, first, stored = Infectiousness(), Infectiousness(), dict[int, SharesRow | None]()
        for i, (at_ms, told) in enumerate(history):
            late.add(at_ms, None if imputed and i == 0 else told, followers_imputed=9)
            first.add(at_ms, told if i else followers, followers_imputed=9)
            if i == late_at:
                late.read(at_ms)
                stored.update(late.changed_rows())
                late.meet_root(followers)

            if i >= late_at:
                assert late.read(at_ms) == first.read(at_ms)
        stored.update(late.changed_rows())

        assert stored == dict(first.changed_rows())
        assert not late.has_changed


def test_late_root_that_tells_nothing_changes_nothing() -> None:
    """Neither where its followers are unknown, nor where they are those already known, nor without a cascade."""
    cascade = cascade_of(STEADY)
    cascade.changed_rows()
    cascade.meet_root(None)
    cascade.meet_root(1_000)

    assert not cascade.has_changed

    empty = Infectiousness()
    empty.meet_root(5)

    assert not empty.has_changed


def test_late_root_of_a_cascade_that_forgot_it_changes_nothing() -> None:
    """It lies in sums that cannot be taken apart."""
    cascade = cascade_of(long_history(3, seed=2))
    cascade.changed_rows()
    at_ms = START_MS + 4 * 24 * HOUR_MS
    before = cascade.read(at_ms)
    cascade.changed_rows()
    cascade.meet_root(10**6)

    assert cascade.read(at_ms) == before
    assert not cascade.has_changed


def test_first_chunk_is_told_when_what_lies_before_it_was_forgotten() -> None:
    """Reading alone makes a cascade forget; the sums over what is gone must be told then, or a restart loses them."""
    cascade = cascade_of([(i * 10_000, 50) for i in range(300)])
    stored = dict(cascade.changed_rows())
    at_ms = START_MS + 24 * HOUR_MS
    cascade.read(at_ms)

    assert cascade.has_changed

    stored.update(cascade.changed_rows())
    restored = Infectiousness()
    restored.restore(row for row in stored.values() if row is not None)

    assert stored[0] is None
    assert restored.read(at_ms) == cascade.read(at_ms)


def test_fewer_than_five_shares_say_nothing() -> None:
    """The root is not a share, and what comes at the very instant does not count yet."""
    assert cascade_of(STEADY[:5]).read(START_MS + 10 * MINUTE_MS) is None
    assert cascade_of(STEADY[:6]).read(START_MS + 5 * MINUTE_MS) is None
    assert cascade_of(STEADY[:6]).read(START_MS + 5 * MINUTE_MS + 1) is not None


@pytest.mark.usefixtures("way")
def test_shares_that_nobody_saw_say_nothing() -> None:
    """Without followers there is no chance to estimate."""
    assert cascade_of([(at_ms, 0) for at_ms, _ in STEADY]).read(START_MS + 20 * MINUTE_MS) is None


def test_scaled_season_reads_as_the_season_does() -> None:
    """With a unit a thousandth as long, everything a thousand times as fast is the same."""
    fast = Infectiousness(unit_ms=300)
    for at_ms, followers in STEADY:
        fast.add(START_MS + at_ms // 1_000, followers, followers_imputed=0)

    assert fast.read(START_MS + 20 * 60) == cascade_of(STEADY).read(START_MS + 20 * MINUTE_MS)


def test_time_that_goes_back_is_refused() -> None:
    """An error of the caller, told with both instants."""
    cascade = cascade_of(STEADY)

    with pytest.raises(ValueError, match=f"expected a share from {START_MS + 19 * MINUTE_MS} on, got {START_MS}"):
        cascade.add(START_MS, 5, followers_imputed=0)
    with pytest.raises(ValueError, match=f"expected an instant not before the last share, got {START_MS}"):
        cascade.read(START_MS)
    with pytest.raises(ValueError, match="expected an instant not before the last share"):
        Infectiousness().read(START_MS)


def test_nothing_is_told_of_an_empty_cascade() -> None:
    """Neither before nor after taking up no rows."""
    cascade = Infectiousness()
    cascade.restore([])

    assert cascade.changed_rows() == []
