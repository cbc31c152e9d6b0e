"""Measure a peer inside its own process: from its first record to its last."""

import json
import os
from time import monotonic, process_time


class Meter:
    """Counts signals; with the last one it prints what they took and ends the process.

    Ending at once leaves out how a peer stops, which is nothing that is compared.
    """

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.seen = 0
        self._begun_s = self._begun_cpu_s = 0.0

    def see(self) -> None:
        """Count one signal."""
        if self.seen == 0:
            self._begun_s, self._begun_cpu_s = monotonic(), process_time()
        self.seen += 1

    def end(self) -> None:
        """Print what it took, and end."""
        cpu_s, wall_s = process_time() - self._begun_cpu_s, monotonic() - self._begun_s
        # Not by `print`: Faust puts something of its own in the place of standard output.
        os.write(1, b"\n" + json.dumps({"signals": self.seen, "cpu_s": cpu_s, "wall_s": wall_s}).encode() + b"\n")
        os._exit(0)
