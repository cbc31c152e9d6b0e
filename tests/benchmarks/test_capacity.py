"""The constants of the model of capacity come out of figures that were made with them, and so do its predictions."""

import msgspec
import pytest

from agents.capacity import Costs
from tests.benchmarks.capacity import Figures, compared, costs_of, rows_of
from tests.benchmarks.growth import PACKED, PACKETS, ROWS, TICKS, TOPIC_STEP
from tests.benchmarks.report import Figure, Line, lines_of

MIB = 2**20
OFF_US, ON_US, PACKET_US = 20.0, 120.0, 5.0


def _growth() -> dict[str, float]:
    """Return figures as a machine tells them on which everything is as linear as in the model."""
    figures = {"topics awake: 1,000" + TICKS: 930.0, "topics awake: 1,000" + ROWS: 6_000.0}
    figures["topics awake: 10,000" + TICKS] = 930.0
    figures["hot topic: 90" + TOPIC_STEP] = 12.0
    for share in (5, 30, 100):
        figures[f"% on topic: {share}"] = OFF_US * (100 - share) / 100 + ON_US * share / 100
        figures[f"% on topic: {share}{PACKED}"] = 10 + 3 * share
        figures[f"% on topic: {share}{ROWS}"] = 53 + 5 * share
    # 2,000 signals at once: four slices of one lane, one of each of several.
    for partitions, packets in ((1, 5), (16, 512), (64, 8_192)):
        figures[f"partitions: {partitions}"] = 25 + PACKET_US * packets / 2_000
        figures[f"partitions: {partitions}{PACKETS}"] = packets / 2_000
    for curve, sizes, each in (
        ("topics declared", (10, 1_000, 10_000, 100_000), 2_000),
        ("topics awake", (100, 1_000, 10_000), 80_000),
        ("members", (10_000, 100_000), 1_000),
        ("live cascades", (10_000, 100_000), 1_000 + 1_250 + 125),
    ):
        for size in sizes:
            figures[f"{curve}: {size:,}, memory"] = 50 + size * each / MIB
    return figures


def _lines() -> list[Line]:
    told = {
        "growth": _growth(),
        "side_by_side": {
            "worker, mix": 1e6 / 35,
            "worker, all on topic": 1e6 / 130,
            "a worker with 30 % on topic": 1e6 / (30 * 0.7 + 130 * 0.3),
        },
        "scaling": {"2 workers, by processor time": 1e6 / 35},
        "packets": {"handed on by Kafka's client": 15.0},
        "durability": {"recovery, bytes": 12.0},
        "memory": {
            "a cascade of one post": 1_000.0,
            "a member": 800.0,
            "a further share of 25,000 below the root": 41.0,
            "a like, for as long as it can be taken back": 100.0,
        },
    }
    return [
        line
        for benchmark, figures in told.items()
        for line in lines_of(benchmark, [[Figure(name, value, "") for name, value in figures.items()]])
    ]


def test_constants_are_found_again() -> None:
    """What the figures were made with."""
    costs = costs_of(Figures(_lines()))
    assert costs.off_topic_us == pytest.approx(30)
    assert costs.on_topic_us == pytest.approx(130)
    assert costs.packet_us == pytest.approx(PACKET_US + 15)
    assert costs.on_topic_packed_bytes == pytest.approx(310)
    assert costs.off_topic_rows_bytes == pytest.approx(53)
    assert costs.declared_bytes == pytest.approx(2_000)
    assert costs.recovery_mb_per_s == 12


def test_a_linear_machine_is_predicted() -> None:
    """Without an error, at a dozen figures."""
    found = compared(Figures(_lines()))
    assert len(found) >= 10
    for one in found:
        assert one.error == pytest.approx(0, abs=0.02), one


def test_every_constant_has_a_figure() -> None:
    """But for a worker that remembers nothing, which no benchmark measures."""
    lines = _lines()
    costs = costs_of(Figures(lines))
    doubled = costs_of(Figures([msgspec.structs.replace(line, median=2 * line.median) for line in lines]))
    fixed = [name for name in Costs.__struct_fields__ if getattr(costs, name) == getattr(doubled, name)]
    assert fixed == ["worker_mib"]


def test_a_run_that_measured_less_predicts_nothing() -> None:
    """A report of one benchmark has no table of predictions."""
    assert rows_of(_lines()[:5]) == []
