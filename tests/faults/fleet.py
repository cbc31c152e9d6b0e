"""Workers as real processes: started, killed, paused, ended, and what their logs tell afterwards."""

import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from agents.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
STOP_WITHIN_S = 60.0

_OPENED = re.compile(r"opened at offset (\d+), (\d+) records of \S+ read in ([\d.]+) s, (\d+) of former owners ignored")
_ENDED = re.compile(r"worker ends: (.*)")


class Lanes(NamedTuple):
    """What the logs say of the lanes that were opened: how many, rows read, and late rows of former owners ignored."""

    opened: int
    records: int
    stale: int
    fenced: int
    shared_anew: int


class WorkerProcess:
    """One worker."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.log = log
        self.is_paused = False
        environment = dict(os.environ)
        for name in ("kafka", "redis", "namespace", "clock", "partitions", "session_ms"):
            environment[f"OVERGROWTH_{name.upper()}"] = str(getattr(settings, name))
        environment["OVERGROWTH_METRICS_PORT"] = "0"
        environment["OVERGROWTH_RAW_NETWORKS"] = "native"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", "worker"],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )

    def is_alive(self) -> bool:
        """Tell whether the process runs, paused or not."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it with SIGKILL, where it is."""
        self.process.kill()
        self.process.wait(timeout=STOP_WITHIN_S)

    def pause(self) -> None:
        """Stop its clock: it does nothing more, and does not know."""
        self.process.send_signal(signal.SIGSTOP)
        self.is_paused = True

    def resume(self) -> None:
        """Let it go on, believing that it still owns what it owned."""
        self.process.send_signal(signal.SIGCONT)
        self.is_paused = False

    def stop(self) -> int:
        """End it as an operator would, and return its exit code."""
        self.process.terminate()
        return self.process.wait(timeout=STOP_WITHIN_S)

    def last_words(self) -> str:
        """Return why it ended by itself, or the last line of its log."""
        text = self.log.read_text(errors="replace")
        found = _ENDED.findall(text)
        if found:
            return str(found[-1])
        return (text.strip().splitlines() or ["(nothing)"])[-1]


class Fleet:
    """All workers of one installation, those that are gone included."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.started: list[WorkerProcess] = []
        self.members: list[WorkerProcess] = []
        self.ended: Counter[str] = Counter()

    def start(self) -> WorkerProcess:
        """Start one more worker."""
        worker = WorkerProcess(self.settings, self.folder / f"worker-{len(self.started)}.log")
        self.started.append(worker)
        self.members.append(worker)
        return worker

    def awake(self) -> list[WorkerProcess]:
        """Return the members that run and are not paused."""
        return [worker for worker in self.members if worker.is_alive() and not worker.is_paused]

    def replace_ended(self) -> None:
        """Do what an orchestrator does: start a worker anew that ended by itself (crash-only), and note its reason."""
        for worker in list(self.members):
            if not worker.is_alive():
                self.members.remove(worker)
                self.ended[f"exit {worker.process.returncode}: {worker.last_words()[:160]}"] += 1
                self.start()

    def close(self) -> None:
        """End every process that is left."""
        for worker in self.started:
            if worker.is_alive():
                worker.kill()

    def lanes(self) -> Lanes:
        """Return what all logs say of lanes."""
        opened = records = stale = fenced = shared = 0
        for worker in self.started:
            text = worker.log.read_text(errors="replace")
            for _, read, _, ignored in _OPENED.findall(text):
                opened, records, stale = opened + 1, records + int(read), stale + int(ignored)
            fenced += text.count("was left to the next owner")
            shared += text.count("shares its partitions out anew")
        return Lanes(opened, records, stale, fenced, shared)
