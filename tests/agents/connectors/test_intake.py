"""Check the intake as senders meet it: over real sockets, with a real Kafka behind it."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiokafka import AIOKafkaProducer

from agents.connectors.delivery import Delivery
from agents.connectors.errors import ConnectorError
from agents.connectors.intake import BODY_BYTES_MAX, SOURCES_MAX, Intake, NotJson, payloads_of
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import now_ms
from agents.settings import Settings
from schemas.channels import raw_channel
from schemas.signal import Signal
from streams.networks import NETWORKS
from tests.agents.connectors.flaky import FlakyProducer
from tests.agents.connectors.trial import (
    BYTES_MAX,
    Told,
    heartbeats,
    holds,
    metric,
    payloads,
    running,
    told,
    until,
)

pytestmark = pytest.mark.kafka

NATIVE = raw_channel("native")

to_json = msgspec.json.Encoder().encode


def signal(number: int, *, at_ms: int = 1_781_179_212_345, source: str = "garden") -> bytes:
    """Return a signal as its sender would write it."""
    return to_json(Signal(id=f"g:{number}", network="garden", kind="post", at=at_ms, actor="ana", source=source))


class Held(Intake):
    """An intake before a Kafka that can be held up."""

    async def open(self, delivery: Delivery, producer: AIOKafkaProducer) -> None:
        """Put something between the delivery and Kafka."""
        self.kafka = FlakyProducer(producer)
        delivery._producer = self.kafka
        await super().open(delivery, producer)


class Served:
    """An intake that listens, and how to send to it."""

    def __init__(self, intake: Held, metrics: ConnectorMetrics, http: aiohttp.ClientSession) -> None:
        self.intake, self.metrics, self.http = intake, metrics, http

    def url(self, path: str) -> str:
        """Return an address."""
        return f"http://127.0.0.1:{self.intake.port}{path}"

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any], Any]:
        """Post a body; return status, what was said, and the headers."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.http.post(self.url(path), data=body, headers=named) as answer:
            return answer.status, await answer.json(), answer.headers


@asynccontextmanager
async def serving(settings: Settings, *, bytes_max: int = BYTES_MAX, **options: Any) -> AsyncIterator[Served]:
    """Run an intake on a free port."""
    metrics = ConnectorMetrics(version="0", networks=["native", "snap-higgs"])
    intake = Held(settings, metrics, port=0, **options)
    async with (
        running(settings, intake, metrics, bytes_max=bytes_max),
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http,
    ):
        await until(lambda: intake.ready()[0])
        yield Served(intake, metrics, http)


def test_what_is_answered_with_202_is_in_kafka(own_settings: Settings) -> None:
    """Line by line, in order, in one partition."""

    async def work() -> None:
        async with serving(own_settings) as served:
            lines = [signal(number) for number in range(50)]
            status, said, headers = await served.post("/signals", b"\n\n".join(lines) + b"\r\n")
            assert (status, said) == (202, {"records": 50})
            assert headers["Server"] == "overgrowth"
            found = await told(own_settings, NATIVE, holds(*lines))
            assert payloads(found) == lines
            assert len({record.partition for record in found}) == 1
            assert metric(served.metrics, 'records_total{network="native"}') == 50
            assert metric(served.metrics, 'answers_total{status="202"}') == 1

    asyncio.run(work())


def test_one_activity_is_taken_whole_and_many_line_by_line(own_settings: Settings) -> None:
    """A server that federates sends one object, written over many lines if it likes."""
    activity = b'{\n  "type": "Create",\n  "object": {"type": "Note"}\n}'

    async def work() -> None:
        async with serving(own_settings) as served:
            assert (await served.post("/raw/native", activity, Content_Type="application/activity+json"))[0] == 202
            assert (await served.post("/raw/native", b'{"a":1}\n{"b":2}\n'))[:2] == (202, {"records": 2})
            status, said, _ = await served.post("/raw/native", activity, Content_Type="application/x-ndjson")
            assert (status, said["error"].partition(":")[0]) == (400, "line 1")
            found = await told(own_settings, NATIVE, holds(activity, b'{"b":2}'))
            assert payloads(found) == [activity, b'{"a":1}', b'{"b":2}']

    asyncio.run(work())


def test_what_is_no_json_is_refused_whole_with_its_line(own_settings: Settings) -> None:
    """Nothing of the request was taken, so it can be put right and sent again."""

    async def work() -> None:
        async with serving(own_settings) as served:
            body = signal(1) + b"\n\n{secret\n" + signal(2)
            status, said, _ = await served.post("/signals", body)
            assert status == 400
            assert said["error"].startswith("line 3: expected one JSON value, JSON is malformed")
            assert "secret" not in said["error"]
            for empty in (b"", b" \n\n "):
                assert (await served.post("/signals", empty))[0] == 400
            assert (await served.post("/signals", b"[" * 100_000))[0] == 400
            assert (await served.post("/signals", signal(3)))[0] == 202
            found = await told(own_settings, NATIVE, bool)
            assert payloads(found) == [signal(3)]

    asyncio.run(work())


def test_what_is_json_but_no_signal_is_for_the_worker_to_reject(own_settings: Settings) -> None:
    """It says why, and where it lies."""

    async def work() -> None:
        async with serving(own_settings) as served:
            assert (await served.post("/signals", b"[]\n7"))[:2] == (202, {"records": 2})

    asyncio.run(work())


def test_a_body_is_bounded_however_it_is_sent(own_settings: Settings) -> None:
    """With its length, in chunks, or packed so that it is small on the way."""

    async def work() -> None:
        async with serving(own_settings, body_bytes_max=1_000) as served:

            async def chunks() -> AsyncIterator[bytes]:
                for _ in range(100):
                    yield b" " * 100

            status, said, _ = await served.post("/signals", b" " * 1_001)
            assert (status, said["error"]) == (413, "expected at most 1000 bytes; send fewer lines at once")
            assert (await served.post("/signals", chunks()))[0] == 413
            packed = gzip.compress(b" " * 100_000)
            assert (await served.post("/signals", packed, Content_Encoding="gzip"))[0] == 413
            assert (await served.post("/signals", gzip.compress(signal(1)), Content_Encoding="gzip"))[0] == 202
            assert (await served.post("/signals", b"no gzip", Content_Encoding="gzip"))[0] == 400

    asyncio.run(work())


def test_without_the_token_nobody_gets_in(own_settings: Settings) -> None:
    """Not even to learn what there is."""

    async def work() -> None:
        async with serving(own_settings, token="s3cret") as served:
            for given in (
                {},
                {"Authorization": "Bearer"},
                {"Authorization": "Bearer s3cre"},
                {"Authorization": "s3cret"},
            ):
                status, said, headers = await served.post("/nowhere", signal(1), **given)
                assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
                assert "s3cret" not in str(said)
            assert (await served.post("/signals", signal(1), Authorization="Bearer s3cret"))[0] == 202

    asyncio.run(work())


def test_without_a_token_no_browser_gets_in(own_settings: Settings) -> None:
    """A page from anywhere may have it post to this machine; browsers say where the page is from."""

    async def work() -> None:
        async with serving(own_settings) as served:
            assert (await served.post("/signals", signal(1), Origin="https://elsewhere.example"))[0] == 403
        async with serving(own_settings, token="s3cret") as served:
            known = {"Origin": "https://ours.example", "Authorization": "Bearer s3cret"}
            assert (await served.post("/signals", signal(1), **known))[0] == 202

    asyncio.run(work())


def test_an_intake_that_others_can_reach_has_a_token(own_settings: Settings) -> None:
    """It is said before anything listens."""
    metrics = ConnectorMetrics(version="0", networks=[])
    for host in ("0.0.0.0", "::", "192.0.2.1", "intake.example"):  # noqa: S104  (what is refused)
        with pytest.raises(ConnectorError, match="expected a token before it listens on"):
            Intake(own_settings, metrics, host=host)
    for host in ("127.0.0.1", "::1", "localhost"):
        Intake(own_settings, metrics, host=host)


def test_only_posts_to_known_networks_are_taken(own_settings: Settings) -> None:
    """The answers name what there is."""

    async def work() -> None:
        async with serving(own_settings) as served:
            for path in ("/", "/raw", "/raw/", "/raw/elsewhere", "/raw/native/x", "/signals/"):
                status, said, _ = await served.post(path, b"{}")
                names = ", ".join(sorted(NETWORKS))
                assert (status, said["error"]) == (404, f"expected /signals, or /raw/ with one of {names}")
            async with served.http.get(served.url("/signals")) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    asyncio.run(work())


def test_back_pressure_is_429_and_what_was_taken_arrives(own_settings: Settings) -> None:
    """Whoever is sent away comes again in a second; whoever was let in waits for Kafka."""

    async def work() -> None:
        async with serving(own_settings, bytes_max=2_000) as served:
            served.intake.kafka.is_open.clear()
            first = asyncio.ensure_future(served.post("/signals", signal(1) + b" " * 1_500))
            await until(lambda: metric(served.metrics, "in_flight_bytes") > 0)
            second = asyncio.ensure_future(served.post("/signals", b"[" + b"1," * 700 + b"1]"))
            await until(lambda: metric(served.metrics, "in_flight_bytes") > 1_500)
            status, said, headers = await served.post("/signals", b"[" + b"1," * 300 + b"1]")
            assert (status, headers["Retry-After"]) == (429, "1")
            assert "more than Kafka takes" in said["error"]
            assert not first.done()
            served.intake.kafka.is_open.set()
            assert (await first)[0] == (await second)[0] == 202
            assert (await served.post("/signals", signal(2)))[0] == 202

    asyncio.run(work())


def test_success_is_never_told_before_kafka_has_it(own_settings: Settings) -> None:
    """Who waited too long is asked to send again; what was taken is delivered all the same."""

    async def work() -> None:
        async with serving(own_settings, acknowledge_s=0.05) as served:
            served.intake.kafka.is_open.clear()
            status, said, headers = await served.post("/signals", signal(1))
            assert (status, headers["Retry-After"]) == (503, "1")
            assert "send again" in said["error"]
            served.intake.kafka.is_open.set()
            await told(own_settings, NATIVE, holds(signal(1)))

    asyncio.run(work())


def test_each_source_is_told_how_far_it_has_come(own_settings: Settings) -> None:
    """Behind its signals, less the allowed lateness; a clock that is wrong tells no later than now; nothing ends."""
    begun_ms = now_ms()
    past_ms = begun_ms - 1_000_000

    async def work() -> list[Told]:
        async with serving(own_settings) as served:
            lines = [
                signal(1, at_ms=past_ms),
                signal(2, at_ms=past_ms - 500),
                signal(3, at_ms=2**42, source="clockless"),
            ]
            assert (await served.post("/signals", b"\n".join(lines)))[0] == 202
            return await told(own_settings, NATIVE, lambda records: len(heartbeats(records)) == 2)

    beats = {beat["heartbeat"]: beat for beat in heartbeats(asyncio.run(work()))}
    lateness_ms = own_settings.lateness_ms

    assert beats["garden"] == {"heartbeat": "garden", "at": past_ms - lateness_ms}
    assert begun_ms - lateness_ms <= beats["clockless"]["at"] <= now_ms() - lateness_ms


def test_sources_that_are_remembered_are_bounded(own_settings: Settings) -> None:
    """Whoever may send may name a new source with each signal."""

    async def work() -> None:
        async with serving(own_settings) as served:
            lines = [signal(number, source=f"s{number}") for number in range(SOURCES_MAX * 3)]
            assert (await served.post("/signals", b"\n".join(lines)))[0] == 202
            assert len(served.intake._sources) == SOURCES_MAX

    asyncio.run(work())


def test_who_hangs_up_in_the_middle_stops_nothing(own_settings: Settings) -> None:
    """Nothing of half a request is taken."""

    async def work() -> None:
        async with serving(own_settings) as served:
            head = f"POST /signals HTTP/1.1\r\nHost: x\r\nContent-Length: {len(signal(1))}\r\n\r\n".encode()
            for sent in (head + signal(1)[:20], head[:30], b"\x00\xff\r\n\r\n"):
                _, writer = await asyncio.open_connection("127.0.0.1", served.intake.port)
                writer.write(sent)
                await writer.drain()
                writer.close()
                await writer.wait_closed()
            assert (await served.post("/signals", signal(2)))[0] == 202
            assert payloads(await told(own_settings, NATIVE, holds(signal(2)))) == [signal(2)]

    asyncio.run(work())


def test_a_port_that_is_taken_is_one_line(own_settings: Settings) -> None:
    """With what to do about it."""

    async def work() -> None:
        async with serving(own_settings) as served:
            second = Held(own_settings, served.metrics, port=served.intake.port)
            async with running(own_settings, second, served.metrics):
                await asyncio.Event().wait()

    with pytest.raises(ConnectorError, match=r"intake: expected to listen on 127\.0\.0\.1:.* port is in use"):
        asyncio.run(work())


def test_the_largest_body_is_one_that_kafka_takes() -> None:
    """A line may be as long as its body."""
    body = b'"' + b"x" * (BODY_BYTES_MAX - 2) + b'"'

    assert payloads_of(body, one_a_line=True) == [body]
    with pytest.raises(NotJson, match="expected JSON, got an empty body"):
        payloads_of(b"\n", one_a_line=True)
