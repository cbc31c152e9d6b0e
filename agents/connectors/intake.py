"""Take what is posted over HTTP: signals, and payloads of any network, answered with 202 once Kafka has them all.

A request is taken whole or not at all. Whoever is not told 202 sends again: duplicates are dropped by id.
"""

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Iterable, Sequence

import msgspec
from aiohttp import web
from aiokafka import AIOKafkaProducer

from agents.connectors.delivery import PAYLOAD_BYTES_MAX, Delivery
from agents.connectors.errors import ConnectorError
from agents.connectors.metrics import ConnectorMetrics
from agents.connectors.program import heartbeat_ms, now_ms
from agents.health import BoundedServer, Verdict, json_response, unable_to_listen
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.channels import named, raw_channel
from schemas.signal import AT_MS_MIN, Heartbeat, Signal
from schemas.unreadable import UNREADABLE
from streams.networks import NETWORKS, native
from streams.networks.refusal import Refusal

logger = logging.getLogger("overgrowth")

KEY = b"http"
"""All that is posted for a network goes into one partition of its raw channel, in order, as heartbeats need it."""
BODY_BYTES_MAX = 1024 * 1024
BODY_S = 30.0
"""How long a body may take to come."""
ACKNOWLEDGE_S = 30.0
"""How long a request waits for Kafka before it is asked to come again."""
RETRY_AFTER_S = 1
SOURCES_MAX = 64
"""Sources whose progress is told; of more, those that spoke last."""
LINES_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl")

assert BODY_BYTES_MAX <= PAYLOAD_BYTES_MAX, "whatever one request holds, Kafka takes"

_is_json = msgspec.json.Decoder(msgspec.Raw).decode
_to_json = msgspec.json.Encoder().encode


class NotJson(Exception):
    """A body that holds something else than JSON; the text says on which line."""


def payloads_of(body: bytes, *, one_a_line: bool) -> list[bytes]:
    r"""Return the payloads of a body: the one JSON value that it is, or else one on each line that is not blank.

    Raises `NotJson`.

    >>> payloads_of(b'{"id": 1}\n\n{"id": 2}\n', one_a_line=False)
    [b'{"id": 1}', b'{"id": 2}']
    >>> payloads_of(b'{\n "id": 1\n}', one_a_line=False)
    [b'{\n "id": 1\n}']
    """
    whole = body.strip()
    if not whole:
        raise NotJson("expected JSON, got an empty body")
    if not one_a_line and _fault(whole) is None:
        return [whole]
    payloads = []
    for number, line in enumerate(body.split(b"\n"), start=1):
        if line := line.strip():
            if fault := _fault(line):
                raise NotJson(f"line {number}: expected one JSON value, {fault}; nothing of this request was taken")
            payloads.append(line)
    return payloads


def _fault(text: bytes) -> str | None:
    try:
        _is_json(text)
    except RecursionError:
        return "got one that is nested too deep"
    except UNREADABLE as error:
        # It tells the place, and nothing of what was sent.
        return str(error)
    return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server on this host.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("0.0.0.0"), is_loopback("intake.example")
    (True, True, False, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Intake:
    """The HTTP server. Port 0 takes a free one, which `port` tells once it listens."""

    def __init__(
        self,
        settings: Settings,
        metrics: ConnectorMetrics,
        *,
        host: str = "127.0.0.1",
        port: int = 8810,
        token: str | None = None,
        body_bytes_max: int = BODY_BYTES_MAX,
        acknowledge_s: float = ACKNOWLEDGE_S,
    ) -> None:
        if token is None and not is_loopback(host):
            raise ConnectorError(
                f"intake: expected a token before it listens on {host}, where others can reach it, got none; give one "
                "with --token-file or OVERGROWTH_INTAKE_TOKEN, or listen on 127.0.0.1"
            )
        self.port = port
        self._settings = settings
        self._metrics = metrics
        self._host = host
        self._token = None if token is None else f"Bearer {token}".encode()
        self._body_bytes_max = min(body_bytes_max, BODY_BYTES_MAX)
        self._acknowledge_s = acknowledge_s
        self._runner: web.ServerRunner | None = None
        # source -> [network, its largest event time, what was told of it]
        self._sources: dict[str, tuple[str, int, int]] = {}

    @property
    def networks(self) -> Sequence[str]:
        """Those that may be posted: what workers of these settings read, and signals."""
        return sorted({native.NAME, *self._settings.raw_networks})

    async def open(self, delivery: Delivery, producer: AIOKafkaProducer) -> None:
        """Listen."""
        self._delivery = delivery
        runner = web.ServerRunner(BoundedServer(self._answer), shutdown_timeout=self._acknowledge_s)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self.port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise ConnectorError(unable_to_listen("intake", self._host, self.port, error)) from None
        self._runner, self.port = runner, site.port
        self._metrics.set_connected(True)
        logger.info("http://%s:%d/signals /raw/{%s}", self._host, self.port, ",".join(self.networks))

    async def work(self) -> None:
        """Wait: the server works by itself."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Take no request any more; those that were begun are answered, for a while."""
        self._metrics.set_connected(False)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def tick(self) -> None:
        """Tell the progress of every source that has come further."""
        for source, (network, at_ms, told_ms) in list(self._sources.items()):
            now = now_ms()
            beat_ms = heartbeat_ms(progress_ms=at_ms, lateness_ms=self._settings.lateness_ms, now_ms=now)
            if at_ms > told_ms and beat_ms >= AT_MS_MIN:
                self._sources[source] = (network, at_ms, at_ms)
                beat = Outgoing(self._channel(network), KEY, _to_json(Heartbeat(source, beat_ms)), timestamp_ms=now)
                self._delivery.offer([beat])

    def ready(self) -> Verdict:
        """Say whether requests are taken."""
        if self._runner is None:
            return False, "not listening"
        return (True, "") if self._delivery.has_room(self._body_bytes_max) else (False, "Kafka is behind")

    def _channel(self, network: str) -> str:
        return named(raw_channel(network), namespace=self._settings.namespace)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Let in who may come in, and answer without an echo of what was sent."""
        if not self._is_known(request):
            answer = _said(401, "expected `Authorization: Bearer` with the token of this intake")
            answer.headers["WWW-Authenticate"] = "Bearer"
        elif self._token is None and "Origin" in request.headers:
            # Any page that somebody on this machine looks at could have their browser post here.
            answer = _said(403, "expected no browser; give the intake a token to let one in")
        else:
            answer = await self._route(request)
        if answer.status != 202:
            # Of what is refused, the rest of the body may not have been read.
            answer.force_close()
        self._metrics.count_answer(answer.status)
        return answer

    async def _route(self, request: web.BaseRequest) -> web.Response:
        place, _, network = request.path.removeprefix("/").partition("/")
        if request.path == "/signals":
            network, one_a_line = native.NAME, True
        elif place == "raw" and network in self.networks:
            one_a_line = request.content_type in LINES_TYPES
        else:
            return _said(404, f"expected /signals, or /raw/ with one of {', '.join(self.networks)}")
        if request.method != "POST":
            answer = _said(405, "expected POST")
            answer.headers["Allow"] = "POST"
            return answer
        return await self._take(request, network, one_a_line=one_a_line)

    def _is_known(self, request: web.BaseRequest) -> bool:
        if self._token is None:
            return True
        given = request.headers.get("Authorization", "").encode(errors="replace")
        return hmac.compare_digest(given, self._token)

    async def _take(self, request: web.BaseRequest, network: str, *, one_a_line: bool) -> web.Response:
        """Take a request whole: read it, see that it is JSON, deliver it, and wait for Kafka."""
        if not self._delivery.has_room(min(request.content_length or 0, self._body_bytes_max)):
            return _busy(429, "expected room, got more than Kafka takes at the moment")
        try:
            async with asyncio.timeout(BODY_S):
                body = await self._body(request)
        except TimeoutError:
            return _said(408, f"expected the whole body within {BODY_S:g} s")
        except (web.RequestPayloadError, OSError):
            return _said(400, "expected the whole body, in the encoding that its header names")
        if body is None:
            return _said(413, f"expected at most {self._body_bytes_max} bytes; send fewer lines at once")
        try:
            payloads = payloads_of(body, one_a_line=one_a_line)
        except NotJson as error:
            return _said(400, str(error))
        if not self._delivery.has_room(len(body)):
            return _busy(429, "expected room, got more than Kafka takes at the moment")
        now, channel = now_ms(), self._channel(network)
        records = [Outgoing(channel, KEY, payload, timestamp_ms=now) for payload in payloads]
        delivered = self._delivery.offer(records, network=network)
        self._note(network, payloads)
        try:
            # Shielded, because what was offered is delivered even where nobody waits for the answer any more.
            async with asyncio.timeout(self._acknowledge_s):
                await asyncio.shield(delivered)
        except TimeoutError:
            return _busy(503, "expected Kafka to acknowledge in time; send again, duplicates are dropped by id")
        return json_response(202, {"records": len(records)})

    async def _body(self, request: web.BaseRequest) -> bytes | None:
        """Return the body, None where it is too long; what is compressed counts as it is unpacked."""
        if request.content_length is not None and request.content_length > self._body_bytes_max:
            return None
        body = bytearray()
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > self._body_bytes_max:
                return None
        return bytes(body)

    def _note(self, network: str, payloads: Iterable[bytes]) -> None:
        """Note how far the sources of payloads have come, as the worker will read them."""
        now = now_ms()
        normalize = NETWORKS[network].normalize
        for payload in payloads:
            said = normalize(payload, now)
            for one in () if isinstance(said, Refusal) else said:
                if isinstance(one, Signal) and one.source:
                    _, at_ms, told_ms = self._sources.pop(one.source, (network, 0, 0))
                    self._sources[one.source] = (network, max(at_ms, min(one.at, now)), told_ms)
        while len(self._sources) > SOURCES_MAX:
            del self._sources[next(iter(self._sources))]


def _said(status: int, error: str) -> web.Response:
    return json_response(status, {"error": error})


def _busy(status: int, error: str) -> web.Response:
    answer = _said(status, error)
    answer.headers["Retry-After"] = str(RETRY_AFTER_S)
    return answer
