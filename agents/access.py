"""Say by the settings who we are to Kafka and Redis, check who they are, and say in one line why it came to nothing."""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from aiokafka.conn import create_conn
from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    SaslAuthenticationFailed,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from agents.settings import PREFIX, Settings, SettingsError

SECRET_BYTES_MAX = 4_096
ASK_AGAIN_WITHIN_S = 5.0
REFUSED_WITHIN_S = 0.5
ACLS = "deploy/security/kafka-acls.sh"
REDIS_USERS = "deploy/security/redis-users.sh"

_NOT_ALLOWED = (TopicAuthorizationFailedError, GroupAuthorizationFailedError, ClusterAuthorizationFailedError)


def read_secret(setting: str, path: str) -> bytes:
    """Return what the file of a secret holds, without blanks around it; raises `SettingsError` without the secret.

    `setting` is the name of the setting that holds the path, for the message.
    """
    variable = PREFIX + setting.upper()
    try:
        with Path(path).open("rb") as file:
            secret = file.read(SECRET_BYTES_MAX + 1).strip()
    except (OSError, ValueError) as error:
        _refuse_file(variable, "a file that can be read", path, error)
    if not secret or len(secret) > SECRET_BYTES_MAX:
        came = "an empty one" if not secret else f"more than {SECRET_BYTES_MAX} bytes"
        raise SettingsError(f"settings: expected {variable} to name a file with a secret in it, got {came}: {path}")
    return secret


def kafka_options(settings: Settings) -> dict[str, Any]:
    """Return the options of an aiokafka client that concern security; raises `SettingsError`."""
    context = _kafka_context(settings)
    options: dict[str, Any] = {"security_protocol": settings.kafka_security.upper()}
    if context is not None:
        options["ssl_context"] = context
    if settings.kafka_security == "sasl_ssl":
        options["sasl_mechanism"] = settings.kafka_mechanism
        options["sasl_plain_username"], options["sasl_plain_password"] = _kafka_login(settings)
    return options


def kafka_credentials(settings: Settings) -> CredentialsT | None:
    """Return the same for Faust, None for an open Kafka; raises `SettingsError`."""
    context = _kafka_context(settings)
    if context is None:
        return None
    if settings.kafka_security == "ssl":
        return SSLCredentials(context)
    user, password = _kafka_login(settings)
    # Without a context Faust would send the password in the clear, and say nothing (FAUST.md 2.12).
    return SASLCredentials(username=user, password=password, ssl_context=context, mechanism=settings.kafka_mechanism)


def redis_options(settings: Settings) -> dict[str, Any]:
    """Return the options of a Redis client that concern security, beside what the URL says; raises `SettingsError`."""
    given = (settings.redis_ca_file, settings.redis_certificate_file, settings.redis_key_file)
    options: dict[str, Any] = {}
    if settings.redis_password_file:
        password = read_secret("redis_password_file", settings.redis_password_file)
        options["password"] = _as_text("redis_password_file", password)
    if not settings.redis.startswith("rediss://"):
        if any(given):
            raise SettingsError(
                f"settings: expected {PREFIX}REDIS to begin with rediss:// where certificates are set, got another; "
                f"correct it, or take away {PREFIX}REDIS_CA_FILE, _CERTIFICATE_FILE and _KEY_FILE"
            )
        return options
    # Loaded here once, so that a file that cannot be used is one line now and not an absent Redis for ever.
    _tls_context("redis", *given)
    names = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
    options |= {name: path for name, path in zip(names, given, strict=True) if path}
    return options | {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


def why_redis_refused(error: RedisError) -> str | None:
    """Return why Redis does not let us in, in words for an operator; None where it may just be away."""
    if isinstance(error, AuthenticationError | NoPermissionError):
        return (
            f"expected to be let in, got: {' '.join(str(error).split())}; check the user in {PREFIX}REDIS, "
            f"{PREFIX}REDIS_PASSWORD_FILE and what the user may do ({REDIS_USERS})"
        )
    cause = error.__cause__ or error.__context__
    if isinstance(cause, ssl.SSLError):
        said = getattr(cause, "verify_message", None) or cause.reason or "no TLS"
        return f"expected TLS with a certificate that {PREFIX}REDIS_CA_FILE vouches for, got: {said}"
    return None


async def why_refused(settings: Settings, error: Exception) -> str | None:
    """Return why Kafka does not let us in, in words for an operator; None where nothing is known about that.

    A client that finds no broker has forgotten what each of them said, so they are asked once more, one by one.
    """
    who = settings.kafka_user or "the client's certificate" if settings.kafka_security != "plaintext" else "anybody"
    if isinstance(error, _NOT_ALLOWED):
        named = f": {error.args[0]}" if error.args else ""
        return f"expected {who} to be allowed this, got {type(error).__name__}{named}; {ACLS} says what who needs"
    if settings.kafka_security == "plaintext":
        return None
    for place in settings.kafka.split(","):
        try:
            await asyncio.wait_for(_ask(place.strip(), settings), ASK_AGAIN_WITHIN_S)
        except (AuthenticationFailedError, SaslAuthenticationFailed, UnsupportedSaslMechanismError) as refusal:
            return (
                f"expected {place.strip()} to take {who} by {settings.kafka_mechanism}, got {type(refusal).__name__}; "
                f"check {PREFIX}KAFKA_USER, {PREFIX}KAFKA_PASSWORD_FILE and {PREFIX}KAFKA_MECHANISM"
            )
        except ssl.SSLCertVerificationError as refusal:
            return (
                f"expected a certificate of {place.strip()} that {PREFIX}KAFKA_CA_FILE vouches for, "
                f"got one that is refused: {refusal.verify_message}"
            )
        except ssl.SSLError as refusal:
            return (
                f"expected TLS with {place.strip()}, got {refusal.reason or refusal}; "
                f"check the port, {PREFIX}KAFKA_CERTIFICATE_FILE and {PREFIX}KAFKA_KEY_FILE"
            )
        except ConnectionResetError:
            return f"expected TLS with {place.strip()}, got the connection closed; is that the port for it?"
        except (KafkaError, OSError, TimeoutError):
            continue
    return None


async def _ask(place: str, settings: Settings) -> None:
    """Connect to one broker and say who we are, raising what comes of it."""
    host, _, port = place.rpartition(":")
    host = host.strip("[]")
    options = kafka_options(settings)
    reader, writer = await asyncio.open_connection(host, int(port), ssl=options["ssl_context"])
    try:
        # In TLS 1.3 a server says only after the handshake that it wants a certificate, or another one; one that is
        # content waits for our question.
        await asyncio.wait_for(reader.read(1), REFUSED_WITHIN_S)
    except TimeoutError:
        pass
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    connection = await create_conn(host, int(port), request_timeout_ms=int(ASK_AGAIN_WITHIN_S * 1_000), **options)
    await connection.close()


def _kafka_context(settings: Settings) -> ssl.SSLContext | None:
    given = (settings.kafka_ca_file, settings.kafka_certificate_file, settings.kafka_key_file)
    if settings.kafka_security == "plaintext":
        # Half a configuration is a mistake, and this one would go out in the clear.
        if any((*given, settings.kafka_user, settings.kafka_password_file)):
            raise SettingsError(
                f"settings: expected {PREFIX}KAFKA_SECURITY to be ssl or sasl_ssl where a user, a password or "
                "certificates are set, got plaintext; set it, or take those away"
            )
        return None
    return _tls_context("kafka", *given)


def _kafka_login(settings: Settings) -> tuple[str, str]:
    if not (settings.kafka_user and settings.kafka_password_file):
        raise SettingsError(
            f"settings: expected {PREFIX}KAFKA_USER and {PREFIX}KAFKA_PASSWORD_FILE with sasl_ssl, got none or one"
        )
    password = read_secret("kafka_password_file", settings.kafka_password_file)
    return settings.kafka_user, _as_text("kafka_password_file", password)


def _tls_context(what: str, ca_file: str, certificate_file: str, key_file: str) -> ssl.SSLContext:
    """Return a context that checks chain and name of the other side, with our own certificate where there is one."""
    variable = PREFIX + what.upper()
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:
        _refuse_file(f"{variable}_CA_FILE", "a file of certificates (PEM)", ca_file, error)
    if key_file and not certificate_file:
        raise SettingsError(f"settings: expected {variable}_CERTIFICATE_FILE with {variable}_KEY_FILE, got none")
    if certificate_file:
        try:
            # Asked for a pass phrase, OpenSSL would ask the terminal, for ever.
            context.load_cert_chain(certificate_file, key_file or None, password="")
        except OSError as error:
            given = " and ".join(path for path in (certificate_file, key_file) if path)
            expected = "a certificate and its key without pass phrase (PEM)"
            _refuse_file(f"{variable}_CERTIFICATE_FILE and _KEY_FILE", expected, given, error)
    return context


def _as_text(setting: str, secret: bytes) -> str:
    try:
        return secret.decode()
    except UnicodeDecodeError:
        expected = f"{PREFIX}{setting.upper()} to name a file with a password in UTF-8"
        raise SettingsError(f"settings: expected {expected}, got other bytes") from None


def _refuse_file(variable: str, expected: str, path: str, error: Exception) -> NoReturn:
    """Raise `SettingsError` for a file; what is in it is not told."""
    words = error.strerror or getattr(error, "reason", None) if isinstance(error, OSError) else "no path"
    raise SettingsError(f"settings: expected {variable} to name {expected}, got {path!r}: {words}") from None
