"""Start servers that ask who is there: an Apache Kafka with SASL_SSL, mTLS and ACLs, a Redis with users and TLS."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from agents.settings import Settings
from agents.stack import ApacheKafka
from agents.stack.errors import StackError
from agents.stack.ports import LOOPBACK
from agents.stack.valkey import ValkeyServer

DEPLOY_SECURITY = Path(__file__).resolve().parents[2] / "deploy" / "security"
USERS = ("overgrowth-worker", "overgrowth-channels", "overgrowth-connector", "overgrowth-subscriber", "overgrowth-spy")
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")


class Certificates:
    """An authority and what it vouches for, made anew by openssl: nothing that opens anything is committed."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder
        self.ca = folder / f"{name}.pem"
        self._ca_key = folder / f"{name}.key"
        _openssl("req", "-x509", *_EC, "-keyout", self._ca_key, "-out", self.ca, "-subj", f"/CN={name}")

    def make(self, name: str) -> tuple[Path, Path]:
        """Return (certificate, key) of a name, good for the address 127.0.0.1 and no other."""
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        signed_by = ("-CA", self.ca, "-CAkey", self._ca_key, "-addext", f"subjectAltName=IP:{LOOPBACK}")
        extensions = ("-addext", "basicConstraints=critical,CA:FALSE")
        _openssl(
            "req", "-x509", *_EC, "-keyout", key, "-out", certificate, "-subj", f"/CN={name}", *signed_by, *extensions
        )
        return certificate, key


def _openssl(*arguments: object) -> None:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise StackError(f"openssl {arguments[0]} ended with {done.returncode}: {done.stderr}")


def password_of(user: str) -> str:
    """Return the password of a user; it would be noticed anywhere that it does not belong."""
    return f"canary-secret-of-{user}"


class SecuredKafka(ApacheKafka):
    """An Apache Kafka that denies by default, with one listener for passwords and one for certificates.

    `url` stays an open door for the tests themselves, whose principal may do everything; `sasl_url` and `ssl_url` are
    the ones for clients.
    """

    extra_ports = 3

    def __init__(self, certificates: Certificates, directory: Path) -> None:
        super().__init__(directory=directory)
        certificate, key = certificates.make("broker")
        self._ca = certificates.ca
        self._identity = directory / "broker-identity.pem"
        self._identity.write_bytes(key.read_bytes() + certificate.read_bytes())

    @property
    def sasl_url(self) -> str:
        """Where clients show a user and a password, in TLS."""
        return f"{LOOPBACK}:{self._ports[2]}"

    @property
    def ssl_url(self) -> str:
        """Where clients show a certificate."""
        return f"{LOOPBACK}:{self._ports[3]}"

    def _settings(self, directory: Path, ports: list[int]) -> dict[str, str]:
        settings = super()._settings(directory, ports)
        secured = f",SASL_SSL://{LOOPBACK}:{ports[2]},SSL://{LOOPBACK}:{ports[3]}"
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return settings | {
            "listeners": settings["listeners"] + secured,
            "advertised.listeners": settings["advertised.listeners"] + secured,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,SSL:SSL",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": scram,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self._identity),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self._ca),
            "listener.name.ssl.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",
        }

    def _format_options(self) -> list[str]:
        return [
            part
            for user in USERS
            for part in ("--add-scram", f"SCRAM-SHA-512=[name={user},password={password_of(user)}]")
        ]

    def settings_of(self, user: str, folder: Path, **changed: Any) -> Settings:
        """Return the settings of a client that logs in as a user."""
        password_file = folder / f"{user}.password"
        password_file.write_text(password_of(user) + "\n")
        options = {
            "kafka": self.sasl_url,
            "kafka_security": "sasl_ssl",
            "kafka_ca_file": str(self._ca),
            "kafka_user": user,
            "kafka_password_file": str(password_file),
        }
        return Settings(**options | changed)


class SecuredRedis(ValkeyServer):
    """The embedded Valkey with the users of deploy/security; `url` names the worker's."""

    _arguments: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """Where a worker reaches it; the password is in a file."""
        return f"redis://overgrowth@{LOOPBACK}:{self.port}/0"

    @property
    def password_file(self) -> Path:
        """The file with the worker's password."""
        assert self._directory is not None, "started with a directory"
        return self._directory / "overgrowth.password"

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        files = []
        for user in ("overgrowth", "overgrowth-reader"):
            files.append(directory / f"{user}.password")
            files[-1].write_text(password_of(user) + "\n")
        users = subprocess.run(
            [str(DEPLOY_SECURITY / "redis-users.sh"), *map(str, files)], capture_output=True, check=True, timeout=30
        )
        (directory / "users.acl").write_bytes(users.stdout)
        return [*super()._command(directory, ports), "--aclfile", str(directory / "users.acl"), *self._arguments]

    def _answers(self, port: int) -> bool:
        # PING is not among what the worker may do.
        try:
            once = Retry(NoBackoff(), 0)
            name = "overgrowth"
            with redis.Redis(port=port, username=name, password=password_of(name), retry=once) as client:
                client.exists("overgrowth:layout")
        except redis.ConnectionError:
            return False
        return True


class SecuredDebianRedis(SecuredRedis):
    """Debian's redis-server, which can do TLS; its open port is for whether it runs, and nobody else."""

    name = "Redis"
    log_name = "redis.log"
    extra_ports = 1

    def __init__(self, certificates: Certificates, directory: Path) -> None:
        super().__init__(directory=directory)
        self._certificates = certificates

    @property
    def tls_url(self) -> str:
        """Where a worker reaches it by TLS."""
        return f"rediss://overgrowth@{LOOPBACK}:{self._ports[1]}/0"

    def _prepare(self, directory: Path) -> None:
        self._program = shutil.which("redis-server") or ""
        if not self._program:
            raise StackError("there is no redis-server on the PATH; apt-get install redis-server")

    def _command(self, directory: Path, ports: list[int]) -> list[str]:
        certificate, key = self._certificates.make("redis")
        self._arguments = (
            *("--tls-port", str(ports[1]), "--tls-auth-clients", "no"),
            *("--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
            *("--tls-ca-cert-file", str(self._certificates.ca)),
        )
        return super()._command(directory, ports)
