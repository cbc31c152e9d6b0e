"""Make what the tests of the read model write, and look at the server from outside."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import redis

from agents.metrics import Metrics
from agents.stack.valkey import ValkeyServer
from agents.views import Views, ViewsBatch, Written
from schemas.alert import Alert, Evidence, Span, Status
from schemas.cascade import CascadeVitals
from schemas.vitals import Measures, Vitals

TOPIC = "cern/higgs"


def a_vitals(at: int, topic: str = TOPIC) -> Vitals:
    """Make vitals of a tick, recognisable by their watermark."""
    brand, _, name = topic.partition("/")
    return Vitals(at, brand, name, state="growing", watermark=at + 1, windows={}, measures=Measures())


def an_alert(episode: str, revision: int, status: Status = "firing", topic: str = TOPIC) -> Alert:
    """Make one revision of an episode."""
    brand, _, name = topic.partition("/")
    return Alert(
        id=f"{episode}.{revision}",
        episode=episode,
        brand=brand,
        topic=name,
        state="outgrown",
        status=status,
        severity=6,
        at=f"2012-07-04T08:{revision:02}:00Z",
        since="2012-07-04T06:11:00Z",
        summary=f"{topic} outgrew its brand",
        conditions=(),
        evidence=Evidence(),
        rules="r",
        span=Span("2012-07-03T08:12:00Z", "2012-07-04T08:12:00Z", 7),
    )


def a_cascade(root: str, at: int, size: int = 2, *flags: str, topic: str = TOPIC) -> CascadeVitals:
    """Make vitals of a cascade, of which nothing is known but its size."""
    brand, _, name = topic.partition("/")
    return CascadeVitals(
        at,
        root,
        brand,
        name,
        network="native",
        size=size,
        depth=1,
        breadth=size - 1,
        structural_virality=None,
        infectiousness=None,
        low=None,
        high=None,
        forecast=None,
        forecast_low=None,
        forecast_high=None,
        reproduction=None,
        edge="observed",
        began_at=0,
        shares=size - 1,
        flags=flags,
    )


def batch(*shapes: Vitals | Alert | CascadeVitals) -> ViewsBatch:
    """Put shapes into a batch, with the bytes that they have on their channels."""
    return ViewsBatch(
        vitals=[(shape, msgspec.json.encode(shape)) for shape in shapes if isinstance(shape, Vitals)],
        alerts=[(shape, msgspec.json.encode(shape)) for shape in shapes if isinstance(shape, Alert)],
        cascades=[(shape, msgspec.json.encode(shape)) for shape in shapes if isinstance(shape, CascadeVitals)],
    )


@contextlib.asynccontextmanager
async def opened(url: str, namespace: str = "", metrics: Metrics | None = None) -> AsyncIterator[Views]:
    """Open views that try again soon."""
    views = Views(url, namespace, metrics=metrics, backoff_first_s=0.005, backoff_max_s=0.02)
    try:
        yield views
    finally:
        await views.close()


def write(server: ValkeyServer, *batches: ViewsBatch, namespace: str = "") -> list[Written]:
    """Write batches one after the other over one connection."""

    async def scenario() -> list[Written]:
        async with opened(server.url, namespace) as views:
            return [await views.write(batch) for batch in batches]

    return asyncio.run(scenario())


def client(server: ValkeyServer) -> redis.Redis:
    """Open a plain client, to look and to interfere from outside."""
    return redis.Redis(port=server.port, decode_responses=True)


def everything(server: ValkeyServer) -> dict[str, tuple[object, int]]:
    """Return the serialised value and the time of expiry of every key."""
    with redis.Redis(port=server.port) as raw:
        return {key.decode(): (raw.dump(key), raw.pexpiretime(key)) for key in sorted(raw.scan_iter())}
