"""Fuzz every decoder: `python -m tests.fuzz --payloads 1000000 --seed 1`; exit code 1 where one raised."""

import argparse
import logging
import sys
import time

from tests.fuzz.fuzzing import fuzz
from tests.fuzz.targets import all_targets


def main() -> int:
    """Fuzz and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--payloads", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # What a decoder leaves out it logs; a million lines of that tell nothing.
    logging.disable(logging.CRITICAL)
    begun_s = time.monotonic()
    fuzzed = fuzz(
        all_targets(),
        payloads=given.payloads,
        seed=given.seed,
        say=lambda done: print(f"{done} payloads, {time.monotonic() - begun_s:.0f} s", file=sys.stderr, flush=True),
    )
    for (target, outcome), count in sorted(fuzzed.outcomes.items()):
        print(f"{count:>9}  {target}: {outcome}")
    for crash in fuzzed.crashes:
        print(f"CRASH of {crash.target} by {crash.payload[:2_000]!r}\n{crash.trace}")
    crashes = sum(count for (_, outcome), count in fuzzed.outcomes.items() if outcome == "CRASH")
    print(f"{fuzzed.payloads} payloads, {crashes} crashes, {time.monotonic() - begun_s:.0f} s, seed {given.seed}")
    return 1 if crashes else 0


if __name__ == "__main__":
    sys.exit(main())
