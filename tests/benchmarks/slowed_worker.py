"""A worker that burns `BENCH_SLOWED_US` microseconds of its processor for every signal: what `--check` has to notice.

`BENCH_SLOWED_US=20 python -m tests.benchmarks --check REPORT` runs it in the place of a worker. Not for production,
which knows nothing of it.
"""

import os
import sys
from time import thread_time

from agents.attribute_signals import AttributeShell
from agents.cli import main
from agents.lane import Batch, Outgoing

VARIABLE = "BENCH_SLOWED_US"
take = AttributeShell.take


def take_slowly(shell: AttributeShell, batch: Batch) -> list[Outgoing]:
    """Take a batch as ever, and waste time."""
    told = take(shell, batch)
    end_s = thread_time() + len(batch.records) * float(os.environ[VARIABLE]) / 1e6
    while thread_time() < end_s:
        pass
    return told


if __name__ == "__main__":
    setattr(AttributeShell, "take", take_slowly)  # noqa: B010  (mypy knows that methods are not assigned to)
    sys.exit(main())
