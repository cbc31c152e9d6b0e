"""Check a replay against a real channel: what lies in which partition, in which order, under which key and time."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

import agents.replay as under_test
from agents.broker import BrokerError, read_partition
from agents.log_source import Span
from agents.logs import LogError
from agents.replay import replay
from agents.replay_summary import ReplaySummary
from agents.replay_timing import Pace
from agents.settings import Settings
from schemas.channels import REJECTIONS, SIGNALS, ChannelSpec, named

pytestmark = pytest.mark.kafka

BEGIN_MS = 1_341_388_800_000
PARTITIONS = 4


@pytest.fixture
def settings(own_settings: Settings) -> Settings:
    """Return settings with a namespace of its own for each test, and as many partitions as the tests speak of."""
    return msgspec.structs.replace(own_settings, partitions=PARTITIONS)


class Read(NamedTuple):
    """One record as a consumer sees it."""

    partition: int
    key: bytes
    value: bytes
    timestamp_ms: int


def read_channel(settings: Settings, spec: ChannelSpec = SIGNALS, *, partitions: int = PARTITIONS) -> list[Read]:
    """Return all records of a channel, partition by partition, each in its order."""

    async def read() -> list[Read]:
        found: list[Read] = []
        for partition in range(partitions):
            channel = named(spec, namespace=settings.namespace)
            async for records in read_partition(settings, channel=channel, partition=partition):
                found.extend(Read(partition, one.key, one.value, one.timestamp) for one in records)
        return found

    return asyncio.run(read())


def signal_line(number: int, *, at_ms: int, root: str = "", source: str = "s") -> bytes:
    """Return a signal as a line of a log, with blanks that nobody who encodes it anew would write."""
    fields = {"id": f"t:{number}", "network": "t", "kind": "like", "at": at_ms, "actor": "a", "source": source}
    return json.dumps(fields | ({"root": root} if root else {})).encode()


def written(path: Path, lines: list[bytes]) -> str:
    """Write a log and return its path."""
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def heartbeats(records: list[Read]) -> list[tuple[int, dict[str, Any]]]:
    """Return (partition, heartbeat) of what is one."""
    decoded = ((record.partition, json.loads(record.value)) for record in records if b'"heartbeat"' in record.value)
    return [(partition, value) for partition, value in decoded if "heartbeat" in value]


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_every_line_lies_unchanged_and_in_order_in_the_partition_of_its_key(settings: Settings, tmp_path: Path) -> None:
    """Consumers of the channel and other producers agree on the partition only if all use Kafka's own hash."""
    # Hashes of these keys from the tests of Apache Kafka's own client (UtilsTest.testMurmur2).
    murmur2 = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}
    roots = list(murmur2)
    lines = [signal_line(number, at_ms=BEGIN_MS + number, root=roots[number % 3]) for number in range(300)]

    summary = asyncio.run(replay(settings, written(tmp_path / "log", lines)))

    records = [record for record in read_channel(settings) if b'"heartbeat"' not in record.value]
    for root, number in murmur2.items():
        partition = (number & 0x7FFFFFFF) % PARTITIONS
        mine = [line for line in lines if json.loads(line)["root"] == root]
        assert [record.value for record in records if record.key == root.encode()] == mine
        assert {record.partition for record in records if record.key == root.encode()} == {partition}
    assert all(json.loads(record.value)["at"] == record.timestamp_ms for record in records)
    assert (len(records), summary.lines, summary.signals, summary.refused) == (300, 300, 300, 0)
    assert (summary.first_ms, summary.last_ms, summary.done) == (BEGIN_MS, BEGIN_MS + 299, 1.0)


def test_a_change_that_names_no_conversation_goes_to_every_partition(settings: Settings, tmp_path: Path) -> None:
    """As it does where the normaliser hears of it; it is one signal of the log."""
    like = signal_line(1, at_ms=BEGIN_MS)
    undo = json.dumps(json.loads(like) | {"op": "undo", "at": BEGIN_MS + 1}).encode()
    summary = asyncio.run(replay(settings, written(tmp_path / "log", [like, undo])))

    records = [record for record in read_channel(settings) if record.value == undo]
    assert [(record.partition, record.key) for record in records] == [(n, b"t:1") for n in range(PARTITIONS)]
    assert summary.signals == 2


def test_the_log_ends_at_one_time_in_every_partition(settings: Settings, tmp_path: Path) -> None:
    """Partitions without a signal must come to the end as well, or everything waits for them for ever."""
    lines = [
        signal_line(1, at_ms=BEGIN_MS, source="slow"),
        signal_line(2, at_ms=BEGIN_MS + 70_000, source="fast"),
        signal_line(3, at_ms=BEGIN_MS + 60_000, source="fast"),
    ]

    summary = asyncio.run(replay(settings, written(tmp_path / "log", lines)))

    records = read_channel(settings)
    ends = [(partition, value) for partition, value in heartbeats(records) if value.get("end")]
    assert ends == [
        (partition, {"heartbeat": source, "at": BEGIN_MS + 70_000, "end": True})
        for partition in range(PARTITIONS)
        for source in ("fast", "slow")
    ]
    assert [records[-1].partition, records[-1].key] == [PARTITIONS - 1, b"slow"]
    assert summary.heartbeats == len(heartbeats(records))


def test_heartbeats_promise_no_more_than_was_sent(settings: Settings, tmp_path: Path) -> None:
    """A watermark that runs ahead of the log would make signals late that are not."""
    lines = [
        signal_line(number, at_ms=BEGIN_MS + number * 100 + (number * 37 % 11) * 900, source=f"s{number % 2}")
        for number in range(2_000)
    ]
    reached_ms: dict[str, set[int]] = {"s0": set(), "s1": set()}
    for line in lines:
        signal = json.loads(line)
        largest_ms = max(reached_ms[signal["source"]], default=0)
        reached_ms[signal["source"]].add(max(largest_ms, signal["at"]))

    asyncio.run(replay(settings, written(tmp_path / "log", lines)))

    told = [value for _, value in heartbeats(read_channel(settings)) if not value.get("end")]
    assert len(told) >= 2_000 // under_test.TELL_EVERY_RECORDS * PARTITIONS
    assert all(value["at"] in reached_ms[value["heartbeat"]] for value in told)


def test_what_a_native_log_has_refused_goes_on_as_it_is(settings: Settings, tmp_path: Path) -> None:
    """The worker rejects it, with its place: nothing that was in the log is missing in the channel."""
    refused = [b"not json", b"", b'{"id": "t:9"}', b"\xff\xfe"]
    first, last = signal_line(1, at_ms=BEGIN_MS), signal_line(2, at_ms=BEGIN_MS + 1)

    summary = asyncio.run(replay(settings, written(tmp_path / "log", [first, *refused, last])))

    unkeyed = [record for record in read_channel(settings) if record.key == b""]
    assert [(record.partition, record.value) for record in unkeyed] == [(0, line) for line in refused]
    assert (summary.lines, summary.signals, summary.refused) == (6, 2, 4)


def test_with_pseudonyms_no_line_goes_as_it_is(settings: Settings, tmp_path: Path) -> None:
    """Signals are sent without names, under keys without names, and what is refused is told without its words."""
    key_file = tmp_path / "keys"
    key_file.write_text("1:a secret of this test alone")
    settings = msgspec.structs.replace(settings, pseudonym_key_file=str(key_file))
    line = signal_line(1, at_ms=BEGIN_MS, root="at://canary/1").replace(b'"a"', b'"canary"')
    log = written(tmp_path / "log", [line, b'{"id": "canary"}'])

    summary = asyncio.run(replay(settings, log, format="native"))

    assert (summary.signals, summary.refused) == (1, 1)
    signals, rejections = read_channel(settings), read_channel(settings, REJECTIONS)
    assert len(rejections) == 1
    assert [one.key[:3] for one in signals if b'"kind"' in one.value] == [b"i1."]
    assert not [one for one in signals + rejections if b"canary" in one.key + one.value]


def test_a_heartbeat_of_the_log_goes_to_every_partition(settings: Settings, tmp_path: Path) -> None:
    """It is the progress of its source, whichever partition waits for it."""
    beat = b'{"heartbeat": "clock",  "at": %d}' % (BEGIN_MS + 5_000)

    asyncio.run(replay(settings, written(tmp_path / "log", [signal_line(1, at_ms=BEGIN_MS), beat])))

    records = read_channel(settings)
    assert [record.partition for record in records if record.value == beat] == list(range(PARTITIONS))
    ends = {(value["heartbeat"], value["at"]) for _, value in heartbeats(records) if value.get("end")}
    assert ends == {("clock", BEGIN_MS + 5_000), ("s", BEGIN_MS + 5_000)}


def test_an_erasure_of_the_log_goes_to_every_partition_and_names_nobody_in_its_key(
    settings: Settings, tmp_path: Path
) -> None:
    """Any partition may know the actor; it is no signal, and has no source that would have to end."""
    line = b'{"erase":"ana","network":"t","at":%d}' % (BEGIN_MS + 1)
    log = written(tmp_path / "log.ndjson", [signal_line(1, at_ms=BEGIN_MS), line])
    summary = asyncio.run(replay(settings, log))

    assert (summary.signals, summary.erasures, summary.refused) == (1, 1, 0)
    records = read_channel(settings)
    found = [(one.partition, one.key) for one in records if b'"erase"' in one.value]
    assert found == [(partition, b"erase") for partition in range(PARTITIONS)]
    assert {value["at"] for _, value in heartbeats(records) if value.get("end")} == {BEGIN_MS + 1}


def test_another_format_is_written_anew_and_what_it_refuses_is_told_at_once(settings: Settings, tmp_path: Path) -> None:
    """A line that is no signal in its own format could be one by accident in ours."""
    lines = [b"1 2 1341100972 RT", b"1 2 soon RT", b"3 2 1341100973 RE"]

    summary = asyncio.run(replay(settings, written(tmp_path / "week.txt", lines)))

    signals = [json.loads(one.value) for one in read_channel(settings) if b'"heartbeat"' not in one.value]
    assert [(signal["id"], signal["at"]) for signal in signals] == [
        ("higgs:1:2:1341100972:RT", 1_341_100_972_000),
        ("higgs:3:2:1341100973:RE", 1_341_100_973_000),
    ]
    (rejection,) = [json.loads(record.value) for record in read_channel(settings, REJECTIONS)]
    assert (rejection["reason"], rejection["payload"]) == ("malformed", "1 2 soon RT")
    assert rejection["place"] == {"channel": "week.txt", "partition": 0, "offset": 2}
    assert summary.refused == 1


def test_only_the_span_that_was_asked_for_is_sent(settings: Settings, tmp_path: Path) -> None:
    """From the first instant on, up to the second; a line without a time goes with those before it."""
    lines = [signal_line(0, at_ms=BEGIN_MS), b"?0"]
    lines += [line for n in (1, 2, 3) for line in (signal_line(n, at_ms=BEGIN_MS + n * 1_000), b"?%d" % n)]

    path = written(tmp_path / "log", lines)
    summary = asyncio.run(replay(settings, path, span=Span(BEGIN_MS + 1_000, BEGIN_MS + 3_000)))

    sent = {record.value for record in read_channel(settings) if b'"heartbeat"' not in record.value}
    assert sent == set(lines[2:6])
    assert (summary.signals, summary.refused, summary.skipped) == (2, 2, 4)
    assert (summary.first_ms, summary.last_ms) == (BEGIN_MS + 1_000, BEGIN_MS + 2_000)


def test_a_line_as_long_as_a_log_may_have_reaches_the_worker(settings: Settings, tmp_path: Path) -> None:
    """It is refused there as oversize; here it must not break the replay."""
    endless = b"x" * 1_200_000

    asyncio.run(replay(settings, written(tmp_path / "log", [signal_line(1, at_ms=BEGIN_MS), endless])))

    (found,) = [record.value for record in read_channel(settings) if record.key == b""]
    assert found == endless[: len(found)]
    assert len(found) >= 1_000_000


# --- how it is sent ---------------------------------------------------------------------------------------------------


def test_a_pace_is_kept_by_event_time(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten minutes of log at 60 times their pace take ten seconds, and what came before is sent by then."""
    now_s = 0.0
    seen: list[tuple[float, int]] = []

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    def progress(summary: ReplaySummary) -> None:
        seen.append((round(now_s), summary.signals))

    monkeypatch.setattr(under_test, "Pace", lambda speed: Pace(speed, now_s=lambda: now_s, sleep=sleep))
    lines = [signal_line(number, at_ms=BEGIN_MS + number * 120_000) for number in range(6)]

    asyncio.run(replay(settings, written(tmp_path / "log", lines), speed=60.0, progress=progress))

    # The pause before signal n + 1 is told while n signals are sent.
    assert {count: max(at_s for at_s, sent in seen if sent == count) for count in range(1, 7)} == {
        1: 2,
        2: 4,
        3: 6,
        4: 8,
        5: 10,
        6: 10,
    }


def test_what_was_counted_when_it_is_interrupted_was_sent(settings: Settings, tmp_path: Path) -> None:
    """It says how far it came, and the log has not ended there."""
    lines = [signal_line(number, at_ms=BEGIN_MS + number) for number in range(20_000)]
    path = written(tmp_path / "log", lines)
    counted: list[int] = []

    async def interrupted() -> None:
        def progress(summary: ReplaySummary) -> None:
            if not counted:
                task.cancel()
            counted.append(summary.signals)

        task = asyncio.ensure_future(replay(settings, path, progress=progress))
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(interrupted())

    records = read_channel(settings)
    assert 0 < counted[-1] < 20_000
    assert sum(b'"heartbeat"' not in record.value for record in records) == counted[-1]
    assert not any(value.get("end") for _, value in heartbeats(records))


def test_a_log_that_breaks_off_is_sent_up_to_there_and_not_ended(settings: Settings, tmp_path: Path) -> None:
    """What was read is in the channel; the rest may follow, so nothing is said to be over."""
    lines = [signal_line(number, at_ms=BEGIN_MS + number) for number in range(5_000)]
    path = tmp_path / "log.gz"
    packed = gzip.compress(b"\n".join(lines))
    path.write_bytes(packed[: len(packed) // 2])

    with pytest.raises(LogError, match="expected the rest of gzip data"):
        asyncio.run(replay(settings, str(path)))

    records = read_channel(settings)
    sent = [record.value for record in records if b'"heartbeat"' not in record.value]
    assert sent
    assert set(sent) <= set(lines)
    assert not any(value.get("end") for _, value in heartbeats(records))


def test_a_broker_that_is_away_is_one_line(tmp_path: Path) -> None:
    """Where nothing listens, the error names the address and what to do."""
    path = written(tmp_path / "log", [signal_line(1, at_ms=BEGIN_MS)])

    with pytest.raises(BrokerError, match=r"^Kafka: expected a broker at 127\.0\.0\.1:1, got .*; start one with "):
        asyncio.run(replay(Settings(kafka="127.0.0.1:1"), path))


def test_a_log_that_is_not_there_is_told_before_anything_is_created(tmp_path: Path) -> None:
    """No broker is asked, and no channel is left behind."""
    with pytest.raises(LogError, match="expected a log file, found nothing there"):
        asyncio.run(replay(Settings(kafka="127.0.0.1:1"), str(tmp_path / "none")))
