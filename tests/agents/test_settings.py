"""Check where a setting comes from, what goes before what, and that a wrong one is one line with its name."""

from pathlib import Path

import msgspec
import pytest

from agents.settings import NAMESPACE_LENGTH_MAX, PREFIX, Settings, SettingsError, load_settings
from streams.networks import NETWORKS


def test_without_anything_the_defaults_hold() -> None:
    """An empty environment is a complete installation on this machine."""
    assert load_settings({}) == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("kafka", "a:1,b:2", "a:1,b:2"),
        ("redis", "rediss://u:p@h:1/2", "rediss://u:p@h:1/2"),
        ("kafka_security", "sasl_ssl", "sasl_ssl"),
        ("kafka_ca_file", "ca.pem", "ca.pem"),
        ("kafka_certificate_file", "client.pem", "client.pem"),
        ("kafka_key_file", "client.key", "client.key"),
        ("kafka_mechanism", "PLAIN", "PLAIN"),
        ("kafka_user", "grower", "grower"),
        ("kafka_password_file", "/run/secrets/kafka", "/run/secrets/kafka"),
        ("redis_ca_file", "ca.pem", "ca.pem"),
        ("redis_certificate_file", "client.pem", "client.pem"),
        ("redis_key_file", "client.key", "client.key"),
        ("redis_password_file", "/run/secrets/redis", "/run/secrets/redis"),
        ("pseudonym_key_file", "/run/secrets/pseudonyms", "/run/secrets/pseudonyms"),
        ("namespace", "replay-1_x", "replay-1_x"),
        ("partitions", "16", 16),
        ("replication", "3", 3),
        ("create_channels", "false", False),
        ("compression", "", ""),
        ("compression", "zstd", "zstd"),
        ("raw_networks", " native , snap-higgs,", ("native", "snap-higgs")),
        ("raw_networks", "", ()),
        ("views", "false", False),
        ("views", "0", False),
        ("views", "1", True),
        ("clock", "log", "log"),
        ("lateness_ms", "0", 0),
        ("source_idle_ms", "1", 1),
        ("duplicate_ms", "86400000", 86_400_000),
        ("changes_ms", "3600000", 3_600_000),
        ("erased_ms", "3600000", 3_600_000),
        ("checkpoint_ms", "100", 100),
        ("session_ms", "6000", 6_000),
        ("metrics_host", "::1", "::1"),
        ("metrics_port", "0", 0),
        ("log_level", "debug", "debug"),
        ("log_format", "text", "text"),
    ],
)
def test_every_setting_can_be_set_in_the_environment(name: str, text: str, value: object) -> None:
    """Its variable is its name in capitals behind the prefix."""
    assert load_settings({PREFIX + name.upper(): text}) == msgspec.structs.replace(Settings(), **{name: value})


def test_the_table_above_leaves_no_setting_out() -> None:
    """A new setting needs its line there, and a range if it is a number."""
    marks = test_every_setting_can_be_set_in_the_environment.pytestmark  # type: ignore[attr-defined]

    assert {row[0] for row in marks[0].args[1]} == set(Settings.__struct_fields__)


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    """The nearer to the person who starts it, the more it counts; what is not given is no override."""
    path = tmp_path / "settings.yaml"
    path.write_text("partitions: 2\nnamespace: file\nclock: log\n")
    environment = {"OVERGROWTH_SETTINGS": str(path), "OVERGROWTH_PARTITIONS": "3", "OVERGROWTH_NAMESPACE": "variable"}
    made = load_settings(environment, namespace="flag", partitions=None)

    assert (made.namespace, made.partitions, made.clock) == ("flag", 3, "log")


def test_the_group_carries_the_namespace() -> None:
    """A replay must not share offsets with the live installation."""
    assert (Settings().group, Settings(namespace="replay").group) == ("overgrowth", "overgrowth-replay")


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        ({"OVERGROWTH_PARTITIONS": "0"}, "expected OVERGROWTH_PARTITIONS between 1 and 1024, got '0'"),
        ({"OVERGROWTH_PARTITIONS": "1025"}, "expected OVERGROWTH_PARTITIONS between 1 and 1024, got '1025'"),
        ({"OVERGROWTH_PARTITIONS": "four"}, "expected OVERGROWTH_PARTITIONS between 1 and 1024, got 'four'"),
        ({"OVERGROWTH_PARTITIONS": ""}, "expected OVERGROWTH_PARTITIONS between 1 and 1024, got ''"),
        ({"OVERGROWTH_PARTITIONS": "4.5"}, "expected OVERGROWTH_PARTITIONS between 1 and 1024, got '4.5'"),
        ({"OVERGROWTH_SESSION_MS": "90001"}, "expected OVERGROWTH_SESSION_MS between 1000 and 90000, got '90001'"),
        ({"OVERGROWTH_METRICS_PORT": "-1"}, "expected OVERGROWTH_METRICS_PORT between 0 and 65535, got '-1'"),
        ({"OVERGROWTH_VIEWS": "perhaps"}, "expected OVERGROWTH_VIEWS to be true or false, got 'perhaps'"),
        ({"OVERGROWTH_CLOCK": "sun"}, "expected OVERGROWTH_CLOCK to be one of wall, log, got 'sun'"),
        (
            {"OVERGROWTH_COMPRESSION": "best"},
            "expected OVERGROWTH_COMPRESSION to be one of nothing, gzip, lz4, zstd, snappy, got 'best'",
        ),
        (
            {"OVERGROWTH_RAW_NETWORKS": "native,myspace"},
            f"expected OVERGROWTH_RAW_NETWORKS to be some of {', '.join(NETWORKS)}, got 'myspace'",
        ),
    ],
)
def test_a_wrong_value_is_one_line_with_the_name_of_its_variable(environment: dict[str, str], text: str) -> None:
    """It says what was expected, what came, and where to correct it."""
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)

    assert str(caught.value) == f"settings: {text}"


@pytest.mark.parametrize("namespace", ["a.b", "a b", "é", "a/b", "-" * (NAMESPACE_LENGTH_MAX + 1), "--"])
def test_a_namespace_that_kafka_or_redis_would_misread_is_refused(namespace: str) -> None:
    """It becomes part of the names of channels, of the group, and of keys."""
    with pytest.raises(SettingsError, match=r"^settings: expected OVERGROWTH_NAMESPACE of at most 100 letters"):
        load_settings({}, namespace=namespace)


def test_a_wrong_flag_is_told_like_a_wrong_variable() -> None:
    """Whoever gave the flag finds the setting by its name."""
    with pytest.raises(SettingsError, match=r"^settings: expected OVERGROWTH_PARTITIONS between 1 and 1024, got 0$"):
        load_settings({}, partitions=0)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("- a", "settings: expected a mapping of settings in "),
        ("partition: 4", "settings: expected the name of a setting in "),
        ("a: [", "settings: expected OVERGROWTH_SETTINGS to name a YAML file, got "),
        ("partitions: four", "settings: expected OVERGROWTH_PARTITIONS between 1 and 1024, got 'four'"),
    ],
)
def test_a_wrong_file_is_one_line(content: str, text: str, tmp_path: Path) -> None:
    """The file is named, and what is wrong in it."""
    path = tmp_path / "settings.yaml"
    path.write_text(content)

    with pytest.raises(SettingsError) as caught:
        load_settings({"OVERGROWTH_SETTINGS": str(path)})

    assert str(caught.value).startswith(text)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    """A path that leads nowhere is not the same as no file."""
    with pytest.raises(SettingsError, match=r"^settings: expected OVERGROWTH_SETTINGS to name a YAML file, got "):
        load_settings({"OVERGROWTH_SETTINGS": str(tmp_path / "none.yaml")})


def test_settings_do_not_change() -> None:
    """They are shared by everything in a worker."""
    with pytest.raises(AttributeError):
        Settings().partitions = 5  # type: ignore[misc]
