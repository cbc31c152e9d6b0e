"""Answer /metrics, /live, /ready and /startup over HTTP: GET and HEAD only, bounded in size, time and connections.

/live says that the event loop turns: that it answers is most of the proof, and Kafka or Redis being away is no reason
to restart a worker. /ready says whether the worker does its job now; one without partitions stands by, and is ready.
/startup says whether it has been ready once: reading the tables may take long, and is no reason to restart it either.
"""

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import Protocol

import orjson
from aiohttp import web

from agents.metrics import CONTENT_TYPE

logger = logging.getLogger(__name__)
# Probes come every few seconds, so a line for each would be most of the log. aiohttp asks this logger if it is enabled.
_NO_ACCESS_LOG = logging.Logger("no access log", level=logging.CRITICAL)

Verdict = tuple[bool, str]
"""Whether something holds, and if not why, in a few words without anything that came with data."""

METHODS = ("GET", "HEAD")
REQUEST_LINE_BYTES_MAX = 1024
HEADER_BYTES_MAX = 4096
HEADERS_MAX = 64
CONNECTIONS_MAX = 64
# A connection that has not sent a whole request within this time is closed, and so is one that idles between two.
IDLE_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 2.0
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Without it aiohttp tells its own version and Python's.
    "Server": "overgrowth",
}


class HealthError(Exception):
    """The server cannot listen; the text says where, why, and what to do, in one line."""


def json_response(status: int, body: dict[str, object]) -> web.Response:
    """Return an answer that no browser takes for anything else."""
    return web.Response(
        status=status, body=orjson.dumps(body) + b"\n", content_type="application/json", headers=SECURITY_HEADERS
    )


class _Connection(web.RequestHandler):
    """One connection; whatever goes wrong on it is answered in our words, without a trace or an echo of the input."""

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or hang up where there are too many."""
        if self._manager is not None and len(self._manager.connections) >= CONNECTIONS_MAX:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
        else:
            super().connection_made(transport)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that could not be read (400) or answered (500), and close afterwards."""
        if status >= 500:
            logger.error("could not answer a request", exc_info=exc)
        response = json_response(status, {"error": "bad request" if status < 500 else "internal error"})
        response.force_close()
        return response


class BoundedServer(web.Server):
    """An aiohttp server whose connections are ours, with bounds on their size and time."""

    def __call__(self) -> web.RequestHandler:
        """Return what serves one connection."""
        return _Connection(
            self,
            loop=self._loop,
            keepalive_timeout=IDLE_TIMEOUT_S,
            max_line_size=REQUEST_LINE_BYTES_MAX,
            max_field_size=HEADER_BYTES_MAX,
            max_headers=HEADERS_MAX,
            lingering_time=0,
            access_log=_NO_ACCESS_LOG,
        )


def unable_to_listen(server: str, host: str, port: int, error: OSError | OverflowError) -> str:
    """Say in one line why a server cannot listen and what to do."""
    place = f"{server}: expected to listen on {host}:{port}"
    if isinstance(error, OverflowError):
        return f"{place}, which is no port; give one from 0 to 65535 (0 takes a free one)"
    if error.errno == errno.EADDRINUSE:
        return f"{place}, but the port is in use; stop what holds it or give another one (0 takes a free one)"
    if error.errno == errno.EACCES:
        return f"{place}, but that needs privileges; give a port above 1023 (0 takes a free one)"
    reason = " ".join((error.strerror or str(error)).split())
    return f"{place}, got: {reason}; give an address of this machine, 127.0.0.1 for itself alone"


class Page(Protocol):
    """What is answered to Prometheus."""

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""


class HealthServer:
    """The HTTP server of one worker or connector.

    `ready` tells whether the worker does its job now, and if not why; `state` names the state it is in; `started` tells
    whether it ever was ready (left out, `ready` answers for it); `live` may add a condition of the process itself
    (never of Kafka or Redis) to the proof that an answer is. All are called in the event loop for every request, so
    they must be quick. Port 0 takes a free port, which `port` tells after
    `start`.
    """

    def __init__(
        self,
        metrics: Page,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        ready: Callable[[], Verdict],
        state: Callable[[], str],
        live: Callable[[], Verdict] | None = None,
        started: Callable[[], Verdict] | None = None,
    ) -> None:
        self._metrics = metrics
        self._host = host
        self._port = port
        self._ready = ready
        self._state = state
        self._live = live
        self._started = started if started is not None else ready
        self._runner: web.ServerRunner | None = None
        self._routes: dict[str, Callable[[], web.Response]] = {
            "/metrics": self._answer_metrics,
            "/live": self._answer_live,
            "/ready": self._answer_ready,
            "/startup": self._answer_startup,
        }

    @property
    def port(self) -> int:
        """The port that is listened on; before `start` the one that was asked for."""
        return self._port

    async def start(self) -> None:
        """Listen; raise `HealthError` where that cannot be."""
        assert self._runner is None, "started twice"
        runner = web.ServerRunner(BoundedServer(self._answer), shutdown_timeout=STOP_TIMEOUT_S)
        await runner.setup()
        site = web.TCPSite(runner, self._host, self._port)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            await runner.cleanup()
            raise HealthError(unable_to_listen("metrics server", self._host, self._port, error)) from error
        self._runner = runner
        self._port = site.port

    async def stop(self) -> None:
        """Close every connection and stop listening; without effect where it is not started."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        route = self._routes.get(request.path)
        if route is None:
            return json_response(404, {"error": f"not found; here are {', '.join(self._routes)}"})
        if request.method not in METHODS:
            refusal = json_response(405, {"error": f"method not allowed; use {' or '.join(METHODS)}"})
            refusal.headers["Allow"] = ", ".join(METHODS)
            return refusal
        return route()

    def _answer_metrics(self) -> web.Response:
        return web.Response(body=self._metrics.render(), headers={"Content-Type": CONTENT_TYPE, **SECURITY_HEADERS})

    def _answer_live(self) -> web.Response:
        live, reason = self._live() if self._live is not None else (True, "")
        return json_response(200 if live else 503, {"live": live} | ({"reason": reason} if reason else {}))

    def _answer_ready(self) -> web.Response:
        ready, reason = self._ready()
        body: dict[str, object] = {"state": self._state(), "ready": ready}
        return json_response(200 if ready else 503, body | ({"reason": reason} if reason else {}))

    def _answer_startup(self) -> web.Response:
        started, reason = self._started()
        body: dict[str, object] = {"state": self._state(), "started": started}
        return json_response(200 if started else 503, body | ({"reason": reason} if reason else {}))
