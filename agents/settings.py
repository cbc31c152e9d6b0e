"""Everything that can be set about an installation: from flags, `OVERGROWTH_*` in the environment, or a file."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from streams.attribution.acts import CHANGES_MS
from streams.attribution.erased import ERASED_MS
from streams.documents import DocumentError, nearest, read_document, shown
from streams.networks import NETWORKS

PREFIX = "OVERGROWTH_"
FILE_VARIABLE = "OVERGROWTH_SETTINGS"
DAY_MS = 86_400_000


class SettingsError(Exception):
    """A setting that cannot be used: one line that says which, what was expected and what came."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a worker and of the tools; each field is set by `OVERGROWTH_<FIELD>`.

    `namespace` is put before every channel name and into the group: the empty one is the live installation. With
    `clock` "wall" the leading worker writes wall time into the log once a second; with "log" time passes in the
    signals alone, as a replay wants it. With `create_channels` false a worker only checks that its channels are there,
    and needs no right to create them: `overgrowth channels apply` does that. `raw_networks` are the networks whose raw
    channels a worker reads: all that there are, so that what a connector delivers is read, for an empty one costs next
    to nothing. What ends in `_file` is the path of a file: secrets are in files alone, so that neither a list of
    processes nor whatever shows settings can tell them. The file of the pseudonyms' key is read by
    `agents.pseudonyms`, the others by `agents.access`.
    """

    kafka: str = "127.0.0.1:9092"
    kafka_security: Literal["plaintext", "ssl", "sasl_ssl"] = "plaintext"
    kafka_ca_file: str = ""
    kafka_certificate_file: str = ""
    kafka_key_file: str = ""
    kafka_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    kafka_user: str = ""
    kafka_password_file: str = ""
    redis: str = "redis://127.0.0.1:6379/0"
    redis_ca_file: str = ""
    redis_certificate_file: str = ""
    redis_key_file: str = ""
    redis_password_file: str = ""
    namespace: str = ""
    partitions: int = 4
    replication: int = 1
    create_channels: bool = True
    compression: Literal["", "gzip", "lz4", "zstd", "snappy"] = "zstd"
    raw_networks: tuple[str, ...] = tuple(NETWORKS)
    views: bool = True
    pseudonym_key_file: str = ""
    clock: Literal["wall", "log"] = "wall"
    lateness_ms: int = 10_000
    source_idle_ms: int = 60_000
    duplicate_ms: int = 3_600_000
    changes_ms: int = CHANGES_MS
    erased_ms: int = ERASED_MS
    checkpoint_ms: int = 1_000
    session_ms: int = 30_000
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 8808
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "text"] = "json"

    @property
    def group(self) -> str:
        """The consumer group, and Faust's id of the app."""
        return f"overgrowth-{self.namespace}" if self.namespace else "overgrowth"


_RANGES: dict[str, tuple[int, int]] = {
    "partitions": (1, 1024),
    "replication": (1, 100),
    "lateness_ms": (0, DAY_MS),
    "source_idle_ms": (1, DAY_MS),
    "duplicate_ms": (0, 30 * DAY_MS),
    "changes_ms": (0, 30 * DAY_MS),
    "erased_ms": (0, 366 * DAY_MS),
    "checkpoint_ms": (10, 60_000),
    # Below Faust's time-out for requests, which it insists on.
    "session_ms": (1_000, 90_000),
    "metrics_port": (0, 65_535),
}
NAMESPACE_LENGTH_MAX = 100
"""What Kafka takes as the name of a channel (249 characters) leaves room for the rest of it."""


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Return the settings: `overrides` that are not None go first, then the environment, then a file, then defaults.

    The file is a YAML mapping of the fields' names; `OVERGROWTH_SETTINGS` names it. Raises `SettingsError`.

    >>> load_settings({"OVERGROWTH_PARTITIONS": "8"}, namespace="replay").group
    'overgrowth-replay'
    """
    environment = os.environ if environment is None else environment
    held = _read_file(environment.get(FILE_VARIABLE))
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        name = field.name
        given: Any = overrides.get(name)
        if given is None:
            given = environment.get(PREFIX + name.upper())
            if given is not None and name == "raw_networks":
                given = [part.strip() for part in given.split(",") if part.strip()]
        if given is None:
            given = held.get(name)
        if given is not None:
            values[name] = _converted(name, given, field.type)
    settings = Settings(**values)
    _check_namespace(settings.namespace)
    return settings


def _read_file(path: str | None) -> dict[str, Any]:
    """Return what a settings file says; nothing where none is named."""
    if not path:
        return {}
    try:
        held = read_document(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise SettingsError(f"settings: expected {FILE_VARIABLE} to name a YAML file, got {path}: {error}") from None
    if not isinstance(held, dict):
        raise SettingsError(f"settings: expected a mapping of settings in {path}, got {shown(held)}")
    for name in held:
        if name not in Settings.__struct_fields__:
            hint = nearest(str(name), Settings.__struct_fields__)
            raise SettingsError(f"settings: expected the name of a setting in {path}, got {shown(name)}; {hint}")
    return held


def _converted(name: str, given: Any, kind: Any) -> Any:
    """Return what was given as what the setting holds."""
    expected = "to be a text"
    if kind is int:
        low, high = _RANGES[name]
        expected = f"between {low} and {high}"
    elif kind is bool:
        expected = "to be true or false"
    elif get_origin(kind) is Literal:
        expected = "to be one of " + ", ".join(choice or "nothing" for choice in get_args(kind))
    elif name == "raw_networks":
        expected = "to be some of " + ", ".join(NETWORKS)
    try:
        value = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError:
        raise _refusal(name, expected, given) from None
    if kind is int and not low <= value <= high:
        raise _refusal(name, expected, given)
    if name == "raw_networks" and (unknown := [network for network in value if network not in NETWORKS]):
        raise _refusal(name, expected, ", ".join(unknown))
    return value


def _check_namespace(namespace: str) -> None:
    plain = namespace.replace("-", "").replace("_", "")
    if namespace and not (plain.isalnum() and plain.isascii() and len(namespace) <= NAMESPACE_LENGTH_MAX):
        expected = f"of at most {NAMESPACE_LENGTH_MAX} letters, digits, - and _"
        raise _refusal("namespace", expected, namespace)


def _refusal(name: str, expected: str, given: object) -> SettingsError:
    return SettingsError(f"settings: expected {PREFIX}{name.upper()} {expected}, got {given!r}")
