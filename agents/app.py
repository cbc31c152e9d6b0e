"""Build the Faust app of a worker: settings that FAUST.md calls safe, the batch transport, one agent per arrow."""

from typing import Any

import faust
from faust.types import TP

from agents.settings import Settings, load_settings
from agents.transport import BatchSchema, BatchTransport
from agents.worker import Consume, Worker, crash

STREAM_BUFFER_BATCHES = 64
"""Fetched batches that wait for one agent; each holds the records of one partition in one fetch."""
POLL_RECORDS_MAX = 4_000


class OvergrowthApp(faust.App):  # type: ignore[misc]
    """A Faust app that reads whole batches and leaves state, outputs and offsets to its `worker`."""

    worker: Worker

    def _new_transport(self) -> BatchTransport:
        return BatchTransport(self.conf.broker_consumer, self)

    async def on_start(self) -> None:
        """Prepare channels, registry and producer before anything is read."""
        try:
            await self.worker.start()
        except Exception as error:
            crash(error)
        await super().on_start()


def faust_options(settings: Settings) -> dict[str, Any]:
    """Return Faust's settings; `FAUST.md` appendix A says why each is what it is."""
    return {
        "broker": [f"kafka://{part.strip()}" for part in settings.kafka.split(",")],
        "store": "memory://",
        "table_standby_replicas": 0,
        "processing_guarantee": "at_least_once",
        "stream_wait_empty": False,
        "stream_buffer_maxsize": STREAM_BUFFER_BATCHES,
        "broker_commit_interval": 1.0,
        "broker_session_timeout": settings.session_ms / 1000,
        "broker_heartbeat_interval": min(3.0, settings.session_ms / 3000),
        "broker_rebalance_timeout": 60.0,
        "broker_max_poll_records": POLL_RECORDS_MAX,
        "consumer_max_fetch_size": 1024 * 1024,
        "consumer_auto_offset_reset": "earliest",
        "producer_request_timeout": 30.0,
        "topic_allow_declare": False,
        "topic_disable_leader": True,
        "web_enabled": False,
        "worker_redirect_stdouts": False,
        "autodiscover": False,
    }


def create_app(settings: Settings) -> OvergrowthApp:
    """Return the app of one worker, its agents attached."""
    app = OvergrowthApp(settings.group, **faust_options(settings))
    worker = app.worker = Worker(app, settings)
    for name, channel, consume in worker.consumers():
        _attach(app, name, channel, consume)

    @app.on_partitions_revoked.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_revoked(app: OvergrowthApp, revoked: set[TP], **_: Any) -> None:
        worker.revoked()

    @app.on_partitions_assigned.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_assigned(app: OvergrowthApp, assigned: set[TP], **_: Any) -> None:
        worker.assigned()

    @app.on_before_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
    async def on_before_shutdown(app: OvergrowthApp, **_: Any) -> None:
        await worker.drain()
        await app.consumer.commit()
        await worker.stop()

    return app


def _attach(app: OvergrowthApp, name: str, channel: str, consume: Consume) -> None:
    """Attach an agent that hands every fetched batch of a channel to `consume`."""

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            tp = event.message.tp
            try:
                await consume(tp.partition, event.value.batch(), app.consumer.highwater(tp))
            except Exception as error:
                # Going on would leave this batch out: the next one must not be taken (FAUST.md 2.4).
                crash(error)

    app.agent(app.topic(channel, schema=BatchSchema()), name=name, concurrency=1)(agent)


def __getattr__(name: str) -> Any:
    """Build `app` when it is first asked for, so that `faust -A agents.app worker` finds it in this module."""
    if name == "app":
        globals()["app"] = create_app(load_settings())
        return globals()["app"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
