"""docker-compose.secure.yml: what it sets starts a real Kafka, a Redis and a worker, and lets in who has a secret."""

import asyncio
import gc
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import redis
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from agents.access import kafka_options, redis_options
from agents.settings import Settings, load_settings
from agents.stack import ApacheKafka
from agents.stack.kafka_jars import find_java, kafka_jars
from agents.stack.ports import LOOPBACK, free_ports
from agents.stack.valkey import ValkeyServer
from tests.deploy.composed import ROOT, document, ours, services

MISSING = [program for program in ("java", "mvn", "openssl", "redis-server") if shutil.which(program) is None]
needs_servers = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.kafka,
    pytest.mark.skipif(bool(MISSING), reason=f"a secured stack needs {' and '.join(MISSING)}, not found on the PATH"),
]
SECURE = services("secure")
SECURITY = ROOT / "deploy" / "security"
TOOLS_POM = ROOT / "tests" / "fixtures" / "kafka-tools" / "pom.xml"
WITHIN_S = 300.0
REFUSED_WITHIN_S = 60.0
RIGHTS_WITHIN_S = 900.0
"""Half a minute where nothing else runs."""
POLL_S = 0.2
QUICK = "-Xmx128m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For programs of a second: seventeen of them give all users their passwords and rights."""
INSIDE, HOST, ADMIN, CONTROLLER, REDIS = "19092", "9092", "19094", "29093", "6379"


class Places:
    """Where the addresses and files of the containers are on this machine; our script makes the secrets."""

    def __init__(self, folder: Path) -> None:
        self.secrets = folder / "secrets"
        made = subprocess.run(
            [str(SECURITY / "make-secrets.sh"), str(self.secrets)],
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )
        assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
        self.ports: dict[str, int] = {}
        self.admin = folder / "kafka-admin.properties"
        self.admin.write_text(self.here((SECURITY / "kafka-admin.properties").read_text()))

    def here(self, text: str) -> str:
        """Return a text of the file with the places of this machine in it."""
        known = "|".join(self.ports)
        if known:
            text = re.sub(
                rf"(kafka|localhost|valkey|(?<=://)):({known})\b",
                lambda found: f"{LOOPBACK}:{self.ports[found[2]]}",
                text,
            )
        text = text.replace("/run/secrets", str(self.secrets))
        return text.replace("/security/kafka-admin.properties", str(self.admin)).replace("/security/", f"{SECURITY}/")

    def environment(self, service: str, **changed: str) -> dict[str, str]:
        """Return the environment of one of our services, for a process of this machine."""
        given = {name: self.here(str(value)) for name, value in SECURE[service]["environment"].items()}
        return {"PATH": os.environ["PATH"]} | given | changed

    def settings(self, service: str, **changed: str) -> Settings:
        """Return the settings of one of our services."""
        return load_settings(self.environment(service, **changed))


def properties_of(environment: Mapping[str, object]) -> dict[str, str]:
    """Return what the image of Kafka makes of its environment: three underscores are -, two are _, and one is a dot.

    >>> properties_of({"CLUSTER_ID": "x", "KAFKA_LISTENER_NAME_A_SCRAM___SHA___512_X": 1})
    {'listener.name.a.scram-sha-512.x': '1'}
    """
    return {
        name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_"): str(value)
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


class ComposedKafka(ApacheKafka):
    """The broker of the file, outside a container: other ports, another folder for its log, all else as written."""

    extra_ports = 3

    def __init__(self, places: Places, directory: Path) -> None:
        super().__init__(directory=directory)
        self._places = places

    def _settings(self, directory: Path, ports: list[int]) -> dict[str, str]:
        self._places.ports |= dict(zip((INSIDE, HOST, ADMIN, CONTROLLER), ports, strict=True))
        composed = properties_of(SECURE["kafka"]["environment"])
        return {key: self._places.here(value) for key, value in composed.items()}

    def _answers(self, port: int) -> bool:
        admin = self._places.settings(
            "channels",
            OVERGROWTH_KAFKA=f"{LOOPBACK}:{self._places.ports[ADMIN]}",
            OVERGROWTH_KAFKA_SECURITY="ssl",
            OVERGROWTH_KAFKA_CERTIFICATE_FILE=str(self._places.secrets / "kafka-admin.pem"),
        )

        async def ask() -> bool:
            client = AIOKafkaClient(bootstrap_servers=admin.kafka, **kafka_options(admin))
            try:
                await client.bootstrap()
                # One that is not yet let in by its controller answers without naming itself.
                return bool(client.cluster.brokers())
            except KafkaError:
                return False
            finally:
                await client.close()

        # A TLS connection is closed by both sides, for which aiokafka does not wait: the loop ends with it half closed.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ResourceWarning)
            answer = asyncio.run(ask())
            gc.collect()
        return answer


class ComposedRedis(ValkeyServer):
    """Debian's Redis, which can do TLS, with the arguments that the file has for Valkey."""

    name = "Redis"
    log_name = "redis.log"

    def __init__(self, places: Places, directory: Path) -> None:
        super().__init__(directory=directory)
        self._places = places

    def _prepare(self, directory: Path) -> None:
        """Find nothing: where there is no redis-server, the tests are skipped."""

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        self._places.ports[REDIS] = ports[0]
        _, *arguments = SECURE["valkey"]["command"]
        composed = [str(ports[0]) if word == REDIS else self._places.here(word) for word in arguments]
        return ["redis-server", *composed, "--bind", LOOPBACK, "--dir", str(directory), "--daemonize", "no"]

    def _answers(self, port: int) -> bool:
        kind, check = SECURE["valkey"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        command = self._places.here(check).replace("valkey-cli", f"redis-cli -p {port}")
        return subprocess.run(["/bin/sh", "-c", command], check=False, timeout=WITHIN_S).returncode == 0


def tools(folder: Path) -> dict[str, str]:
    """Return where Kafka's own tools are, under the names of the variables by which our scripts find them."""
    jars = kafka_jars(say=lambda line: None, pom=TOOLS_POM)
    found = {}
    for variable, name in (
        ("KAFKA_CONFIGS", "kafka.admin.ConfigCommand"),
        ("KAFKA_ACLS", "org.apache.kafka.tools.AclCommand"),
    ):
        script = folder / variable.lower()
        script.write_text(
            f"#!/bin/sh\nexec {find_java()} {QUICK} -Dorg.slf4j.simpleLogger.defaultLogLevel=warn "
            f"-cp '{jars}/*' {name} \"$@\"\n"
        )
        script.chmod(0o755)
        found[variable] = str(script)
    return found


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    """Start both servers as they are composed; the jobs give users passwords and rights, and create channels."""
    folder = tmp_path_factory.mktemp("composed")
    made = Places(folder)
    with ComposedKafka(made, folder / "kafka"), ComposedRedis(made, folder / "redis"):
        (script,) = SECURE["rights"]["command"]
        done = subprocess.run(
            [*SECURE["rights"]["entrypoint"], made.here(script)],
            env=os.environ | tools(folder),
            capture_output=True,
            text=True,
            check=False,
            timeout=RIGHTS_WITHIN_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        created = told("channels", made)
        assert created.returncode == 0, created.stderr
        yield made


def told(service: str, places: Places, *command: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of ours, the one of the service unless told otherwise, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "agents.cli", *(command or SECURE[service]["command"])],
        env=places.environment(service, **changed),
        capture_output=True,
        text=True,
        check=False,
        timeout=REFUSED_WITHIN_S,
    )


def answers(port: int) -> bool:
    """Return whether a worker says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def test_every_client_shows_who_it_is() -> None:
    """Not one of them is left with an open door; the profile of replays has no users, and its file says so."""
    for name, service in ours("secure").items():
        if "replay" in service.get("profiles", ()):
            continue
        settings = load_settings({key: str(value) for key, value in service["environment"].items()})
        assert settings.kafka_security == "sasl_ssl", name
        assert settings.kafka_user.startswith("overgrowth-"), name
        uses_redis = name == "worker"
        assert settings.redis.startswith("rediss://") is uses_redis or not uses_redis, name


def test_every_secret_that_is_named_is_mounted_and_made(tmp_path: Path) -> None:
    """A path of /run/secrets without its mount ends a start; a mount without its file ends all of them."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on the PATH; apt-get install openssl")
    made = {path.name for path in Places(tmp_path).secrets.iterdir()}
    admin = re.findall(r"/run/secrets/([\w.-]+)", (SECURITY / "kafka-admin.properties").read_text())
    for name, service in SECURE.items():
        if "replay" in service.get("profiles", ()):
            continue
        said = str({key: value for key, value in service.items() if key != "secrets"})
        named = set(re.findall(r"/run/secrets/([\w.-]+)", said))
        if "/security/kafka-admin.properties" in said:
            named |= set(admin)
        if name == "rights":
            named |= {f"kafka-{user}-password" for user in ("worker", "channels", "connector", "subscriber")}
        assert named == set(service.get("secrets", ())), name
    tokens = {"mastodon-token", "intake-token"}
    assert document("secure")["secrets"].keys() - tokens <= made


def test_secrets_are_made_once_and_for_nobody_else(tmp_path: Path) -> None:
    """A second run would lock everybody out; what vouches for others is for its owner alone."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on the PATH; apt-get install openssl")
    secrets = Places(tmp_path).secrets
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    again = subprocess.run(
        [str(SECURITY / "make-secrets.sh"), str(secrets)], capture_output=True, text=True, check=False, timeout=WITHIN_S
    )
    assert again.returncode == 1
    assert "expected a folder without secrets" in again.stderr
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert (secrets / "authority.key").stat().st_mode & 0o777 == 0o600
    assert len({text for name, text in before.items() if name.endswith("password")}) == 6


class TestServers:
    """The file on real servers, in the order in which an installation comes up."""

    pytestmark = needs_servers

    def test_the_job_of_the_channels_and_that_of_the_seeds_come_in(self, places: Places) -> None:
        """Under the one principal that may create; once more, as a second `up` does it."""
        done = told("channels", places)
        assert done.returncode == 0, done.stderr
        done = told("seeds", places, "seeds", "list")
        assert done.returncode == 0, done.stderr

    def test_a_worker_becomes_ready_with_its_rights_on_kafka_and_redis(self, places: Places, tmp_path: Path) -> None:
        """It would end where either of them refuses it; what it may do in Redis is no more than the script says."""
        (port,) = free_ports(1)
        local = {"OVERGROWTH_METRICS_HOST": LOOPBACK, "OVERGROWTH_METRICS_PORT": str(port)}
        log = tmp_path / "worker.log"
        with log.open("wb") as file:
            worker = subprocess.Popen(
                [sys.executable, "-m", "agents.cli", *SECURE["worker"]["command"]],
                env=places.environment("worker", **local),
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            deadline_s = time.monotonic() + WITHIN_S
            while not answers(port):
                assert worker.poll() is None, log.read_text()
                assert time.monotonic() < deadline_s, log.read_text()
                time.sleep(POLL_S)  # another process does it; nothing here can be waited for
        finally:
            worker.terminate()
            code = worker.wait(timeout=WITHIN_S)
        assert code == 0, log.read_text()
        settings = places.settings("worker")
        with redis.Redis.from_url(settings.redis, **redis_options(settings)) as client:
            assert client.set("overgrowth:trial", "1") is True
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.flushall()

    def test_a_worker_with_another_password_for_redis_ends(self, places: Places) -> None:
        """A read model that never comes would not be noticed for long."""
        wrong = str(places.secrets / "redis-reader-password")
        done = told("worker", places, OVERGROWTH_REDIS_PASSWORD_FILE=wrong, OVERGROWTH_METRICS_PORT="0")
        assert done.returncode == 1
        assert "OVERGROWTH_REDIS_PASSWORD_FILE" in done.stderr

    @pytest.mark.parametrize(
        ("changed", "expected"),
        [
            (
                {"OVERGROWTH_KAFKA_PASSWORD_FILE": "/run/secrets/redis-worker-password"},
                "to take overgrowth-channels by",
            ),
            ({"OVERGROWTH_KAFKA_USER": "overgrowth-nobody"}, "to take overgrowth-nobody by"),
            ({"OVERGROWTH_KAFKA_CA_FILE": "/run/secrets/kafka-admin.pem"}, "expected a certificate of"),
        ],
        ids=["password", "user", "authority"],
    )
    def test_a_wrong_secret_gets_nobody_in(self, places: Places, changed: dict[str, str], expected: str) -> None:
        """In one line that says which."""
        here = {name: places.here(value) for name, value in changed.items()}
        done = told("channels", places, **here)
        assert done.returncode == 1
        assert expected in done.stderr

    def test_without_tls_nobody_gets_in(self, places: Places) -> None:
        """Neither at the listener of the containers nor at the one of the machine."""
        for port in (INSIDE, HOST, ADMIN):
            address = f"{LOOPBACK}:{places.ports[port]}"
            done = subprocess.run(
                [sys.executable, "-m", "agents.cli", "channels", "apply", "--kafka", address],
                env={"PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                check=False,
                timeout=REFUSED_WITHIN_S,
            )
            assert done.returncode == 1
            assert f"expected a broker at {address}" in done.stderr
        with redis.Redis(port=places.ports[REDIS]) as client, pytest.raises(redis.RedisError):
            client.ping()

    def test_a_connector_may_not_do_what_the_job_may(self, places: Places) -> None:
        """The rights that the job gave are those of the script: nobody else creates."""
        done = told("jetstream", places, "channels", "apply", OVERGROWTH_NAMESPACE="another")
        assert done.returncode == 1
        assert "expected to be allowed" in done.stderr
        assert "kafka-acls.sh" in done.stderr
