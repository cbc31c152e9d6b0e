"""The stack that outlives the command that started it: up, down and status, by a state file in a directory.

Linux only: what runs is recognised by /proc, so that a recycled process number is never taken for ours.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from agents.stack.errors import StackError
from agents.stack.kafka_jars import Say
from agents.stack.processes import ProcessIdentity, end_process, is_running
from agents.stack.scoped import KafkaKind, make_kafka
from agents.stack.server import Server
from agents.stack.valkey import ValkeyServer

DEFAULT_DIRECTORY = Path(".overgrowth")
STATE_FILE = "stack.json"
LOCK_FILE = "stack.lock"
STATE_VERSION = 1

Role = Literal["kafka", "redis"]


class PartState(msgspec.Struct, frozen=True, kw_only=True):
    """One server as it was started: what it is, where it is reached, and by what its process is recognised."""

    role: Role
    server: str
    url: str
    port: int
    process: ProcessIdentity
    grace_s: float


class StackState(msgspec.Struct, frozen=True, kw_only=True):
    """What runs for one directory; this is the content of its `stack.json`."""

    version: int = STATE_VERSION
    kafka: KafkaKind
    parts: list[PartState]

    def url(self, role: Role) -> str:
        """Return where the part is reached; StackError when the stack has no such part."""
        for part in self.parts:
            if part.role == role:
                return part.url
        raise StackError(f"the stack has no {role}; overgrowth stack down, then overgrowth stack up")


class PartStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One server of the stack as it is now."""

    role: Role
    server: str
    url: str
    pid: int
    running: bool


class StackUp(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `stack_up`: the state, and whether it was up before."""

    state: StackState
    was_up: bool


def stack_up(
    directory: Path = DEFAULT_DIRECTORY,
    *,
    kafka: KafkaKind = "embedded",
    kafka_port: int | None = None,
    redis_port: int | None = None,
    say: Say = lambda line: None,
) -> StackUp:
    """Start both servers detached and write down what runs; when they are up already, say so and change nothing.

    Raises StackError when one does not start (then neither runs), when a stack of another kind or on other ports is up,
    or when only a part of it still runs.
    """
    if sys.platform != "linux":
        raise StackError(f"a detached stack needs Linux (/proc), this is {sys.platform}; use overgrowth demo instead")
    with _locked(directory):
        state = _read_state(directory)
        if state is not None and any(is_running(part.process) for part in state.parts):
            _check_same(state, directory=directory, kafka=kafka, kafka_port=kafka_port, redis_port=redis_port)
            return StackUp(state=state, was_up=True)
        wanted: list[tuple[Role, Server]] = [
            ("redis", ValkeyServer(directory=directory, port=redis_port, detached=True)),
            ("kafka", make_kafka(kafka, directory=directory, port=kafka_port, detached=True, say=say)),
        ]
        parts: list[PartState] = []
        with ExitStack() as undo:
            undo.callback(lambda: (directory / STATE_FILE).unlink(missing_ok=True))
            for role, server in wanted:
                # Until it is let go of the server is stopped by itself, afterwards by what was written down.
                undo.callback(server.stop)
                server.start()
                parts.append(_let_go(role, server))
                undo.callback(_end, parts[-1])
                # Written after each part: even if this command is killed now, `stack down` finds what runs.
                state = StackState(kafka=kafka, parts=list(parts))
                _write_state(directory, state)
            undo.pop_all()
        assert state is not None
        return StackUp(state=state, was_up=False)


def stack_down(directory: Path = DEFAULT_DIRECTORY) -> list[PartStatus]:
    """Stop exactly the processes that `stack_up` started here and return how each was found; twice is fine."""
    if not (directory / STATE_FILE).exists():
        return []
    with _locked(directory):
        state = _read_state(directory)
        found = [_status(part, running=_end(part)) for part in reversed(state.parts)] if state is not None else []
        (directory / STATE_FILE).unlink(missing_ok=True)
        return found


def stack_status(directory: Path = DEFAULT_DIRECTORY) -> list[PartStatus]:
    """Tell of each server of the stack whether it runs; empty where no stack is up."""
    state = _read_state(directory)
    return [_status(part, running=is_running(part.process)) for part in state.parts] if state is not None else []


def _check_same(
    state: StackState, *, directory: Path, kafka: KafkaKind, kafka_port: int | None, redis_port: int | None
) -> None:
    first = f"run `overgrowth stack down --directory {directory}` first"
    asked = {"kafka": kafka_port, "redis": redis_port}
    if state.kafka != kafka:
        raise StackError(f"expected no stack or one with Kafka `{kafka}`, but one with `{state.kafka}` is up; {first}")
    if len(state.parts) < len(asked):
        raise StackError(f"the stack came up only in part; {first}")
    for part in state.parts:
        if not is_running(part.process):
            raise StackError(f"the stack is up only in part: {part.server} has ended; {first}")
        if asked[part.role] not in (None, part.port):
            raise StackError(f"{part.server} is up on port {part.port}, not {asked[part.role]}; {first}")


def _let_go(role: Role, server: Server) -> PartState:
    return PartState(
        role=role,
        server=server.name,
        url=server.url,
        port=server.port,
        grace_s=server.grace_s,
        process=server.detach(),
    )


def _end(part: PartState) -> bool:
    try:
        return end_process(part.process, grace_s=part.grace_s)
    except (OSError, TimeoutError) as error:
        raise StackError(f"{part.server} (process {part.process.pid}) cannot be ended: {error}") from error


def _status(part: PartState, *, running: bool) -> PartStatus:
    return PartStatus(role=part.role, server=part.server, url=part.url, pid=part.process.pid, running=running)


def _read_state(directory: Path) -> StackState | None:
    path = directory / STATE_FILE
    advice = "end what it started by hand and remove the file"
    try:
        state = msgspec.json.decode(path.read_bytes(), type=StackState)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StackError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise StackError(f"expected the state of a stack in {path}: {error}; {advice}") from error
    if state.version != STATE_VERSION:
        raise StackError(f"expected version {STATE_VERSION} of {path}, found version {state.version}; {advice}")
    return state


def _write_state(directory: Path, state: StackState) -> None:
    path = directory / STATE_FILE
    scratch = path.with_suffix(".json.new")
    scratch.write_bytes(msgspec.json.format(msgspec.json.encode(state)) + b"\n")
    scratch.replace(path)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Keep a second `up` or `down` of the same directory out, or each would start or stop half of a stack."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StackError(
            f"expected a directory to write to, got {directory}: {error.strerror}; name one by --directory"
        ) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StackError(
                f"another overgrowth stack command is at work in {directory}; wait until it is done"
            ) from error
        yield
    finally:
        os.close(descriptor)
