"""Claims about `overgrowth worker` before it runs: what is wrong is said in one line (it runs in tests/integration)."""

import socket

import pytest
from click.testing import CliRunner

from agents.cli import main


def test_an_unreachable_broker_is_one_line() -> None:
    """A Kafka that is not there is code 1 with its address and what to do, not the log of a failing worker."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{nobody.getsockname()[1]}"
        result = CliRunner().invoke(main, ["worker", "--kafka", url])
    assert result.exit_code == 1
    assert f"expected a broker at {url}" in result.stderr
    assert "overgrowth stack up" in result.stderr


@pytest.mark.parametrize(
    ("flag", "value", "said"),
    [("--partitions", "0", "OVERGROWTH_PARTITIONS between 1 and 1024"), ("--namespace", "a b", "OVERGROWTH_NAMESPACE")],
)
def test_a_wrong_setting_is_one_line(flag: str, value: str, said: str) -> None:
    """A setting out of range is code 1 and names the setting."""
    result = CliRunner().invoke(main, ["worker", flag, value])
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_wrong_flag_is_wrong_use() -> None:
    """A clock that does not exist ends with code 2."""
    assert CliRunner().invoke(main, ["worker", "--clock", "sun"]).exit_code == 2
