"""Check what all feeds have in common: connecting again, the first refusal, payloads that are too long."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from agents.connectors.delivery import PAYLOAD_BYTES_MAX
from agents.connectors.errors import ConnectorError, FeedCut, refusal_of
from agents.connectors.feed import Outlet
from agents.settings import Settings
from schemas.channels import REJECTIONS, raw_channel
from schemas.rejection import Rejection
from tests.agents.connectors.trial import following, holds, metric, payloads, told, until

pytestmark = pytest.mark.kafka

RAW = raw_channel("native")
Session = Callable[[Outlet, Callable[[], None]], Awaitable[None]]


class Scripted:
    """A feed whose sessions are given, one after the other; the last one goes on for ever."""

    name = source = "scripted"
    network = "native"

    def __init__(self, *sessions: Session, recalls: int = 0) -> None:
        self._sessions = list(sessions)
        self.recalls = recalls
        self.recalled: list[bytes] = []
        self.begun = asyncio.Event()

    def recall(self, payload: bytes) -> None:
        """Keep what is told again."""
        self.recalled.append(payload)

    async def session(self, outlet: Outlet, connected: Callable[[], None]) -> None:
        """Run the next one."""
        self.begun.set()
        if not self._sessions:
            connected()
            await asyncio.Event().wait()
        await self._sessions.pop(0)(outlet, connected)


def giving(*values: bytes, then: Exception | None = None) -> Session:
    """Return a session that gives these payloads and ends."""

    async def session(outlet: Outlet, connected: Callable[[], None]) -> None:
        connected()
        for value in values:
            await outlet.deliver(value)
        if then is not None:
            raise then

    return session


def refusing(status: int) -> Session:
    """Return a session that is never connected."""

    async def session(outlet: Outlet, connected: Callable[[], None]) -> None:
        raise refusal_of(status, "no")

    return session


def test_a_feed_that_was_there_once_is_waited_for(own_settings: Settings) -> None:
    """Whatever ends a session, the next one begins, also where the answer is one that would have ended the program."""
    feed = Scripted(
        refusing(503),
        giving(b"1"),
        giving(b"2", then=FeedCut("silence", "nothing came")),
        giving(b"3", then=ConnectionResetError()),
        refusing(401),
        giving(b"4"),
    )

    async def work() -> None:
        async with following(own_settings, feed) as (connector, metrics):
            found = await told(own_settings, RAW, holds(b"4"))
            counted = {
                reason: metric(metrics, f'reconnects_total{{reason="{reason}"}}')
                for reason in ("closed", "silence", "unreachable", "refused")
            }
            assert payloads(found) == [b"1", b"2", b"3", b"4"]
            assert counted["refused"] == 2
            assert counted["silence"] == counted["unreachable"] == 1
            await until(lambda: connector.ready()[0])

    asyncio.run(work())


def test_a_feed_that_was_never_there_and_is_refused_for_good_is_an_error(own_settings: Settings) -> None:
    """Somebody is there to read it then."""

    async def work() -> None:
        async with following(own_settings, Scripted(refusing(503), refusing(403))):
            await asyncio.Event().wait()

    with pytest.raises(ConnectorError, match="scripted: expected a feed, got HTTP 403: no; check"):
        asyncio.run(work())


def test_a_payload_that_no_format_would_read_is_a_rejection(own_settings: Settings) -> None:
    """Kafka is not asked to carry it."""

    async def work() -> None:
        async with following(own_settings, Scripted(giving(b"x" * (PAYLOAD_BYTES_MAX + 1), b"2"))):
            assert payloads(await told(own_settings, RAW, holds(b"2"))) == [b"2"]
            (refused,) = await told(own_settings, REJECTIONS, bool)
        rejection = msgspec.json.decode(refused.value, type=Rejection)
        assert (rejection.reason, rejection.size) == ("oversize", PAYLOAD_BYTES_MAX + 1)

    asyncio.run(work())


def test_a_feed_is_told_again_what_it_delivered_last(own_settings: Settings) -> None:
    """As much as it wants and of its own alone, in its order; the memory of a killed one is made of that."""
    values = [b"%d" % number for number in range(7)]

    async def work() -> None:
        other = Scripted(giving(b"not mine"))
        other.name = "another"
        for feed in (other, Scripted(giving(*values))):
            async with following(own_settings, feed):
                await told(own_settings, RAW, holds(b"not mine" if feed is other else values[-1]))
            assert feed.recalled == []
        for recalls in (3, 1_000):
            again = Scripted(recalls=recalls)
            async with following(own_settings, again):
                await again.begun.wait()
            assert again.recalled == values[-recalls:]

    asyncio.run(work())
