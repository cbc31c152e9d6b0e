"""Claims about getting in: real servers take right secrets and refuse wrong ones in one line that holds no secret."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import AIOKafkaAdminClient

from agents.access import kafka_credentials, kafka_options, read_secret, redis_options
from agents.app import create_app
from agents.broker import BrokerError, client_options, create_channels, start_producer
from agents.settings import Settings, SettingsError
from agents.views import Views
from tests.agents.secured_servers import (
    Certificates,
    SecuredKafka,
)

MISSING = [program for program in ("java", "mvn", "openssl") if shutil.which(program) is None]
WITHIN_S = 30.0


WITHOUT = f"a secured Kafka needs {' and '.join(MISSING)}, not found on the PATH"


pytestmark = [pytest.mark.usefixtures("tls_cut_short"), pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]


def needs_kafka(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a secured Apache Kafka."""
    for mark in (pytest.mark.kafka, pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=WITHOUT)):
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority of this run."""
    if shutil.which("openssl") is None:
        pytest.skip("certificates are made by openssl, not found on the PATH")
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def kafka(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """Run one secured Kafka for all tests of this module."""
    with SecuredKafka(certificates, tmp_path_factory.mktemp("kafka")) as started:
        yield started


async def channels_seen(settings: Settings) -> list[str]:
    """Connect and return the channels that the client may see."""
    admin = AIOKafkaAdminClient(**client_options(settings))
    try:
        await admin.start()
        return sorted(await admin.list_topics())
    finally:
        await admin.close()


def wrong_settings(kafka: SecuredKafka, certificates: Certificates, folder: Path, what: str) -> Settings:
    """Return settings with one thing wrong."""
    right = kafka.settings_of("overgrowth-worker", folder)
    other = folder / "other.password"
    other.write_text("canary-wrong-password")
    certificate, key = Certificates(folder, "stranger").make("overgrowth-worker")
    changes: dict[str, dict[str, Any]] = {
        "authority": {"kafka_ca_file": str(folder / "stranger.pem")},
        "host name": {"kafka": kafka.sasl_url.replace("127.0.0.1", "localhost")},
        "password": {"kafka_password_file": str(other)},
        "user": {"kafka_user": "nobody"},
        "mechanism": {"kafka_mechanism": "PLAIN"},
        "no certificate": {"kafka": kafka.ssl_url, "kafka_security": "ssl"},
        "certificate": {
            "kafka": kafka.ssl_url,
            "kafka_security": "ssl",
            "kafka_certificate_file": str(certificate),
            "kafka_key_file": str(key),
        },
        "no TLS there": {"kafka": kafka.url},
    }
    return msgspec.structs.replace(right, **changes[what])


def test_nothing_is_asked_of_an_open_kafka() -> None:
    """The default is a Kafka on this machine without any security, and its clients are told so."""
    assert kafka_options(Settings()) == {"security_protocol": "PLAINTEXT"}
    assert kafka_credentials(Settings()) is None
    assert redis_options(Settings()) == {}


@needs_kafka
def test_right_password_gets_in(kafka: SecuredKafka, tmp_path: Path) -> None:
    """SCRAM-SHA-512 in TLS, with the name of the host checked."""
    settings = kafka.settings_of("overgrowth-worker", tmp_path)
    assert asyncio.run(channels_seen(settings)) == []


@needs_kafka
def test_right_certificate_gets_in(kafka: SecuredKafka, certificates: Certificates) -> None:
    """The client shows a certificate instead of a password."""
    certificate, key = certificates.make("overgrowth-worker")
    settings = Settings(
        kafka=kafka.ssl_url,
        kafka_security="ssl",
        kafka_ca_file=str(certificates.ca),
        kafka_certificate_file=str(certificate),
        kafka_key_file=str(key),
    )
    assert asyncio.run(channels_seen(settings)) == []


@needs_kafka
@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("authority", "OVERGROWTH_KAFKA_CA_FILE vouches for, got one that is refused: "),
        ("host name", "certificate is not valid for 'localhost'"),
        ("password", "to take overgrowth-worker by SCRAM-SHA-512, got "),
        ("user", "to take nobody by SCRAM-SHA-512, got "),
        ("mechanism", "by PLAIN, got UnsupportedSaslMechanismError"),
        ("no certificate", "check the port, OVERGROWTH_KAFKA_CERTIFICATE_FILE and OVERGROWTH_KAFKA_KEY_FILE"),
        ("certificate", "check the port, OVERGROWTH_KAFKA_CERTIFICATE_FILE and OVERGROWTH_KAFKA_KEY_FILE"),
        ("no TLS there", "expected TLS with "),
    ],
)
def test_wrong_secret_is_one_line_that_says_which(
    kafka: SecuredKafka, certificates: Certificates, tmp_path: Path, what: str, words: str
) -> None:
    """Not that no broker was found, which is all that the client of Kafka tells."""
    settings = wrong_settings(kafka, certificates, tmp_path, what)

    with pytest.raises(BrokerError) as caught:
        asyncio.run(start_producer(settings))

    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


@needs_kafka
@pytest.mark.parametrize("what", ["authority", "host name", "password"])
def test_worker_with_a_wrong_secret_ends_soon_and_tells_no_secret(
    kafka: SecuredKafka, certificates: Certificates, tmp_path: Path, what: str
) -> None:
    """A worker that hangs or tries for ever would look like one that works."""
    settings = wrong_settings(kafka, certificates, tmp_path, what)

    done = run_worker(settings, tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("Error: Kafka: expected ")
    assert done.stderr.count("\n") == 1
    assert "canary" not in done.stdout + done.stderr


@needs_kafka
def test_who_may_not_create_channels_is_told_who_may(kafka: SecuredKafka, tmp_path: Path) -> None:
    """The one-shot job creates them under a principal of its own."""
    settings = kafka.settings_of("overgrowth-spy", tmp_path)

    with pytest.raises(BrokerError, match=r"expected to be allowed to create it.*deploy/security/kafka-acls\.sh"):
        asyncio.run(create_channels(settings))


def run_worker(settings: Settings, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a worker that is expected to end by itself."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OVERGROWTH_")}
    given = {
        f"OVERGROWTH_{name.upper()}": str(value)
        for name, value in msgspec.structs.asdict(settings).items()
        if value != getattr(Settings(), name)
    }
    return subprocess.run(
        [sys.executable, "-m", "agents.cli", "worker", "--metrics-port", "0"],
        env=plain | given | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
        cwd=folder,
    )


def test_faust_gets_the_same_credentials_and_shows_no_password(tmp_path: Path) -> None:
    """What the app compares and prints of its settings at the start holds the user's name alone."""
    secret = tmp_path / "secret"
    secret.write_text("canary-password\n")
    settings = Settings(kafka_security="sasl_ssl", kafka_user="grower", kafka_password_file=str(secret))
    credentials: Any = create_app(settings).conf.broker_credentials

    assert (credentials.protocol.value, credentials.mechanism.value) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (credentials.username, credentials.password) == ("grower", "canary-password")
    assert "canary" not in f"{credentials!r} {settings!r}"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kafka_user": "grower"}, "expected OVERGROWTH_KAFKA_SECURITY to be ssl or sasl_ssl"),
        ({"kafka_ca_file": "ca.pem"}, "expected OVERGROWTH_KAFKA_SECURITY to be ssl or sasl_ssl"),
        ({"kafka_security": "sasl_ssl"}, "expected OVERGROWTH_KAFKA_USER and OVERGROWTH_KAFKA_PASSWORD_FILE"),
        (
            {"kafka_security": "ssl", "kafka_ca_file": "/nowhere/ca.pem"},
            "expected OVERGROWTH_KAFKA_CA_FILE to name a file of certificates (PEM), got '/nowhere/ca.pem'",
        ),
        ({"kafka_security": "ssl", "kafka_key_file": "k.pem"}, "expected OVERGROWTH_KAFKA_CERTIFICATE_FILE with"),
        (
            {"kafka_security": "ssl", "kafka_certificate_file": "/nowhere/c.pem"},
            "a certificate and its key without pass phrase (PEM), got '/nowhere/c.pem'",
        ),
        (
            {"kafka_security": "sasl_ssl", "kafka_user": "g", "kafka_password_file": "/nowhere/p"},
            "expected OVERGROWTH_KAFKA_PASSWORD_FILE to name a file that can be read, got '/nowhere/p'",
        ),
    ],
)
def test_half_a_configuration_is_refused(given: dict[str, Any], words: str) -> None:
    """A password that is set and not asked for would mean an open connection where nobody expects one."""
    with pytest.raises(SettingsError) as caught:
        kafka_options(Settings(**given))

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_certificate_for_an_open_redis_is_refused() -> None:
    """Where TLS is meant, a URL without it is a mistake."""
    with pytest.raises(SettingsError, match=r"expected OVERGROWTH_REDIS to begin with rediss://"):
        redis_options(Settings(redis="redis://h:1/0", redis_ca_file="ca.pem"))


@pytest.mark.parametrize("content", [b"", b" \n", b"x" * 5_000])
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: bytes) -> None:
    """An empty password would be taken for none."""
    path = tmp_path / "secret"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match=r"expected OVERGROWTH_KAFKA_PASSWORD_FILE to name a file with a secret"):
        read_secret("kafka_password_file", str(path))


def test_a_secret_is_what_stands_in_its_file_without_the_line_end(tmp_path: Path) -> None:
    """Editors end the last line; `redis-users.sh` hashes the same."""
    path = tmp_path / "secret"
    path.write_bytes("pässwörd \r\n".encode())
    assert read_secret("kafka_password_file", str(path)) == "pässwörd".encode()


def test_an_absent_redis_is_no_reason_to_end() -> None:
    """The pipeline goes on without its views, and they catch up."""

    async def work() -> None:
        views = Views("redis://127.0.0.1:1/0")
        await views.check()
        await views.close()

    asyncio.run(work())
