"""Claims about `overgrowth connect` before it runs: what is wrong is one line (it runs in tests/agents/connectors)."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main


@pytest.fixture
def nobody() -> Iterator[str]:
    """Yield an address where no Kafka is."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def connect(*arguments: str, **environment: str) -> Result:
    """Run `overgrowth connect ...`."""
    return CliRunner(env=environment).invoke(main, ["connect", *arguments], prog_name="overgrowth")


@pytest.mark.parametrize(
    "arguments", [("jetstream",), ("jetstream", "--protocol", "v2"), ("mastodon", "example.social"), ("http",)]
)
def test_an_unreachable_broker_is_one_line(arguments: tuple[str, ...], nobody: str) -> None:
    """Before anything is connected to or listened on."""
    result = connect(*arguments, "--kafka", nobody)

    assert result.exit_code == 1
    assert f"expected a broker at {nobody}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("jetstream", "--server", "https://example.org"), "expected a server such as wss://"),
        (("mastodon", "ftp://example.org"), "expected the domain of a server"),
        (("mastodon", "example.social", "--stream", "home"), "expected the stream public, public/local or hashtag:TAG"),
        (("http", "--host", "192.0.2.1"), "expected a token before it listens on 192.0.2.1"),
        (("http", "--token-file", "/nowhere"), "expected a file with one, got /nowhere"),
        (("http", "--partitions", "2", "--namespace", "a b"), "OVERGROWTH_NAMESPACE"),
    ],
)
def test_what_cannot_work_is_one_line(arguments: tuple[str, ...], said: str, nobody: str) -> None:
    """With what was expected and what came."""
    result = connect(*arguments, "--kafka", nobody)

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert said in result.stderr


def test_wrong_use_is_code_2() -> None:
    """An unknown protocol, silence of no length, a server that nobody named, a body of nothing."""
    for arguments in (
        ("jetstream", "--protocol", "v3"),
        ("jetstream", "--silence-s", "0"),
        ("mastodon",),
        ("http", "--body-bytes", "0"),
        ("twitter",),
    ):
        assert connect(*arguments).exit_code == 2


def test_a_token_opens_the_intake_to_others(nobody: str, tmp_path: Path) -> None:
    """From a file or the environment; then only Kafka is missing."""
    path = tmp_path / "token"
    path.write_text("s3cret\n")
    open_to_all = ("http", "--host", "192.0.2.1", "--kafka", nobody)

    by_file = connect(*open_to_all, "--token-file", str(path))
    by_variable = connect(*open_to_all, OVERGROWTH_INTAKE_TOKEN="s3cret")

    assert "expected a broker" in by_file.stderr
    assert "expected a broker" in by_variable.stderr
    assert "s3cret" not in by_file.output + by_variable.output


def test_accounts_can_be_listed_in_a_file(nobody: str, tmp_path: Path) -> None:
    """No shell takes ten thousand flags; more than that is refused."""
    path = tmp_path / "dids"
    path.write_text("\n".join(f"did:plc:{number:024}" for number in range(10_001)) + "\n\n")
    result = connect("jetstream", "--dids", str(path), "--kafka", nobody)

    assert result.exit_code == 1
    assert "expected at most 10000 DIDs, got 10001" in result.stderr


def test_help_of_each_shows_an_example() -> None:
    """Every command does."""
    for arguments in ((), ("jetstream",), ("mastodon",), ("http",)):
        assert "Example:\n" in connect(*arguments, "--help").output
