"""The HTTP server as probes, scrapers and port scanners meet it: over real sockets, byte for byte."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import orjson
import pytest

from agents import health
from agents.health import HealthError, HealthServer, Verdict
from agents.metrics import CONTENT_TYPE, Metrics

PATHS = ("/metrics", "/live", "/ready", "/startup")
SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "server": "overgrowth",
}
KEPT_REQUEST = b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"
Answer = tuple[int, dict[str, str], bytes]


@asynccontextmanager
async def serving(
    *,
    ready: Callable[[], Verdict] = lambda: (True, ""),
    state: str = "running",
    live: Callable[[], Verdict] | None = None,
    started: Callable[[], Verdict] | None = None,
) -> AsyncIterator[int]:
    """Serve on a free port and yield it."""
    metrics = Metrics(version="1.2.3", channels=["social.signals"])
    server = HealthServer(metrics, ready=ready, state=lambda: state, live=live, started=started)
    await server.start()
    try:
        yield server.port
    finally:
        await server.stop()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection, and close it whatever happens."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def send(port: int, request: bytes) -> Answer:
    """Send bytes and return status, headers (lower case) and body of what comes until the server closes."""
    async with connected(port) as (reader, writer):
        writer.write(request)
        raw = await reader.read()
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, body


def request(path: str, method: str = "GET", extra: str = "") -> bytes:
    """Return a request after which the connection is closed."""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{extra}Connection: close\r\n\r\n".encode()


def ask(
    raw: bytes,
    *,
    ready: Callable[[], Verdict] = lambda: (True, ""),
    state: str = "running",
    live: Callable[[], Verdict] | None = None,
    started: Callable[[], Verdict] | None = None,
) -> Answer:
    """Serve, send one request, and return the answer; in asyncio's debug mode, which makes aiohttp talkative."""

    async def scenario() -> Answer:
        async with serving(ready=ready, state=state, live=live, started=started) as port:
            return await send(port, raw)

    return asyncio.run(scenario(), debug=True)


def broken() -> Verdict:
    """Fail as a bug would, with something in it that nobody outside should see."""
    raise RuntimeError("inner secret")


def test_metrics_are_served_in_the_text_format() -> None:
    """A scraper of any age reads it."""
    status, headers, body = ask(request("/metrics?name[]=x"))

    assert status == 200
    assert headers["content-type"] == CONTENT_TYPE
    assert b'version="1.2.3"} 1.0' in body
    assert headers["content-length"] == str(len(body))


@pytest.mark.parametrize(
    ("ready", "state", "status", "body"),
    [
        ((True, ""), "running", 200, {"state": "running", "ready": True}),
        ((False, "3 partitions to go"), "recovering", 503, {"state": "recovering", "ready": False}),
    ],
)
def test_ready_tells_the_state_and_why_not(ready: Verdict, state: str, status: int, body: dict[str, object]) -> None:
    """The status is for the orchestrator, the body for whoever asks why."""
    found_status, headers, found_body = ask(request("/ready"), ready=lambda: ready, state=state)

    assert status == found_status
    assert headers["content-type"] == "application/json"
    assert body | ({"reason": ready[1]} if ready[1] else {}) == orjson.loads(found_body)


def test_live_does_not_depend_on_being_ready() -> None:
    """A broker outage must not restart workers: that the loop answers is all that is asked."""
    status, _, body = ask(request("/live"), ready=broken, state="failed")

    assert (status, orjson.loads(body)) == (200, {"live": True})


def test_startup_is_over_once_it_was_ready_whatever_comes_then() -> None:
    """Until then an orchestrator waits; afterwards /live and /ready say what is the matter."""
    status, _, body = ask(request("/startup"), ready=broken, state="rebalancing", started=lambda: (True, ""))
    assert (status, orjson.loads(body)) == (200, {"state": "rebalancing", "started": True})

    status, _, body = ask(request("/startup"), state="starting", started=lambda: (False, "starting"))
    assert (status, orjson.loads(body)) == (503, {"state": "starting", "started": False, "reason": "starting"})


def test_live_fails_where_the_process_says_that_it_is_wedged() -> None:
    """A condition of the process itself may be added."""
    status, _, body = ask(request("/live"), live=lambda: (False, "loop lag 31 s"))

    assert (status, orjson.loads(body)) == (503, {"live": False, "reason": "loop lag 31 s"})


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_as_get_without_a_body(path: str) -> None:
    """Same status, same headers, nothing after them."""
    get_status, get_headers, _ = ask(request(path))
    head_status, head_headers, body = ask(request(path, "HEAD"))

    assert get_status == head_status
    assert get_headers.keys() == head_headers.keys()
    assert body == b""


@pytest.mark.parametrize("path", ["/", "/metrics/", "//metrics", "/metrics/../live", "/%2e%2e/etc/passwd", "/table"])
def test_there_is_nothing_else(path: str) -> None:
    """Four paths, spelled exactly; what was asked for is not repeated."""
    status, _, body = ask(request(path))

    assert (status, orjson.loads(body)) == (404, {"error": "not found; here are /metrics, /live, /ready, /startup"})


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", PATHS)
def test_only_get_and_head_are_allowed(path: str, method: str) -> None:
    """Nothing can be changed here, and the answer says what can be asked."""
    status, headers, _ = ask(request(path, method, extra="Content-Length: 0\r\n"))

    assert (status, headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"<script>alert(1)</script>\r\n\r\n",
        request("/" + "a" * 1_100),
        request("/live", extra=f"X-Long: {'a' * 8_200}\r\n"),
        request("/live", extra="".join(f"X-{number}: 1\r\n" for number in range(200))),
        request("/live", extra="Content-Length: 1\r\nContent-Length: 2\r\n"),
    ],
    ids=["tls", "script", "long path", "long header", "many headers", "two lengths"],
)
def test_what_is_no_request_is_refused_without_an_echo(raw: bytes) -> None:
    """Port scanners and oversized requests get one fixed sentence, and the connection is closed."""
    status, headers, body = ask(raw)

    assert (status, orjson.loads(body)) == (400, {"error": "bad request"})
    assert SECURITY_HEADERS.items() <= headers.items()


def test_our_own_bug_shows_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    """The trace goes to the log, not to whoever asked, in asyncio's debug mode neither."""
    status, headers, body = ask(request("/ready", extra="Accept: text/html\r\n"), ready=broken)

    assert (status, orjson.loads(body)) == (500, {"error": "internal error"})
    assert SECURITY_HEADERS.items() <= headers.items()
    assert "inner secret" in caplog.text


@pytest.mark.parametrize("raw", [*map(request, PATHS), request("/none"), request("/live", "POST")])
def test_every_answer_carries_the_security_headers(raw: bytes) -> None:
    """No cache, no frame, no sniffing, and no versions told."""
    _, headers, _ = ask(raw)

    assert SECURITY_HEADERS.items() <= headers.items()


def test_a_scraper_may_keep_its_connection() -> None:
    """Two requests in a row are answered on one connection."""

    async def scenario() -> bytes:
        async with serving() as port, connected(port) as (reader, writer):
            writer.write(KEPT_REQUEST)
            first = await reader.readuntil(b"}\n")
            writer.write(request("/live"))
            return first + await reader.read()

    assert asyncio.run(scenario()).count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("sent", [b"", KEPT_REQUEST[:20]], ids=["nothing", "half a request"])
def test_a_slow_client_is_hung_up_on(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not send a whole request in time holds no connection for ever."""
    monkeypatch.setattr(health, "IDLE_TIMEOUT_S", 0.02)

    async def scenario() -> bytes:
        async with serving() as port, connected(port) as (reader, writer):
            writer.write(sent)
            return await reader.read()

    assert asyncio.run(scenario()) == b""


def test_more_connections_than_the_bound_are_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there go on, and there is room again when one leaves."""
    monkeypatch.setattr(health, "CONNECTIONS_MAX", 1)

    async def scenario() -> None:
        async with serving() as port:
            async with connected(port) as (reader, writer):
                writer.write(KEPT_REQUEST)
                await reader.readuntil(b"}\n")
                async with connected(port) as (surplus, _):
                    assert await surplus.read() == b""
                writer.write(request("/live"))
                assert b"200 OK" in await reader.read()
            assert (await send(port, request("/live")))[0] == 200

    asyncio.run(scenario())


def refused(host: str, port: int) -> str:
    """Try to serve there and return the text of the error."""

    async def scenario() -> None:
        server = HealthServer(Metrics(version="x"), host, port, ready=lambda: (True, ""), state=lambda: "running")
        await server.start()

    with pytest.raises(HealthError) as caught:
        asyncio.run(scenario())
    return str(caught.value)


def test_a_busy_port_is_told_in_one_line() -> None:
    """Where, what is wrong, and two ways out."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        text = refused("127.0.0.1", port)

    assert text == (
        f"metrics server: expected to listen on 127.0.0.1:{port}, but the port is in use; "
        "stop what holds it or give another one (0 takes a free one)"
    )


def test_an_impossible_address_is_told_in_one_line() -> None:
    """A number that is no port, and an address of somebody else (RFC 5737 reserves it for documentation)."""
    no_port = refused("127.0.0.1", 70_000)
    elsewhere = refused("203.0.113.1", 0)

    assert "listen on 127.0.0.1:70000, which is no port; give one from 0 to 65535" in no_port
    assert elsewhere.startswith("metrics server: expected to listen on 203.0.113.1:0, got: ")
    assert elsewhere.endswith("; give an address of this machine, 127.0.0.1 for itself alone")
    assert "\n" not in elsewhere


def test_it_listens_on_loopback_alone_and_lets_the_port_go() -> None:
    """Nobody outside the machine reaches it unless told otherwise; a stopped one can be started again in its place."""

    async def scenario() -> None:
        server = HealthServer(Metrics(version="x"), ready=lambda: (True, ""), state=lambda: "running")
        await server.start()
        port = server.port
        with pytest.raises(OSError, match="in use"), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
        with socket.socket() as probe:
            # Another address of the same loopback network is free, so it is not bound to all of them.
            probe.bind(("127.0.0.2", port))
        await server.stop()
        await server.stop()
        await server.start()
        assert port == server.port
        await server.stop()

    asyncio.run(scenario())
