"""How much memory a backtest takes at its peak, over a log and over one that goes on ten times as long.

At the same pace, a signal of twenty on the topic, of people who come again: what is remembered expires in event time,
so that a longer log must not take more. Each log is run in a process of its own, whose largest resident size counts.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from schemas.signal import Signal
from tests.benchmarks.brand import NETWORK, START_MS, TAG
from tests.benchmarks.report import Figure, Goal, Round

SIGNALS = 100_000
LONGER = 10
GROWTH_MAX = 1.1
STEP_MS = 12_000
"""100,000 signals pass in a fortnight, twice the time for which a conversation is remembered."""
ACTORS = 20_000

_RUN = """
import resource, sys
from collections import deque
from agents.backtesting import run
from agents.garbage import collect_rarely
from tests.benchmarks.brand import registry
collect_rarely()
deque(run(registry(), sys.argv[1], "native"), maxlen=0)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def begin(*, quick: bool) -> Round:
    """Prepare the numbers of signals."""
    signals = SIGNALS // 10 if quick else SIGNALS

    def take_round() -> list[Figure]:
        floor = f"a log of {signals:,} signals"
        goal = Goal(GROWTH_MAX, of_ratio=True)
        return [
            Figure(floor, peak_mib(signals), "MiB"),
            Figure(f"one {LONGER} times as long", peak_mib(LONGER * signals), "MiB", floor=floor, goal=goal),
        ]

    return take_round


def peak_mib(count: int) -> float:
    """Return the largest resident size (MiB) of a process that runs a log of so many signals."""
    to_json = msgspec.json.Encoder().encode
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.ndjson"
        with path.open("wb") as lines:
            lines.writelines(to_json(signal) + b"\n" for signal in _made(count))
        command = [sys.executable, "-c", _RUN, str(path)]
        ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ))
    return int(ran.stdout) / 1024


def _made(count: int) -> Iterator[Signal]:
    """Yield posts and the replies to them, ten a conversation, every twentieth conversation on the topic."""
    for number in range(count):
        root_number, place = divmod(number, 10)
        root, name = f"17{root_number * 10:017}", f"17{number:017}"
        made = Signal(f"act:{name}", NETWORK, "reply", START_MS + number * STEP_MS, f"by:{number * 7_919 % ACTORS}")
        made.source, made.post, made.root = NETWORK, name, root
        if place == 0:
            made.kind, made.tags = "post", (TAG,) if root_number % 20 == 0 else (f"other{root_number % 500}",)
        else:
            made.parent = root
        yield made
