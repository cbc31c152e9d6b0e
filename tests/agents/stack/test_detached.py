"""The detached stack is found again, stopped exactly, and never half up without a word."""

import fcntl
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agents.stack.detached import (
    LOCK_FILE,
    STATE_FILE,
    PartState,
    StackState,
    stack_down,
    stack_status,
    stack_up,
)
from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK, free_ports
from agents.stack.processes import ProcessIdentity, end_process, identify, is_running
from tests.agents.stack.round_trip import read_record, write_record

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.skipif(sys.platform != "linux", reason="a detached stack is recognised by /proc, which is Linux's"),
]


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for a stack, which is down when the test is over."""
    folder = tmp_path / ".overgrowth"
    yield folder
    if (folder / STATE_FILE).exists():
        stack_down(folder)


def write_state(directory: Path, content: bytes) -> None:
    """Put a state file there that no `stack_up` wrote."""
    directory.mkdir()
    (directory / STATE_FILE).write_bytes(content)


def test_up_status_down(directory: Path) -> None:
    """The round trip, with a record through the broker in between."""
    state = stack_up(directory).state
    write_record(state.url("kafka"), channel="round-trip", value=b"grown")
    assert read_record(state.url("kafka"), channel="round-trip") == b"grown"
    assert {part.role: part.running for part in stack_status(directory)} == {"kafka": True, "redis": True}

    stopped = stack_down(directory)

    assert {part.role: part.running for part in stopped} == {"kafka": True, "redis": True}
    assert not any(is_running(part.process) for part in state.parts)
    assert stack_status(directory) == []
    assert stack_down(directory) == []


def test_up_twice_changes_nothing(directory: Path) -> None:
    """A second `up` in a script is no error, and says that it did nothing."""
    first = stack_up(directory)
    second = stack_up(directory)

    assert (first.was_up, second.was_up) == (False, True)
    assert first.state == second.state


def test_other_wishes_for_a_running_stack_are_refused(directory: Path) -> None:
    """A running stack is not silently something else than what was asked for."""
    stack_up(directory)

    with pytest.raises(
        StackError,
        match=r"expected no stack or one with Kafka `real`, but one with `embedded` is up; run `overgrowth stack down",
    ):
        stack_up(directory, kafka="real")
    with pytest.raises(StackError, match=r"Valkey is up on port \d+, not \d+; run `overgrowth stack down"):
        stack_up(directory, redis_port=free_ports(1)[0])


def test_stack_of_which_a_part_ended_is_not_called_up(directory: Path) -> None:
    """Half a stack needs a decision, and the message names it."""
    state = stack_up(directory).state
    valkey = next(part for part in state.parts if part.role == "redis")
    end_process(valkey.process, grace_s=valkey.grace_s)

    assert {part.role: part.running for part in stack_status(directory)} == {"kafka": True, "redis": False}
    with pytest.raises(StackError, match=r"up only in part: Valkey has ended; run `overgrowth stack down .*` first$"):
        stack_up(directory)
    assert {part.role: part.running for part in stack_down(directory)} == {"kafka": True, "redis": False}


def test_failed_up_leaves_nothing(directory: Path) -> None:
    """When the second server cannot start the first must not stay, nor a state that names it."""
    redis_port = free_ports(1)[0]
    with socket.create_server((LOOPBACK, 0)) as other, pytest.raises(StackError, match="Tansu: expected port"):
        stack_up(directory, kafka_port=other.getsockname()[1], redis_port=redis_port)

    assert stack_status(directory) == []
    with socket.socket() as probe:
        assert probe.connect_ex((LOOPBACK, redis_port)) != 0


def test_recycled_process_number_is_left_alone(directory: Path) -> None:
    """After a reboot our number may belong to anybody, here to this very test."""
    own = identify(os.getpid())
    assert own is not None
    part = PartState(
        role="redis",
        server="Valkey",
        url="redis://127.0.0.1:1/0",
        port=1,
        process=ProcessIdentity(pid=own.pid, started="another-boot:1"),
        grace_s=1.0,
    )
    write_state(directory, msgspec.json.encode(StackState(kafka="embedded", parts=[part])))

    assert [part.running for part in stack_status(directory)] == [False]
    assert [part.running for part in stack_down(directory)] == [False]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"^expected the state of a stack in .*stack.json: .*; end what it started by hand and remove the file$"),
        (
            b'{"kafka": "\xff", "parts": []}',
            r"can't decode byte 0xff .*; end what it started by hand",
        ),
        (b'{"kafka": "other", "parts": []}', r"Invalid enum value 'other' - at `\$.kafka`; end what"),
        (b'{"version": 2, "kafka": "real", "parts": []}', r"^expected version 1 of .*, found version 2; end what"),
    ],
)
def test_state_that_cannot_be_read_is_refused(directory: Path, content: bytes, message: str) -> None:
    """Never guess which processes to end."""
    write_state(directory, content)

    for command in (stack_up, stack_down, stack_status):
        with pytest.raises(StackError, match=message):
            command(directory)
    (directory / STATE_FILE).unlink()


def test_second_command_at_the_same_time_is_refused(directory: Path) -> None:
    """Two at once would each see and stop half of a stack."""
    directory.mkdir()
    with (directory / LOCK_FILE).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StackError, match="another overgrowth stack command is at work in"):
            stack_up(directory)


def test_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """The message names the place and the option."""
    (tmp_path / "file").touch()

    with pytest.raises(
        StackError, match=r"expected a directory to write to, got .*file/below: Not a directory; name one"
    ):
        stack_up(tmp_path / "file" / "below")
