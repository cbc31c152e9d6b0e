"""Check `overgrowth alerts tail` from a user's side, on a real channel."""

import asyncio
import json
from collections.abc import Sequence

import msgspec
import pytest
from click.testing import CliRunner, Result

from agents.broker import create_channels, send_all, start_producer
from agents.cli import main
from agents.commands.alerts import new_alerts, one_line_json, sentence
from agents.lane import Outgoing
from agents.settings import Settings
from schemas.alert import Alert, Evidence, Span
from schemas.channels import ALERTS, named

kafka = pytest.mark.kafka
AT = "2012-07-04T08:12:00Z"


def alert(number: int, *, summary: str = "cern/higgs has outgrown its seeds.") -> Alert:
    """Return the alert with this id."""
    return Alert(
        id=f"e.{number}",
        episode="e",
        brand="cern",
        topic="higgs",
        state="outgrown",
        status="firing",
        severity=6,
        at=AT,
        since="2012-07-04T06:11:00Z",
        summary=summary,
        conditions=(),
        evidence=Evidence(),
        rules="r",
        span=Span("2012-07-03T08:12:00Z", AT, 48_211),
    )


async def write(settings: Settings, values: Sequence[bytes]) -> None:
    """Put values on the channel of alerts, spread over its partitions."""
    await create_channels(settings)
    channel = named(ALERTS, namespace=settings.namespace)
    producer = await start_producer(settings)
    try:
        records = [
            Outgoing(channel, b"cern/higgs", value, partition=number % settings.partitions)
            for number, value in enumerate(values)
        ]
        for future in await send_all(producer, records):
            await future
    finally:
        await producer.stop()


def tail(url: str, namespace: str, *arguments: str) -> Result:
    """Run `overgrowth alerts tail ...`."""
    where = ["--kafka", url, "--namespace", namespace]
    return CliRunner().invoke(main, ["alerts", "tail", *where, *arguments], prog_name="overgrowth")


@kafka
def test_alerts_are_sentences_each_told_once(kafka_url: str) -> None:
    """An alert that is delivered again, which a crash may cause, is no news."""
    settings = Settings(kafka=kafka_url, namespace="sentences", partitions=2)
    asyncio.run(write(settings, [msgspec.json.encode(alert(number)) for number in (1, 1, 1, 2, 2, 3)]))

    result = tail(kafka_url, "sentences", "--from-beginning", "--count", "3", "--timeout", "60")

    assert result.exit_code == 0
    assert result.stdout == f"{AT}  severity  6  outgrown firing: cern/higgs has outgrown its seeds.\n" * 3
    assert result.stderr == f"watching sentences.social.alerts at {kafka_url} ...\n"


@kafka
def test_what_is_no_alert_is_told_and_passed_over(kafka_url: str) -> None:
    """One wrong record must not hide the alerts behind it."""
    settings = Settings(kafka=kafka_url, namespace="wrong", partitions=1)
    asyncio.run(write(settings, [b"{]", b'{"id": "\xff"}', msgspec.json.encode(alert(1))]))

    result = tail(kafka_url, "wrong", "--from-beginning", "--count", "1", "--timeout", "60")

    assert result.stdout.count("\n") == 1
    place, _, said = result.stderr.splitlines()[1].partition(": ")
    assert place == "wrong.social.alerts, partition 0, offset 0"
    assert said.startswith("expected an alert as JSON, got: JSON is malformed")
    assert "offset 1: expected an alert as JSON, got: 'utf-8' codec can't decode byte 0xff" in result.stderr


@kafka
def test_json_is_the_alert_as_it_was_written(kafka_url: str) -> None:
    """A machine gets every field, those too that this release does not know yet."""
    written = json.loads(msgspec.json.encode(alert(1))) | {"mood": "sunny"}
    settings = Settings(kafka=kafka_url, namespace="json", partitions=1)
    asyncio.run(write(settings, [json.dumps(written, indent=2).encode()]))

    result = tail(kafka_url, "json", "--from-beginning", "--count", "1", "--timeout", "60", "--json")

    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == written


@kafka
def test_only_what_comes_after_the_start_is_shown_unless_asked(kafka_url: str) -> None:
    """Whoever starts to watch wants news, even where the broker tells the end of a channel wrongly."""
    settings = Settings(kafka=kafka_url, namespace="news", partitions=2)
    old, new = ([msgspec.json.encode(alert(number)) for number in numbers] for numbers in (range(1, 41), range(41, 44)))

    async def watch() -> set[str]:
        await write(settings, old)
        several = new_alerts(settings, from_beginning=False)
        first = asyncio.create_task(anext(several))
        # Nothing tells from outside when it listens, so something happens until it hears of it.
        number = 1_000
        while not first.done():
            await write(settings, [msgspec.json.encode(alert(number))])
            number += 1
        seen = {first.result()[1].id}
        await write(settings, new)
        while not {"e.41", "e.42", "e.43"} <= seen:
            seen.add((await anext(several))[1].id)
        await several.aclose()
        return seen

    seen = asyncio.run(asyncio.wait_for(watch(), timeout=60))

    assert not seen & {f"e.{number}" for number in range(1, 41)}


@kafka
def test_the_time_is_up_whether_alerts_came_or_not(kafka_url: str) -> None:
    """A script that waits for an alert must not wait for ever, and that none came is no failure."""
    asyncio.run(create_channels(Settings(kafka=kafka_url, namespace="quiet")))

    result = tail(kafka_url, "quiet", "--timeout", "0.5")

    assert (result.exit_code, result.stdout) == (0, "")


@kafka
def test_a_namespace_that_is_not_there_is_one_line_and_exit_code_1(kafka_url: str) -> None:
    """A misspelt namespace would be silent for ever."""
    result = tail(kafka_url, "nowhere")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "channel nowhere.social.alerts: expected it at" in result.stderr


@pytest.mark.parametrize("arguments", [("--count", "0"), ("--timeout", "-1"), ("--timeout", "soon")])
def test_wrong_use_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Wrong use is told apart from failure."""
    assert tail("127.0.0.1:1", "x", *arguments).exit_code == 2


def test_what_a_post_was_called_cannot_steer_the_terminal() -> None:
    """Root ids come from the network and are part of the summary."""
    line = sentence(alert(1, summary="root \x1b[2J\r\n\u202egone"))

    assert line.isprintable()
    assert line.endswith("root \ufffd[2J\ufffd\ufffd\ufffdgone")


def test_json_over_several_lines_becomes_one_line() -> None:
    """One alert is one line, whoever wrote it."""
    assert one_line_json(b'{\n  "id": "e.1",\n  "new": [1, 2]\n}') == '{"id":"e.1","new":[1,2]}'
