"""What every server of the stack has in common: start until it answers, stop, kill, restart, tell why it died."""

import os
import shutil
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from agents.stack import processes
from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK, check_free, free_ports, is_free

START_ATTEMPTS = 3
LOG_TAIL_LINES = 8
LOG_TAIL_CHARS = 1_200
POLL_S = 0.05


class Server(ABC):
    """One server process on loopback.

    `directory` takes its log and its data and is kept; without one a temporary directory is made at the first start
    and removed by `stop`. `port` must be free; without one a free port is found. Both stay the same for the life of
    the object, so `kill` and `start`, or `restart`, bring back the same server at the same place.

    With `detached` the server outlives this process (see agents/stack/detached.py); otherwise it ends with it, even
    when it is killed with SIGKILL (Linux), but the temporary directory then stays behind.

    Not to be used by two threads at once. `start` and `stop` block: a coroutine calls them by `asyncio.to_thread`.
    """

    name: ClassVar[str]
    """What messages and `overgrowth stack status` call it."""
    log_name: ClassVar[str]
    """Its log file inside the directory."""
    ready_within_s: ClassVar[float] = 15.0
    """How long a start may take before it counts as failed."""
    grace_s: ClassVar[float] = 5.0
    """How long it may take to end after SIGTERM before SIGKILL."""
    extra_ports: ClassVar[int] = 0
    """How many ports it needs beside the one for clients."""

    def __init__(self, *, directory: Path | None = None, port: int | None = None, detached: bool = False) -> None:
        self._given_directory = directory
        self._given_port = port
        self._detached = detached
        self._directory: Path | None = None
        self._ports: list[int] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def port(self) -> int:
        """The port it listens on; StackError before the first start when none was given."""
        if self._ports:
            return self._ports[0]
        if self._given_port is not None:
            return self._given_port
        raise StackError(f"{self.name} has no port yet: start it first, or give it one")

    @property
    def url(self) -> str:
        """Where clients reach it."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """The number of its process, or None while it does not run."""
        return self._process.pid if self.is_running() and self._process is not None else None

    def is_running(self) -> bool:
        """Tell whether its process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and return when it answers; StackError says why it does not."""
        if self.is_running():
            raise StackError(f"{self.name} already runs at {self.url}; stop it first")
        is_first_start = self._directory is None
        try:
            directory = self._make_directory()
            self._prepare(directory)
            self._start_on_ports(directory)
        except BaseException as error:
            if is_first_start:
                self._remove_temporary_directory()
            if isinstance(error, OSError):
                raise StackError(f"{self.name} cannot be started: {error}") from error
            raise

    def stop(self) -> None:
        """End it (SIGTERM, a bounded wait, SIGKILL) and remove what was temporary; harmless when it does not run."""
        self._end(grace_s=self.grace_s)
        self._remove_temporary_directory()

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would; its data stay where they are."""
        self._end(grace_s=0)

    def restart(self) -> None:
        """Stop it if it runs and start it again on the same port with the same data."""
        self._end(grace_s=self.grace_s)
        self.start()

    def detach(self) -> processes.ProcessIdentity:
        """Let a detached server go on without this object, and return by what its process is found again."""
        assert self._detached, "only a server made with detached=True outlives its parent"
        identity = processes.detach(self._process) if self._process is not None else None
        self._process = None
        if identity is None:
            raise StackError(f"{self.name} ended right after its start; its last words: {self._log_tail()}")
        return identity

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @abstractmethod
    def _prepare(self, directory: Path) -> None:
        """Find the programs that a start needs, or raise StackError."""

    @abstractmethod
    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        """Write what configuration it needs and return the command line; `ports[0]` is the one for clients."""

    @abstractmethod
    def _answers(self, port: int) -> bool:
        """Tell whether it serves its users on this port."""

    def _environment(self) -> dict[str, str]:
        """Return the environment of the process."""
        return dict(os.environ)

    def _working_directory(self, directory: Path) -> Path:
        """Return where the process runs."""
        return directory

    def _start_on_ports(self, directory: Path) -> None:
        for attempts_left in reversed(range(START_ATTEMPTS)):
            is_new_choice = not self._ports
            if is_new_choice:
                self._ports = self._choose_ports()
            else:
                for port in self._ports:
                    check_free(port, what=self.name)
            try:
                self._launch(directory)
            except StackError:
                if not is_new_choice:
                    raise
                chosen, self._ports = self._ports, []
                # A port that was free when we looked may have been taken since; that alone is a reason to try again.
                if attempts_left == 0 or all(is_free(port) for port in chosen if port != self._given_port):
                    raise
            else:
                return

    def _choose_ports(self) -> list[int]:
        if self._given_port is None:
            return free_ports(1 + self.extra_ports)
        check_free(self._given_port, what=self.name)
        others = [port for port in free_ports(1 + self.extra_ports) if port != self._given_port]
        return [self._given_port, *others[: self.extra_ports]]

    def _launch(self, directory: Path) -> None:
        log_path = directory / self.log_name
        command = self._command(directory, self._ports)
        self._log_start = log_path.stat().st_size if log_path.exists() else 0
        self._process = processes.launch(
            command,
            log_path=log_path,
            working_directory=self._working_directory(directory),
            environment=self._environment(),
            dies_with_parent=not self._detached,
        )
        try:
            self._wait_until_it_answers(self._process)
        except BaseException:
            self._end(grace_s=0)
            raise

    def _wait_until_it_answers(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + self.ready_within_s
        port = self._ports[0]
        while not (processes.listens(process.pid, port=port) and self._answers(port)):
            if process.poll() is not None:
                raise StackError(
                    f"{self.name} was to serve {LOOPBACK}:{port}, but ended with exit code "
                    f"{process.returncode}; its last words: {self._log_tail()}"
                )
            if time.monotonic() > deadline_s:
                raise StackError(
                    f"{self.name} runs but gave no answer on {LOOPBACK}:{port} within "
                    f"{self.ready_within_s:.0f} s; its last words: {self._log_tail()}"
                )
            try:
                process.wait(timeout=POLL_S)
            except subprocess.TimeoutExpired:
                pass

    def _end(self, *, grace_s: float) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        if grace_s > 0:
            process.terminate()
            try:
                process.wait(timeout=grace_s)
            except subprocess.TimeoutExpired:
                pass
        process.kill()
        process.wait(timeout=processes.KILL_WAIT_S)

    def _log_tail(self) -> str:
        """Return the last lines that this start logged, in one line."""
        if self._directory is None:
            return "(no log)"
        with (self._directory / self.log_name).open("rb") as log:
            log.seek(self._log_start)
            lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-LOG_TAIL_LINES:])[-LOG_TAIL_CHARS:] or "(nothing)"

    def _make_directory(self) -> Path:
        if self._directory is None:
            if self._given_directory is None:
                self._directory = Path(tempfile.mkdtemp(prefix=f"overgrowth-{Path(self.log_name).stem}-"))
            else:
                self._given_directory.mkdir(parents=True, exist_ok=True)
                self._directory = self._given_directory.resolve()
        return self._directory

    def _remove_temporary_directory(self) -> None:
        if self._given_directory is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
