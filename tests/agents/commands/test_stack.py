"""`overgrowth stack` from a user's side: what is printed, and the exit codes."""

import json
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result

from agents.commands.stack import stack
from agents.stack import stack_down
from agents.stack.ports import LOOPBACK

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(sys.platform != "linux", reason="a detached stack is recognised by /proc, which is Linux's"),
]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for a stack, which is down when the test is over."""
    yield tmp_path / "stack"
    stack_down(tmp_path / "stack")


def run(*arguments: str, directory: Path | None = None) -> Result:
    """Run `overgrowth stack ...`."""
    where = [] if directory is None else ["--directory", str(directory)]
    return CliRunner().invoke(stack, [*arguments, *where], prog_name="overgrowth stack")


def test_up_prints_what_a_shell_can_take(directory: Path) -> None:
    """`eval "$(overgrowth stack up)"` sets both variables: all other lines are comments."""
    result = run("up", directory=directory)

    assert result.exit_code == 0, result.output
    lines = [line for line in result.stdout.splitlines() if not line.startswith("#")]
    exported = dict(line.removeprefix("export ").split("=", 1) for line in lines)
    assert {"OVERGROWTH_KAFKA", "OVERGROWTH_REDIS"} == exported.keys()
    assert all(line.startswith("export ") for line in lines)
    client = redis.Redis.from_url(exported["OVERGROWTH_REDIS"])
    assert client.ping()
    client.close()


def test_round_trip_as_json(directory: Path) -> None:
    """A machine reads one JSON value per command."""
    up = json.loads(run("up", "--json", directory=directory).stdout)
    again = json.loads(run("up", "--json", directory=directory).stdout)
    status = json.loads(run("status", "--json", directory=directory).stdout)
    down = json.loads(run("down", "--json", directory=directory).stdout)
    after = json.loads(run("status", "--json", directory=directory).stdout)

    assert (up["was_up"], again["was_up"]) == (False, True)
    assert up["environment"] == again["environment"]
    urls = {part["role"]: part["url"] for part in up["parts"]}
    assert {"OVERGROWTH_KAFKA": urls["kafka"], "OVERGROWTH_REDIS": urls["redis"]} == up["environment"]
    assert up["parts"] == status["parts"]
    assert up["parts"] == list(reversed(down["stopped"]))
    assert after == {"parts": []}


def test_text_tells_running_stopped_and_none(directory: Path) -> None:
    """The same facts as sentences."""
    run("up", directory=directory)

    assert run("status", directory=directory).stdout.count(" running (process ") == 2
    assert run("down", directory=directory).stdout.count(" stopped (process ") == 2
    for command in ("status", "down"):
        result = run(command, directory=directory)
        assert (0, f"no stack is up in {directory}\n") == (result.exit_code, result.stdout)


def test_busy_port_is_one_line_and_exit_code_1(directory: Path) -> None:
    """Failure says what to do and prints nothing that a shell would take."""
    with socket.create_server((LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        result = run("up", "--kafka-port", str(port), directory=directory)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: Tansu: expected port {port} on 127.0.0.1 to be free, but something listens there; "
        "stop that, name another port, or name none to get a free one\n"
    )


@pytest.mark.parametrize("arguments", [("up", "--kafka", "other"), ("up", "--kafka-port", "0"), ("sideways",)])
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Wrong use is told apart from failure."""
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize("arguments", [(), ("up",), ("down",), ("status",)])
def test_help_shows_an_example(arguments: tuple[str, ...]) -> None:
    """Every command's help has one to copy."""
    result = run(*arguments, "--help")

    assert result.exit_code == 0
    assert "Example:\n" in result.stdout
    assert "overgrowth stack" in result.stdout.partition("Example:\n")[2]
