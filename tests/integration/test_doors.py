"""A port scan of what runs: the servers of the stack, a worker and an intake listen where we say, on loopback alone."""

import ipaddress
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from agents.stack import KafkaKind, Stack
from agents.stack.ports import LOOPBACK, free_ports
from tests.integration.worker_trial import Trial

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.kafka,
    pytest.mark.skipif(sys.platform != "linux", reason="who listens is read from /proc, which is Linux'"),
]

NEEDS_JAVA = pytest.mark.skipif(
    not (shutil.which("java") and shutil.which("mvn")), reason="Apache Kafka needs java and mvn, not found on the PATH"
)
OTHER_LOOPBACK = "127.0.0.2"
"""An address of this machine that nobody else can reach; who listens on all addresses answers there, too."""


class Door(NamedTuple):
    """Where a process listens."""

    address: str
    port: int


def doors_of(pid: int) -> set[Door]:
    """Return where a process and its descendants listen on TCP, or are bound on UDP, by the kernel's own tables."""
    found = set()
    for member in {pid, *descendants(pid)}:
        sockets = {target(descriptor) for descriptor in Path(f"/proc/{member}/fd").iterdir()}
        for table in ("tcp", "tcp6", "udp", "udp6"):
            for line in Path(f"/proc/{member}/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                # proc(5): 0A is a TCP socket that listens, 07 a UDP socket that is bound and not connected.
                if fields[3] in ("0A", "07") and f"socket:[{fields[9]}]" in sockets:
                    address, port = fields[1].split(":")
                    found.add(Door(readable(address), int(port, 16)))
    return found


def readable(address: str) -> str:
    """Return an address of the kernel's tables: words of four bytes, each in the order of this machine.

    >>> readable("0100007F"), readable("00000000000000000000000000000000")
    ('127.0.0.1', '::')
    """
    words = bytes.fromhex(address)
    ordered = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    found = ipaddress.ip_address(ordered if sys.byteorder == "little" else words)
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def descendants(pid: int) -> set[int]:
    """Return the children of a process, and theirs."""
    children = {
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    }
    return children.union(*(descendants(child) for child in children))


def target(descriptor: Path) -> str:
    """Return what an open file is, or nothing when it was closed meanwhile."""
    try:
        return str(descriptor.readlink())
    except OSError:
        return ""


def lets_in(address: str, port: int) -> bool:
    """Return whether a connection is taken."""
    try:
        with socket.create_connection((address, port), timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module", params=["embedded", pytest.param("real", marks=NEEDS_JAVA)], ids=lambda kind: str(kind))
def stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Run the servers of `overgrowth stack up`, with each Kafka that it knows."""
    kind: KafkaKind = request.param
    with Stack(kind) as started:
        yield started


def test_nothing_listens_but_what_is_listed_and_on_loopback_alone(stack: Stack, tmp_path: Path) -> None:
    """Kafka (and its controller), Valkey, the pages of a worker, and of a connector its pages and its intake."""
    trial = Trial(stack, "doors", tmp_path)
    trial.declare()
    intake_port, pages_port = free_ports(2)
    trial.start()
    intake = subprocess.Popen(
        [sys.executable, "-m", "agents.cli", "connect", "http", "--port", str(intake_port)],
        env=trial.environment(metrics_port=str(pages_port)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        trial.wait(lambda: trial.page("ready")[0] == 200, "/ready")
        trial.wait(lambda: lets_in(LOOPBACK, intake_port), "the intake")
        assert trial.process is not None
        assert stack.redis is not None
        assert stack.kafka.pid is not None
        assert stack.redis.pid is not None
        listed = {
            "worker": (trial.process.pid, {trial.settings.metrics_port}),
            "connector": (intake.pid, {intake_port, pages_port}),
            "Valkey": (stack.redis.pid, {stack.redis.port}),
            "Kafka": (stack.kafka.pid, set(stack.kafka._ports)),
        }
        for name, (pid, ports) in listed.items():
            assert doors_of(pid) == {Door(LOOPBACK, port) for port in ports}, name
            for port in ports:
                assert lets_in(LOOPBACK, port), name
                assert not lets_in(OTHER_LOOPBACK, port), name
                assert not lets_in("::1", port), name
        assert trial.stop() == 0
    finally:
        trial.kill()
        intake.terminate()
        assert intake.wait(timeout=60) == 0


def test_a_door_to_everybody_would_be_seen() -> None:
    """The scan above finds what it looks for: a listener on all addresses, of either kind, and one on UDP."""
    program = (
        "import socket, sys\n"
        "four = socket.create_server(('0.0.0.0', 0))\n"
        "six = socket.create_server(('::', 0), family=socket.AF_INET6)\n"
        "datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "datagrams.bind(('127.0.0.1', 0))\n"
        "print(*(one.getsockname()[1] for one in (four, six, datagrams)), flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        four, six, datagrams = map(int, process.stdout.readline().split())
        assert doors_of(process.pid) == {Door("0.0.0.0", four), Door("::", six), Door(LOOPBACK, datagrams)}  # noqa: S104 - what is looked for
        assert lets_in(OTHER_LOOPBACK, four)
