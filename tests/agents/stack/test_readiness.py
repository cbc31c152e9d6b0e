"""A port counts as ready only when the right server answers on it."""

import socket
from collections.abc import Iterator

import pytest

from agents.stack import readiness
from agents.stack.ports import LOOPBACK, free_ports


@pytest.fixture
def mute_port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Accept connections and never answer, and do not wait long for it."""
    monkeypatch.setattr(readiness, "ANSWER_WITHIN_S", 0.2)
    with socket.create_server((LOOPBACK, 0)) as listener:
        yield int(listener.getsockname()[1])


def test_port_without_a_listener_is_not_ready() -> None:
    """Before a server listens there is no answer, and no error either."""
    port = free_ports(1)[0]

    assert not readiness.kafka_answers(port)
    assert not readiness.valkey_answers(port)


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_mute_listener_is_not_ready(mute_port: int) -> None:
    """An open port alone says nothing: a server may listen long before it serves."""
    assert not readiness.kafka_answers(mute_port)
    assert not readiness.valkey_answers(mute_port)
