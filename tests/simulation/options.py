"""Expand a seed into what one schedule does: how many workers and partitions, and how often which fault strikes."""

from random import Random
from typing import NamedTuple


class Network(NamedTuple):
    """How often (probability) a request is slow, fails, is sent twice, arrives once more much later, meets a full
    buffer, or lies behind a hole in the log.
    """

    slow: float = 0.0
    fail: float = 0.0
    repeat: float = 0.0
    echo: float = 0.0
    full: float = 0.0
    hole: float = 0.0


class Options(NamedTuple):
    """One schedule. `kill` and `stop` are probabilities per step of a worker, `at_write` that a step which writes rows
    is followed within a few steps by one of the two; `compact` is per second; the rest is counted in virtual seconds.
    """

    seed: int
    workload: int
    partitions: int
    workers: int
    faulty_s: float
    feed_s: float
    network: Network
    kill: float
    stop: float
    at_write: float
    kills_share: float
    stop_s: float
    compact: float
    stale: float
    moves: float
    forgets: float
    drains: float


WORKLOADS = 40
"""Schedules share so many workloads, for what a workload tells is worked out once."""


def options_of(seed: int) -> Options:
    """Return the options that a seed stands for."""
    random = Random(f"options {seed}")

    def sometimes(most: float, share: float = 0.6) -> float:
        return random.uniform(0.0, most) if random.random() < share else 0.0

    partitions = random.choice((1, 2, 2, 3, 3))
    network = Network(
        slow=sometimes(0.1),
        fail=sometimes(0.004, 0.4),
        repeat=sometimes(0.15),
        echo=sometimes(0.03, 0.5),
        full=sometimes(0.1),
        hole=sometimes(0.2, 0.4),
    )
    return Options(
        seed=seed,
        workload=random.randrange(WORKLOADS),
        partitions=partitions,
        workers=random.choice((1, 2, 2, 3)),
        faulty_s=random.uniform(5.0, 13.0),
        feed_s=random.uniform(1.0, 8.0),
        network=network,
        kill=sometimes(0.003),
        stop=sometimes(0.003),
        at_write=sometimes(0.1, 0.85),
        kills_share=random.random(),
        stop_s=random.uniform(0.5, 6.0),
        compact=sometimes(0.5),
        stale=sometimes(0.3, 0.4),
        moves=sometimes(0.2),
        forgets=sometimes(0.06, 0.3),
        drains=sometimes(0.12),
    )
