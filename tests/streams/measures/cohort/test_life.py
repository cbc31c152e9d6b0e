"""Who leaves, who returns and who is sampled stands through restarts, crowds and second absences."""

import random
from math import sqrt
from statistics import mean
from unittest import mock

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.cohort_rows import CohortActorsRow, CohortHeadRow, CohortRow
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import ReturnedRules
from streams.measures import cohort as cohort_module
from streams.measures.cohort import HEAD, Cohort
from streams.measures.tag_actors import number_of
from tests.checks.cohort_drivers import CohortDriver
from tests.checks.measure_checks import (
    check_incremental_equals_batch,
    check_input_is_left_alone,
    check_pieces_merge_in_any_order,
    check_state_survives_rows,
    store,
)

DAY_MS = 100
RULES = ReturnedRules(within_ms=14 * DAY_MS, hold_ms=DAY_MS)
DRIVER = CohortDriver()


@given(DRIVER.runs())
@settings(max_examples=25)
def test_conforms_to_what_every_measure_promises(run: list[object]) -> None:
    """Input is left alone, order within an instant means nothing, and reading in between changes nothing."""
    check_input_is_left_alone(DRIVER, run)
    check_pieces_merge_in_any_order(DRIVER, run)
    check_incremental_equals_batch(DRIVER, run)


@given(DRIVER.runs(), st.data())
def test_restart_in_the_middle_changes_nothing(run: list[object], data: st.DataObject) -> None:
    """From rows that were told at any times it goes on as if nothing had happened, samples and cohorts included."""
    steps = st.integers(0, len(run) - 1)
    with mock.patch.multiple(cohort_module, ACTORS_MAX=5, CHUNK_ACTORS_MAX=2, CHUNKS=3):
        check_state_survives_rows(DRIVER, run, told_after=data.draw(st.lists(steps)), stopped_after=data.draw(steps))


@given(DRIVER.runs(), st.randoms(use_true_random=False))
def test_rows_do_not_depend_on_the_order_within_an_instant(
    run: list[tuple[int, str, list[object]]], rng: random.Random
) -> None:
    """Not even where the sample is narrowed on the way: the rows are the same, and so are their bytes."""
    with mock.patch.multiple(cohort_module, ACTORS_MAX=5, CHUNK_ACTORS_MAX=2, CHUNKS=3):
        one, other = DRIVER.new(), DRIVER.new()
        by_one, by_other = dict[int, bytes](), dict[int, bytes]()
        for at_ms, turn, said in run:
            DRIVER.feed(one, (at_ms, turn, said))
            shuffled = rng.sample(said, k=len(said))
            DRIVER.feed(other, (at_ms, turn, shuffled))
            # A row may be told again as it was: of somebody who came in and had to go at once.
            store(by_one, one.changed_rows())
            store(by_other, other.changed_rows())

            assert by_one == by_other


def test_sample_of_a_crowd_tells_its_size_and_its_rate() -> None:
    """Of 20,000 members 8,000 leave and 4,800 return: within four standard errors of it."""
    cohort = Cohort(day_ms=DAY_MS)
    for number in range(20_000):
        cohort.act(f"actor-{number}", at_ms=1_000, on_topic=True)
    cohort.open(1_100)
    for number in range(8_000):
        cohort.act(f"actor-{number}", at_ms=1_100, on_topic=False, emergent=True)
    cohort.close(1_200)
    for number in range(4_800):
        cohort.act(f"actor-{number}", at_ms=1_210, on_topic=True)
    reading = cohort.read(1_220, rules=RULES)
    assert reading is not None
    assert reading.return_rate is not None

    assert reading.scale == 16
    assert abs(reading.size * 16 - 8_000) < 4 * sqrt(8_000 * 15)
    assert abs(reading.return_rate - 0.6) < 4 * sqrt(0.6 * 0.4 / reading.size)
    assert sum(len(row.actors) for _, row in cohort.changed_rows() if isinstance(row, CohortActorsRow)) <= 2_000


def test_samples_are_unbiased() -> None:
    """60 crowds of 300 members in samples of at most 40: on average the size of a cohort is right, and its rate."""
    sizes, rates = [], []
    with mock.patch.multiple(cohort_module, ACTORS_MAX=40):
        for crowd in range(60):
            cohort = Cohort(day_ms=DAY_MS)
            names = [f"{crowd}-{number}" for number in range(300)]
            for name in names:
                cohort.act(name, at_ms=1_000, on_topic=True)
            cohort.open(1_100)
            for name in names[:150]:
                cohort.act(name, at_ms=1_110, on_topic=False, emergent=True)
            cohort.close(1_200)
            for name in names[:50]:
                cohort.act(name, at_ms=1_210, on_topic=True)
            reading = cohort.read(1_220, rules=RULES)
            assert reading is not None
            assert reading.return_rate is not None
            assert reading.scale in (8, 16, 32)
            sizes.append(reading.size * reading.scale)
            rates.append(reading.return_rate)

    assert abs(mean(sizes) - 150) < 4 * sqrt(150 * 15 / 60)
    assert abs(mean(rates) - 1 / 3) < 4 * sqrt(2 / 9 / 10 / 60)


def test_sparse_sample_is_judged_anew_after_fourteen_days() -> None:
    """A crowd of one day must not hide a small community for ever; while a cohort is watched nothing moves."""
    with mock.patch.multiple(cohort_module, ACTORS_MAX=16):
        cohort = Cohort(day_ms=DAY_MS)
        for number in range(200):
            cohort.act(f"actor-{number}", at_ms=1_000, on_topic=True)
        cohort.open(1_100)
        crowded = cohort.read(1_100, rules=RULES)
        cohort.expire(3_000)
        watched = cohort.read(3_000, rules=RULES)
        cohort.settle()
        cohort.expire(3_100)
        cohort.open(3_100)
        anew = cohort.read(3_100, rules=RULES)
    assert crowded is not None
    assert watched is not None
    assert anew is not None

    assert crowded.scale == watched.scale >= 16
    assert anew.scale == 1


def test_who_leaves_again_is_compared_with_the_time_before_the_first_absence() -> None:
    """Who did not return in between was away all the time: the days of absence are not how it was before."""
    cohort, once = Cohort(day_ms=DAY_MS), Cohort(day_ms=DAY_MS)
    for number in range(4):
        for at_ms in range(1_000 + number, 2_000, 10):
            for one in (cohort, once):
                one.act(f"actor-{number}", at_ms=at_ms, on_topic=True)
    cohort.open(2_000)
    once.open(2_000)
    for number in range(4):
        for one in (cohort, once):
            one.act(f"actor-{number}", at_ms=2_001, on_topic=False, emergent=True)
    cohort.close(2_500)
    cohort.open(2_550)
    for number in range(4):
        cohort.act(f"actor-{number}", at_ms=2_600, on_topic=False, emergent=True)
    for one in (cohort, once):
        one.close(2_700)
        for number in range(4):
            for at_ms in range(2_700 + number, 3_000, 5):
                one.act(f"actor-{number}", at_ms=at_ms, on_topic=True)
    again, first = cohort.read(3_000, rules=RULES), once.read(3_000, rules=RULES)
    assert again is not None
    assert first is not None

    assert again.prolific_ratio == first.prolific_ratio == pytest.approx(2, rel=0.02)
    assert again.opened_ms == 2_550


def test_bot_that_returns_does_not_make_a_return_prolific() -> None:
    """One of 40 comes back with 5,000 acts a day; the others do as much as before."""
    cohort = Cohort(day_ms=86_400_000)
    day_ms = 86_400_000
    for day in range(10, 20):
        for number in range(40):
            for hour in (9, 20):
                cohort.act(f"actor-{number}", at_ms=day * day_ms + hour * 3_600_000, on_topic=True)
    cohort.open(20 * day_ms)
    for number in range(40):
        cohort.act(f"actor-{number}", at_ms=20 * day_ms + 1, on_topic=False, emergent=True)
    cohort.close(21 * day_ms)
    for day in range(21, 25):
        for hour in (9, 20):
            for number in range(40):
                for _ in range(2_500 if number == 0 else 1):
                    cohort.act(f"actor-{number}", at_ms=day * day_ms + hour * 3_600_000, on_topic=True)
    reading = cohort.read(25 * day_ms, rules=ReturnedRules())
    assert reading is not None
    assert reading.prolific_ratio_low is not None

    assert reading.returned == 40
    assert reading.prolific_ratio_low < 1


def test_rate_is_reached_with_the_act_that_makes_it_sure() -> None:
    """Of 30 the 15th return has a lower bound of 0.331 (by Wilson's formula), the 14th one of 0.302, the 13th 0.274."""
    cohort = Cohort(day_ms=DAY_MS)
    cohort.open(1_000)
    for number in range(30):
        cohort.act(f"actor-{number}", at_ms=1_001, on_topic=False, emergent=True)
    cohort.close(1_100)
    for number in range(16):
        cohort.act(f"actor-{number}", at_ms=1_100 + number, on_topic=True)
    reading = cohort.read(1_200, rules=RULES)
    assert reading is not None

    assert (reading.returned, reading.reached_ms) == (16, 1_113)


def test_who_does_not_leave_is_no_part_of_the_cohort() -> None:
    """Neither who talks elsewhere of something that did not emerge, nor who leaves before or after."""
    cohort = Cohort(day_ms=DAY_MS)
    for actor in ("stays", "strays", "early", "late", "leaves"):
        cohort.act(actor, at_ms=1_000, on_topic=True)
    cohort.act("early", at_ms=1_010, on_topic=False, emergent=True)
    cohort.open(1_100)
    cohort.act("strays", at_ms=1_150, on_topic=False, tags=["#small-talk"])
    cohort.act("leaves", at_ms=1_160, on_topic=False, emergent=True)
    away = cohort.read(1_190, rules=RULES)
    cohort.close(1_200)
    cohort.act("late", at_ms=1_210, on_topic=False, emergent=True)
    cohort.act("leaves", at_ms=1_250, on_topic=False)
    reading = cohort.read(1_300, rules=RULES)
    cohort.settle()
    assert away is not None
    assert reading is not None

    assert (away.size, away.return_rate, away.closed_ms, away.active) == (1, None, None, 1)
    assert (reading.size, reading.returned, reading.active, reading.last_active_ms) == (1, 0, 1, 1_250)
    assert cohort.read(1_300, rules=RULES) is None


def test_rows_are_told_when_they_change_and_end_once() -> None:
    """What changes nothing is nothing to tell; who is silent for 14 days is forgotten, and the head with the last."""
    cohort = Cohort(day_ms=DAY_MS)
    cohort.act("ana", at_ms=1_000, on_topic=True, tags=["#roses"])
    first = dict(cohort.changed_rows())
    cohort.act("ana", at_ms=1_010, on_topic=False)
    cohort.act("bo", at_ms=1_020, on_topic=False, emergent=True)
    assert cohort.changed_rows() == []

    cohort.expire(2_399)
    still = [key for key, row in cohort.changed_rows() if row is None]
    cohort.expire(2_400)
    chunk = number_of("ana") % 256

    assert first.keys() == {HEAD, chunk}
    assert first[HEAD] == CohortHeadRow(level=0, level_day=0, day=10)
    assert still == []
    assert cohort.changed_rows() == [(HEAD, None), (chunk, None)]
    assert cohort.is_empty()


def test_rows_of_a_flood_fit() -> None:
    """5,000 members with as many acts and tags as count: as many rows as there may be, and none is too large."""
    cohort = Cohort(day_ms=DAY_MS)
    for at_ms in range(1_000, 2_400, 90):
        for number in range(5_000):
            cohort.act(f"actor-{number}", at_ms=at_ms, on_topic=True, tags=[f"#{at_ms}-{n}" for n in range(3)])
    sizes = [len(msgspec.msgpack.encode(row)) for _, row in cohort.changed_rows() if row is not None]

    assert 100 < len(sizes) <= 257
    assert max(sizes) <= ROW_BYTES_MAX
    assert sum(sizes) <= 2_000 * 400


def test_chunk_never_holds_more_than_fits() -> None:
    """Also where numbers crowd into one of the rows: the sample narrows instead."""
    with mock.patch.multiple(cohort_module, CHUNKS=1, CHUNK_ACTORS_MAX=7):
        cohort = Cohort(day_ms=DAY_MS)
        for number in range(100):
            cohort.act(f"actor-{number}", at_ms=1_000, on_topic=True)
        rows: list[CohortRow] = [row for key, row in cohort.changed_rows() if row is not None and key != HEAD]

    assert all(isinstance(row, CohortActorsRow) and 1 <= len(row.actors) <= 7 for row in rows)


def test_errors_say_what_was_expected() -> None:
    """A day without length, an opening of what is open, a close of what is not."""
    with pytest.raises(ValueError, match="expected days of at least 1 ms, got 0"):
        Cohort(day_ms=0)
    cohort = Cohort(day_ms=DAY_MS)
    with pytest.raises(ValueError, match="expected one to be open at 7, got none: open it"):
        cohort.close(7)
    cohort.open(8)
    with pytest.raises(ValueError, match="expected none to be open at 9, got one from 8: close it"):
        cohort.open(9)
    cohort.close(9)
    with pytest.raises(ValueError, match="expected one to be open at 10"):
        cohort.close(10)
