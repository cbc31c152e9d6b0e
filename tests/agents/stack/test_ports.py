"""Free ports are free, and a busy one is named with what to do."""

import socket
from collections.abc import Iterator

import pytest

from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK, check_free, free_ports, is_free


@pytest.fixture
def busy_port() -> Iterator[int]:
    """Listen on a port for the length of a test."""
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield int(listener.getsockname()[1])


def test_free_ports_are_different_and_free() -> None:
    """A server with two listeners must not get one port twice."""
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_port_that_is_listened_on_is_not_free(busy_port: int) -> None:
    """What a server would run into is seen before."""
    assert not is_free(busy_port)


def test_busy_port_is_named_with_what_to_do(busy_port: int) -> None:
    """The message says what was expected, what came and what to do."""
    with pytest.raises(StackError) as caught:
        check_free(busy_port, what="Tansu")

    assert (
        f"Tansu: expected port {busy_port} on 127.0.0.1 to be free, but something listens there; "
        "stop that, name another port, or name none to get a free one"
    ) == str(caught.value)


@pytest.mark.parametrize("port", [-1, 0, 65_536])
def test_port_out_of_range_is_refused(port: int) -> None:
    """Port 0 would be another port than the one that clients are told."""
    with pytest.raises(StackError, match=rf"^Valkey: expected a port from 1 to 65535, got {port}$"):
        check_free(port, what="Valkey")
