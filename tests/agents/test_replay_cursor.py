"""Check that a replay that was interrupted goes on where it was, and sends what the whole would have sent."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import agents.replay as replaying
from agents.broker import create_channels, read_partition
from agents.connectors.cursors import read_cursor
from agents.log_source import FileSource, Span, open_source
from agents.logs import LogError, read_signals
from agents.replay import replay
from agents.replay_cursor import feed_of
from agents.replay_summary import ReplaySummary
from agents.settings import Settings
from schemas.channels import SIGNALS, named

pytestmark = pytest.mark.kafka

BEGIN_MS = 1_341_388_800_000
SIGNALS_SENT = 12_000
PARTITIONS = 3


@pytest.fixture
def settings(own_settings: Settings) -> Settings:
    """Return settings with a namespace of its own for each test, and as many partitions as the tests speak of."""
    return msgspec.structs.replace(own_settings, partitions=PARTITIONS)


@pytest.fixture
def log(tmp_path: Path) -> str:
    """Return a log of two sources, one of which lies behind and speaks once only, with a wrong line now and then."""
    lines = []
    for number in range(SIGNALS_SENT):
        source = "once" if number == 0 else "s"
        fields: dict[str, Any] = {"id": f"t:{number}", "network": "t", "kind": "like", "actor": "a", "source": source}
        fields |= {"at": BEGIN_MS + number * 50, "root": f"r{number % 97}"}
        lines.append(json.dumps(fields) if number % 1_000 != 999 else "not JSON")
    path = tmp_path / "log"
    path.write_text("\n".join(lines))
    return str(path)


def records(settings: Settings) -> list[list[bytes]]:
    """Return what lies in each partition of the signals of a namespace."""

    async def read() -> list[list[bytes]]:
        channel = named(SIGNALS, namespace=settings.namespace)
        return [
            [
                one.value
                async for batch in read_partition(settings, channel=channel, partition=partition)
                for one in batch
            ]
            for partition in range(PARTITIONS)
        ]

    return asyncio.run(read())


def without_heartbeats(partitions: list[list[bytes]]) -> list[list[bytes]]:
    """Leave out what does not come from the log."""
    return [[value for value in values if not value.startswith(b'{"heartbeat"')] for values in partitions]


def ends(partitions: list[list[bytes]]) -> list[list[Any]]:
    """Return what ends the sources of each partition."""
    return [[json.loads(value) for value in values if b'"end":true' in value] for values in partitions]


def interrupted(settings: Settings, log: str, *, at: int, **options: Any) -> ReplaySummary:
    """Cancel a replay as Ctrl-C does, once it has sent so many signals; return what it said at last."""
    said: list[ReplaySummary] = []

    async def work() -> None:
        def progress(summary: ReplaySummary) -> None:
            if summary.lines >= at and not said:
                task.cancel()
                said.append(summary)

        task = asyncio.ensure_future(replay(settings, log, progress=progress, **options))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(work())
    return said[0]


def test_gone_on_with_it_sends_what_the_whole_would_have_sent(settings: Settings, log: str) -> None:
    """Interrupted twice, each signal lies in its partition once, in order, and every source is ended at one time."""
    whole = Settings(kafka=settings.kafka, namespace=f"{settings.namespace}w", partitions=PARTITIONS)
    asyncio.run(replay(whole, log))

    first = interrupted(settings, log, at=2_000)
    second = interrupted(settings, log, at=first.lines + 2_000, resume=True)
    last = asyncio.run(replay(settings, log, resume=True))

    assert 0 < first.lines < second.lines < SIGNALS_SENT == last.lines
    assert (second.resumed, last.resumed) == (first.lines, second.lines)
    assert first.signals + second.signals + last.signals == SIGNALS_SENT * 999 // 1_000
    found, expected = records(settings), records(whole)
    assert without_heartbeats(found) == without_heartbeats(expected)
    assert ends(found) == ends(expected)
    assert {end["heartbeat"] for values in ends(found) for end in values} == {"once", "s"}


def test_a_span_of_a_channel_is_gone_on_with_up_to_its_first_end(settings: Settings, log: str) -> None:
    """The channel has grown meanwhile; the replay is of what it held when that began."""
    asyncio.run(replay(settings, log))
    channel = f"kafka:{named(SIGNALS, namespace=settings.namespace)}"
    copy = Settings(kafka=settings.kafka, namespace=f"{settings.namespace}c", partitions=PARTITIONS)

    first = interrupted(copy, channel, at=3_000)
    asyncio.run(replay(settings, log))
    asyncio.run(replay(copy, channel, resume=True))

    (twice, once) = (without_heartbeats(records(one)) for one in (settings, copy))
    assert 0 < first.signals < SIGNALS_SENT
    assert [values + values for values in once] == twice


def test_it_is_written_down_while_a_slow_log_waits(
    settings: Settings, log: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that goes down in a long pause must not cost the whole log."""
    monkeypatch.setattr(replaying, "REMEMBER_EVERY_S", 0.0)
    positions: list[str] = []

    async def work() -> None:
        await create_channels(settings)
        source = FileSource(read_signals(log))
        feed = feed_of(source, Span())
        await source.close()
        assert feed is not None

        async def look() -> None:
            while not positions:
                cursor = await read_cursor(settings, feed)
                positions.extend([cursor.position] if cursor is not None else [])
            task.cancel()

        task = asyncio.ensure_future(replay(settings, log, speed=0.001))
        await asyncio.gather(task, asyncio.wait_for(look(), 20), return_exceptions=True)

    asyncio.run(work())

    assert json.loads(positions[0]) == {"entries": 1}


def test_what_cannot_be_gone_on_with_is_one_line(settings: Settings, log: str, tmp_path: Path) -> None:
    """Nothing was interrupted, it came to its end, another span of it was sent, or it can be read only once."""
    small = tmp_path / "small"
    small.write_bytes(Path(log).read_bytes()[:5_000])

    with pytest.raises(LogError, match=r"expected an interrupted replay .* with the same .*, got none; without "):
        asyncio.run(replay(settings, str(small), resume=True))
    asyncio.run(replay(settings, str(small)))
    with pytest.raises(LogError, match=r"expected an interrupted replay of it into .*, got one that came to the end"):
        asyncio.run(replay(settings, str(small), resume=True))
    with pytest.raises(LogError, match="got none; without --resume"):
        asyncio.run(replay(settings, str(small), resume=True, span=Span(from_ms=1)))
    with pytest.raises(LogError, match="expected a file or a channel to resume, got what can be read only once"):
        asyncio.run(replay(settings, "/dev/null", format="native", resume=True))


def test_how_fast_it_was_sent_does_not_make_it_another_replay(log: str) -> None:
    """What was begun at a pace may be finished at full speed; what is asked for of the log must be the same."""

    async def feed(span: Span) -> str | None:
        source = await open_source(Settings(), log, None, span)
        await source.close()
        return feed_of(source, span)

    feeds = [asyncio.run(feed(span)) for span in (Span(), Span(), Span(from_ms=1), Span(to_ms=1))]

    assert feeds[0] == feeds[1]
    assert len(dict.fromkeys(feeds)) == 3
