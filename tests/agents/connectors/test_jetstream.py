"""Check the Jetstream connector on a server that speaks both versions: cuts, silence, garbage, old cursors, a crash."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import WSMsgType
from hypothesis import given
from hypothesis import strategies as st

from agents.connectors.cursors import CursorWriter, read_cursor
from agents.connectors.errors import ConnectorError
from agents.connectors.jetstream import (
    LOOK_BACK_MS,
    REWIND_ELSEWHERE_US,
    REWIND_US,
    TIME_US_MIN,
    Filters,
    Jetstream,
    Version,
    place_in_first,
)
from agents.connectors.program import now_ms
from agents.settings import Settings
from schemas.channels import CURSORS, raw_channel
from schemas.cursor import Cursor
from schemas.signal import Signal
from streams.networks import NETWORKS
from streams.networks.bluesky import SOURCE
from streams.networks.refusal import Refusal
from tests.agents.connectors.jetstream_server import Event, JetstreamServer, cut_after, garbage_after, trained
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

RAW = raw_channel("bluesky")

to_json = msgspec.json.Encoder().encode

VERSIONS: tuple[Version, ...] = ("v1", "v2")
both_versions = pytest.mark.parametrize("version", VERSIONS)


def frames(server: JetstreamServer, version: Version) -> list[bytes]:
    """Return the log of a server as its frames."""
    return [Event.first(event) if version == "v1" else Event.second(event) for event in server.log]


def seconds_ago_us(seconds: int) -> int:
    """Return an instant."""
    return (now_ms() - seconds * 1000) * 1000


def _objects(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return objects with the keys that frames have."""
    keys = st.sampled_from(["time_us", "$type", "payload", "seq", "time", "witnessedAt", "name"])
    return st.dictionaries(keys, values, max_size=4)


async def remember(settings: Settings, cursor: Cursor) -> None:
    """Leave a cursor, as an earlier connector would."""
    await prepared(settings, "bluesky")
    async with producing(settings) as producer:
        await CursorWriter(settings, producer, None).write(cursor)


def cursor_at(server: JetstreamServer, event: Event, version: Version) -> Cursor:
    """Return the cursor of an event of this server."""
    position = event.time_us if version == "v1" else event.seq
    return Cursor(SOURCE, str(position), event.time_us // 1000, server.url.removeprefix("ws://"))


@both_versions
def test_what_is_cut_off_in_the_middle_goes_on_without_loss(own_settings: Settings, version: Version) -> None:
    """A time is taken back a little, and a number begins with itself, so some come twice: their ids tell."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            server.plans = [cut_after(3), cut_after(2)]
            feed = Jetstream([server.url], version=version)
            async with following(own_settings, feed) as (_, metrics):
                await server.asked_times(1)
                await server.say(10, begin_us=seconds_ago_us(60))
                found = await told(own_settings, RAW, holds(*frames(server, version)))
                cuts = metric(metrics, 'reconnects_total{reason="closed"}')

            wanted = frames(server, version)
            came = payloads(found)
            assert list(dict.fromkeys(came)) == wanted
            assert cuts == 2
            assert len({record.partition for record in found}) == 1
            asked = [int(query.get("cursor", 0)) for query in server.asked]
            # Three were delivered at the first cut.
            third = server.log[2]
            assert asked[1] == (third.time_us - REWIND_US if version == "v1" else third.seq)

    asyncio.run(work())


@both_versions
def test_the_cursor_is_that_of_the_last_event_and_the_next_connector_goes_on_from_it(
    own_settings: Settings, version: Version
) -> None:
    """It is written behind what it covers."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            feed = Jetstream([server.url], version=version)
            async with following(own_settings, feed):
                await server.asked_times(1)
                await server.say(5, begin_us=seconds_ago_us(60))
                await told(own_settings, RAW, holds(*frames(server, version)))
            cursor = await read_cursor(own_settings, SOURCE)
            assert cursor == cursor_at(server, server.log[4], version)

            await server.say(5, begin_us=seconds_ago_us(20))
            async with following(own_settings, Jetstream([server.url], version=version)):
                found = await told(own_settings, RAW, holds(*frames(server, version)))
            assert list(dict.fromkeys(payloads(found))) == frames(server, version)

    asyncio.run(work())


def test_heartbeats_follow_what_they_speak_of_and_are_late_enough(own_settings: Settings) -> None:
    """They say how far the feed has come, less the allowed lateness, in the partition of the payloads, behind them."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            async with following(own_settings, Jetstream([server.url])):
                await server.asked_times(1)
                await server.say(4, begin_us=seconds_ago_us(60), step_us=1_000_000)
                last_ms = server.log[3].time_us // 1000

                def is_told(records: list[Told]) -> bool:
                    return any(beat["at"] == last_ms - own_settings.lateness_ms for beat in heartbeats(records))

                found = await told(own_settings, RAW, is_told)

            said = [NETWORKS["bluesky"].normalize(payload, None) for payload in payloads(found)]
            acts = [one for signals in said if not isinstance(signals, Refusal) for one in signals]
            sources = {act.source for act in acts if isinstance(act, Signal)}
            assert {beat["heartbeat"] for beat in heartbeats(found)} == sources == {SOURCE}
            assert not any("end" in beat for beat in heartbeats(found))
            came_ms = 0
            for record in found:
                if payloads([record]):
                    came_ms = next(e.time_us // 1000 for e in server.log if e.first() == record.value)
                else:
                    assert heartbeats([record])[0]["at"] <= came_ms - own_settings.lateness_ms
            assert len({(record.partition, record.key) for record in found}) == 1

    asyncio.run(work())


@both_versions
def test_garbage_is_delivered_as_it_came_and_moves_no_cursor(own_settings: Settings, version: Version) -> None:
    """Each becomes one rejection in the worker; the connector goes on."""
    garbage = [
        (b"\xff\xfe", WSMsgType.TEXT),
        (b"{", WSMsgType.TEXT),
        (b"[" * 5_000, WSMsgType.TEXT),
        (b"\x00\x01", WSMsgType.BINARY),
        (b'{"time_us":1,"$type":"\xff","payload":{"$type":"\xff","time":"\xff"}}', WSMsgType.TEXT),
        (b'{"time_us": "soon", "$type": 1}', WSMsgType.TEXT),
        (b'{"time_us": 99999999999999999999, "payload": {"seq": -1}}', WSMsgType.TEXT),
        (b'{"time_us": 9999999999999999, "payload": {"seq": 7, "time": "9999-01-01T00:00:00Z"}}', WSMsgType.TEXT),
    ]

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            server.plans = [garbage_after(1, list(garbage))]
            async with following(own_settings, Jetstream([server.url], version=version)) as (_, metrics):
                await server.asked_times(1)
                await server.say(1, begin_us=seconds_ago_us(60))
                found = await told(own_settings, RAW, holds(*frames(server, version), *(bad for bad, _ in garbage)))
                assert metric(metrics, 'reconnects_total{reason="closed"}') == 0
                await told(own_settings, CURSORS, bool)
            assert payloads(found) == [*frames(server, version), *(bad for bad, _ in garbage)]
            assert await read_cursor(own_settings, SOURCE) == cursor_at(server, server.log[0], version)

    asyncio.run(work())


@given(
    st.binary(max_size=60) | st.recursive(st.none() | st.integers() | st.text(), _objects, max_leaves=6).map(to_json)
)
def test_any_bytes_have_a_place_or_none(payload: bytes) -> None:
    """Whatever a server sends, a cursor is a number of its own kind."""
    feed = Jetstream(version="v2")
    position, _ = place_in_first(payload)
    second = feed._place_in_second(payload, None, asked_seq=False)

    assert position == "" or int(position) >= TIME_US_MIN
    assert second is None or second[0] == "" or 0 < int(second[0]) < TIME_US_MIN


def test_frames_of_the_second_version_are_unpacked(own_settings: Settings) -> None:
    """With the dictionary that the server has; what is not packed with it is delivered as it came."""
    garbage = b"\x28\xb5\x2f\xfd garbage"

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            server.dictionary = trained()
            server.plans = [garbage_after(1, [(garbage, WSMsgType.BINARY)])]
            async with following(own_settings, Jetstream([server.url], version="v2")):
                await server.asked_times(1)
                await server.say(2, begin_us=seconds_ago_us(60))
                found = await told(own_settings, RAW, holds(*frames(server, "v2")))
            assert payloads(found) == [frames(server, "v2")[0], garbage, frames(server, "v2")[1]]
            assert server.asked[0]["zstdDictionary"] == str(server.dictionary.dict_id())

    asyncio.run(work())


def test_silence_is_a_cut(own_settings: Settings) -> None:
    """A connection can be dead without a word; the next server is asked then."""

    async def work() -> None:
        async with JetstreamServer().serving() as quiet, JetstreamServer().serving() as server:
            await server.say(1, begin_us=seconds_ago_us(60))
            feed = Jetstream([quiet.url, server.url], silence_s=0.1)
            async with following(own_settings, feed) as (_, metrics):
                await server.asked_times(1)
                assert metric(metrics, 'reconnects_total{reason="silence"}') >= 1

    asyncio.run(work())


def test_an_error_frame_ends_the_connection_and_is_no_payload(own_settings: Settings) -> None:
    """It speaks of the connection; the next one goes on where it was."""
    error = b'{"$type":"error","error":"ConsumerTooSlow","message":"read faster"}'

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            server.plans = [garbage_after(2, [(error, WSMsgType.TEXT)])]
            async with following(own_settings, Jetstream([server.url], version="v2")) as (_, metrics):
                await server.asked_times(1)
                await server.say(3, begin_us=seconds_ago_us(60))
                found = await told(own_settings, RAW, holds(*frames(server, "v2")))
                assert metric(metrics, 'reconnects_total{reason="error_frame"}') == 1
            assert error not in payloads(found)

    asyncio.run(work())


@both_versions
def test_what_the_server_has_no_more_is_counted_and_the_oldest_is_gone_on_from(
    own_settings: Settings, version: Version
) -> None:
    """The first version clamps without a word, the second one refuses a number and clamps a time."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            begin_us = (now_ms() - LOOK_BACK_MS - 3_600_000) * 1000
            await server.say(10, begin_us=begin_us, step_us=600_000_000)
            server.floor = 8
            await remember(own_settings, cursor_at(server, server.log[2], version))
            async with following(own_settings, Jetstream([server.url], version=version)) as (_, metrics):
                found = await told(own_settings, RAW, holds(*frames(server, version)[8:]))
                lost_s = metric(metrics, "lost_seconds_total")
            assert payloads(found) == frames(server, version)[8:]
            # Events 2 and 8 lie six steps of ten minutes apart.
            assert lost_s == 3_600

    asyncio.run(work())


def test_a_number_of_another_server_is_not_taken_for_one_of_this(own_settings: Settings) -> None:
    """Each server counts for itself, so elsewhere, or where it began anew, the time has to do."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            await server.say(3, begin_us=seconds_ago_us(30))
            at_ms = server.log[0].time_us // 1000
            await remember(own_settings, Cursor(SOURCE, "2", at_ms, "elsewhere:443"))
            async with following(own_settings, Jetstream([server.url], version="v2")):
                await told(own_settings, RAW, holds(*frames(server, "v2")))
            # The same name, but a log that began anew: it says that the number lies in the future.
            await remember(own_settings, Cursor(SOURCE, "5000", at_ms, server.url.removeprefix("ws://")))
            async with following(own_settings, Jetstream([server.url], version="v2")):
                await server.asked_times(3)
            asked = [query["cursor"] for query in server.asked]
            assert asked[:2] == [str(at_ms * 1000 - REWIND_ELSEWHERE_US), "5000"]
            assert asked[2] == str(at_ms * 1000 - REWIND_US)

    asyncio.run(work())


@both_versions
def test_filters_are_told_in_the_words_of_the_version(own_settings: Settings, version: Version) -> None:
    """The second version refuses the words of the first one."""

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            filters = Filters(("app.bsky.feed.post",), ("did:plc:a", "did:plc:b"))
            async with following(own_settings, Jetstream([server.url], version=version, filters=filters)):
                await server.asked_times(1)
                await server.say(1, begin_us=seconds_ago_us(9), did="did:plc:c")
                await server.say(1, begin_us=seconds_ago_us(8), did="did:plc:b")
                found = await told(own_settings, RAW, holds(frames(server, version)[1]))
            assert payloads(found) == frames(server, version)[1:]

    asyncio.run(work())


def test_thousands_of_accounts_are_told_in_a_message(own_settings: Settings) -> None:
    """No address holds them; the second version has no messages and takes them there all the same."""
    dids = [f"did:plc:{number:024}" for number in range(10_000)]

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            async with following(own_settings, Jetstream([server.url], filters=Filters(dids=dids))):
                await server.asked_times(1)
                await server.say(1, begin_us=seconds_ago_us(9), did="did:plc:c")
                await server.say(1, begin_us=seconds_ago_us(8), did=dids[-1])
                found = await told(own_settings, RAW, holds(frames(server, "v1")[1]))
            assert payloads(found) == frames(server, "v1")[1:]
            assert server.hellos[0]["payload"]["wantedDids"] == dids

    asyncio.run(work())
    with pytest.raises(ConnectorError, match="expected at most 10000 DIDs, got 10001"):
        Jetstream(filters=Filters(dids=[*dids, "did:plc:x"]))


def test_a_server_that_is_none_ends_the_program_in_one_line(own_settings: Settings) -> None:
    """An address that was never right will not become so."""

    async def work() -> None:
        async with (
            JetstreamServer().serving() as server,
            following(own_settings, Jetstream([f"{server.url}/elsewhere"])),
        ):
            await asyncio.Event().wait()

    with pytest.raises(ConnectorError, match="bluesky-jetstream: expected a feed, got HTTP 404"):
        asyncio.run(work())
    with pytest.raises(ConnectorError, match="expected a server such as wss://"):
        Jetstream(["example.org"])


def test_a_killed_connector_goes_on_without_loss(own_settings: Settings, project_root: Path) -> None:
    """SIGKILL leaves no time for anything; what was taken since the last cursor comes again. SIGTERM leaves nothing."""
    environment = {
        **os.environ,
        "OVERGROWTH_KAFKA": own_settings.kafka,
        "OVERGROWTH_NAMESPACE": own_settings.namespace,
        "OVERGROWTH_PARTITIONS": str(own_settings.partitions),
    }

    async def start(server: JetstreamServer) -> asyncio.subprocess.Process:
        command = ("-m", "agents.cli", "connect", "jetstream", "--server", server.url)
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, env=environment, cwd=project_root, stderr=asyncio.subprocess.DEVNULL
        )

    async def work() -> None:
        async with JetstreamServer().serving() as server:
            process = await start(server)
            await server.asked_times(1)
            await server.say(1_000, begin_us=seconds_ago_us(600))
            await told(own_settings, CURSORS, bool)
            # The cursor is a second old at most, so some of these are covered by it and some are not.
            await server.say(1_000, begin_us=seconds_ago_us(300))
            await told(own_settings, RAW, holds(frames(server, "v1")[1_500]))
            process.send_signal(signal.SIGKILL)
            await process.wait()

            await server.say(1_000, begin_us=seconds_ago_us(100))
            process = await start(server)
            found = await told(own_settings, RAW, holds(*frames(server, "v1")))
            process.terminate()
            assert await process.wait() == 0
            assert list(dict.fromkeys(payloads(found))) == frames(server, "v1")
            assert await read_cursor(own_settings, SOURCE) == cursor_at(server, server.log[-1], "v1")

    asyncio.run(work())
