"""Claims about the garbage collector of workers and backtests."""

import gc
import subprocess
import sys

from agents.garbage import MIDDLE_ROUNDS, OLD_ROUNDS, YOUNG_OBJECTS


def test_the_thresholds_hold_for_the_process() -> None:
    """In a process of its own, so that this one keeps its thresholds."""
    before = gc.get_threshold()
    code = "import gc; from agents.garbage import collect_rarely; collect_rarely(); print(*gc.get_threshold())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == [str(YOUNG_OBJECTS), str(MIDDLE_ROUNDS), str(OLD_ROUNDS)]
    assert gc.get_threshold() == before
