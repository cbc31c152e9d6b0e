"""Claims about real workers under real faults, and about the judge; the long campaigns are `make faults`."""

from pathlib import Path

import pytest

from tests.faults.__main__ import failures
from tests.faults.campaign import Plan, run_campaign
from tests.faults.takeover import Fault, Mark

PARTITIONS = 2


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.kafka
def test_workers_that_are_killed_under_load_tell_what_one_process_tells(tmp_path: Path) -> None:
    """Two workers, poison, broken clocks, kills while data is left: nothing lost, nothing other, SIGTERM drains."""
    plan = Plan("embedded", kills=2, seed=3, per_second=80.0, only_kills=True)
    report = run_campaign(plan, tmp_path)

    assert failures(plan, report) == []
    assert report.done["kill"] == plan.kills
    assert report.ended == {}
    assert report.exits_at_term == [0, 0]
    assert report.poison > 0


def test_a_fault_is_over_once_every_partition_has_a_checkpoint_of_a_later_owner() -> None:
    """What the owner from before still writes does not count, and the slowest partition tells the time."""
    fault = Fault(100.0, {0: Mark(4, 10, 99.0, claims=1), 1: Mark(4, 20, 99.0, claims=1)})
    fault.see(0, Mark(4, 12, 100.5, claims=1))
    assert not fault.is_over(PARTITIONS)
    fault.see(0, Mark(5, 12, 103.0, claims=2))
    fault.see(0, Mark(5, 19, 104.0, claims=2))
    assert not fault.is_over(PARTITIONS)
    # It came back to the owner that it had, who says so by a claim.
    fault.see(1, Mark(4, 20, 107.5, claims=2))

    assert fault.is_over(PARTITIONS)
    assert fault.takeover_s == 7.5


def test_a_fault_after_all_was_done_left_no_data() -> None:
    """Such a fault shows nothing, so it is told apart."""
    fault = Fault(100.0, {0: Mark(4, 10, 99.0, claims=1)})
    fault.ends[0] = 10
    fault.see(0, Mark(5, 10, 101.0, claims=2))

    assert fault.is_over(1)
    assert not fault.had_data_left


def test_a_fault_with_data_left_is_told_before_a_new_owner_has_read_any() -> None:
    """The first checkpoint of an owner may cover nothing new, and a partition may have had no checkpoint at all."""
    fault = Fault(100.0, {0: Mark(4, 10, 99.0, claims=1)})
    fault.ends[0] = 11
    fault.see(0, Mark(5, 10, 101.0, claims=2))
    assert fault.had_data_left
    first = Fault(100.0, {})
    first.ends[0] = 1
    assert first.had_data_left
