"""Say which faults a number of schedules must have seen, so that their agreement with the oracle means something."""

from collections.abc import Mapping
from pathlib import Path

NEEDED = (
    "kills",
    "stops",
    "rebalances",
    "moved partitions",
    "sessions expired",
    "drained",
    "fenced",
    "replayed",
    "suppressed",
    "sent again",
    "old copies",
    "landed after death",
    "lost with a process",
    "failed sends",
    "held back",
    "leases lost",
    "late writes",
    "stale rows",
    "changelogs checked",
    "checkpoints of kept lanes",
    "stale deliveries",
    "refused commits",
    "groups forgotten",
    "compacted",
)
"""What must have happened: faults that struck, and what the code under test did about them."""

REGRESSIONS = Path(__file__).with_name("regressions.txt")


def missing(counts: Mapping[str, int]) -> list[str]:
    """Return what never happened.

    >>> missing({name: 1 for name in NEEDED})
    []
    """
    return [name for name in NEEDED if not counts.get(name)]


def regressions() -> list[int]:
    """Return the seeds that once found something."""
    lines = REGRESSIONS.read_text(encoding="utf-8").splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]
