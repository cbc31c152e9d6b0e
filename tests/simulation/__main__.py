"""`make simulate [SEEDS=n] [FIRST=s] [SEED=s] [JOBS=n]`: run schedules, and say how to see a failure again."""

import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.options import options_of
from tests.simulation.schedule import Verdict, quiet, run_schedule
from tests.simulation.stories import NEEDED, missing

SEEDS = 200
PROGRESS_S = 5.0


def judged(seed: int) -> Verdict:
    """Run the schedule of a seed, in a process of the pool."""
    quiet()
    return run_schedule(options_of(seed))


def numbered(name: str, default: int) -> int:
    """Return a number from the environment, which is where make puts it."""
    given = os.environ.get(name, "")
    if given and not given.isdecimal():
        sys.exit(f"Error: expected {name} to be a whole number, got {given!r}; such as: make simulate SEEDS=1000")
    return int(given) if given else default


def main() -> int:
    """Run the schedules that the environment asks for; return the exit code."""
    first, count = numbered("FIRST", 0), numbered("SEEDS", SEEDS)
    if os.environ.get("SEED"):
        first, count = numbered("SEED", 0), 1
    jobs = min(count, numbered("JOBS", os.cpu_count() or 1))
    begun_s = told_s = time.monotonic()
    counts: Counter[str] = Counter()
    failed: list[Verdict] = []
    with ProcessPoolExecutor(jobs) as pool:
        for done, verdict in enumerate(pool.map(judged, range(first, first + count), chunksize=8), 1):
            counts += verdict.counts
            if verdict.failure:
                failed.append(verdict)
                tell(verdict)
            if time.monotonic() - told_s > PROGRESS_S:
                told_s = time.monotonic()
                print(f"{done} of {count} schedules, {len(failed)} differ, {told_s - begun_s:.0f} s", flush=True)
    print(", ".join(f"{name}: {counts[name]:,}" for name in sorted(counts)))
    print(f"{count:,} schedules in {(time.monotonic() - begun_s) / 60:.1f} min, {len(failed)} differ from the oracle")
    vacuous = missing(counts) if count >= SEEDS else []
    if vacuous:
        print(f"Error: expected every kind of fault to have struck ({', '.join(NEEDED)}), got none of {vacuous}")
    return int(bool(failed or vacuous))


def tell(verdict: Verdict) -> None:
    """Print what differs and how to see it again."""
    print(f"seed {verdict.options.seed}: {verdict.failure}")
    print(f"  {verdict.options}")
    print(f"  again: make simulate SEED={verdict.options.seed}; then add it to tests/simulation/regressions.txt")


if __name__ == "__main__":
    sys.exit(main())
