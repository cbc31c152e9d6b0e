"""A sweep judges one log under each value of a rule, against a truth or for what it raises."""

from pathlib import Path

import pytest

from agents.backtesting.running import Job, UnreadableFile, read_overrides, tell
from agents.backtesting.sweep import Sweep, counts_of, curve, read_truth
from streams.lifecycle.rules import RulesError


def job(grown: Path) -> Job:
    """Return the small season's log with the loose rules."""
    loose = read_overrides(str(grown / "loose.yaml"))
    return Job(str(grown / "log.ndjson"), str(grown / "seeds.yaml"), None, loose)


def test_a_threshold_out_of_reach_raises_nothing(grown: Path) -> None:
    """Each point is what a run with that value tells, and belongs to its value."""
    truth = read_truth(str(grown / "truth.ndjson"))
    sweep = Sweep(("outgrown", "ratio_enter"), (1.4, 1_000.0))

    points = dict(curve(job(grown), sweep, truth, workers=1))

    assert [points[number].value for number in (0, 1)] == [1.4, 1_000.0]
    near, far = points[0].states["outgrown"], points[1].states["outgrown"]
    assert near == counts_of(tell(job(grown)), truth)["outgrown"]
    assert near.raised > 0
    assert (far.raised, far.found, far.false) == (0, 0, 0)
    assert near.true == far.true


def test_without_a_truth_nothing_is_said_of_right_and_wrong(grown: Path) -> None:
    """Only what is raised is known then; of bursts nothing else ever is."""
    told = tell(job(grown))

    counts = counts_of(told, None)

    assert {state: count.true for state, count in counts.items()} == dict.fromkeys(counts)
    assert sum(count.raised for count in counts.values()) == len({alert.episode for alert in told.alerts})
    assert counts_of(told, read_truth(str(grown / "truth.ndjson")))["burst"].true is None


def test_an_unknown_rule_is_refused_before_anything_is_run(grown: Path) -> None:
    """A sweep of hours must not end in a spelling mistake."""
    sweep = Sweep(("outgrown", "ratio_entr"), (1.0, 2.0))

    with pytest.raises(RulesError, match="did you mean `ratio_enter`"):
        next(curve(job(grown)._replace(log="no such log"), sweep, None, workers=1))


def test_what_is_no_truth_is_told(tmp_path: Path) -> None:
    """The line that is wrong is named."""
    path = tmp_path / "truth.ndjson"
    path.write_text('{"at":1,"brand":"b","topic":"t","state":"seeded","why":"w"}\n{"at":"soon"}\n')

    with pytest.raises(UnreadableFile, match="at line 2"):
        read_truth(str(path))
