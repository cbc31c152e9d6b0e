"""Make what the tests of the read model write, and look at the server from outside."""

import msgspec
import redis

from agents.stack.valkey import ValkeyServer
from agents.views import ViewsBatch
from schemas.alert import Alert, Evidence, Span, Status
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


def batch(*shapes: Vitals | Alert) -> ViewsBatch:
    """Put shapes into a batch, with the bytes that they have on their channels."""
    return ViewsBatch(
        vitals=[(shape, msgspec.json.encode(shape)) for shape in shapes if isinstance(shape, Vitals)],
        alerts=[(shape, msgspec.json.encode(shape)) for shape in shapes if isinstance(shape, Alert)],
    )


def client(server: ValkeyServer) -> redis.Redis:
    """Open a plain client, to look and to interfere from outside."""
    return redis.Redis(port=server.port, decode_responses=True)


def everything(server: ValkeyServer) -> dict[str, tuple[object, int]]:
    """Return the serialised value and the time of expiry of every key."""
    with redis.Redis(port=server.port) as raw:
        return {key.decode(): (raw.dump(key), raw.pexpiretime(key)) for key in sorted(raw.scan_iter())}
