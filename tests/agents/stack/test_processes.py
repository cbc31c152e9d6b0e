"""Processes are recognised, ended exactly, and die with a parent that cannot clean up."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agents.stack.processes import ProcessIdentity, detach, end_process, identify, is_running, launch, listens

WAIT_S = 20.0
# A child that says that it is ready and then waits for ever.
READY = "echo ready; exec sleep 600"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are recognised by /proc, which is Linux's")


def start(command: str, folder: Path, *, dies_with_parent: bool = True) -> subprocess.Popen[bytes]:
    """Start a shell command under the functions in test."""
    return launch(
        ["/bin/sh", "-c", command],
        log_path=folder / "log",
        working_directory=folder,
        environment=os.environ,
        dies_with_parent=dies_with_parent,
    )


def wait_for_end(identity: ProcessIdentity) -> None:
    """Wait until a process ends that need not be our child."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except ProcessLookupError:
        return
    try:
        if is_running(identity):
            assert select.select([pidfd], [], [], WAIT_S)[0], f"process {identity.pid} is still there"
    finally:
        os.close(pidfd)


def test_process_is_recognised_while_it_runs_and_not_after(tmp_path: Path) -> None:
    """An identity holds from start to end, and remains that nobody reaped do not count."""
    process = start("exec sleep 600", tmp_path)
    identity = identify(process.pid)
    assert identity is not None
    assert is_running(identity)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert not is_running(identity)
    process.wait()


def test_own_identity_survives_a_command_name_with_parentheses(tmp_path: Path) -> None:
    """The name in /proc may hold what separates the fields."""
    program = tmp_path / "a) Z (b"
    program.symlink_to("/bin/sleep")
    process = launch(
        [str(program), "600"],
        log_path=tmp_path / "log",
        working_directory=tmp_path,
        environment=os.environ,
        dies_with_parent=True,
    )
    identity = identify(process.pid)

    assert identity is not None
    assert is_running(identity)
    process.kill()
    process.wait()


def test_only_the_process_that_listens_itself_counts(tmp_path: Path) -> None:
    """Who answers on a port need not be the server that was to listen there."""
    process = start("exec sleep 600", tmp_path)
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as other,
    ):
        port = listener.getsockname()[1]
        assert listens(os.getpid(), port=port)
        assert listens(os.getpid(), port=other.getsockname()[1])
        assert not listens(process.pid, port=port)

    assert not listens(os.getpid(), port=port)
    process.kill()
    process.wait()
    assert not listens(process.pid, port=port)


def test_end_process_ends_it(tmp_path: Path) -> None:
    """SIGTERM is enough for who listens to it."""
    process = start("exec sleep 600", tmp_path, dies_with_parent=False)
    identity = detach(process)
    assert identity is not None

    assert end_process(identity, grace_s=WAIT_S)
    assert not is_running(identity)


def test_end_process_kills_who_ignores_sigterm(tmp_path: Path) -> None:
    """The wait is bounded."""
    os.mkfifo(tmp_path / "ready")
    process = start(f"trap '' TERM; echo > '{tmp_path}/ready'; while :; do sleep 600; done", tmp_path)
    (tmp_path / "ready").read_text()
    identity = identify(process.pid)
    assert identity is not None

    assert end_process(identity, grace_s=0.1)
    assert not is_running(identity)
    # The shell's own child is left to the kernel; it belongs to the same session.
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_recycled_process_number_is_not_ended(tmp_path: Path) -> None:
    """A process with our number but another start time is somebody else's."""
    process = start("exec sleep 600", tmp_path)
    real = identify(process.pid)
    assert real is not None
    boot_id, _, ticks = real.started.rpartition(":")
    earlier = ProcessIdentity(pid=real.pid, started=f"{boot_id}:{int(ticks) - 1}")

    assert not end_process(earlier, grace_s=WAIT_S)
    assert is_running(real)
    process.kill()
    process.wait()


def test_ending_an_ended_process_is_harmless(tmp_path: Path) -> None:
    """Down twice is fine."""
    process = start("exec true", tmp_path)
    identity = ProcessIdentity(pid=process.pid, started="boot:1")
    process.wait()

    assert not end_process(identity, grace_s=WAIT_S)


def test_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel ties the death signal to the forking thread, so a pool's thread must not be that thread."""
    started: list[subprocess.Popen[bytes]] = []
    thread = threading.Thread(target=lambda: started.append(start(READY, tmp_path)))
    thread.start()
    thread.join()
    process = started[0]

    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=0.3)

    process.kill()
    process.wait()


@pytest.mark.parametrize("dies_with_parent", [True, False])
def test_child_of_a_killed_parent_ends_only_if_asked(tmp_path: Path, dies_with_parent: bool) -> None:
    """SIGKILL leaves the parent no moment to stop its servers; a detached one is to stay."""
    script = (
        "import os, pathlib, sys\n"
        "from agents.stack.processes import launch\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "process = launch(['/bin/sleep', '600'], log_path=folder / 'log', working_directory=folder,\n"
        "                 environment=os.environ, dies_with_parent=sys.argv[2] == 'True')\n"
        "print(process.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(dies_with_parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        assert parent.stdout is not None
        child = identify(int(parent.stdout.readline()))
        assert child is not None
        parent.kill()
        parent.wait()

    if dies_with_parent:
        wait_for_end(child)

    assert is_running(child) is not dies_with_parent
    end_process(child, grace_s=WAIT_S)


def test_program_that_does_not_exist_is_an_error_of_the_caller(tmp_path: Path) -> None:
    """What goes wrong on the forking thread reaches who asked."""
    with pytest.raises(FileNotFoundError):
        launch(
            [str(tmp_path / "nothing")],
            log_path=tmp_path / "log",
            working_directory=tmp_path,
            environment=os.environ,
            dies_with_parent=True,
        )
