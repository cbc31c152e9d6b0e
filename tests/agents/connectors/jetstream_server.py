"""A Jetstream on loopback: both versions as docs/README.md §5 of bluesky-social/jetstream describes them."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
from aiohttp import WSMsgType, web
from multidict import MultiMapping
from zstandard import ZstdCompressionDict, ZstdCompressor, train_dictionary

from agents.connectors.jetstream import DICTIONARY_PATH

SECOND_PATH = "/xrpc/network.bsky.jetstream.subscribeEvents"
POST = "app.bsky.feed.post"


class Event(msgspec.Struct):
    """One commit of the log: its number, when it was witnessed (microseconds), and by whom it is.

    Without a `record` it creates a post that says its number.
    """

    seq: int
    time_us: int
    did: str
    collection: str = POST
    record: dict[str, Any] = {}
    rkey: str = ""
    operation: str = "create"

    @property
    def uri(self) -> str:
        """The address of its record."""
        return f"at://{self.did}/{self.collection}/{self.rkey or f'r{self.seq}'}"

    def first(self) -> bytes:
        """Return the frame of the first version."""
        return msgspec.json.encode(
            {"did": self.did, "time_us": self.time_us, "kind": "commit", "commit": self._commit()}
        )

    def second(self) -> bytes:
        """Return the frame of the second version."""
        envelope = {
            "$type": "network.bsky.jetstream.subscribeEvents#commit",
            "seq": self.seq,
            "did": self.did,
            "time": self._witnessed(),
        }
        return msgspec.json.encode({"$type": "message", "payload": envelope | self._commit()})

    def _commit(self) -> dict[str, Any]:
        commit = {"operation": self.operation, "collection": self.collection, "rkey": self.uri.rpartition("/")[2]}
        if self.operation == "delete":
            return commit
        told = self.record or {"text": f"number {self.seq}"}
        return commit | {"record": {"$type": self.collection, "createdAt": self._witnessed()} | told}

    def _witnessed(self) -> str:
        seconds, micros = divmod(self.time_us, 1_000_000)
        witnessed = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
        return witnessed.isoformat(timespec="microseconds").replace("+00:00", "Z")


class JetstreamServer:
    """A log that is served, with a floor below which nothing is left, and what goes wrong with it.

    `plans` holds what the next connections do, one each: it is called with (connection, frames sent so far) before each
    frame and may send something else, or close.
    """

    def __init__(self) -> None:
        self.log: list[Event] = []
        self.floor = 0
        """The first events of the log that are not kept any more."""
        self.first_seq = 1
        self.dictionary: ZstdCompressionDict | None = None
        """What frames of the second version are compressed with."""
        self.asked: list[MultiMapping[str]] = []
        self.hellos: list[Any] = []
        self.plans: list[Plan] = []
        self.url = ""
        self._changed = asyncio.Condition()

    async def say(self, count: int = 1, *, begin_us: int, step_us: int = 1_000, did: str = "did:plc:a") -> None:
        """Append events."""
        first = self.first_seq + len(self.log)
        await self.tell([Event(first + number, begin_us + number * step_us, did) for number in range(count)])

    async def tell(self, events: Sequence[Event]) -> None:
        """Append these events."""
        async with self._changed:
            self.log += events
            self._changed.notify_all()

    async def asked_times(self, count: int) -> None:
        """Wait until so many connections were asked for."""
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.asked) >= count)

    async def _note(self, request: web.Request) -> None:
        async with self._changed:
            self.asked.append(request.query)
            self._changed.notify_all()

    async def _first(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        query = request.query
        dids, collections = query.getall("wantedDids", []), query.getall("wantedCollections", [])
        if query.get("requireHello") == "true":
            hello = msgspec.json.decode((await socket.receive()).data)
            self.hellos.append(hello)
            dids, collections = hello["payload"]["wantedDids"], hello["payload"]["wantedCollections"]
        cursor = query.get("cursor")
        index = len(self.log) if cursor is None else self._at_or_after(int(cursor))
        await self._note(request)
        await self._serve(socket, index, dids, collections, Event.first)
        return socket

    async def _second(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        query = request.query
        if {"wantedDids", "wantedCollections"} & set(query):
            return _refusal("InvalidRequest", "use dids and collections")
        if "zstdDictionary" in query and (
            self.dictionary is None or query["zstdDictionary"] != str(self.dictionary.dict_id())
        ):
            return _refusal("UnknownZstdDictionary", "fetch the current one")
        info, index, cursor = None, len(self.log), int(query.get("cursor", -1))
        if cursor >= 10**15:
            index = self._at_or_after(cursor)
            if self.floor and cursor < self.log[self.floor].time_us:
                info = ("OutdatedCursor", f"resumed from {self.log[self.floor].seq}")
        elif cursor >= self.first_seq + len(self.log) + 1:
            info = ("FutureCursor", "live tip")
        elif cursor >= 0:
            index = max(0, cursor - self.first_seq)
            if index < self.floor:
                return _refusal("CursorTooOld", f"the oldest is {self.log[self.floor].seq}")
        socket = web.WebSocketResponse(protocols=("xrpc.v1.json",))
        await socket.prepare(request)
        if info is not None:
            payload = {"$type": f"{SECOND_PATH[6:]}#info", "name": info[0], "message": info[1]}
            await socket.send_str(msgspec.json.encode({"$type": "message", "payload": payload}).decode())
        await self._serve(
            socket,
            index,
            query.getall("dids", []),
            query.getall("collections", []),
            Event.second,
            packed="zstdDictionary" in query,
        )
        return socket

    async def _zstd_dictionary(self, request: web.Request) -> web.Response:
        if self.dictionary is None:
            return _refusal("DictionaryNotFound", "there is none")
        return web.Response(body=self.dictionary.as_bytes(), content_type="application/octet-stream")

    def _reaches(self, index: int) -> bool:
        return index < len(self.log)

    def _at_or_after(self, time_us: int) -> int:
        found = [index for index, event in enumerate(self.log) if event.time_us >= time_us]
        return max(self.floor, found[0] if found else len(self.log))

    async def _serve(
        self,
        socket: web.WebSocketResponse,
        index: int,
        dids: list[str],
        collections: list[str],
        frame: Callable[[Event], bytes],
        *,
        packed: bool = False,
    ) -> None:
        plan = self.plans.pop(0) if self.plans else None
        closing = asyncio.ensure_future(socket.receive())
        sent = 0
        try:
            while not socket.closed:
                if plan is not None:
                    await plan(socket, sent)
                async with self._changed:
                    waiting = asyncio.ensure_future(self._changed.wait_for(partial(self._reaches, index)))
                    await asyncio.wait([waiting, closing], return_when=asyncio.FIRST_COMPLETED)
                    if not waiting.done():
                        waiting.cancel()
                        await asyncio.gather(waiting, return_exceptions=True)
                        return
                event = self.log[index]
                index += 1
                if (not dids or event.did in dids) and (not collections or event.collection in collections):
                    if packed:
                        await socket.send_bytes(ZstdCompressor(dict_data=self.dictionary).compress(frame(event)))
                    else:
                        await socket.send_str(frame(event).decode())
                    sent += 1
        except ConnectionError:
            return
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["JetstreamServer"]:
        """Serve on a free port of loopback."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/subscribe", self._first),
                web.get(SECOND_PATH, self._second),
                web.get(DICTIONARY_PATH, self._zstd_dictionary),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"ws://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


Plan = Callable[[web.WebSocketResponse, int], Any]


def cut_after(count: int) -> Plan:
    """Return the plan of a connection that is cut off without a goodbye after so many frames."""

    async def plan(socket: web.WebSocketResponse, sent: int) -> None:
        if sent >= count:
            assert socket._req is not None
            assert socket._req.transport is not None
            socket._req.transport.abort()
            raise ConnectionResetError

    return plan


def garbage_after(count: int, frames: list[tuple[bytes, WSMsgType]]) -> Plan:
    """Return the plan of a connection that says something else after so many frames."""

    async def plan(socket: web.WebSocketResponse, sent: int) -> None:
        if sent == count and frames:
            for payload, kind in frames:
                await socket.send_frame(payload, kind)
            frames.clear()

    return plan


def trained() -> ZstdCompressionDict:
    """Return a dictionary made of events, as servers make theirs."""
    return train_dictionary(
        4_096, [Event(number, 10**15 + number * 77_777, f"did:plc:{number}").second() for number in range(500)]
    )


def _refusal(error: str, message: str) -> web.Response:
    return web.json_response({"error": error, "message": message}, status=400)
