"""Check the Mastodon connector on a server with a stream and pages: cuts, gaps, garbage, silence, refusals."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType

import msgspec
import pytest
from aiohttp import web

from agents.connectors.cursors import CursorWriter, read_cursor
from agents.connectors.errors import ConnectorError
from agents.connectors.mastodon import PAGE_STATUSES, REWIND_MS, Mastodon, timeline
from agents.connectors.program import now_ms
from agents.settings import Settings
from schemas.channels import CURSORS, raw_channel
from schemas.cursor import Cursor
from schemas.signal import Signal
from streams.networks import NETWORKS
from streams.networks.counters import Counts, Grown
from streams.networks.mastodon_shapes import Event, Known
from tests.agents.connectors.mastodon_server import MastodonServer, status_id
from tests.agents.connectors.trial import (
    Told,
    following,
    heartbeats,
    holds,
    metric,
    payloads,
    prepared,
    producing,
    told,
)

pytestmark = pytest.mark.kafka

RAW = raw_channel("mastodon")

to_json = msgspec.json.Encoder().encode


def domain(server: MastodonServer) -> str:
    """Return the domain of a server."""
    return server.domain or host(server)


def host(server: MastodonServer) -> str:
    """Return where a server is reached."""
    return server.url.removeprefix("http://")


def name(server: MastodonServer) -> str:
    """Return what the cursor of its public timeline is kept under."""
    return f"mastodon:{host(server)}/public"


def wrapped(
    server: MastodonServer, payload: bytes, event: str = "update", known: Mapping[str, Known] = MappingProxyType({})
) -> bytes:
    """Return what an event is on the raw channel; `known` are the statuses that it names, by their local ids."""
    return to_json(Event(event, payload.decode(errors="replace"), domain(server), known=dict(known)))


async def remember(settings: Settings, cursor: Cursor) -> None:
    """Leave a cursor, as an earlier connector would."""
    await prepared(settings, "mastodon")
    async with producing(settings) as producer:
        await CursorWriter(settings, producer, None).write(cursor)


def test_events_come_as_they_were_said(own_settings: Settings) -> None:
    """With the server that said them, whose ids they use, and in their order."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(1)
                status = await server.post(now_ms() - 5_000)
                edit = server.make(now_ms() - 5_000, edited_at="2026-01-01T00:00:00Z", content="é\n\u2028")
                await server.say("status.update", edit)
                await server.say("delete", b"109500000000000000")
                deleted = wrapped(server, b"109500000000000000", "delete")
                found = await told(own_settings, RAW, holds(deleted))
            assert payloads(found) == [wrapped(server, status), wrapped(server, edit, "status.update"), deleted]
            assert server.streams == ["public"]
            assert server.pages == [], "whoever begins has missed nothing"

    asyncio.run(work())


def test_what_events_name_is_told_with_them_after_a_restart_too(own_settings: Settings) -> None:
    """A reply to a post of another server, and a delete, say which post it is; the raw channel is the memory."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            at_ms = now_ms() - 60_000
            local_id = status_id(at_ms, 1)
            uri = "https://wood.example/objects/1"
            post = server.make(at_ms, 1, uri=uri, account={"id": "2", "acct": "ivo@wood.example"})
            reply = server.make(at_ms + 1_000, 2, in_reply_to_id=local_id, account={"id": "3", "acct": "rosa"})
            known = {local_id: Known(uri, "ivo@wood.example", "post", uri, uri, "ivo@wood.example")}
            answered = wrapped(server, reply, known=known)
            deleted = wrapped(server, local_id.encode(), "delete", known=known)
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(1)
                await server.say("update", post)
                await told(own_settings, RAW, holds(wrapped(server, post)))
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(2)
                await server.say("update", reply)
                await server.say("delete", local_id.encode())
                found = await told(own_settings, RAW, holds(answered, deleted))
            assert payloads(found) == [wrapped(server, post), answered, deleted]

    asyncio.run(work())


def test_likes_are_told_by_what_their_count_has_grown(own_settings: Settings) -> None:
    """Since the status came, and over a restart since the last count that was delivered; nothing is told twice."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            at_ms = now_ms() - 60_000
            fields = {"account": {"id": "2", "acct": "ivo@wood.example"}}

            def status(likes: int) -> bytes:
                made = server.make(at_ms, 1, **fields, favourites_count=likes, reblogs_count=1)
                server.statuses = [(int(status_id(at_ms, 1)), made)]
                return made

            def counted(payload: bytes, before: int, now: int) -> bytes:
                grown = Grown(Counts(before, 1), Counts(now, 1))
                return to_json(Event("counted", payload.decode(), domain(server), grown=grown))

            first = status(likes=0)
            async with following(own_settings, Mastodon(server.url, counts_s=0.01)):
                await server.listened(1)
                await server.say("update", first)
                await told(own_settings, RAW, holds(wrapped(server, first)))
                three = counted(status(likes=3), 0, 3)
                await told(own_settings, RAW, holds(three))
            async with following(own_settings, Mastodon(server.url, counts_s=0.01)):
                five = counted(status(likes=5), 3, 5)
                found = await told(own_settings, RAW, holds(five))
            came = [record for record in payloads(found) if b'"counted"' in record]
            assert came == [three, five]
            ids = []
            for one in came:
                outcome = NETWORKS["mastodon"].normalize(one, at_ms)
                assert isinstance(outcome, tuple)
                ids += [signal.id for signal in outcome if isinstance(signal, Signal)]
            assert ids == [f"{server.url}/s/1#like:{number}" for number in (1, 2, 3, 4, 5)]

    asyncio.run(work())


def test_what_was_missed_is_asked_for_oldest_first(own_settings: Settings) -> None:
    """The stream has no memory; pages have, from a little before the last status on."""
    missed = 2 * PAGE_STATUSES + 5

    async def work() -> None:
        async with MastodonServer().serving() as server:
            async with following(own_settings, Mastodon(server.url, "public/local")) as (_, metrics):
                await server.listened(1)
                began_ms = now_ms() - 300_000
                before = await server.post(began_ms)
                await told(own_settings, RAW, holds(wrapped(server, before)))
                server.cut()
                # Some of what comes now may be heard live, depending on how fast the connector is; all of it comes.
                statuses = [await server.post(began_ms + 1_000 * number, number) for number in range(1, missed + 1)]
                await server.listened(2)
                live = await server.post(now_ms())
                found = await told(own_settings, RAW, holds(wrapped(server, live)))
                assert metric(metrics, 'reconnects_total{reason="unreachable"}') == 1
            wanted = [wrapped(server, status) for status in (before, *statuses, live)]
            assert list(dict.fromkeys(payloads(found))) == wanted
            assert server.pages[0] == {
                "local": "true",
                "limit": str(PAGE_STATUSES),
                "min_id": str(int(status_id(began_ms)) - (REWIND_MS << 16)),
            }

    asyncio.run(work())


def test_a_cut_in_the_middle_of_an_event_loses_nothing(own_settings: Settings) -> None:
    """Half an event is none; its status is on the next page."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            first_ms = now_ms() - 10_000
            await remember(own_settings, Cursor(name(server), status_id(first_ms), first_ms, host(server)))

            async def half(answer: web.StreamResponse) -> None:
                halved = server.make(first_ms + 1_000, 1)
                server.statuses.append((int(status_id(first_ms + 1_000, 1)), halved))
                await answer.write(b"event: update\ndata: " + halved[:20])
                assert answer._req is not None
                assert answer._req.transport is not None
                await asyncio.sleep(0)
                answer._req.transport.close()

            server.plans = [half]
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(2)
                last = await server.post(first_ms + 2_000, 2)
                found = await told(own_settings, RAW, holds(wrapped(server, last)))
            assert list(dict.fromkeys(payloads(found))) == [wrapped(server, one) for _, one in server.statuses]

    asyncio.run(work())


def test_the_cursor_is_the_latest_status_of_all(own_settings: Settings) -> None:
    """What comes late from elsewhere has an older id; edits and deletes have none of their own."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(1)
                at_ms = now_ms() - 60_000
                await server.post(at_ms, 1)
                late = await server.post(at_ms - 30_000, 2)
                await server.say("delete", b"1")
                await told(own_settings, RAW, holds(wrapped(server, late), wrapped(server, b"1", "delete")))
            assert await read_cursor(own_settings, name(server)) == Cursor(
                name(server), status_id(at_ms, 1), at_ms, host(server)
            )

    asyncio.run(work())


def test_signs_of_life_are_progress_and_silence_is_a_cut(own_settings: Settings) -> None:
    """A quiet timeline must not hold the watermark back; a dead connection must not be taken for a quiet one."""

    async def work() -> None:
        async with MastodonServer().serving() as server:

            async def thump(answer: web.StreamResponse) -> None:
                await answer.write(b":thump\n")

            server.plans = [thump]
            begun_ms = now_ms()
            async with following(own_settings, Mastodon(server.url, silence_s=0.3)) as (_, metrics):

                def beats(records: list[Told]) -> bool:
                    return bool(heartbeats(records))

                found = await told(own_settings, RAW, beats)
                await server.listened(2)
                assert metric(metrics, 'reconnects_total{reason="silence"}') >= 1
            beat = heartbeats(found)[0]
            assert beat["heartbeat"] == f"mastodon:{domain(server)}"
            assert begun_ms - own_settings.lateness_ms <= beat["at"] <= now_ms() - own_settings.lateness_ms

    asyncio.run(work())


def test_garbage_is_delivered_and_stops_nothing(own_settings: Settings) -> None:
    """What is no status moves no cursor; what is no event is none."""

    async def work() -> None:
        async with MastodonServer().serving() as server:

            async def garbage(answer: web.StreamResponse) -> None:
                await answer.write(b"\xff\xfe\nretry: soon\n: \x00\nid: 7\nnonsense\n\n")

            server.plans = [garbage]
            bad = [
                b"{",
                b"[" * 3_000,
                b"\xff",
                b'{"id": 12}',
                b'{"id": "\xff"}',
                b'{"id": "../../"}',
                b'{"id":"1","created_at":"soon"}',
            ]
            async with following(own_settings, Mastodon(server.url)):
                await server.listened(1)
                for one in bad:
                    await server.say("update", one)
                await server.say("update", b'"' + b"x" * 2_000_000 + b'"')
                last = await server.post(now_ms() - 5_000)
                found = await told(own_settings, RAW, holds(wrapped(server, last)))
                await told(own_settings, CURSORS, bool)
            came = payloads(found)
            assert came[: len(bad)] == [wrapped(server, one) for one in bad]
            assert came[-1] == wrapped(server, last)
            # The event of 2 MB was cut and refused.
            assert len(came) == len(bad) + 1

    asyncio.run(work())


def test_a_server_is_what_it_says(own_settings: Settings) -> None:
    """Large ones stream on another host, and some give their accounts another name than they are reached by."""

    async def work() -> None:
        async with MastodonServer().serving() as home, MastodonServer().serving() as streams:
            home.streaming_url = streams.url.replace("http:", "ws:")
            home.token = streams.token = "s3cret"
            home.domain = "garden.example"
            async with following(own_settings, Mastodon(home.url, "hashtag:rosen", token="s3cret")):
                await streams.listened(1)
                status = home.make(now_ms() - 5_000)
                await streams.say("update", status)
                await told(own_settings, RAW, holds(wrapped(home, status)))
            assert streams.streams == ["hashtag?tag=rosen"]
            assert home.streams == []
            assert b'"instance":"garden.example"' in wrapped(home, status)

    asyncio.run(work())


def test_a_server_that_asks_to_wait_is_waited_for(own_settings: Settings) -> None:
    """A page that is not given now is given later; one that fails is asked for with the next connection."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            at_ms = now_ms() - 60_000
            await remember(own_settings, Cursor(name(server), status_id(at_ms), at_ms, host(server)))
            missed = await server.post(at_ms + 1_000)
            server.page_answers = [
                web.Response(status=429, headers={"Retry-After": "0"}),
                web.Response(status=429, headers={"X-RateLimit-Reset": "2020-01-01T00:00:00Z"}),
                web.Response(status=502),
                web.Response(body=b"<html>"),
            ]
            async with following(own_settings, Mastodon(server.url)) as (_, metrics):
                found = await told(own_settings, RAW, holds(wrapped(server, missed)))
                assert metric(metrics, 'reconnects_total{reason="refused"}') == 2
            assert payloads(found)[0] == wrapped(server, missed)

    asyncio.run(work())


def test_pages_that_nobody_may_read_are_a_loss_that_is_told(own_settings: Settings) -> None:
    """The stream goes on without them."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            at_ms = now_ms() - 60_000
            await remember(own_settings, Cursor(name(server), status_id(at_ms), at_ms, host(server)))
            server.page_answers = [web.json_response({"error": "This method requires a user"}, status=422)]
            async with following(own_settings, Mastodon(server.url)) as (_, metrics):
                await server.asked_for_pages(1)
                await server.listened(1)
                status = await server.post(now_ms())
                await told(own_settings, RAW, holds(wrapped(server, status)))
                assert metric(metrics, "lost_seconds_total") >= 60

    asyncio.run(work())


def test_a_wrong_token_ends_the_program_in_one_line(own_settings: Settings) -> None:
    """Nobody is there to see it tried again and again."""

    async def work() -> None:
        async with MastodonServer().serving() as server:
            server.token = "s3cret"
            async with following(own_settings, Mastodon(server.url, token="wrong")):
                await asyncio.Event().wait()

    with pytest.raises(ConnectorError, match=r"public: expected a feed, got HTTP 401: .*; check address"):
        asyncio.run(work())


def test_what_is_no_server_or_timeline_is_refused() -> None:
    """Before anything is asked for."""
    with pytest.raises(ConnectorError, match="expected the domain of a server"):
        Mastodon("ftp://example.org")
    for name in ("home", "hashtag:", "hashtag:a/../b", "user"):
        with pytest.raises(ConnectorError, match="expected the stream public, public/local or hashtag:TAG"):
            timeline(name)
