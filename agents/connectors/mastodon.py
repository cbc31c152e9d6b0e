"""Follow a public timeline of a Mastodon server, live and, after a cut, through what was missed (WIRE.md §2).

The live stream has no memory, so what was said while nobody listened is asked for page by page (`min_id`); deletes and
edits of that time are not to be had any more. Likes are not told at all: what they and the shares have come to is asked
for now and then, and delivered as far as it has grown (`streams.networks.counters`). Payloads are wrapped, `{"event":
..., "payload": "<as it came>", "instance": ..., "known": {...}}`: ids are local to their server, so what is known of
the statuses that an event names by them is said along with it (`streams.networks.mastodon_memory`).
https://docs.joinmastodon.org/methods/streaming/, https://docs.joinmastodon.org/methods/timelines/
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import aiohttp
import msgspec
from yarl import URL

from agents.connectors.errors import ConnectorError, FeedCut, printable, refusal_of
from agents.connectors.feed import Outlet
from agents.connectors.program import now_ms
from agents.connectors.sse import ServerEvent, SseReader
from schemas.cursor import Cursor
from schemas.unreadable import UNREADABLE
from streams.networks.counters import Counters, Counts, Grown
from streams.networks.mastodon import NAME, source_of
from streams.networks.mastodon_memory import STATUSES_MAX, StatusMemory
from streams.networks.mastodon_shapes import Event

logger = logging.getLogger("overgrowth")

PAGE_STATUSES = 40
COUNTED_BY = ("update", "status.update", "counted")
"""Events that tell how often a status was liked and shared."""
REWIND_MS = 120_000
"""How far an id is taken back: a status from elsewhere comes late, under an id as old as itself."""
COUNTS_S = 60.0
"""Servers take 300 requests within five minutes from an account."""
CONNECT_S = 30.0
PAGE_S = 60.0
RATE_LIMIT_S_MIN = 0.2
RATE_LIMIT_S_MAX = 300.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024


class _Urls(msgspec.Struct, frozen=True):
    streaming: str = ""


class _Configuration(msgspec.Struct, frozen=True):
    urls: _Urls = _Urls()


class _Instance(msgspec.Struct, frozen=True):
    domain: str = ""
    configuration: _Configuration = _Configuration()


class _Status(msgspec.Struct):
    id: str = ""
    created_at: str = ""


class _Counted(msgspec.Struct):
    id: str = ""
    favourites_count: int = 0
    reblogs_count: int = 0


_decode_status = msgspec.json.Decoder(_Status).decode
_decode_page = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_counted = msgspec.json.Decoder(_Counted).decode
_to_json = msgspec.json.Encoder().encode


class Timeline(NamedTuple):
    """Which statuses: all that the server knows, those of its own accounts, or those with a tag."""

    name: str
    stream: str
    page: str
    query: dict[str, str]


def timeline(name: str) -> Timeline:
    """Return the timeline of this name; raises `ConnectorError`.

    >>> timeline("hashtag:rosen").page
    'tag/rosen'
    """
    if name == "public":
        return Timeline(name, "public", "public", {})
    if name == "public/local":
        return Timeline(name, "public/local", "public", {"local": "true"})
    tag = name.removeprefix("hashtag:").removeprefix("#")
    if name.startswith("hashtag:") and tag and "/" not in tag:
        return Timeline(name, "hashtag", f"tag/{tag}", {})
    raise ConnectorError(f"mastodon: expected the stream public, public/local or hashtag:TAG, got {name!r}")


class Mastodon:
    """The feed of one timeline of one server.

    `name` is what the cursor is kept under, without it instance and stream. `silence_s` is how long nothing may come,
    not even the sign of life that servers send every 15 s, until the connection counts as dead. Every `counts_s` the
    latest statuses are asked how often they were liked and shared; with 0 they never are.
    """

    network = NAME
    recalls = STATUSES_MAX

    def __init__(
        self,
        instance: str,
        stream: str = "public",
        *,
        token: str | None = None,
        name: str | None = None,
        silence_s: float = 60.0,
        counts_s: float = COUNTS_S,
    ) -> None:
        self._home = _address(instance)
        self._domain = self._home.authority
        self._timeline = timeline(stream)
        self.name = name or f"{NAME}:{self._domain}/{stream}"
        self.silence_s = silence_s
        self._counts_s = counts_s
        self._memory = StatusMemory()
        self._counters = Counters()
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    @property
    def source(self) -> str:
        """The instance, as `streams.networks.mastodon` names the source of what it says."""
        return source_of(self._domain)

    def recall(self, payload: bytes) -> None:
        """Remember the statuses that an event which was delivered told of."""
        try:
            event = _decode_event(payload)
        except UNREADABLE:
            # What somebody else wrote.
            return
        self._memory.fill(event)
        if event.event in COUNTED_BY and isinstance(event.payload, str):
            self._look(event.payload.encode(), event.grown)

    async def session(self, outlet: Outlet, connected: Callable[[], None]) -> None:
        """Listen, ask for what was missed once the server shows that it speaks, then take what it says."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
        tag = self._timeline.page.removeprefix("tag/")
        query = {"tag": tag} if self._timeline.stream == "hashtag" else {}
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout) as http:
            url = (await self._streaming(http)).joinpath("api/v1/streaming", self._timeline.stream)
            async with http.get(url.with_query(query), headers={"Accept": "text/event-stream"}) as answer:
                if answer.status != 200 or answer.content_type != "text/event-stream":
                    raise refusal_of(answer.status, f"expected an event stream at {url}, got {answer.content_type}")
                connected()
                counting = asyncio.ensure_future(self._count_for_ever(http, outlet))
                try:
                    await self._listen(http, answer, outlet)
                finally:
                    counting.cancel()
                    with suppress(asyncio.CancelledError):
                        await counting

    async def _listen(self, http: aiohttp.ClientSession, answer: aiohttp.ClientResponse, outlet: Outlet) -> None:
        reader, is_first = SseReader(), True
        while chunk := await self._chunk(answer):
            if is_first:
                # Only now is it sure that whatever comes after the last page comes here.
                await self._fill(http, outlet)
                is_first = False
            for event in reader.read(chunk):
                await self._take(event, outlet)
            # Any chunk, a sign of life too, says that the server has no more to say for now.
            outlet.advance(now_ms())

    async def _chunk(self, answer: aiohttp.ClientResponse) -> bytes:
        try:
            async with asyncio.timeout(self.silence_s):
                return await answer.content.readany()
        except TimeoutError:
            raise FeedCut("silence", f"nothing came from {self._domain} for {self.silence_s:g} s") from None

    async def _streaming(self, http: aiohttp.ClientSession) -> URL:
        """Return where the server streams, as it says itself, and note by what domain its accounts are known.

        Large servers stream on a host of its own, and some are reached by another name than their accounts bear.
        """
        async with http.get(self._home.joinpath("api/v2/instance"), timeout=aiohttp.ClientTimeout(PAGE_S)) as answer:
            if 400 <= answer.status < 500 and answer.status != 429:
                # Servers before Mastodon 4, and others of its kind, have no such page.
                return self._home
            if answer.status != 200:
                raise refusal_of(answer.status, "expected what the server says of itself")
            try:
                said = msgspec.json.decode(await answer.content.read(ANSWER_BYTES_MAX), type=_Instance)
                url = URL(said.configuration.urls.streaming)
            except UNREADABLE:
                return self._home
            self._domain = said.domain or self._domain
        scheme = {"wss": "https", "ws": "http"}.get(url.scheme, url.scheme)
        # The token must not leave an encrypted connection for a plain one.
        is_fit = scheme == "https" or (scheme == "http" and self._home.scheme == "http")
        return url.with_scheme(scheme).origin() if is_fit and url.host else self._home

    async def _take(self, event: ServerEvent, outlet: Outlet) -> None:
        if event.is_cut:
            logger.error("%s: an event of %s is longer than any status; cut, so it is rejected", self.name, event.name)
        await self._deliver(event.name, event.data, outlet)

    async def _deliver(self, name: str, payload: bytes, outlet: Outlet) -> None:
        """Deliver an event, whatever it is; a new status moves the cursor."""
        cursor = None
        if name == "update":
            try:
                status = _decode_status(payload)
            except UNREADABLE:
                status = _Status()
            at_ms, now = _instant_ms(status.created_at), now_ms()
            if at_ms:
                outlet.metrics.observe_event(at_ms=at_ms, now_ms=now)
            if _is_id(status.id) and (outlet.cursor is None or _order(outlet.cursor.position) < _order(status.id)):
                cursor = Cursor(self.name, status.id, min(at_ms or now, now), self._home.authority)
        if name in COUNTED_BY:
            # Before the status, which says the same counts: after a crash in between it comes again, they would not.
            await self._count(payload, outlet)
        event = Event(event=name, payload=payload.decode(errors="replace"), instance=self._domain)
        await outlet.deliver(_to_json(self._memory.fill(event)), cursor=cursor)

    async def _count(self, payload: bytes, outlet: Outlet) -> None:
        """Deliver by how much the likes and shares of a status have grown since it was seen before, if they have."""
        grown = self._look(payload)
        if grown is not None:
            event = Event("counted", payload.decode(errors="replace"), self._domain, grown=grown)
            await outlet.deliver(_to_json(self._memory.fill(event)))

    def _look(self, payload: bytes, grown: Grown | None = None) -> Grown | None:
        """Take note of the counts of a status, as it says them itself or as they were delivered."""
        try:
            told = _decode_counted(payload)
        except UNREADABLE:
            return None
        counts = grown.now if grown else Counts(max(0, told.favourites_count), max(0, told.reblogs_count))
        return self._counters.look(told.id, counts) if _is_id(told.id) else None

    async def _count_for_ever(self, http: aiohttp.ClientSession, outlet: Outlet) -> None:
        """Ask for the latest statuses now and then; one page of them, so only a slow timeline is counted for long."""
        url = self._home.joinpath("api/v1/timelines", self._timeline.page)
        query = {**self._timeline.query, "limit": str(PAGE_STATUSES)}
        while self._counts_s:
            await asyncio.sleep(self._counts_s)
            try:
                async with http.get(url.with_query(query), timeout=aiohttp.ClientTimeout(PAGE_S)) as answer:
                    if answer.status != 200:
                        raise refusal_of(answer.status, f"expected a page of {url.path}")
                    page = _decode_page(await answer.read())
            except (FeedCut, aiohttp.ClientError, OSError, *UNREADABLE) as error:
                # The next look sees what this one has missed.
                logger.warning("%s: counts: %s: %s", self.name, type(error).__name__, printable(str(error)))
                continue
            for raw in reversed(page):
                await self._count(bytes(raw), outlet)

    async def _fill(self, http: aiohttp.ClientSession, outlet: Outlet) -> None:
        """Deliver the statuses after the cursor, oldest first, until there are no more."""
        if outlet.cursor is None or outlet.cursor.server != self._home.authority:
            return
        url = self._home.joinpath("api/v1/timelines", self._timeline.page)
        since = rewound(outlet.cursor.position)
        while True:
            query = {**self._timeline.query, "limit": str(PAGE_STATUSES), "min_id": since}
            page = await self._page(http, url.with_query(query), outlet)
            for raw in reversed(page):
                await self._deliver("update", bytes(raw), outlet)
            ids = [status.id for status in map(_status, page) if _is_id(status.id)]
            latest = max(ids, key=_order, default=since)
            if _order(latest) <= _order(since):
                return
            since = latest

    async def _page(self, http: aiohttp.ClientSession, url: URL, outlet: Outlet) -> list[msgspec.Raw]:
        """Return one page, newest first, as servers send it; wait where they ask for it."""
        while True:
            async with http.get(url, timeout=aiohttp.ClientTimeout(PAGE_S)) as answer:
                if answer.status == 429:
                    wait_s = _wait_s(answer)
                    logger.warning("%s: %s asks to wait for %.0f s", self.name, self._domain, wait_s)
                elif answer.status in (401, 403, 404, 422):
                    self._tell_lost(answer.status, outlet)
                    return []
                elif answer.status != 200:
                    raise refusal_of(answer.status, f"expected a page of {url.path}")
                else:
                    try:
                        return _decode_page(await answer.read())
                    except UNREADABLE as error:
                        raise FeedCut("refused", f"expected a page of {url.path}, got {error}") from None
            await asyncio.sleep(wait_s)

    def _tell_lost(self, status: int, outlet: Outlet) -> None:
        """Say what is lost where a server streams, but does not tell what was before."""
        assert outlet.cursor is not None, "nothing is asked for without a cursor"
        lost_s = max(0, now_ms() - outlet.cursor.at) / 1000
        outlet.metrics.count_lost(seconds=lost_s)
        logger.error(
            "%s: expected the timeline of %s since the last status, got HTTP %d: what came in the last %.0f s is "
            "lost; give a token that may read it",
            self.name,
            self._domain,
            status,
            lost_s,
        )


def rewound(status_id: str) -> str:
    """Return an id that lies `REWIND_MS` before a status, where ids are made of times (Mastodon's are, 48 bits of ms).

    >>> int(rewound("112000000000000000")) >> 16 == (112000000000000000 >> 16) - 120_000
    True
    >>> rewound("AbCdEf")
    'AbCdEf'
    """
    return str(max(0, int(status_id) - (REWIND_MS << 16))) if status_id.isdigit() else status_id


def _order(status_id: str) -> tuple[int, str]:
    """Return what ids are ordered by: numbers by their value, other servers' by their length and letters."""
    return len(status_id), status_id


def _is_id(status_id: str) -> bool:
    return 0 < len(status_id) <= 64 and status_id.isascii() and status_id.isalnum()


def _status(raw: msgspec.Raw) -> _Status:
    try:
        return _decode_status(raw)
    except UNREADABLE:
        return _Status()


def _instant_ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        return 0


def _wait_s(answer: aiohttp.ClientResponse) -> float:
    """Return how long a server asks to wait: in seconds, or until an instant, as Mastodon says it."""
    try:
        wait_s = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        reset_ms = _instant_ms(answer.headers.get("X-RateLimit-Reset", ""))
        wait_s = (reset_ms - now_ms()) / 1000 if reset_ms else RATE_LIMIT_S_MAX
    return min(max(wait_s, RATE_LIMIT_S_MIN), RATE_LIMIT_S_MAX)


def _address(instance: str) -> URL:
    """Return the address of a server that is named by its domain or address; raises `ConnectorError`."""
    try:
        url = URL(instance if "://" in instance else f"https://{instance}")
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https") or not url.host:
        raise ConnectorError(f"mastodon: expected the domain of a server, such as mastodon.social, got {instance!r}")
    return url.origin()
