"""What became of the records that were read adds up."""

from hypothesis import given
from hypothesis import strategies as st

from streams.steps.ledger import Ledger

OUTCOMES = ("applied", "duplicate", "late", "rejected", "heartbeat", "replayed")

counts = st.lists(st.integers(0, 10**9), min_size=len(OUTCOMES) + 3, max_size=len(OUTCOMES) + 3)


def ledger_of(found: list[int]) -> Ledger:
    """Return a ledger with a count per outcome, then flagged, on topic, and how many wait."""
    *outcomes, flagged, on_topic, waiting = found
    by_name = dict(zip(OUTCOMES, outcomes, strict=True))
    return Ledger(read=sum(outcomes) + waiting, flagged=flagged, on_topic=on_topic, **by_name)


@given(counts)
def test_what_was_read_and_has_no_outcome_waits(found: list[int]) -> None:
    """Flagged and on-topic signals are among the applied, so they are no outcomes of their own."""
    assert ledger_of(found).waiting() == found[-1]


@given(counts, counts)
def test_adding_ledgers_adds_every_count(left: list[int], right: list[int]) -> None:
    """The sum of two partitions says what one partition with both of their records would say."""
    total = ledger_of(left)
    total.add(ledger_of(right))

    assert total == ledger_of([a + b for a, b in zip(left, right, strict=True)])
