"""Build the Faust app of a worker: settings that FAUST.md calls safe, the batch transport, one agent per arrow."""

import asyncio
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from enum import Enum
from typing import Any, NoReturn

import faust
from faust.app.base import BootStrategy
from faust.types import TP
from faust.types.auth import CredentialsT

from agents.access import kafka_credentials
from agents.json_lines import log_json_lines
from agents.quieting import quiet_loggers
from agents.settings import Settings, SettingsError, load_settings
from agents.transport import BatchSchema, BatchTransport
from agents.worker import EXIT_CRASHED, EXIT_REFUSED, EXPECTED_ERRORS, Consume, Worker, crash, refuse

STREAM_BUFFER_BATCHES = 8
"""Fetched batches that wait for one agent; each holds the records of one partition in one fetch."""
POLL_RECORDS_MAX = 4_000
DRAIN_S = 20.0
"""How long the last checkpoints may take; what is not settled by then, the next owner does again."""
STOP_DEADLINE_S = 30.0
"""How long all of stopping may take before the process ends anyway; an orchestrator's patience is longer."""


class _EndingWorker(faust.Worker):
    """Ends the process where Faust would have the interpreter take itself down, and logs as we do."""

    def on_setup_root_logger(self, logger: logging.Logger, level: int) -> None:
        """Have lines of JSON written, unless text was asked for; Faust's spinner would write between them."""
        self.spinner = None
        app: Any = self.app
        if app.worker.settings.log_format == "json":
            log_json_lines(logger)

    def execute_from_commandline(self) -> NoReturn:
        """Run until told to stop, then end with the exit code of that."""
        try:
            super().execute_from_commandline()
        except SystemExit as end:
            # Extensions in C++ would report every object that is left, at length.
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else EXIT_REFUSED)


class _WithoutWeb(BootStrategy):
    """Never starts Faust's web server, which listens on every address and tells what tables hold (FAUST.md 2.10)."""

    enable_web = False


class OvergrowthApp(faust.App):
    """A Faust app that reads whole batches and leaves state, outputs and offsets to its `worker`."""

    BootStrategy = _WithoutWeb
    worker: Worker

    def _new_transport(self) -> BatchTransport:
        transport = BatchTransport(self.conf.broker_consumer, self)
        transport.lease = self.worker.lease
        return transport

    async def on_start(self) -> None:
        """Prepare channels, registry and producer before anything is read."""
        # `faust worker` turns it on without being asked; `_WithoutWeb` keeps it from starting.
        self.conf.web_enabled = False
        try:
            check_effective(self.conf, faust_options(self.worker.settings))
            await self.worker.start()
        except EXPECTED_ERRORS as error:
            refuse(error)
        except Exception as error:
            crash(error)
            raise
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop within bounds: what Faust does here may wait for ever (FAUST.md 2.9)."""
        deadline = threading.Timer(STOP_DEADLINE_S, self._end_at_deadline)
        deadline.daemon = True
        deadline.start()
        await super().on_stop()

    def _end_at_deadline(self) -> None:
        os._exit(0 if self.worker.state == "stopped" else EXIT_CRASHED)

    def _crash(self, reason: BaseException) -> None:
        """End at once where Faust would stop step by step, commit, and perhaps hang (FAUST.md 2.4)."""
        crash(reason)


def faust_options(settings: Settings) -> dict[str, Any]:
    """Return Faust's settings; `FAUST.md` appendix A says why each is what it is."""
    return {
        "broker": [f"kafka://{part.strip()}" for part in settings.kafka.split(",")],
        "broker_credentials": kafka_credentials(settings),
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
        "Worker": _EndingWorker,
    }


def check_effective(conf: Any, options: Mapping[str, Any]) -> None:
    """Raise `SettingsError` where Faust is not set as we set it: its own environment and flags can do that."""
    for name, expected in options.items():
        came = getattr(conf, name)
        if _plain(came) != _plain(expected):
            raise SettingsError(
                f"Faust: expected {name} to be {_plain(expected)!r}, got {_plain(came)!r}; "
                "take away what else sets it: a flag of `faust`, or its variable in the environment"
            )


def _plain(value: Any) -> Any:
    """Return a setting as a value that compares: URLs and choices as text, one broker like a list of one."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, CredentialsT):
        # Each has a TLS context of its own, and a password that no message may show.
        return type(value).__name__, value.protocol.value, getattr(value, "username", None)
    if isinstance(value, list):
        return [_plain(part) for part in value]
    # Faust shortens `memory://` to `memory:`.
    return value if isinstance(value, int | float) else str(value).removesuffix("//")


def create_app(settings: Settings) -> OvergrowthApp:
    """Return the app of one worker, its agents attached."""
    if settings.log_level != "debug":
        quiet_loggers()
    app = OvergrowthApp(settings.group, **faust_options(settings))
    worker = app.worker = Worker(app, settings)
    for name, channel, consume in worker.consumers():
        _attach(app, name, channel, consume)

    @app.on_partitions_revoked.connect(weak=False)
    async def on_revoked(app: OvergrowthApp, revoked: set[TP], **_: Any) -> None:
        worker.revoked()
        await worker.settle()

    @app.on_partitions_assigned.connect(weak=False)
    async def on_assigned(app: OvergrowthApp, assigned: set[TP], **_: Any) -> None:
        worker.assigned()

    @app.on_before_shutdown.connect(weak=False)
    async def on_before_shutdown(app: OvergrowthApp, **_: Any) -> None:
        try:
            await asyncio.wait_for(worker.drain(), timeout=DRAIN_S)
            # Forced, because `commit` is content where another commit, begun before the drain, is still under way.
            consumer: Any = app.consumer
            await consumer.force_commit()
            await worker.stop()
        except Exception as error:
            crash(error)
            raise

    return app


def _attach(app: OvergrowthApp, name: str, channel: str, consume: Consume) -> None:
    """Attach an agent that hands every fetched batch of a channel to `consume`."""

    async def agent(stream: Any) -> None:
        async for event in stream.noack().events():
            tp, batch, begun_s = event.message.tp, event.value.batch(), time.monotonic()
            try:
                await consume(tp.partition, batch, app.consumer.highwater(tp))
                app.worker.observer.took(name, tp.topic, tp.partition, batch, duration_s=time.monotonic() - begun_s)
            except Exception as error:
                # Going on would leave this batch out: the next one must not be taken (FAUST.md 2.4).
                crash(error)
                raise

    agent.__name__ = agent.__qualname__ = name
    app.agent(app.topic(channel, schema=BatchSchema()), name=name, concurrency=1)(agent)


def __getattr__(name: str) -> Any:
    """Build `app` when it is first asked for, so that `faust -A agents.app worker` finds it in this module."""
    if name == "app":
        globals()["app"] = create_app(load_settings())
        return globals()["app"]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
