"""A job is a log with its seeds and rules, and tells the same wherever it is run."""

from pathlib import Path

import pytest

from agents.backtesting import Job, load_registry, read_overrides, run, tell
from agents.backtesting.running import UnreadableFile


def job(grown: Path) -> Job:
    """Return the small season's log with the loose rules."""
    loose = read_overrides(str(grown / "loose.yaml"))
    return Job(str(grown / "log.ndjson"), str(grown / "seeds.yaml"), None, loose)


def test_a_job_tells_what_a_run_of_its_log_tells(grown: Path) -> None:
    """Alerts, the account of the records, and the rules in force are those of one run."""
    registry = load_registry(str(grown / "seeds.yaml"), read_overrides(str(grown / "loose.yaml")))
    outcomes = list(run(registry, str(grown / "log.ndjson")))

    told = tell(job(grown))

    assert told.alerts == [alert for _, outcome in outcomes for _, alert in outcome.alerts]
    assert told.alerts
    assert told.ledger.read == len((grown / "log.ndjson").read_bytes().splitlines())
    assert told.ledger.waiting() == 0
    assert [rules.outgrown.ratio_enter for rules in told.rules.values()] == [1.4]
    assert told.end_ms == max(vitals.at for _, outcome in outcomes for vitals in outcome.vitals)


def test_rules_go_before_those_of_a_job(grown: Path) -> None:
    """Only what is named is replaced."""
    changed = job(grown).having({"outgrown": {"ratio_enter": 9}})

    assert changed.overrides["outgrown"]["ratio_enter"] == 9
    assert changed.overrides["outgrown"]["share_enter"] == 0.5


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """The message names the file, what came, and what to do."""
    with pytest.raises(UnreadableFile, match="expected a readable text file, got: No such file or directory; check"):
        load_registry(str(tmp_path / "no.yaml"))
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"brands: [\xe9]")
    with pytest.raises(UnreadableFile, match="it is not UTF-8"):
        read_overrides(str(latin))
