"""Run a campaign of faults: `python -m tests.faults --kills 200 --kafka real`; exit code 1 where anything differs."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.campaign import Plan, Report, run_campaign


def percentile(ordered: list[float], share: float) -> float:
    """Return the smallest value that at least a share of the values does not exceed.

    >>> percentile([1.0, 2.0, 3.0, 4.0], 0.5), percentile([1.0, 2.0, 3.0, 4.0], 0.99)
    (2.0, 4.0)
    """
    return ordered[max(0, -int(-len(ordered) * share // 1) - 1)]


KILLS_THAT_REPEAT = 10


def failures(plan: Plan, report: Report) -> list[str]:
    """Return what is wrong: differences, refused stops, and campaigns in which nothing happened."""
    found = list(report.verdict.differences)
    counts = report.verdict.counts
    if any(report.exits_at_term):
        found.append(f"SIGTERM must drain and exit with 0, got {report.exits_at_term}")
    if report.done["kill"] < plan.kills:
        found.append(f"{report.done['kill']} kills of {plan.kills} were done before the time was over")
    if counts["late for no fault of theirs"]:
        found.append(
            f"{counts['late for no fault of theirs']} signals with a right clock were late only, never applied"
        )
    if not report.had_data_left:
        found.append("no fault landed while anything was left to do")
    if report.unfinished:
        found.append(f"{report.unfinished} faults after which some partition was never checkpointed again")
    if not report.lanes.shared_anew:
        found.append("the group never shared its partitions out anew")
    if not (counts["vitals"] and counts["alerts"] and counts["rejections"] and counts["late"]):
        found.append(f"there was nothing to compare: {counts}")
    repeats = sum(count for name, count in counts.items() if name.endswith(" repeated"))
    # A kill repeats only what was sent since the last checkpoint: a few of them may all come right behind one.
    if plan.kills >= KILLS_THAT_REPEAT and not repeats + counts["duplicate"]:
        found.append("nothing was told twice, so nothing had to be told apart")
    return found


def tell(report: Report) -> None:
    """Print the figures."""
    over, lanes = report.takeovers_s, report.lanes
    print(f"done: {dict(report.done)} in {report.seconds:.0f} s; fed {report.fed} records, {report.poison} poison")
    print(f"takeover: {len(over)} timed, p50 {percentile(over, 0.5):.1f} s, p99 {percentile(over, 0.99):.1f} s")
    print(f"faults with data left: {report.had_data_left} of {len(over)}")
    print(f"lanes: {lanes.opened} opened, {lanes.records} rows read, {lanes.stale} late rows of former owners ignored,")
    print(f"       {lanes.fenced} left to the next owner, {lanes.shared_anew} rebalances")
    print(f"compared: {report.verdict.counts}")
    print(f"exit codes at SIGTERM: {report.exits_at_term}")
    for reason, count in report.ended.most_common():
        print(f"ended by itself {count} x {reason}")


def main() -> int:
    """Run one campaign and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--kafka", choices=("embedded", "real"), default="embedded")
    parser.add_argument("--seed", type=int, default=None, help="of the load and of the faults; drawn if not given")
    parser.add_argument("--per-second", type=float, default=60.0, help="how many signals are fed in a second")
    parser.add_argument("--seconds-max", type=float, default=3_600.0, help="no more faults after so many seconds")
    given = parser.parse_args()
    seed = time.time_ns() % 1_000_000 if given.seed is None else given.seed
    plan = Plan(given.kafka, given.kills, seed, given.per_second, given.seconds_max)
    print(f"reproduce: python -m tests.faults --kafka {plan.kafka} --kills {plan.kills} --seed {plan.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="overgrowth-faults-"))
    report = run_campaign(plan, folder, say=lambda line: print(line, flush=True))
    tell(report)
    found = failures(plan, report)
    for line in found:
        print(f"FAILED: {line[:2_000]}; logs in {folder}")
    print("every input accounted for; equal to one process" if not found else f"{len(found)} failures")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
