"""The production workers, struck by faults under a seeded scheduler, leave what one process tells of the sorted log."""

from collections import Counter
from typing import Any

import pytest

from agents.lane import Lane
from agents.lease import Lease
from agents.table import Table
from schemas.rows import EpochSpan
from streams.eventtime.order import ReorderBuffer
from tests.simulation.options import WORKLOADS, Network, Options, options_of
from tests.simulation.schedule import run_schedule
from tests.simulation.stories import missing, regressions
from tests.simulation.workload import workload_of

SCHEDULES = 120


def calm(seed: int) -> Options:
    """Return the options of a seed without any fault."""
    options = options_of(seed)._replace(kill=0.0, stop=0.0, at_write=0.0, moves=0.0, forgets=0.0, drains=0.0)
    return options._replace(compact=0.0, stale=0.0, network=Network())


def pausing(seed: int) -> Options:
    """Return the options of a seed whose workers are often paused for longer than a session, on a quick network."""
    options = options_of(seed)._replace(kill=0.0, kills_share=0.0, stop=0.003, at_write=0.1, stop_s=6.0, drains=0.0)
    return options._replace(network=Network(full=options.network.full))


def finds(seeds: range, text: str = "") -> bool:
    """Say whether one of the schedules of these seeds fails, and says so with a text."""
    failures = (run_schedule(options_of(seed)).failure for seed in seeds)
    return any(failure and text in failure for failure in failures)


@pytest.mark.slow
def test_faults_change_no_byte_and_the_work_comes_to_its_end() -> None:
    """Outputs without repetitions, rows and the accounts equal the oracle's; all is settled once the faults stop."""
    counts: Counter[str] = Counter()
    for seed in range(SCHEDULES):
        verdict = run_schedule(options_of(seed))
        assert not verdict.failure, f"make simulate SEED={seed}: {verdict.failure}\n{verdict.options}"
        counts += verdict.counts
    assert not missing(counts), "agreement without these faults would mean little"


@pytest.mark.slow
@pytest.mark.parametrize("seed", regressions())
def test_what_was_found_once_stays_mended(seed: int) -> None:
    """Every seed that found something is run for ever."""
    verdict = run_schedule(options_of(seed))
    assert not verdict.failure, f"make simulate SEED={seed}: {verdict.failure}\n{verdict.options}"


def test_without_faults_nothing_is_done_twice() -> None:
    """What the counts of faulty schedules tell comes from faults alone."""
    verdict = run_schedule(calm(2)._replace(workers=1))
    assert not verdict.failure
    assert not verdict.counts["replayed"] + verdict.counts["suppressed"] + verdict.counts["fenced"]


def test_a_seed_tells_the_same_story_every_time() -> None:
    """Otherwise a failure could not be seen again."""
    assert run_schedule(options_of(7)) == run_schedule(options_of(7))


def test_the_workloads_are_worth_comparing() -> None:
    """They raise alerts of several kinds, and have late, refused, repeated and erased records, changes and cascades."""
    expected = [workload_of(number, 2).expected for number in range(WORKLOADS // 8)]
    assert sum(len(one.alerts) for one in expected) > 5 * len(expected)
    assert all(one.vitals and one.cascades and one.rows for one in expected)
    ledgers = [one.ledger for one in expected]
    for name in ("applied", "duplicate", "late", "rejected", "heartbeat", "unmatched", "erased"):
        assert sum(getattr(ledger, name) for ledger in ledgers) > 0, name
    assert all(ledger.waiting() == 0 for ledger in ledgers)


@pytest.mark.slow
def test_a_step_that_forgets_what_it_holds_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that goes on behind signals which still wait loses them with the first crash."""
    monkeypatch.setattr(ReorderBuffer, "resume", lambda self, *, next_offset, context: (next_offset, context))
    assert finds(range(12), "missing")


@pytest.mark.slow
def test_a_lane_that_does_not_wait_for_its_outputs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that count before the outputs behind them arrived lose these outputs."""
    write = Lane._write

    async def hasty(self: Lane, changes: object, *, behind: object) -> None:
        await write(self, changes, behind=[])  # type: ignore[arg-type]

    monkeypatch.setattr(Lane, "_write", hasty)
    assert finds(range(60))


PAUSES = (*range(30), 44, 215)
"""Without leases, the last two leave older records behind newer ones."""


@pytest.mark.slow
def test_a_paused_worker_leaves_no_older_record_behind_newer_ones() -> None:
    """Compaction keeps what comes last of a key, so what it still held must not be sent when it comes back."""
    counts: Counter[str] = Counter()
    for seed in PAUSES:
        verdict = run_schedule(pausing(seed))
        assert not verdict.failure, verdict
        counts += verdict.counts
    assert counts["leases lost"] > 10
    assert counts["outdated keys"] == 0


@pytest.mark.slow
def test_a_worker_that_sends_what_it_held_while_it_was_paused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same schedules find what leases are there against."""
    monkeypatch.setattr(Lease, "is_held", lambda self: True)
    assert sum(run_schedule(pausing(seed)).counts["outdated keys"] for seed in PAUSES[-2:]) > 0


@pytest.mark.slow
def test_owners_that_write_under_one_epoch_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lease keeps back what a former owner writes late, it counts as if it came from the present one."""
    monkeypatch.setattr(Lease, "is_held", lambda self: True)
    assert not any(run_schedule(pausing(seed)).failure for seed in PAUSES)
    begin = Table.__init__

    def nameless(self: Table, **known: Any) -> None:
        begin(self, **known)
        self.epoch, self.epochs = 1, (EpochSpan(epoch=1, after_seq=0),)

    monkeypatch.setattr(Table, "__init__", nameless)
    assert any(run_schedule(pausing(seed)).failure for seed in range(90))
