"""A real Apache Kafka 4.x: one node in KRaft mode, its log in a directory, so that the log survives a restart."""

import base64
import subprocess
import uuid
from pathlib import Path
from typing import ClassVar

from agents.stack.errors import StackError
from agents.stack.kafka_jars import Say, find_java, kafka_jars
from agents.stack.ports import LOOPBACK
from agents.stack.readiness import kafka_answers
from agents.stack.server import Server

FORMAT_WITHIN_S = 60.0

# One node on a small machine: no waiting for members who never come, one replica, few internal partitions.
_SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # Channels are made by us with the settings that they need, never by a typing error.
    "auto.create.topics.enable": "false",
}


class ApacheKafka(Server):
    """A real Apache Kafka; its log lies in `<directory>/kafka-data` and is there again after a new start.

    A start after `kill` takes some 9 s longer than one after `stop`: the controller first waits out the session of the
    broker that died (broker.session.timeout.ms, left as it is: a shorter one fences the only broker on a busy machine).

    `say` receives one line every few seconds while Maven fetches the jars, which happens once per machine.

    >>> with ApacheKafka() as kafka:  # doctest: +SKIP
    ...     kafka.kill()
    ...     kafka.start()
    """

    name: ClassVar[str] = "Apache Kafka"
    log_name: ClassVar[str] = "kafka.log"
    ready_within_s: ClassVar[float] = 120.0
    grace_s: ClassVar[float] = 20.0
    # The controller's.
    extra_ports: ClassVar[int] = 1

    def __init__(
        self,
        *,
        directory: Path | None = None,
        port: int | None = None,
        detached: bool = False,
        say: Say = lambda line: None,
    ) -> None:
        super().__init__(directory=directory, port=port, detached=detached)
        self._say = say
        self._java = ""
        self._class_path = ""

    def _prepare(self, directory: Path) -> None:
        self._java = find_java()
        self._class_path = str(kafka_jars(say=self._say) / "*")

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        data = directory / "kafka-data"
        properties = directory / "kafka.properties"
        settings = self._settings(directory, ports) | {"log.dirs": str(data)}
        properties.write_text("".join(f"{key}={value}\n" for key, value in settings.items()), encoding="utf-8")
        if not (data / "meta.properties").exists():
            self._format(properties)
        return [*self._program(heap="512m"), "kafka.Kafka", str(properties)]

    def _settings(self, directory: Path, ports: list[int]) -> dict[str, str]:
        """Return what the broker is set to, but for where its log lies."""
        broker, controller = (f"{LOOPBACK}:{port}" for port in ports[:2])
        return _SETTINGS | {
            "listeners": f"PLAINTEXT://{broker},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{broker}",
            "controller.quorum.voters": f"1@{controller}",
        }

    def _format_options(self) -> list[str]:
        """Return what the storage is formatted with, beside its id: users that are there from the first start on."""
        return []

    def _program(self, *, heap: str) -> list[str]:
        # Warnings and errors go to the log; at `info` a start alone writes a thousand lines.
        log_level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return [self._java, f"-Xmx{heap}", "-Djava.awt.headless=true", log_level, "-cp", self._class_path]

    def _format(self, properties: Path) -> None:
        # A hyphen in front would look like an option to the tool.
        cluster_id = "O" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")[1:]
        command = [
            *self._program(heap="256m"),
            "kafka.tools.StorageTool",
            "format",
            "-t",
            cluster_id,
            "-c",
            str(properties),
            *self._format_options(),
        ]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FORMAT_WITHIN_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise StackError(f"Apache Kafka's storage was not formatted within {FORMAT_WITHIN_S:.0f} s") from error
        if done.returncode != 0:
            words = " | ".join((done.stderr or done.stdout).split("\n"))[-800:]
            raise StackError(f"Apache Kafka's storage cannot be formatted (exit code {done.returncode}): {words}")

    def _answers(self, port: int) -> bool:
        return kafka_answers(port)
