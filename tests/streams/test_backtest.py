"""A run over a log tells the same however it is cut, accounts for everything, and gives rows for a table."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.rules import MINUTE_MS
from schemas.signal import Heartbeat, Signal
from schemas.vitals import Measures, Vitals
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import parse_seeds, topic_records
from streams.backtest import Entry, Results, entries, rows
from streams.networks.refusal import refuse

START_MS = 1_777_852_800_000
SEEDS = "brands: [{id: nursery, topics: [{id: roses, seeds: {tags: [roses]}}]}]"
REGISTRY = Registry(topic_records(parse_seeds(SEEDS, where="seeds"), effective_from_ms=0))


def post(number: int) -> Signal:
    """Return a post on the topic, one every twenty seconds."""
    return Signal(f"g:{number}", "garden", "post", START_MS + number * 20_000, f"a{number % 7}", tags=("roses",))


@settings(max_examples=20)
@given(st.lists(st.integers(1, 40), max_size=12))
def test_where_a_log_is_cut_changes_nothing(cuts: list[int]) -> None:
    """Batches are a matter of reading."""
    whole = [(number, b"", post(number)) for number in range(1, 61)]
    batches, start = [], 0
    for size in cuts:
        batches.append(whole[start : start + size])
        start += size
    batches.append(whole[start:])

    assert Results.of(REGISTRY, [batch for batch in batches if batch]) == Results.of(REGISTRY, [whole])


def test_everything_is_released_and_accounted_for() -> None:
    """The end of a log ends its sources; what was refused and what came late is told."""
    log: list[Entry] = [(1, b"", post(1)), (2, b"?", refuse("not_json", "no")), (3, b"", post(50)), (4, b"", post(2))]

    results = Results.of(REGISTRY, [log], name="log.ndjson")

    ledger = results.ledger
    assert (ledger.read, ledger.applied, ledger.rejected, ledger.late, ledger.waiting()) == (4, 2, 1, 1, 0)
    assert [rejection.place.channel for rejection in results.rejections] == ["log.ndjson"]
    assert [late.signal.id for late in results.late] == ["g:2"]
    assert results.vitals[-1].windows["1h"].signals == 2


def test_signals_made_in_a_program_are_a_log() -> None:
    """Their order is that of the log, heartbeats among them."""
    signals: list[Signal | Heartbeat] = [*map(post, range(2_500)), Heartbeat("clock", START_MS)]

    batches = list(entries(signals))

    assert [said for batch in batches for _, _, said in batch] == signals
    assert [number for batch in batches for number, _, _ in batch] == list(range(1, 2_502))


def test_rows_have_the_same_columns_and_lose_nothing() -> None:
    """A table has one width; what is nested is named by its path."""
    vitals = [
        Vitals(at, "nursery", "roses", "seeded", at, {}, Measures(outgrowth_ratio=ratio))
        for at, ratio in ((MINUTE_MS, None), (2 * MINUTE_MS, 1.5))
    ]

    first, second = rows(vitals)

    assert list(first) == list(second)
    assert (first["measures.outgrowth_ratio"], second["measures.outgrowth_ratio"]) == (None, 1.5)
    assert {name.split(".")[0] for name in first} <= set(msgspec.structs.asdict(vitals[0]))
