"""Everything that can be set about an installation, from `OVERGROWTH_*` in the environment, with defaults."""

import os
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

PREFIX = "OVERGROWTH_"


class SettingsError(Exception):
    """A setting that cannot be used: one line that says which, what was expected and what came."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of a worker and of the tools; each field is set by `OVERGROWTH_<FIELD>`.

    `namespace` is put before every channel name and into the group: the empty one is the live installation. With
    `clock` "wall" the leading worker writes wall time into the log once a second; with "log" time passes in the
    signals alone, as a replay wants it.
    """

    kafka: str = "127.0.0.1:9092"
    redis: str = "redis://127.0.0.1:6379/0"
    namespace: str = ""
    partitions: int = 4
    replication: int = 1
    compression: Literal["", "gzip", "lz4", "zstd", "snappy"] = "lz4"
    raw_networks: tuple[str, ...] = ("native", "snap-higgs")
    views: bool = True
    clock: Literal["wall", "log"] = "wall"
    lateness_ms: int = 10_000
    source_idle_ms: int = 60_000
    duplicate_ms: int = 3_600_000
    checkpoint_ms: int = 1_000
    session_ms: int = 30_000
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 8808
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def group(self) -> str:
        """The consumer group, and Faust's id of the app."""
        return f"overgrowth-{self.namespace}" if self.namespace else "overgrowth"


def load_settings(environment: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Return the settings of an environment; `overrides` that are not None go before it.

    >>> load_settings({"OVERGROWTH_PARTITIONS": "8"}, namespace="replay").group
    'overgrowth-replay'
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    for name in Settings.__struct_fields__:
        text = environment.get(PREFIX + name.upper())
        if overrides.get(name) is not None:
            values[name] = overrides[name]
        elif text is not None and name == "raw_networks":
            values[name] = [part.strip() for part in text.split(",") if part.strip()]
        elif text is not None:
            values[name] = text
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"settings: {error}; see `overgrowth worker --help`") from None
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.partitions < 1 or settings.partitions > 1024:
        raise SettingsError(f"settings: expected OVERGROWTH_PARTITIONS between 1 and 1024, got {settings.partitions}")
    if settings.namespace and not settings.namespace.replace("-", "").replace("_", "").isalnum():
        raise SettingsError(f"settings: expected OVERGROWTH_NAMESPACE of letters, digits, - and _, got {settings.namespace!r}")
