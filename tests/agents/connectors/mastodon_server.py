"""A Mastodon server on loopback: its streaming API over server-sent events, its timelines, and where it streams."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
from aiohttp import web

Plan = Callable[[web.StreamResponse], Awaitable[None]]

_to_json = msgspec.json.Encoder().encode


def status_id(at_ms: int, number: int = 0) -> str:
    """Return the id of a status of an instant: 48 bits of milliseconds, then a number."""
    return str((at_ms << 16) + number)


class MastodonServer:
    """Statuses with a stream and pages; `plans` hold what the next streams do first, one each.

    With `token` set, nobody is answered without it; `page_answers` are given before pages are.
    """

    def __init__(self) -> None:
        self.statuses: list[tuple[int, bytes]] = []
        self.token: str | None = None
        self.plans: list[Plan] = []
        self.page_answers: list[web.Response] = []
        self.pages: list[dict[str, str]] = []
        self.streams: list[str] = []
        self.streaming_url = ""
        self.domain = ""
        self.url = ""
        self._open: list[web.StreamResponse] = []
        self._changed = asyncio.Condition()

    def make(self, at_ms: int, number: int = 0, **more: Any) -> bytes:
        """Return a status as JSON."""
        at = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return _to_json({"id": status_id(at_ms, number), "created_at": at, "uri": f"{self.url}/s/{number}", **more})

    async def post(self, at_ms: int, number: int = 0) -> bytes:
        """Post a status: it is on the timeline, and whoever listens hears of it."""
        status = self.make(at_ms, number)
        self.statuses.append(((at_ms << 16) + number, status))
        await self.say("update", status)
        return status

    async def say(self, event: str, data: bytes) -> None:
        """Send an event to everybody who listens."""
        for stream in self._open:
            try:
                await stream.write(b"event: " + event.encode() + b"\ndata: " + data + b"\n\n")
            except ConnectionError:
                continue

    async def listened(self, count: int) -> None:
        """Wait until somebody listens for the so-manieth time."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.streams) >= count)

    async def asked_for_pages(self, count: int) -> None:
        """Wait until so many pages were asked for."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.pages) >= count)

    def cut(self) -> None:
        """Cut every stream off."""
        for stream in self._open:
            assert stream._req is not None
            if stream._req.transport is not None:
                stream._req.transport.abort()
        self._open.clear()

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.token is not None and request.headers.get("Authorization") != f"Bearer {self.token}":
            return web.json_response({"error": "The access token is invalid"}, status=401)
        return None

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if refused := self._refusal(request):
            return refused
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await answer.prepare(request)
        await answer.write(b":)\n")
        if self.plans:
            await self.plans.pop(0)(answer)
        self._open.append(answer)
        async with self._changed:
            self.streams.append(request.path_qs.removeprefix("/api/v1/streaming/"))
            self._changed.notify_all()
        # Cancelled when the other side hangs up.
        await asyncio.Event().wait()
        return answer

    async def _page(self, request: web.Request) -> web.StreamResponse:
        async with self._changed:
            self.pages.append(dict(request.query))
            self._changed.notify_all()
        if self.page_answers:
            return self.page_answers.pop(0)
        if refused := self._refusal(request):
            return refused
        after, limit = int(request.query.get("min_id", 0)), int(request.query["limit"])
        newer = sorted(one for one in self.statuses if one[0] > after)[:limit]
        body = b"[" + b",".join(status for _, status in reversed(newer)) + b"]"
        return web.Response(body=body, content_type="application/json")

    async def _instance(self, request: web.Request) -> web.Response:
        return web.json_response({"domain": self.domain, "configuration": {"urls": {"streaming": self.streaming_url}}})

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["MastodonServer"]:
        """Serve on a free port of loopback."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/v1/streaming/{stream:.+}", self._stream),
                web.get("/api/v1/timelines/{page:.+}", self._page),
                web.get("/api/v2/instance", self._instance),
            ]
        )
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self.cut()
            await runner.cleanup()
