"""Reproduction numbers find what brought a branching process about, and say nothing where too little happened."""

import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.virality_rows import ReproductionRow
from streams.measures.reaction_time import FLAT_SHARE, THETA, TOTAL, reacted
from streams.measures.reproduction import (
    HORIZON_STEPS,
    SERIAL_INTERVAL,
    Reproduction,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
STEP_MS = 10 * MINUTE_MS


def delay_ms(rng: random.Random) -> int:
    """Return how long a reaction takes, drawn from the kernel: the inverse of Φ."""
    chance = rng.random() * TOTAL
    if chance <= FLAT_SHARE:
        return int(chance / FLAT_SHARE * 300_000)
    return int(((TOTAL - chance) * THETA / FLAT_SHARE) ** (-1 / THETA) * 300_000)


def poisson(rng: random.Random, mean: float) -> int:
    """Return a Poisson number: how many exponential times fit into the mean."""
    count, left = 0, rng.expovariate(1)
    while left < mean:
        count += 1
        left += rng.expovariate(1)
    return count


def branching(r: float, *, roots_ms: list[int], rng: random.Random) -> list[tuple[int, int | None]]:
    """Return a Galton-Watson process in time: (instant, its parent's instant) of every node, Poisson children each."""
    nodes: list[tuple[int, int | None]] = [(at_ms, None) for at_ms in roots_ms]
    for at_ms, _ in nodes:
        nodes += [(at_ms + delay_ms(rng), at_ms) for _ in range(poisson(rng, r))]
    return nodes


def immigration(rng: random.Random, *, per_hour: float, hours: int) -> list[int]:
    """Return the instants of roots that come evenly."""
    return [int(rng.random() * hours * HOUR_MS) for _ in range(int(per_hour * hours))]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("r", [0.3, 0.6, 0.9])
def test_branching_process_is_found_within_a_tenth(r: float, seed: int) -> None:
    """Many cascades, each node of which brings `r` others on average: the mean of a day of readings is near it."""
    rng = random.Random(seed)
    nodes = branching(r, roots_ms=immigration(rng, per_hour=400, hours=48), rng=rng)
    reproduction, readings = Reproduction(), list[float]()
    offspring = Counter(at_ms // STEP_MS for at_ms, parent in nodes if parent is not None)
    roots = Counter(at_ms // STEP_MS for at_ms, parent in nodes if parent is None)
    for step in range(48 * 6):
        reproduction.add(step, offspring=offspring[step], roots=roots[step])
        reproduction.roll(step + 1)
        reading = reproduction.read()
        if step >= 24 * 6 and reading is not None:
            readings.append(reading.value)

    assert len(readings) == 24 * 6
    assert sum(readings) / len(readings) == pytest.approx(r, abs=0.1)


@pytest.mark.slow
def test_interval_holds_the_number_about_as_often_as_it_says() -> None:
    """Nineteen of twenty 95 % intervals hold it, less what comes of reactions counted a step late."""
    held = 0
    for seed in range(60):
        rng = random.Random(seed)
        nodes = branching(0.6, roots_ms=immigration(rng, per_hour=60, hours=24), rng=rng)
        reproduction = Reproduction()
        for at_ms, parent in sorted(nodes, key=lambda node: node[0]):
            if at_ms < 24 * HOUR_MS:
                reproduction.add(at_ms // STEP_MS, offspring=parent is not None, roots=parent is None)
        reproduction.roll(24 * 6)
        reading = reproduction.read()
        held += reading is not None and reading.low <= 0.6 <= reading.high

    assert held >= 51


def test_serial_interval_is_the_kernel_in_steps() -> None:
    """Ten minutes are two units of the kernel; seven days of it hold 86 %."""
    assert SERIAL_INTERVAL[0] == reacted(2)
    assert SERIAL_INTERVAL[1] == reacted(4) - reacted(2)
    assert len(SERIAL_INTERVAL) == HORIZON_STEPS == 1_008
    assert sum(SERIAL_INTERVAL) == pytest.approx(0.861, abs=2e-3)


def test_posterior_is_the_formula_of_the_paper() -> None:
    """12 acts of offspring in step 3 after 100 roots in step 1: (1 + 12)/(1/5 + Σ Λ), by hand."""
    reproduction = Reproduction()
    reproduction.add(1, offspring=0, roots=100)
    reproduction.add(3, offspring=12)
    reproduction.roll(5)
    w = [reacted(2 * s) - reacted(2 * s - 2) for s in range(1, 4)]
    reading = reproduction.read()

    assert reading is not None
    assert reading.value == pytest.approx(13 / (0.2 + 100 * sum(w) + 12 * w[0]), rel=1e-12)
    assert reading.offspring == 12
    # The 2.5 % and 97.5 % points of Gamma(13, 1), half of those of chi-square with 26 degrees in printed tables.
    rate = 13 / reading.value
    assert (reading.low * rate, reading.high * rate) == pytest.approx((13.844 / 2, 41.923 / 2), abs=1e-3)


def test_too_little_offspring_says_nothing() -> None:
    """From eleven on; and only that of the last seven steps counts."""
    reproduction = Reproduction()
    reproduction.add(0, offspring=10, roots=1_000)
    reproduction.roll(1)

    assert reproduction.read() is None

    reproduction.add(1, offspring=1)
    reproduction.roll(7)
    reading = reproduction.read()

    assert reading is not None
    assert reading.offspring == 11

    reproduction.roll(8)

    assert reproduction.read() is None


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 4), st.sampled_from([143, 144, 145, 1_007, 1_008, 1_014, 1_015, 1_016, 5_000])),
        st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
def test_rolling_equals_the_formula_over_everything(run: list[tuple[int, list[tuple[int, int]]]]) -> None:
    """The sums that are kept are those over all that happened in the seven days before each step."""
    reproduction, seen, end = Reproduction(), Counter[int](), 0
    came = Counter[int]()
    for gap, acts in run:
        step = end + gap - 1
        for offspring, roots in acts:
            reproduction.add(step, offspring=offspring, roots=roots)
            seen[step] += offspring + roots
            came[step] += offspring
        end = step + 1
        reproduction.roll(end)
        expected = sum(
            seen[t - s] * SERIAL_INTERVAL[s - 1] for t in range(end - 7, end) for s in range(1, 1_009) if t - s in seen
        )
        total = sum(came[t] for t in range(end - 7, end))
        reading = reproduction.read()
        if total < 11:
            assert reading is None
        else:
            assert reading is not None
            assert reading.value == pytest.approx((1 + total) / (0.2 + expected), rel=1e-12)


@given(steps, st.data())
def test_what_is_taken_back_has_never_been(run: list[tuple[int, list[tuple[int, int]]]], data: st.DataObject) -> None:
    """Reads to the last bit what is read where less was counted, also behind a restart."""
    measure, stored, end = Reproduction(), dict[int, bytes](), 0
    held: dict[int, tuple[int, int]] = {}
    for gap, acts in run:
        end += gap
        for offspring, roots in acts:
            measure.add(end - 1, offspring=offspring, roots=roots)
            known = held.get(end - 1, (0, 0))
            held[end - 1] = (known[0] + offspring, known[1] + roots)
        measure.roll(end)
        if held:
            step = data.draw(st.sampled_from(sorted(held)))
            offspring, roots = (data.draw(st.integers(0, count)) for count in held[step])
            measure.take_back(step, offspring=offspring, roots=roots)
            held[step] = (held[step][0] - offspring, held[step][1] - roots)
        for chunk, row in measure.changed_rows():
            if row is None:
                del stored[chunk]
            else:
                stored[chunk] = msgspec.msgpack.encode(row)
        less, again = Reproduction(), Reproduction()
        for step, (offspring, roots) in held.items():
            less.add(step, offspring=offspring, roots=roots)
        less.roll(end)
        again.restore([msgspec.msgpack.decode(row, type=ReproductionRow) for row in stored.values()], end)
        assert measure.read() == less.read() == again.read()


@given(steps, st.data())
def test_restored_topic_reads_the_same_to_the_last_bit(
    run: list[tuple[int, list[tuple[int, int]]]], data: st.DataObject
) -> None:
    """Rows told at any time are all that is needed, and they expire as the seven days pass."""
    old, stored, end = Reproduction(), dict[int, bytes](), 0
    twin: Reproduction | None = None
    for gap, acts in run:
        end += gap
        for offspring, roots in acts:
            for measure in (old, twin):
                if measure is not None:
                    measure.add(end - 1, offspring=offspring, roots=roots)
        old.roll(end)
        if twin is not None:
            twin.roll(end)

            assert twin.read() == old.read()
            assert twin.is_empty() == old.is_empty()
        for chunk, row in old.changed_rows():
            if row is None:
                del stored[chunk]
            else:
                stored[chunk] = msgspec.msgpack.encode(row)
        if twin is None and data.draw(st.booleans()):
            twin = Reproduction()
            twin.restore([msgspec.msgpack.decode(row, type=ReproductionRow) for row in stored.values()], end)

            assert twin.read() == old.read()
        assert len(stored) <= 1_015 // 144 + 2
    old.roll(end + 1_016)
    old.changed_rows()

    assert old.is_empty()


def test_closed_step_is_refused() -> None:
    """What was told must not change."""
    reproduction = Reproduction()
    reproduction.roll(5)

    with pytest.raises(ValueError, match="expected a pane from 5 on, got 4"):
        reproduction.add(4, offspring=1)
    with pytest.raises(ValueError, match="expected an end from pane 5 on, got 4"):
        reproduction.roll(4)
