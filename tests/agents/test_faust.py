"""Pin what we rely on in Faust beside its consumer (test_transport.py): an upgrade that changes it is seen here."""

import asyncio
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from faust.transport.drivers.aiokafka import ConsumerRebalanceListener
from faust.types import TP

from agents.app import create_app
from agents.settings import Settings

TPS = {TP("social.signals", 0)}


def an_app() -> Any:
    """Make an app that was not started."""
    return create_app(Settings(namespace="contract", kafka="127.0.0.1:1", raw_networks=(), views=False))


class Thread:
    """The part of the consumer's thread that its listener asks; it looks at the app as it is called."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.seen: list[object] = []

    def _ensure_consumer(self) -> object:
        return SimpleNamespace(_coordinator=SimpleNamespace(generation=7))

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Never awaited here."""

    async def on_partitions_assigned(self, assigned: set[TP], generation: int) -> None:
        """Note what the app says of itself."""
        self.seen.append((self.app.rebalancing, self.app.consumer_generation_id))


def test_an_app_knows_that_it_is_rebalancing_before_anything_is_awaited() -> None:
    """Lanes are fenced from the first moment on: `Worker.generation` looks at this."""
    thread: Any = Thread(an_app())
    revoking: Any = ConsumerRebalanceListener(thread).on_partitions_revoked([])
    assert thread.app.rebalancing is True
    revoking.close()


def test_the_new_generation_is_known_before_the_rebalancing_is_over() -> None:
    """Otherwise a lane could be opened under the number of the generation before."""
    thread: Any = Thread(an_app())
    listener = ConsumerRebalanceListener(thread)
    revoking: Any = listener.on_partitions_revoked([])
    revoking.close()
    asyncio.run(listener.on_partitions_assigned([]))
    assert thread.seen == [(True, 7)]
    thread.app.on_rebalance_end()
    assert thread.app.rebalancing is False


def test_what_waits_for_agents_is_dropped_before_the_worker_hears_of_a_revocation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lanes are dropped by that signal, and nothing of the former generation comes after it but what was in hand."""
    app, told = an_app(), list[str]()

    async def work() -> None:
        app.consumer = mock.Mock(assignment=lambda: TPS)
        app.tables = mock.Mock()
        monkeypatch.setattr(app.flow_control, "clear", lambda: told.append("buffers cleared"))
        monkeypatch.setattr(app, "_consumer_wait_empty", mock.AsyncMock())
        monkeypatch.setattr(app, "_producer_flush", mock.AsyncMock())
        monkeypatch.setattr(app.worker, "revoked", lambda: told.append("worker told"))
        await app._on_partitions_revoked(TPS)

    asyncio.run(work())
    assert told == ["buffers cleared", "worker told"]
