"""Follow Bluesky's Jetstream over WebSocket, in its first and its second version, from where it was left (WIRE.md §3).

Payloads are the frames as they come. Versions differ in the path, the names of the filters, the frame and the cursor: a
time in microseconds in the first; in the second a sequence number of the server, or a time.
https://github.com/bluesky-social/jetstream, docs/README.md §5.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import aiohttp
import msgspec
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse, WSMsgType
from yarl import URL
from zstandard import ZstdCompressionDict, ZstdDecompressor, ZstdError, frame_content_size

from agents.connectors.errors import ConnectorError, FeedCut, printable, refusal_of
from agents.connectors.feed import Outlet
from agents.connectors.program import now_ms
from schemas.cursor import Cursor
from schemas.signal import AT_MS_MIN
from schemas.unreadable import UNREADABLE
from streams.eventtime.clock import SKEW_MS_MAX
from streams.networks.bluesky import NAME, SOURCE

logger = logging.getLogger("overgrowth")

SERVERS = ("wss://jetstream2.us-east.bsky.network", "wss://jetstream1.us-west.bsky.network")
COLLECTIONS = ("app.bsky.feed.post", "app.bsky.feed.repost", "app.bsky.feed.like", "app.bsky.graph.follow")
COLLECTIONS_MAX = 100
DIDS_MAX = 10_000
DIDS_IN_ADDRESS_MAX = 50
"""More of them the first version is told in a message: its servers bound the length of an address."""
TIME_US_MIN = 10**15
"""A cursor below is a sequence number, one from here on a time in microseconds."""
REWIND_US = 5_000_000
"""How far a time is taken back, for events of one instant may come in any order; duplicates are dropped by id."""
REWIND_ELSEWHERE_US = 60_000_000
"""The same on another server than the one that gave it: each sees an event at a time of its own."""
LOOK_BACK_MS = 36 * 3_600_000
"""How far servers go back; the first version clamps to that without a word."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
"""Servers are asked to leave out what is longer, which no record of the network can be."""
PING_EVERY_S = 20.0
CONNECT_S = 30.0
ERROR_BYTES_MAX = 4096

Version = Literal["v1", "v2"]
DICTIONARY_PATH = "/xrpc/network.bsky.jetstream.getZstdDictionary"
_PATHS: dict[Version, str] = {"v1": "/subscribe", "v2": "/xrpc/network.bsky.jetstream.subscribeEvents"}


class _FirstFrame(msgspec.Struct):
    time_us: int = 0


class _Message(msgspec.Struct):
    type: str = msgspec.field(name="$type", default="")
    seq: int = 0
    time: str = ""
    witnessed_at: str = msgspec.field(name="witnessedAt", default="")
    name: str = ""
    message: str = ""


class _SecondFrame(msgspec.Struct):
    type: str = msgspec.field(name="$type", default="")
    payload: _Message | None = None
    error: str = ""
    message: str = ""


class _Refusal(msgspec.Struct):
    error: str = ""
    message: str = ""


_decode_first = msgspec.json.Decoder(_FirstFrame).decode
_decode_second = msgspec.json.Decoder(_SecondFrame).decode


class CursorTooOld(FeedCut):
    """The server does not go back as far as the sequence number that it was asked to go on from."""


class _AskByTime(Exception):
    """The sequence number means nothing to this server, so the time has to do."""


class Filters(NamedTuple):
    """Which events are asked for; no DIDs are all of them."""

    collections: Sequence[str] = COLLECTIONS
    dids: Sequence[str] = ()


class Jetstream:
    """The feed of one or more servers, one after the other; the next one is taken when a connection ends.

    `name` is what the cursor is kept under; `silence_s` is how long nothing may come until the connection counts as
    dead.
    """

    network = NAME
    source = SOURCE
    recalls = 0

    def __init__(
        self,
        servers: Sequence[str] = SERVERS,
        *,
        version: Version = "v1",
        filters: Filters = Filters(),
        name: str = SOURCE,
        silence_s: float = 60.0,
    ) -> None:
        for what, given, at_most in (
            ("collections", filters.collections, COLLECTIONS_MAX),
            ("DIDs", filters.dids, DIDS_MAX),
        ):
            if len(given) > at_most:
                raise ConnectorError(f"jetstream: expected at most {at_most} {what}, got {len(given)}; use another one")
        self.name = name
        self.silence_s = silence_s
        self._servers = [_address(server) for server in servers]
        self._version: Version = version
        self._filters = filters
        self._turn = 0
        # The cursor that the server does not go back to, until its first event tells how much is missing.
        self._gap_after: Cursor | None = None

    def recall(self, payload: bytes) -> None:
        """Nothing is remembered: records name each other by addresses that hold everywhere."""

    async def session(self, outlet: Outlet, connected: Callable[[], None]) -> None:
        """Follow the server whose turn it is until the connection ends."""
        server = self._servers[self._turn % len(self._servers)]
        self._turn += 1
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        async with aiohttp.ClientSession(timeout=timeout, middlewares=(_tell_refusal,)) as http:
            try:
                await self._follow(http, server, outlet, connected, by_time=False)
            except (CursorTooOld, _AskByTime) as error:
                logger.warning("%s: %s; going on by time", self.name, error)
                await self._follow(http, server, outlet, connected, by_time=True)

    async def _follow(
        self,
        http: aiohttp.ClientSession,
        server: URL,
        outlet: Outlet,
        connected: Callable[[], None],
        *,
        by_time: bool,
    ) -> None:
        cursor = outlet.cursor
        start = None if cursor is None else start_of(cursor, self._version, host=_host(server), by_time=by_time)
        is_clamped = self._version == "v1" and cursor is not None and now_ms() - cursor.at > LOOK_BACK_MS
        self._gap_after = cursor if is_clamped else None
        dictionary = await self._dictionary(http, server) if self._version == "v2" else None
        query = self._query(start)
        if dictionary is not None:
            query.append(("zstdDictionary", str(dictionary.dict_id())))
        unpacker = None if dictionary is None else ZstdDecompressor(dict_data=dictionary)
        tells_filters = ("requireHello", "true") in query
        async with http.ws_connect(
            self._url(server).with_query(query),
            protocols=() if self._version == "v1" else ("xrpc.v1.json",),
            heartbeat=PING_EVERY_S,
            # The first version compresses like this if asked, the second only with a dictionary of its own.
            compress=15 if self._version == "v1" else 0,
            max_msg_size=FRAME_BYTES_MAX + 1,
            decode_text=False,
        ) as socket:
            if tells_filters:
                await socket.send_bytes(self._options())
            connected()
            while True:
                try:
                    # Not the time-out of `receive`, which every answer to a ping begins anew.
                    async with asyncio.timeout(self.silence_s):
                        message = await socket.receive()
                except TimeoutError:
                    raise FeedCut("silence", f"nothing came from {server.host} for {self.silence_s:g} s") from None
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    raise FeedCut("closed", f"{server.host} ended with {message.type.name} {message.data or ''}")
                payload = bytes(message.data)
                if unpacker is not None and message.type == WSMsgType.BINARY:
                    payload = unpacked(payload, unpacker)
                await self._take(payload, _host(server), outlet, asked_seq=_is_seq(start))

    async def _dictionary(self, http: aiohttp.ClientSession, server: URL) -> ZstdCompressionDict | None:
        """Return what a server of the second version compresses with, None where it has none."""
        url = server.with_scheme("https" if server.scheme == "wss" else "http").with_path(DICTIONARY_PATH)
        try:
            async with http.get(url, timeout=aiohttp.ClientTimeout(CONNECT_S)) as answer:
                return ZstdCompressionDict(await answer.read())
        except (FeedCut, ZstdError) as error:
            logger.warning("%s: %s has no dictionary (%s); going on without compression", self.name, server.host, error)
            return None

    def _url(self, server: URL) -> URL:
        return server.with_path(_PATHS[self._version]) if server.path in ("", "/") else server

    def _query(self, start: str | None) -> list[tuple[str, str]]:
        collections, dids = self._filters
        names = ("wantedCollections", "wantedDids") if self._version == "v1" else ("collections", "dids")
        cursor = [] if start is None else [("cursor", start)]
        if self._version == "v1" and len(dids) > DIDS_IN_ADDRESS_MAX:
            return [("requireHello", "true"), *cursor]
        wanted = [*((names[0], one) for one in collections), *((names[1], one) for one in dids)]
        return [*wanted, *cursor, ("maxMessageSizeBytes", str(FRAME_BYTES_MAX))]

    def _options(self) -> bytes:
        """Return the message that tells a server of the first version what is wanted."""
        wanted: dict[str, Any] = {
            "wantedCollections": list(self._filters.collections),
            "wantedDids": list(self._filters.dids),
            "maxMessageSizeBytes": FRAME_BYTES_MAX,
        }
        return msgspec.json.encode({"type": "options_update", "payload": wanted})

    async def _take(self, payload: bytes, host: str, outlet: Outlet, *, asked_seq: bool) -> None:
        """Deliver a frame, whatever it is, unless it is the server's own notice."""
        place = (
            place_in_first(payload)
            if self._version == "v1"
            else self._place_in_second(payload, outlet.cursor, asked_seq=asked_seq)
        )
        if place is None:
            return
        position, at_ms = place
        now = now_ms()
        cursor = None
        # What lies in the future or before all time is none of the server's: it would be asked for after a crash.
        if position and AT_MS_MIN <= at_ms <= now + SKEW_MS_MAX:
            cursor = Cursor(self.name, position, at_ms, host)
            if self._gap_after is not None:
                self._tell_lost(self._gap_after, cursor, outlet)
            outlet.advance(at_ms)
            outlet.metrics.observe_event(at_ms=at_ms, now_ms=now)
        await outlet.deliver(payload, cursor=cursor)

    def _place_in_second(self, payload: bytes, cursor: Cursor | None, *, asked_seq: bool) -> tuple[str, int] | None:
        """Return position and time of a frame, empty where it tells none; None where it is a notice."""
        try:
            frame = _decode_second(payload)
        except UNREADABLE:
            return "", 0
        if frame.type == "error":
            raise FeedCut("error_frame", f"{frame.error}: {frame.message}")
        message = frame.payload
        if message is None:
            return "", 0
        if message.type.endswith("#info"):
            logger.warning("%s: the server says %s: %s", self.name, printable(message.name), printable(message.message))
            if message.name == "OutdatedCursor":
                self._gap_after = cursor
            elif message.name == "FutureCursor" and asked_seq:
                raise _AskByTime("the sequence number is none of this server's")
            return None
        at_ms = _instant_ms(message.witnessed_at or message.time)
        return (str(message.seq), at_ms) if 0 < message.seq < TIME_US_MIN else ("", at_ms)

    def _tell_lost(self, before: Cursor, first: Cursor, outlet: Outlet) -> None:
        """Say how much the server could not give any more, now that its first event is here."""
        self._gap_after = None
        lost_s = (first.at - before.at) / 1000
        if lost_s > REWIND_ELSEWHERE_US / 1_000_000:
            outlet.metrics.count_lost(seconds=lost_s)
            logger.error(
                "%s: expected to go on from %d (ms), got %d as the first event: up to %.0f s are lost, for servers go "
                "back %d h; going on from there",
                self.name,
                before.at,
                first.at,
                lost_s,
                LOOK_BACK_MS // 3_600_000,
            )


def unpacked(frame: bytes, unpacker: ZstdDecompressor) -> bytes:
    """Return what was compressed; as it came, for the worker to reject it, where it was not or is too long.

    >>> unpacked(b"no zstd", ZstdDecompressor())
    b'no zstd'
    """
    try:
        if frame_content_size(frame) > FRAME_BYTES_MAX:
            return frame
        return unpacker.decompress(frame, max_output_size=FRAME_BYTES_MAX)
    except ZstdError:
        return frame


def start_of(cursor: Cursor, version: Version, *, host: str, by_time: bool) -> str:
    """Return the cursor to ask a server for: its own sequence number where that is one, else a time, taken back a bit.

    >>> start_of(Cursor("b", "912", 1_700_000_000_000, "a"), "v2", host="a", by_time=False)
    '912'
    >>> start_of(Cursor("b", "912", 1_700_000_000_000, "a"), "v2", host="b", by_time=False)
    '1699999940000000'
    >>> start_of(Cursor("b", "1700000000000321", 1_700_000_000_000, "a"), "v1", host="a", by_time=False)
    '1699999995000321'
    """
    same = host == cursor.server
    if _is_seq(cursor.position) and version == "v2" and same and not by_time:
        return cursor.position
    time_us = cursor.at * 1000 if _is_seq(cursor.position) else int(cursor.position)
    return str(max(TIME_US_MIN, time_us - (REWIND_US if same else REWIND_ELSEWHERE_US)))


def _is_seq(position: str | None) -> bool:
    return position is not None and int(position) < TIME_US_MIN


def place_in_first(payload: bytes) -> tuple[str, int]:
    """Return position and time (ms) of a frame of the first version; empty and 0 where it tells none."""
    try:
        time_us = _decode_first(payload).time_us
    except UNREADABLE:
        return "", 0
    return (str(time_us), time_us // 1000) if time_us >= TIME_US_MIN else ("", 0)


def _instant_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0


def _address(server: str) -> URL:
    """Return the address of a server; `ConnectorError` where it is none of a WebSocket."""
    try:
        url = URL(server)
    except ValueError:
        url = URL()
    if url.scheme not in ("ws", "wss") or not url.host:
        raise ConnectorError(f"jetstream: expected a server such as {SERVERS[0]}, got {server!r}")
    return url


def _host(server: URL) -> str:
    return f"{server.host}:{server.port}"


async def _tell_refusal(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Raise what a server says before it would upgrade the connection; aiohttp alone tells only the status."""
    answer = await handler(request)
    if answer.status < 400:
        return answer
    try:
        body = await answer.content.read(ERROR_BYTES_MAX)
    finally:
        answer.close()
    try:
        said = msgspec.json.decode(body, type=_Refusal)
    except UNREADABLE:
        said = _Refusal(message=body[:200].decode(errors="replace"))
    detail = f"{said.error} {said.message}".strip()
    if said.error == "CursorTooOld":
        raise CursorTooOld("refused", detail)
    if said.error == "UnknownZstdDictionary":
        # It was replaced just now; the next connection asks for the new one.
        raise FeedCut("refused", detail)
    raise refusal_of(answer.status, detail)
