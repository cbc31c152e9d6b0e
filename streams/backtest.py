"""Run a log through the whole computation in one process, and give what it tells as rows for a notebook.

from agents.backtesting import load_registry
from agents.logs import read_signals
from streams.backtest import Results

results = Results.of(load_registry("seeds.yaml"), read_signals("week.ndjson.gz"))
polars.DataFrame(rows(results.vitals))          # or pandas.DataFrame(...)
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import msgspec

from schemas.alert import Alert
from schemas.cascade import CascadeVitals
from schemas.rejection import Late, Rejection
from schemas.signal import Erasure, Heartbeat, Signal
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.networks.refusal import Refusal
from streams.steps.attribute import Arrival
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Outcome, Pipeline

Entry = tuple[int, bytes, Signal | Heartbeat | Erasure | Refusal]
"""What a log says: the number of its line from 1 on, the line, and one of the things that it says, or a refusal."""

BATCH_SIGNALS = 1_000


def advance(
    registry: Registry, batches: Iterable[Sequence[Entry]], *, name: str = "log"
) -> Iterator[tuple[Pipeline, Outcome]]:
    """Yield the outcome of each batch of a log; the last one ends every source, so that everything is released.

    `name` is what rejections and late signals name as their place. The batches change nothing of what is told.
    """
    pipeline = Pipeline(registry, channel=name)
    sources: set[str] = set()
    largest_ms = next_number = 0
    for batch in batches:
        arrivals = []
        for number, payload, said in batch:
            if not isinstance(said, Refusal):
                if not isinstance(said, Erasure):
                    sources.add(said.source if isinstance(said, Signal) else said.heartbeat)
                largest_ms = max(largest_ms, said.at)
            arrivals.append(Arrival(number, None, payload, said))
            next_number = number + 1
        yield pipeline, pipeline.advance(arrivals, next_offset=next_number)
    ends = [Arrival(next_number, None, b"", Heartbeat(source, at=largest_ms, end=True)) for source in sorted(sources)]
    yield pipeline, pipeline.advance(ends, next_offset=next_number)
    # The ends are ours, not the log's.
    pipeline.ledger.read -= len(ends)
    pipeline.ledger.heartbeat -= len(ends)


def entries(signals: Iterable[Signal | Heartbeat | Erasure]) -> Iterator[list[Entry]]:
    """Yield signals that were made in a program as the batches of a log."""
    batch: list[Entry] = []
    for number, signal in enumerate(signals, start=1):
        batch.append((number, b"", signal))
        if len(batch) == BATCH_SIGNALS:
            yield batch
            batch = []
    if batch:
        yield batch


class Results(msgspec.Struct):
    """All that a log tells, in stamp order, and what became of its records.

    >>> from streams.attribution.matcher import Registry
    >>> post = Signal(id="t:1", network="t", kind="post", at=1_781_179_212_345, actor="ana")
    >>> Results.of(Registry(()), entries([post])).ledger.applied
    1
    """

    alerts: list[Alert] = msgspec.field(default_factory=list)
    vitals: list[Vitals] = msgspec.field(default_factory=list)
    cascades: list[CascadeVitals] = msgspec.field(default_factory=list)
    rejections: list[Rejection] = msgspec.field(default_factory=list)
    late: list[Late] = msgspec.field(default_factory=list)
    ledger: Ledger = msgspec.field(default_factory=Ledger)

    @classmethod
    def of(cls, registry: Registry, batches: Iterable[Sequence[Entry]], *, name: str = "log") -> Self:
        """Run a log to its end and return what it told; everything is held, so a long log wants `advance` instead."""
        results = cls()
        for pipeline, outcome in advance(registry, batches, name=name):
            results.alerts += (alert for _, alert in outcome.alerts)
            results.vitals += outcome.vitals
            results.cascades += outcome.cascades
            results.rejections += outcome.rejections
            results.late += outcome.late
            results.ledger = pipeline.ledger
        return results


def rows(shapes: Iterable[msgspec.Struct]) -> list[dict[str, Any]]:
    """Return shapes as flat rows, nested names joined by a point, every row with the same columns in the same order.

    Lists stay lists. A column that a row has nothing for is None.

    >>> from schemas.signal import Signal
    >>> rows([Heartbeat("clock", at=5), Heartbeat("replay", at=6, end=True)])
    [{'heartbeat': 'clock', 'at': 5, 'end': None}, {'heartbeat': 'replay', 'at': 6, 'end': True}]
    """
    flat = [dict(_flat(msgspec.to_builtins(shape), "")) for shape in shapes]
    columns = dict.fromkeys(name for row in flat for name in row)
    return [{name: row.get(name) for name in columns} for row in flat]


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from _flat(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
