"""The arithmetic of capacity, by hand for round numbers, and as it must behave whatever the constants are."""

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.capacity import Costs, Load, limits, packets_per_s, plan, rows_bytes_per_s, state_bytes

ROUND = Costs(
    off_topic_us=20,
    on_topic_us=100,
    topic_step_us=20,
    tick_us=1_000,
    packet_us=50,
    off_topic_packed_bytes=10,
    on_topic_packed_bytes=110,
    off_topic_rows_bytes=50,
    on_topic_rows_bytes=450,
    tick_rows_bytes=6_000,
    worker_mib=100,
    declared_bytes=1_000,
    topic_bytes=100_000,
    cascade_bytes=1_000,
    node_bytes=50,
    member_bytes=1_000,
    act_bytes=100,
    recovery_mb_per_s=10,
)
LOAD = Load(peak_per_s=10_000, mean_per_s=1_000, on_topic=0.1, topics=600, topics_declared=0, members=0, partitions=4)


def test_a_plan_is_what_a_hand_computes() -> None:
    """Ten thousand signals a second, a tenth of them on topics."""
    planned = plan(LOAD, ROUND)
    # 9,000 × 20 µs + 1,000 × 100 µs; 10 ticks a second of a millisecond each.
    assert planned.signals_cores == pytest.approx(0.28)
    assert planned.ticks_cores == pytest.approx(0.01)
    # 2,500 records a second are five slices, fewer than ten takes: 4 lanes × 4 targets × 2 hops × 10.
    assert planned.packets_per_s == pytest.approx(320)
    assert planned.packets_cores == pytest.approx(0.016)
    assert planned.workers == 2
    # 300 B of signal, 20 of packets, 90 of rows for each; ticks write 60 kB a second.
    assert planned.brokers_in_mb_per_s == pytest.approx(3 + 0.2 + 0.9 + 0.06)
    assert planned.brokers_out_mb_per_s == pytest.approx(3 + 0.2)
    assert planned.signals_disk_gb == pytest.approx(1_000 * 300 * 7 * 86_400 * 3 / 1e9)
    # Two hours of 1,000 × 90 B + 60 kB; half of it belonged to the worker that went, and one is left to read it.
    assert planned.takeover_s == pytest.approx(30 + 7_200 * 150_000 / 2 / 10e6)
    assert planned.topic_per_s_max == pytest.approx(30_000)


def test_state_is_what_a_hand_computes() -> None:
    """100 signals on topics a second: 20 roots, 45 replies and shares of the other 80."""
    week, day = 7 * 86_400, 86_400
    held = 20 * week * 1_000 + 45 * week * 50 + 100 * day * 100 + 600 * 100_000
    assert state_bytes(ROUND, LOAD) == pytest.approx(held)


def test_rows_are_what_a_hand_computes() -> None:
    """Signals write rows, and so do ticks where nobody speaks."""
    assert rows_bytes_per_s(ROUND, LOAD, signals_per_s=0) == pytest.approx(60_000)
    assert rows_bytes_per_s(ROUND, LOAD, signals_per_s=100) == pytest.approx(60_000 + 90 * 50 + 10 * 450)


def test_packets_grow_with_the_square_of_partitions_where_lanes_have_little_to_do() -> None:
    """And with the partitions alone where each of them has all that it can take."""
    few = [packets_per_s(signals_per_s=100, partitions=partitions) for partitions in (8, 16)]
    assert few[1] == 4 * few[0]
    full = [packets_per_s(signals_per_s=10**6 * n, partitions=n, takes_per_s=0) for n in (1, 2)]
    # 2,000 slices a second of each lane make 2,000 and then 4 slices, and 2 × 2,000 and then 2 × 8 of each of two.
    assert full == [2_000 + 4, 4 * 2_000 + 4 * 8]


@given(
    st.floats(1, 2_000_000),
    st.floats(0, 1),
    st.integers(0, 100_000),
    st.sampled_from([1, 4, 64, 1_024]),
)
def test_more_of_everything_takes_no_less(peak_per_s: float, on_topic: float, topics: int, partitions: int) -> None:
    """Whatever the load, twice of it takes as many cores, as much state and as much network, or more."""
    load = Load(peak_per_s=peak_per_s, mean_per_s=peak_per_s, on_topic=on_topic, topics=topics, partitions=partitions)
    less, more = plan(load), plan(msgspec.structs.replace(load, peak_per_s=2 * peak_per_s, mean_per_s=2 * peak_per_s))
    assert more.cores >= less.cores
    assert more.state_gib >= less.state_gib
    assert more.brokers_in_mb_per_s >= less.brokers_in_mb_per_s
    assert more.partitions == less.partitions == partitions
    assert less.cores <= less.workers * load.busy * (1 + 1e-9)


def test_an_advised_plan_has_partitions_to_spare() -> None:
    """A third more than workers, as a power of two, as long as there are enough."""
    for peak_per_s in (1_000.0, 50_000.0, 300_000.0):
        planned = plan(Load(peak_per_s=peak_per_s, mean_per_s=0))
        assert 3 * planned.partitions >= 4 * planned.workers
        assert planned.partitions & (planned.partitions - 1) == 0


def test_what_stands_in_the_way_is_named() -> None:
    """Each limit in a load of its own."""

    def told(**changed: float) -> str:
        load = msgspec.structs.replace(Load(peak_per_s=1_000, mean_per_s=100), **changed)
        return " ".join(limits(load, plan(load)))

    assert told() == ""
    assert "can have a partition" in told(peak_per_s=1_000_000, partitions=4)
    assert "shards" in told(partitions=128)
    assert "square of the partitions" in told(partitions=512)
    assert "ticks take" in told(topics=100_000)
    assert "remembers" in told(mean_per_s=50_000)
    assert "stands still" in told(mean_per_s=50_000)


def test_every_constant_is_explained() -> None:
    """The page that says where constants come from names each of them, and none that there is not."""
    page = Path(__file__).parents[2].joinpath("docs/capacity.md").read_text()
    table = page.partition("## Constants")[2].partition("## Formulae")[0]
    named = {name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == set(Costs.__struct_fields__)
