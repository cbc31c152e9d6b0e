"""Start, recognise and end processes: children that die with their parent, and detached ones that are found again.

Two promises are kept here:

- a child started with `dies_with_parent` ends even when its parent is killed with SIGKILL (Linux: PR_SET_PDEATHSIG);
- a process that was written down is never mistaken for a later one with the same number: its identity is the boot, the
  number and the start time, and it is signalled through a pidfd, so that it cannot be replaced in between.
"""

import ctypes
import os
import queue
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path

import msgspec

PR_SET_PDEATHSIG = 1
KILL_WAIT_S = 10.0

# Loaded here and not in the child: between fork and exec nothing may be imported or looked up.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """One process among all that ever bore its number: `started` is the boot id and the clock ticks since that boot."""

    pid: int
    started: str


def identify(pid: int) -> ProcessIdentity | None:
    """Return the identity of a live process, or None where there is none or only its unreaped remains (Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # proc(5): the second field is the command in parentheses and may itself hold spaces and parentheses, so the fields
    # are counted from the last closing one. Then comes the state (field 3), and 19 later the start time (field 22).
    fields = stat.rpartition(")")[2].split()
    state, started_ticks = fields[0], fields[19]
    return None if state in "ZX" else ProcessIdentity(pid=pid, started=f"{boot_id}:{started_ticks}")


def is_running(identity: ProcessIdentity) -> bool:
    """Tell whether exactly this process still runs."""
    return identify(identity.pid) == identity


def listens(pid: int, *, port: int) -> bool:
    """Tell whether this very process listens on the TCP port; where there is no /proc, believe that it does.

    An answer does not say who gave it: somebody else may have taken the port just before our server wanted it.
    """
    if sys.platform != "linux":
        return True
    process = Path(f"/proc/{pid}")
    try:
        tables = [(process / "net" / name).read_text(encoding="ascii") for name in ("tcp", "tcp6")]
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return False
    # proc(5): the second field is the local address, host:port in hexadecimal; the fourth the state, 0A for listening;
    # the tenth the inode of the socket.
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port}
    return any(_target(descriptor) in inodes for descriptor in descriptors)


def end_process(identity: ProcessIdentity, *, grace_s: float) -> bool:
    """End exactly this process: SIGTERM, at most `grace_s` seconds of waiting, SIGKILL; True when it was running.

    Raises TimeoutError when even SIGKILL does not end it within 10 seconds (a process stuck in the kernel).
    """
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return False
    try:
        # The descriptor is held first and the identity compared second: from here on the number cannot be recycled.
        if not is_running(identity):
            return False
        for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, KILL_WAIT_S)):
            try:
                signal.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                return True
            if select.select([pidfd], [], [], wait_s)[0]:
                return True
        raise TimeoutError(f"process {identity.pid} is still there {KILL_WAIT_S:.0f} s after SIGKILL")
    finally:
        os.close(pidfd)
        _reap(identity.pid)


def launch(
    command: list[str],
    *,
    log_path: Path,
    working_directory: Path,
    environment: Mapping[str, str],
    dies_with_parent: bool,
) -> subprocess.Popen[bytes]:
    """Start a process whose output is appended to a file; raises OSError when it cannot be started.

    It gets a session of its own: Ctrl-C in a terminal must reach the worker alone, which then commits and stops
    the servers last.
    """
    parent_pid = os.getpid()
    before_exec = (lambda: _ask_to_die_with(parent_pid)) if dies_with_parent and _LIBC is not None else None

    def start() -> subprocess.Popen[bytes]:
        with log_path.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=working_directory,
                env=dict(environment),
                start_new_session=True,
                preexec_fn=before_exec,
            )

    return _forker().run(start)


def detach(process: subprocess.Popen[bytes]) -> ProcessIdentity | None:
    """Let go of a process that is to outlive us, and return by what it is found again (None when it is gone)."""
    identity = identify(process.pid)
    # Popen complains about a child that is dropped while it runs; for this one that is the purpose.
    process.returncode = 0
    return identity


def _ask_to_die_with(parent_pid: int) -> None:
    """Ask the kernel, in the child before exec, for SIGKILL when the thread that forked it ends."""
    assert _LIBC is not None
    if _LIBC.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    # The parent may have died between fork and prctl; then no signal would ever come.
    if os.getppid() != parent_pid:
        os._exit(1)


def _target(descriptor: Path) -> str:
    """Return what an open file of a process is, or nothing when it was closed while we looked."""
    try:
        return os.readlink(descriptor)
    except OSError:
        return ""


def _reap(pid: int) -> None:
    """Collect the remains if the process was our own detached child; anybody else's is not ours to collect."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


class _Forker:
    """The one thread that forks all children.

    PR_SET_PDEATHSIG is tied to the *thread* that forked, not to its process: a server started from a thread of a pool
    would be killed when that pool shrinks. This thread ends only with the process, so the signal means what it should.
    It is a daemon thread on purpose: those are not joined at exit, so servers outlive the handlers that stop them.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="stack-forker", daemon=True)
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the thread exists in this process; in a forked copy of the process it does not."""
        return self._thread.is_alive()

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Run `start` on the thread and return or raise what it does."""
        outcome: Future[subprocess.Popen[bytes]] = Future()

        def job() -> None:
            try:
                outcome.set_result(start())
            except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting caller raises it
                outcome.set_exception(error)

        self._jobs.put(job)
        return outcome.result()

    def _work(self) -> None:
        while True:
            self._jobs.get()()


_current_forker: _Forker | None = None
_forker_lock = threading.Lock()


def _forker() -> _Forker:
    global _current_forker
    with _forker_lock:
        if _current_forker is None or not _current_forker.is_alive():
            _current_forker = _Forker()
        return _current_forker
