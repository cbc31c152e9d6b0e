"""An audience is exact while it is small, near beyond, and never depends on how its sketches came about."""

import random

import msgspec
import pytest
from datasketches import hll_sketch, hll_union, tgt_hll_type
from hypothesis import given
from hypothesis import strategies as st

from schemas.measure_rows import AudienceRow
from streams.measures.audience import LG_REGISTERS, Audience, SlidingUnion, distinct, empty_sketch, estimate, feed

LENGTHS = {"5m": 5, "1h": 60, "24h": 1_440, "7d": 10_080}

# Around the promotion from coupons to registers at 384, and far beyond it.
crowds = st.one_of(st.integers(0, 200), st.integers(200, 600), st.sampled_from([1_000, 4_000, 12_000]))


def sketch_of(actors: list[str], rng: random.Random) -> hll_sketch:
    """Return a sketch fed in a random order, sometimes after a trip through bytes."""
    sketch = empty_sketch()
    for actor in rng.sample(actors, len(actors)):
        sketch.update(actor)
    return hll_sketch.deserialize(sketch.serialize_compact()) if rng.random() < 0.4 else sketch


def random_tree(actors: list[str], rng: random.Random) -> list[hll_sketch]:
    """Return sketches that cover the actors together: overlapping parts, partly merged in a random tree."""
    count = rng.randint(1, 9)
    parts = [actors[i::count] for i in range(count)]
    sketches = [sketch_of(part + rng.sample(actors, rng.randint(0, len(actors) // 2)), rng) for part in parts]
    while len(sketches) > rng.randint(1, 3):
        union = hll_union(LG_REGISTERS)
        for sketch in (sketches.pop(rng.randrange(len(sketches))) for _ in range(2 if len(sketches) > 1 else 1)):
            union.update(sketch)
        sketches.append(union.get_result(tgt_hll_type.HLL_8))
    return sketches


@given(crowds, st.integers(0, 2**32))
def test_estimate_is_a_function_of_who_was_there_alone(crowd: int, seed: int) -> None:
    """Two workers that merge in different orders, one of them restored, must tell the same number."""
    rng, actors = random.Random(seed), [f"actor:{seed}:{i}" for i in range(crowd)]
    expected = estimate([feed(empty_sketch(), actors)])

    assert [estimate(random_tree(actors, rng)) for _ in range(4)] == [expected] * 4


@pytest.mark.parametrize("crowd", [1, 7, 8, 9, 255, 256, 257, 384])
def test_small_crowds_are_counted_exactly(crowd: int) -> None:
    """A topic with a dozen actors must not be said to have eleven."""
    assert distinct([feed(empty_sketch(), [f"{i}" for i in range(crowd)])]) == crowd


@pytest.mark.parametrize("crowd", [385, 1_000, 5_000, 20_000, 100_000])
def test_large_crowds_are_estimated_within_the_error_of_the_sketch(crowd: int) -> None:
    """1.04/sqrt(4096) = 1.6 % is the standard error: over 20 crowds the mean square error must be near it."""
    rounds = 20 if crowd < 20_000 else 5
    errors = [distinct([feed(empty_sketch(), (f"{r}/{i}" for i in range(crowd)))]) / crowd - 1 for r in range(rounds)]

    assert max(map(abs, errors)) < 0.0163 * 4
    assert (sum(error**2 for error in errors) / rounds) ** 0.5 < 0.0163 * 1.7


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 5), st.integers(0, 12)), max_size=60))
def test_sliding_union_equals_the_union_of_what_is_in_the_queue(steps: list[tuple[int, int, int]]) -> None:
    """The two stacks are a shortcut; what they cover is what lies in the queue, at every moment."""
    union, queue, index = SlidingUnion(), list[tuple[int, str]](), 0
    for ahead, who, length in steps:
        index += ahead
        union.push(index, feed(empty_sketch(), [f"{who}"]))
        queue.append((index, f"{who}"))
        dropped = union.drop(before=index - length)
        kept = [entry for entry in queue if entry[0] >= index - length]

        assert dropped == (len(kept) < len(queue))
        assert distinct(union.parts()) == len({actor for _, actor in kept})
        assert len(union.parts()) <= 2
        queue = kept
    assert union.is_empty() == (not queue)


runs = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 3), st.sampled_from([4, 5, 56, 60, 61, 1_435, 1_440, 1_444, 10_080, 10_085, 50_000])),
        st.sets(st.integers(0, 40), max_size=8),
    ),
    min_size=1,
    max_size=25,
)


@given(runs)
def test_windows_equal_a_count_over_all_panes(run: list[tuple[int, set[int]]]) -> None:
    """Short windows cover exactly their panes; long ones start at the block of five in which they begin."""
    audience, seen, end = Audience(LENGTHS), dict[int, set[int]](), 0
    for gap, actors in run:
        end += gap
        audience.add(end - 1, [str(actor) for actor in actors])
        audience.roll(end)
        seen[end - 1] = actors
        starts = {"5m": end - 5, "1h": end - 60, "24h": (end - 1_440) // 5 * 5, "7d": (end - 10_080) // 5 * 5}
        expected = {
            name: len(set().union(*(who for pane, who in seen.items() if start <= pane < end)))
            for name, start in starts.items()
        }

        assert {name: audience.read(name) for name in LENGTHS} == expected


@given(runs, st.data())
def test_audience_restored_at_an_end_of_its_own_loses_nobody(
    run: list[tuple[int, set[int]]], data: st.DataObject
) -> None:
    """Rows that were told while a block of five was open are whole at any later end, too."""
    audience, stored, end = Audience(LENGTHS), dict[int, bytes](), 0
    for gap, actors in run:
        end += gap
        audience.add(end - 1, [str(actor) for actor in actors])
        audience.roll(end)
    for number, row in audience.changed_rows():
        assert row is not None
        stored[number] = msgspec.msgpack.encode(row)
    later = end + data.draw(st.integers(0, 70))
    audience.roll(later)
    twin = Audience(LENGTHS)
    twin.restore([msgspec.msgpack.decode(row, type=AudienceRow) for row in stored.values()], later)

    assert [twin.read(name) for name in LENGTHS] == [audience.read(name) for name in LENGTHS]


def test_crowded_week_is_the_same_after_a_restart() -> None:
    """With registers in every pane the restored windows say exactly what the live ones say, for days to come."""
    rng, stored = random.Random(2), dict[int, bytes]()
    live = Audience({"5m": 5, "1h": 60, "24h": 144})
    twin: Audience | None = None
    for pane in range(450):
        actors = [f"actor:{rng.randrange(3_000)}" for _ in range(450)]
        live.add(pane, actors)
        live.roll(pane + 1)
        if twin is not None:
            twin.add(pane, actors)
            twin.roll(pane + 1)

            assert [twin.read(name) for name in ("5m", "1h", "24h")] == [live.read(n) for n in ("5m", "1h", "24h")]
        if pane % 7 == 0:
            for number, row in live.changed_rows():
                if row is None:
                    del stored[number]
                else:
                    stored[number] = msgspec.msgpack.encode(row)
        if pane == 203:
            twin = Audience({"5m": 5, "1h": 60, "24h": 144})
            twin.restore([msgspec.msgpack.decode(row, type=AudienceRow) for row in stored.values()], pane + 1)

    # 144 panes of 450 draws from 3,000 actors leave nobody out.
    assert live.read("24h") == pytest.approx(3_000, rel=0.0163 * 3)


def test_rows_are_told_when_they_change_and_end_once() -> None:
    """Panes are told as they close (even numbers), blocks when they are whole (odd numbers)."""
    audience = Audience({"5m": 5, "24h": 1_440})
    audience.add(3, ["ana"])
    audience.roll(4)
    first = audience.changed_rows()
    audience.roll(5)
    second = audience.changed_rows()
    audience.roll(10)
    third = audience.changed_rows()
    audience.roll(1_500)

    assert [(number, row and (row.grain, row.indexes)) for number, row in first] == [(0, (1, (3,)))]
    assert [(number, row and (row.grain, row.indexes)) for number, row in second] == [(1, (5, (0,)))]
    assert third == [(0, None)]
    assert audience.changed_rows() == [(1, None)]
    assert audience.is_empty()


def test_actors_without_id_are_nobody() -> None:
    """An empty id cannot be told from another one; the networks refuse it, and it must not make a pane."""
    audience = Audience(LENGTHS)
    audience.add(0, [""])
    audience.add(1, [])
    audience.roll(2)

    assert audience.is_empty()
    assert audience.changed_rows() == []
