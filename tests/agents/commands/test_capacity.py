"""Check `overgrowth capacity` from a user's side."""

import json
from pathlib import Path

import msgspec
from click.testing import CliRunner, Result

from agents.capacity import Costs, Load, plan
from agents.cli import main


def run(*arguments: str) -> Result:
    """Run `overgrowth capacity ...`."""
    return CliRunner().invoke(main, ["capacity", *arguments])


def test_it_says_what_a_load_takes() -> None:
    """Every part has a line, limits have theirs."""
    result = run("--signals-per-s", "1000000", "--partitions", "16")
    assert result.exit_code == 0, result.output
    for name in ("workers", "partitions", "memory of a worker", "brokers", "one topic at most", "limit: "):
        assert f"{name}" in result.stdout
    assert "partitions            16\n" in result.stdout


def test_json_has_the_load_and_the_plan() -> None:
    """What was not said is told as it was taken: half of the peak as the mean."""
    told = json.loads(run("--signals-per-s", "20000", "--json").stdout)
    assert told["load"]["mean_per_s"] == 10_000
    assert told["plan"] == json.loads(msgspec.json.encode(plan(Load(peak_per_s=20_000, mean_per_s=10_000))._asdict()))


def test_costs_of_other_machines_count(tmp_path: Path) -> None:
    """A core that is half as fast takes twice as many."""
    path = tmp_path / "costs.json"
    path.write_bytes(msgspec.json.encode(Costs(off_topic_us=2 * Costs().off_topic_us)))
    flags = ("--signals-per-s", "20000", "--on-topic", "0", "--json")
    ours, theirs = (json.loads(run(*flags, *more).stdout)["plan"] for more in ((), ("--costs", str(path))))
    assert theirs["signals_cores"] == 2 * ours["signals_cores"]


def test_costs_that_cannot_be_read_are_refused_in_one_line(tmp_path: Path) -> None:
    """With what was expected, and where it comes from."""
    path = tmp_path / "costs.json"
    path.write_text('{"tick_us": "much"}')
    result = run("--signals-per-s", "20000", "--costs", str(path))
    assert result.exit_code == 1
    assert "expected costs as JSON" in result.stderr
    assert "$.tick_us" in result.stderr
