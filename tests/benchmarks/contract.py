"""The lines of DESIGN.md §10, which figure tells of each, and what limits it where it is not reached.

What limits is a judgement, kept here beside the line until somebody finds out better; it is printed only where the
figure of a run does not reach its goal.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tests.benchmarks.report import Line, said


class Clause(NamedTuple):
    """One line of the contract: what it says, the benchmark and the figure that tell, and what limits it."""

    says: str
    benchmark: str
    figure: str
    limits: str = ""


_WORKER = "decoding, the order of signals and one look-up each are paid for the 19 of 20 that touch no topic"
_ALL = "conversations and cascades of every signal, and a table's rows"
_FLOOR = "the floor decodes and does nothing; half of it leaves a few microseconds for all that a worker does in Python"
_FAUST = "an ordinary agent counts in one table, a worker grows trees, members and states"
_BACKTEST = "as a worker, without Kafka"
_STATE = "Python's objects and dictionaries"

CONTRACT = (
    Clause("worker, firehose mix", "side_by_side", "worker, mix", _WORKER),
    Clause("worker, all on topic", "side_by_side", "worker, all on topic", _ALL),
    Clause("of the floor (`getmany` + decode), mix", "side_by_side", "worker, mix, of the floor", _FLOOR),
    Clause("of ordinary Faust agents, mix", "side_by_side", "worker, mix, of plain Faust, mix", _FAUST),
    Clause(
        "of ordinary Faust agents, all on topic",
        "side_by_side",
        "worker, all on topic, of plain Faust, all on topic",
        _FAUST,
    ),
    Clause("ahead of Quix Streams", "side_by_side", "worker, mix, of Quix Streams, windowed count"),
    Clause("ahead of Bytewax", "side_by_side", "worker, mix, of Bytewax, windowed count"),
    Clause("backtest, mix", "backtest", "mix, the whole computation", _BACKTEST),
    Clause("backtest, all on topic", "backtest", "all on topic, the whole computation", _ALL),
    Clause(
        "backtest, a season",
        "backtest",
        "season, the whole computation",
        "a sparse log: a tick of the topic with every second or third signal",
    ),
    Clause("alert on the channel, p99", "latency", "watermark to channel, p99", "waiting for fetches in three hops"),
    Clause("recovery", "durability", "recovery", "decoding rows, and rebuilding conversations and actors of them"),
    Clause("small cascade, one post", "memory", "a cascade of one post", _STATE),
    Clause("small cascade, 2 replies", "memory", "a cascade of a post and 2 replies", _STATE),
    Clause("small cascade, 2 shares", "memory", "a cascade of a post and 2 shares", _STATE),
    Clause("further node, a reply", "memory", "a further reply of 25,000 below the root", _STATE),
    Clause("further node, a share", "memory", "a further share of 25,000 below the root", _STATE),
    Clause("further node, a reply in a path", "memory", "a further reply of 25,000 in a path", _STATE),
    Clause("member", "memory", "a member", _STATE),
    Clause("memory flat, 16 of 23 days behind full windows", "log_length", "memory, 1,000,000 on"),
    Clause("a second worker keeps the first one's pace", "scaling", "2 workers, by processor time"),
    Clause("cost flat: 100,000 topics declared", "growth", "topics declared: 100,000"),
    Clause("cost flat: 10,000 topics judged each minute", "growth", "topics awake: 10,000"),
    Clause("cost bounded: 100,000 live cascades", "growth", "live cascades: 100,000"),
    Clause("cost bounded: 100,000 members", "growth", "members: 100,000"),
    Clause("cost bounded: an undo, 400,000 acts remembered", "growth", "acts that can be undone: 400,000"),
    Clause("cost flat: 64 partitions, as busy each", "growth", "partitions, as busy each: 64"),
    Clause("cost flat: one topic with 90 % of the traffic", "growth", "hot topic: 90"),
)

CONTRACT_HEADINGS = ("line", "goal", "found", "rounds", "reached", "what limits")
NOT_MEASURED = "not measured by this run"


def against(lines: Sequence[Line]) -> list[tuple[str, str, str, str, str, str]]:
    """Return a row for every line of the contract: what it says, goal, found, rounds, reached, what limits.

    >>> [row[2] for row in against([])][:1]
    ['not measured by this run']
    """
    by_name = {(line.benchmark, line.name): line for line in lines}
    return [_row(clause, by_name.get((clause.benchmark, clause.figure))) for clause in CONTRACT]


def _row(clause: Clause, line: Line | None) -> tuple[str, str, str, str, str, str]:
    if line is None or line.goal is None:
        return clause.says, "", NOT_MEASURED, "", "", ""
    found = f"{said(line.median)} {line.unit}".strip()
    if line.goal.of_ratio and line.ratio is not None:
        found = f"{said(line.ratio)} × {line.floor} ({found})"
    reached = "yes" if line.reached else "**no**"
    limits = "" if line.reached else clause.limits
    return clause.says, str(line.goal), found, str(len(line.values)), reached, limits
