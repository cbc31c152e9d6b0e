"""Claims about the ACLs of deploy/security on a real Kafka that denies by default: all that is needed, and no more."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError, for_code
from aiokafka.protocol.admin import CreateAclsRequest

from agents.broker import client_options, create_channels, send_all, start_producer
from agents.lane import Outgoing
from agents.registry import publish_topics
from agents.settings import Settings
from agents.stack import Stack
from schemas.channels import ALERTS, REJECTIONS, SIGNALS, TOPICS, VITALS, named, raw_channel
from schemas.signal import Heartbeat
from tests.agents.secured_servers import DEPLOY_SECURITY, Certificates, SecuredKafka
from tests.integration.worker_trial import SOURCE, TOPIC, Trial, made_signals, to_json, told_by_one_process

MISSING = [program for program in ("java", "mvn", "openssl") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.usefixtures("tls_cut_short"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason=f"a secured Kafka needs {' and '.join(MISSING)}, not found on the PATH"),
]

NAMESPACE = "acl"
WITHIN_S = 20.0
# Kafka's codes of resources, patterns and operations.
_RESOURCES = {"--topic": 2, "--group": 3}
_PATTERNS = {"literal": 3, "prefixed": 4}
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Describe": 8}
_ALLOW = 3


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Run a Kafka that denies by default, with the ACLs that the script asks for, and a Valkey."""
    folder = tmp_path_factory.mktemp("acls")
    made = Stack("real")
    made.kafka = SecuredKafka(Certificates(folder), tmp_path_factory.mktemp("kafka"))
    with made:
        asyncio.run(grant(made.kafka_url, commands_of_the_script(folder)))
        yield made


@pytest.fixture(scope="module")
def clients(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Settings]:
    """Return what gives the settings of a client under one of the script's principals."""
    kafka, folder = stack.kafka, tmp_path_factory.mktemp("clients")
    assert isinstance(kafka, SecuredKafka)
    return lambda user: kafka.settings_of(f"overgrowth-{user}", folder, namespace=NAMESPACE, partitions=4)


@pytest.fixture(scope="module")
def channels(clients: Callable[[str], Settings]) -> None:
    """Create the channels and declare a topic, under the principal that may."""

    async def work() -> None:
        settings = clients("channels")
        await create_channels(settings)
        producer = await start_producer(settings)
        await publish_topics(settings, producer, [TOPIC], known=())
        await producer.stop()

    asyncio.run(work())


def commands_of_the_script(folder: Path) -> list[list[str]]:
    """Run the script with a tool in place of Kafka's own that writes down what it is asked for."""
    tool, told = folder / "kafka-acls", folder / "told"
    tool.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" "" >> {told}\n')
    tool.chmod(0o755)
    subprocess.run(
        [str(DEPLOY_SECURITY / "kafka-acls.sh"), "broker:9092", "admin.properties"],
        env=os.environ | {"KAFKA_ACLS": str(tool), "NAMESPACE": NAMESPACE},
        check=True,
        timeout=WITHIN_S,
    )
    return [command.split("\n") for command in told.read_text().strip("\n").split("\n\n")]


async def grant(url: str, commands: Sequence[Sequence[str]]) -> None:
    """Do on the broker what Kafka's tool would do: one rule for each operation on each resource."""
    admin = AIOKafkaAdminClient(bootstrap_servers=url)
    await admin.start()
    for command in commands:
        assert command[:4] == ["--bootstrap-server", "broker:9092", "--command-config", "admin.properties"]
        assert command[4:6] == ["--add", "--force"]
        pairs = list(zip(command[6::2], command[7::2], strict=True))
        given = dict(pairs)
        for option, name in pairs:
            for operation in [value for key, value in pairs if key == "--operation"]:
                if option in _RESOURCES:
                    rule = (_RESOURCES[option], name, _PATTERNS[given["--resource-pattern-type"]])
                    who = (given["--allow-principal"], "*", _OPERATIONS[operation], _ALLOW)
                    answer = await admin._send_request(CreateAclsRequest(*rule, *who))
                    assert [code for code, *_ in answer.creation_responses] == [0]
    await admin.close()


async def send(settings: Settings, outgoing: Sequence[Outgoing]) -> None:
    """Send records and wait until they are there."""
    producer = await start_producer(settings)
    try:
        await asyncio.wait_for(asyncio.gather(*await send_all(producer, outgoing)), WITHIN_S)
    finally:
        await producer.stop()


async def read(settings: Settings, channel: str, *, group: str | None = None) -> list[Any]:
    """Read the first records of a channel, in a group or without."""
    # Of a channel that it may not know of, a consumer without a group goes on asking for ever.
    await administer(settings, lambda admin: admin.describe_topics([channel]))
    options = client_options(settings) | {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = AIOKafkaConsumer(group_id=group, **options)
    await consumer.start()
    try:
        if group is None:
            consumer.assign([TopicPartition(channel, number) for number in range(4)])
        else:
            consumer.subscribe([channel])
        async with asyncio.timeout(WITHIN_S):
            while not (fetched := await consumer.getmany(timeout_ms=200)):
                pass
        return [record for records in fetched.values() for record in records]
    finally:
        await consumer.stop()


async def administer(settings: Settings, work: Callable[[AIOKafkaAdminClient], Awaitable[Any]]) -> None:
    """Raise what the broker answers to a call of an administrator."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    await admin.start()
    try:
        answer = await work(admin)
    finally:
        await admin.close()
    for code in codes_of(answer):
        if code:
            raise for_code(code)


def codes_of(answer: Any) -> list[int]:
    """Return the error codes of an answer about channels."""
    if isinstance(answer, list):
        return [entry["error_code"] for entry in answer]
    return [code for _, code, *_ in getattr(answer, "topic_errors", None) or answer.topic_error_codes]


def test_the_pipeline_works_under_its_acls(
    stack: Stack, clients: Callable[[str], Settings], channels: None, tmp_path: Path
) -> None:
    """A connector writes payloads, the worker tells what one process tells, a subscriber reads the alerts."""
    trial = Trial(stack, NAMESPACE, tmp_path)
    worker = {
        name: str(value)
        for name, value in msgspec.structs.asdict(clients("worker")).items()
        if name.startswith("kafka")
    }
    signals = made_signals()
    last_ms = max(signal.at for signal in signals)
    raw = trial.name(raw_channel("native"))
    payloads = [*map(to_json, signals), b"poison", to_json(Heartbeat(SOURCE, last_ms, end=True))]
    asyncio.run(
        send(clients("connector"), [Outgoing(raw, b"", one, partition=0, timestamp_ms=last_ms) for one in payloads])
    )
    trial.start(**worker)
    try:
        trial.await_passed(last_ms)
        trial.wait(lambda: len(trial.records(REJECTIONS)) == 1, "the rejection")
        trial.wait(lambda: not trial.uncommitted(), "everything committed")
        assert trial.stop() == 0
        # A second start recovers from the tables, which must be read, too.
        trial.start(**worker)
        trial.wait(lambda: trial.page("ready")[0] == 200, "/ready")
        assert trial.stop() == 0
    finally:
        trial.kill()
    assert trial.told() == told_by_one_process(signals)
    heard = asyncio.run(read(clients("subscriber"), trial.name(ALERTS), group="subscriber-of-alerts"))
    assert {record.value for record in heard} <= set(trial.told().alerts)
    assert heard


@pytest.mark.parametrize(
    ("user", "channel"),
    [
        ("worker", raw_channel("native")),
        ("worker", TOPICS),
        ("connector", ALERTS),
        ("connector", TOPICS),
        ("channels", SIGNALS),
        ("subscriber", ALERTS),
        ("subscriber", SIGNALS),
        ("spy", SIGNALS),
    ],
)
def test_nobody_writes_what_is_not_theirs(
    clients: Callable[[str], Settings], channels: None, user: str, channel: Any
) -> None:
    """An alert that a subscriber could write would be nobody's finding."""
    name = named(channel, namespace=NAMESPACE)
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(send(clients(user), [Outgoing(name, b"", b"{}", partition=0)]))


@pytest.mark.parametrize(
    ("user", "channel"),
    [
        ("connector", raw_channel("native")),
        ("connector", SIGNALS),
        ("subscriber", raw_channel("native")),
        ("subscriber", SIGNALS),
        ("subscriber", REJECTIONS),
        ("channels", SIGNALS),
        ("spy", VITALS),
    ],
)
def test_nobody_reads_what_is_not_theirs(
    clients: Callable[[str], Settings], channels: None, user: str, channel: Any
) -> None:
    """What people said is for the workers alone."""
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(read(clients(user), named(channel, namespace=NAMESPACE)))


def test_a_subscriber_cannot_join_the_group_of_the_workers(clients: Callable[[str], Settings], channels: None) -> None:
    """It would take partitions away from them."""
    settings = clients("subscriber")
    with pytest.raises(GroupAuthorizationFailedError):
        asyncio.run(read(settings, named(ALERTS, namespace=NAMESPACE), group=settings.group))


@pytest.mark.parametrize("user", ["worker", "channels", "connector", "subscriber"])
def test_nobody_deletes_a_channel(clients: Callable[[str], Settings], channels: None, user: str) -> None:
    """Not even who created it."""
    name = named(ALERTS, namespace=NAMESPACE)
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(administer(clients(user), lambda admin: admin.delete_topics([name])))


@pytest.mark.parametrize(
    ("user", "name"),
    [
        ("worker", f"{NAMESPACE}.social.more"),
        ("connector", f"{NAMESPACE}.social.raw.more"),
        ("subscriber", "subscriber-more"),
        ("channels", "other.social.more"),
    ],
)
def test_nobody_creates_a_channel_but_the_one_job_in_its_namespace(
    clients: Callable[[str], Settings], channels: None, user: str, name: str
) -> None:
    """A typing error in a worker's settings must not make an installation of its own."""
    wanted = NewTopic(name, num_partitions=1, replication_factor=1)
    with pytest.raises(TopicAuthorizationFailedError):
        asyncio.run(administer(clients(user), lambda admin: admin.create_topics([wanted])))
