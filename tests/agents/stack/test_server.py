"""What all servers share: a start that fails says why in one line and leaves nothing behind."""

import socket
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK, free_ports
from agents.stack.server import Server

# Listens on the port of its command line, or dies with Python's own words for a busy port.
LISTEN = (
    "import socket, sys, signal\n"
    "with socket.create_server(('127.0.0.1', int(sys.argv[1]))) as listener:\n"
    "    print('listening', flush=True)\n"
    "    signal.pause()\n"
)


class Listener(Server):
    """A server that only listens."""

    name: ClassVar[str] = "Listener"
    log_name: ClassVar[str] = "listener.log"
    program = LISTEN

    def _prepare(self, directory: Path) -> None:
        pass

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        return [sys.executable, "-c", self.program, str(ports[0])]

    def _answers(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, port)) == 0


class Mute(Listener):
    """A server that runs and never serves."""

    name: ClassVar[str] = "Mute"
    ready_within_s: ClassVar[float] = 0.2

    def _answers(self, port: int) -> bool:
        return False


class Dying(Listener):
    """A server that ends at once."""

    name: ClassVar[str] = "Dying"
    program = "import sys; print('first'); print('out of luck'); sys.exit(3)"


class Overtaken(Listener):
    """A server whose first port is taken by somebody else between the choice and the use."""

    name: ClassVar[str] = "Overtaken"

    def __init__(self, thief: socket.socket) -> None:
        super().__init__()
        self._thief = thief
        self.tried: list[int] = []

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        self.tried.append(ports[0])
        if len(self.tried) == 1:
            self._thief.bind((LOOPBACK, ports[0]))
            self._thief.listen()
        return super()._command(directory, ports)


def test_server_keeps_its_port_over_kill_and_restart() -> None:
    """A client that comes back looks where the server was."""
    with Listener() as server:
        port, first = server.port, server.pid
        server.kill()
        assert server.pid is None
        server.start()
        second = server.pid
        server.restart()

        assert port == server.port
        assert len({first, second, server.pid}) == 3


def test_temporary_directory_ends_with_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing piles up where tests and demos run."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Listener():
        assert len(list(tmp_path.iterdir())) == 1

    assert list(tmp_path.iterdir()) == []


def test_restart_keeps_a_temporary_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A restart, also after a crash, is not a new start: the data must still be there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Listener() as server:
        (folder,) = tmp_path.iterdir()
        (folder / "data").touch()
        server.restart()
        server.kill()
        server.start()

        assert {"data", "listener.log"} == {path.name for path in folder.iterdir()}


def test_given_directory_keeps_the_log(tmp_path: Path) -> None:
    """Who names a directory wants to look into it afterwards."""
    with Listener(directory=tmp_path / "new"):
        pass

    assert (tmp_path / "new" / "listener.log").read_text() == "listening\n"


def test_given_port_is_used() -> None:
    """A given port is a promise to clients."""
    port = free_ports(1)[0]
    with Listener(port=port) as server:
        assert f"127.0.0.1:{port}" == server.url


def test_given_port_that_is_busy_is_refused_before_the_start(tmp_path: Path) -> None:
    """Nothing is started for a port that cannot be had."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StackError, match=rf"^Listener: expected port {port} on 127.0.0.1 to be free, "):
            Listener(port=port, directory=tmp_path).start()

    assert not (tmp_path / "listener.log").exists()


def test_free_port_lost_to_somebody_else_is_replaced() -> None:
    """A free port is free only until somebody takes it, which is no reason to fail."""
    with socket.socket() as thief, Overtaken(thief) as server:
        assert len(server.tried) == 2
        assert server.tried[1] == server.port
        assert server.pid is not None


def test_death_at_start_shows_the_last_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason lies in the log, and the temporary log goes away."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(StackError) as caught:
        Dying().start()

    assert str(caught.value).endswith("but ended with exit code 3; its last words: first | out of luck")
    assert list(tmp_path.iterdir()) == []


def test_server_that_never_answers_is_ended() -> None:
    """A start is bounded, and what did not come up does not stay."""
    server = Mute()
    with pytest.raises(
        StackError, match=r"^Mute runs but gave no answer on 127.0.0.1:\d+ within 0 s; its last words: "
    ):
        server.start()

    assert not server.is_running()


def test_starting_twice_is_refused() -> None:
    """The second process would be lost."""
    with (
        Listener() as server,
        pytest.raises(StackError, match=r"^Listener already runs at 127.0.0.1:\d+; stop it first$"),
    ):
        server.start()


def test_file_in_place_of_the_directory_is_one_line(tmp_path: Path) -> None:
    """What the operating system refuses is told as what cannot be started."""
    (tmp_path / "file").write_text("")

    with pytest.raises(StackError, match=r"^Listener cannot be started: .*File exists"):
        Listener(directory=tmp_path / "file").start()


def test_port_is_unknown_before_the_first_start() -> None:
    """A free port is chosen at the start, not before."""
    with pytest.raises(StackError, match="has no port yet"):
        _ = Listener().port
