"""One conversation as three networks tell it: a local Jetstream, a local Mastodon server, and who posts to the intake.

A brand seeds a tag now and then and a community answers for five hours. Of each play the first `PAUSE` payloads are
told, then those up to `MIDDLE`, while the connector is killed; the rest is told while nobody listens, or behind that.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, NamedTuple, Protocol

import aiohttp
import msgspec

from agents.connectors.intake import KEY
from agents.stack.ports import free_ports
from schemas.signal import Kind, Signal
from streams.networks import bluesky
from streams.networks.mastodon import source_of
from streams.networks.mastodon_memory import StatusMemory
from streams.networks.mastodon_shapes import Event as Told
from tests.agents.connectors import jetstream_server
from tests.agents.connectors.jetstream_server import JetstreamServer
from tests.agents.connectors.mastodon_server import MastodonServer, status_id

ACTS, PAUSE, MIDDLE = 1_200, 400, 700
EVERY_MS = 15_000
CONVERSATION = 40
UNDONE_EVERY = 50
POST_LINES = 100
POLL_S = 0.05

Covered = Callable[[], Awaitable[object]]

to_json = msgspec.json.Encoder().encode


class Act(NamedTuple):
    """Somebody (0 is the brand) posts, answers, shares or likes below a root, or takes back the share `undone`."""

    number: int
    at_ms: int
    kind: Kind
    actor: int
    root: int
    undone: int | None = None


def acts(begin_ms: int) -> list[Act]:
    """Return the acts of the conversation; what is taken back is so before `PAUSE`."""
    kinds: tuple[Kind, ...] = ("reply", "share", "like")
    made: list[Act] = []
    for number in range(ACTS):
        root = number // CONVERSATION * CONVERSATION
        kind = "post" if number == root else kinds[number % 3]
        act = Act(
            number, begin_ms + number * EVERY_MS, kind, 0 if number % 640 == 0 else number * 7_919 % 900 + 1, root
        )
        if number < PAUSE and number % UNDONE_EVERY == UNDONE_EVERY - 1:
            shared = next(one for one in reversed(made) if one.kind == "share" and one.undone is None)
            act = Act(number, act.at_ms, "share", shared.actor, shared.root, shared.number)
        made.append(act)
    return made


class Play(Protocol):
    """What is told, to whom, and what it means."""

    network: str
    brand: str

    @property
    def key(self) -> bytes:
        """Under which the connector delivers, so that the end of the source can follow."""

    @property
    def source(self) -> str:
        """What the signals name as theirs."""

    @property
    def arguments(self) -> Sequence[str]:
        """Of `overgrowth connect`."""

    def serving(self) -> AbstractAsyncContextManager[object]:
        """Be there to be asked, if anybody is."""

    async def begin(self, covered: Covered) -> None:
        """Tell the first part, see it covered by a cursor, and tell on up to the middle."""

    async def go_on(self) -> None:
        """Tell the rest, after the connector was killed."""

    def payloads(self) -> list[bytes]:
        """Return what must come on the raw channel."""


class OnBluesky:
    """Commits to repositories, told by a Jetstream that keeps them."""

    network = bluesky.NAME
    source = bluesky.SOURCE
    key = bluesky.SOURCE.encode()
    brand = "did:plc:0"

    def __init__(self, begin_ms: int) -> None:
        self._server = JetstreamServer()
        self._events: list[jetstream_server.Event] = []
        for act in acts(begin_ms):
            self._events.append(self._event(act))

    def _event(self, act: Act) -> jetstream_server.Event:
        seq, time_us, did = act.number + 1, act.at_ms * 1000, f"did:plc:{act.actor}"
        if act.undone is not None:
            undone = self._events[act.undone]
            return jetstream_server.Event(seq, time_us, did, undone.collection, {}, f"r{undone.seq}", "delete")
        if act.kind == "post":
            return jetstream_server.Event(seq, time_us, did, record={"text": "", "tags": ["higgs"]})
        root = {"uri": self._events[act.root].uri, "cid": "c"}
        if act.kind == "reply":
            return jetstream_server.Event(
                seq, time_us, did, record={"text": "", "reply": {"root": root, "parent": root}}
            )
        collection = "app.bsky.feed.repost" if act.kind == "share" else "app.bsky.feed.like"
        return jetstream_server.Event(seq, time_us, did, collection, {"subject": root})

    @property
    def arguments(self) -> Sequence[str]:
        """The address of the server."""
        return "jetstream", "--server", self._server.url

    def serving(self) -> AbstractAsyncContextManager[object]:
        """Serve."""
        return self._server.serving()

    async def begin(self, covered: Covered) -> None:
        """Whoever comes without a cursor hears what is said from then on."""
        await self._server.asked_times(1)
        await self._server.tell(self._events[:PAUSE])
        await covered()
        await self._server.tell(self._events[PAUSE:MIDDLE])

    async def go_on(self) -> None:
        """The server keeps it."""
        await self._server.tell(self._events[MIDDLE:])

    def payloads(self) -> list[bytes]:
        """Return the frames."""
        return [event.first() for event in self._events]


class OnMastodon:
    """Statuses of people elsewhere, on the timeline of one server: likes are not told there, they are answers here."""

    network = "mastodon"
    brand = "p0@wood.example"

    def __init__(self, begin_ms: int) -> None:
        self._server = MastodonServer()
        self._acts = acts(begin_ms)

    @property
    def _domain(self) -> str:
        return self._server.url.removeprefix("http://")

    @property
    def key(self) -> bytes:
        """The name of its feed."""
        return f"mastodon:{self._domain}/public".encode()

    @property
    def source(self) -> str:
        """The server."""
        return source_of(self._domain)

    @property
    def arguments(self) -> Sequence[str]:
        """The address of the server."""
        return "mastodon", self._server.url

    def serving(self) -> AbstractAsyncContextManager[object]:
        """Serve."""
        return self._server.serving()

    def _status(self, act: Act) -> bytes:
        who = {"id": str(act.actor), "acct": f"p{act.actor}@wood.example"}
        more: dict[str, Any] = {"uri": f"https://wood.example/o/{act.number}", "account": who, "visibility": "public"}
        if act.kind == "post":
            more["tags"] = [{"name": "higgs"}]
        elif act.kind == "share":
            more["reblog"] = msgspec.json.decode(self._status(self._acts[act.root]))
        else:
            more["in_reply_to_id"] = status_id(self._acts[act.root].at_ms, act.root)
        return self._server.make(act.at_ms, act.number, **more)

    async def _tell(self, told: Sequence[Act]) -> None:
        for act in told:
            if act.undone is not None:
                await self._server.say(*self._deleted(act))
                continue
            self._server.statuses.append((int(status_id(act.at_ms, act.number)), self._status(act)))
            await self._server.say("update", self._status(act))

    def _deleted(self, act: Act) -> tuple[str, bytes]:
        assert act.undone is not None
        return "delete", status_id(self._acts[act.undone].at_ms, act.undone).encode()

    async def begin(self, covered: Covered) -> None:
        """Whoever comes without a cursor hears what is said from then on."""
        await self._server.listened(1)
        await self._tell(self._acts[:PAUSE])
        await covered()
        await self._tell(self._acts[PAUSE:MIDDLE])

    async def go_on(self) -> None:
        """Nobody hears it; it is on the pages."""
        self._server.cut()
        await self._tell(self._acts[MIDDLE:])

    def payloads(self) -> list[bytes]:
        """Return the events, with what is known of the statuses that they name."""
        memory, told = StatusMemory(), []
        for act in self._acts:
            name, payload = ("update", self._status(act)) if act.undone is None else self._deleted(act)
            told.append(to_json(memory.fill(Told(name, payload.decode(), self._domain))))
        return told


class Posted:
    """Signals of our own shape, posted by somebody who sends again what was not answered."""

    network = "native"
    source = "garden"
    brand = "p0"
    key = KEY

    def __init__(self, begin_ms: int) -> None:
        (self._port,) = free_ports(1)
        self._signals: list[Signal] = []
        for act in acts(begin_ms):
            self._signals.append(self._signal(act))

    def _signal(self, act: Act) -> Signal:
        undone = act.number if act.undone is None else act.undone
        made = Signal(f"g:{undone}", "garden", act.kind, act.at_ms, f"p{act.actor}", source=self.source)
        if act.undone is not None:
            made.op = "undo"
        elif act.kind == "post":
            made.post, made.tags = str(act.number), ("higgs",)
        else:
            made.post = str(act.number if act.kind == "reply" else act.root)
            made.parent = made.root = str(act.root)
        return made

    @property
    def arguments(self) -> Sequence[str]:
        """The port that is posted to."""
        return "http", "--port", str(self._port)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Have a client."""
        async with aiohttp.ClientSession() as self._http:
            yield

    async def _post(self, body: Any) -> None:
        async with self._http.post(f"http://127.0.0.1:{self._port}/signals", data=body) as answer:
            assert answer.status == 202, await answer.text()

    async def _post_until_taken(self, start: int) -> None:
        while True:
            try:
                return await self._post(b"\n".join(self.payloads()[start : start + POST_LINES]))
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(POLL_S)  # another process starts; nothing here can be waited for

    async def begin(self, covered: Covered) -> None:
        """Leave the last request half sent."""
        for start in range(0, MIDDLE, POST_LINES):
            await self._post_until_taken(start)
        is_under_way = asyncio.Event()

        async def half() -> AsyncIterator[bytes]:
            yield self.payloads()[MIDDLE]
            is_under_way.set()
            await asyncio.Event().wait()

        self._request = asyncio.create_task(self._post(half()))
        await is_under_way.wait()

    async def go_on(self) -> None:
        """Send again what was half sent, and before it what the last answer may have been lost of."""
        (cut,) = await asyncio.gather(self._request, return_exceptions=True)
        assert isinstance(cut, aiohttp.ClientConnectionError)
        for start in range(MIDDLE - POST_LINES, ACTS, POST_LINES):
            await self._post_until_taken(start)

    def payloads(self) -> list[bytes]:
        """Return the lines."""
        return [to_json(signal) for signal in self._signals]
