"""Judge one log under many values of one rule: what is raised, and, where the truth is known, what of it is right."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from agents.backtesting.running import Job, Told, UnreadableFile, read_text, tell
from agents.evaluation.scoring import ALL_STATES, NOTICES, score, timings_of
from agents.parallel import in_processes
from agents.seasons import TruthState
from schemas.unreadable import UNREADABLE
from streams.lifecycle.comparison import episodes_of
from streams.lifecycle.rules import build_rules, scaled


class Counts(msgspec.Struct, frozen=True):
    """Episodes of one state: how many were raised; of the true ones how many there were and were found; false ones.

    The last three are null where nobody says what is true: without a truth, and of notices (`NOTICES`).
    """

    raised: int
    true: int | None = None
    found: int | None = None
    false: int | None = None


class Point(msgspec.Struct, frozen=True):
    """What a log tells with one value of the rule."""

    value: float
    states: dict[str, Counts]


class Sweep(NamedTuple):
    """A rule by its names from the outside in, and the values that it is given."""

    rule: tuple[str, ...]
    values: tuple[float, ...]

    def overrides(self, value: float) -> dict[str, Any]:
        """Return what a rules file would say to set the rule.

        >>> Sweep(("outgrown", "ratio_enter"), (2.0,)).overrides(2.0)
        {'outgrown': {'ratio_enter': 2}}
        """
        overrides: Any = int(value) if value.is_integer() else value
        for name in reversed(self.rule):
            overrides = {name: overrides}
        assert isinstance(overrides, dict), "a rule has a name"
        return overrides


def read_truth(path: str) -> list[TruthState]:
    """Return the true states that `overgrowth simulate --truth` wrote; raises `UnreadableFile`."""
    truth = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        try:
            truth.append(msgspec.json.decode(line.encode(), type=TruthState))
        except UNREADABLE as error:
            expected = "expected true states, one JSON object a line as `overgrowth simulate --truth` writes them"
            raise UnreadableFile(f"{path}: {expected}, got: {error} at line {number}") from None
    return truth


def curve(job: Job, sweep: Sweep, truth: Sequence[TruthState] | None, *, workers: int) -> Iterator[tuple[int, Point]]:
    """Yield the point of each value with its number, as it is done; raises `RulesError` before anything is run."""
    jobs = [job.having(sweep.overrides(value)) for value in sweep.values]
    for one in jobs:
        build_rules(one.overrides)
    for number, told in in_processes(tell, jobs, workers=workers):
        yield number, Point(sweep.values[number], counts_of(told, truth))


def counts_of(told: Told, truth: Sequence[TruthState] | None) -> dict[str, Counts]:
    """Return the counts of each state over all topics; of those that no one says the truth of, only what was raised."""
    raised = dict.fromkeys(ALL_STATES, 0)
    for episode in episodes_of(told.alerts):
        raised[episode.raised.state] = raised.get(episode.raised.state, 0) + 1
    if truth is None:
        return {state: Counts(count) for state, count in raised.items()}
    sums = {state: [0, 0, 0] for state in ALL_STATES}
    for topic in sorted({f"{entry.brand}/{entry.topic}" for entry in truth}):
        for state, (true, found, false) in _scored(told, truth, topic).items():
            sums[state] = [total + more for total, more in zip(sums[state], (true, found, false), strict=True)]
    return {
        state: Counts(count) if state in NOTICES or state not in sums else Counts(count, *sums[state])
        for state, count in raised.items()
    }


def _scored(told: Told, truth: Sequence[TruthState], topic: str) -> Mapping[str, tuple[int, int, int]]:
    rules = told.rules.get(topic) or build_rules({})
    scores = score(
        [entry for entry in truth if f"{entry.brand}/{entry.topic}" == topic],
        [alert for alert in told.alerts if f"{alert.brand}/{alert.topic}" == topic],
        end_ms=told.end_ms,
        timings=timings_of(scaled(rules)),
    )
    return {state: (len(one.hits) + len(one.missed), len(one.hits), len(one.false)) for state, one in scores.items()}
