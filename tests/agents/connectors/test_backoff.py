"""Check the waits between attempts: bounded, growing, and not the same for everybody."""

from itertools import pairwise

from agents.connectors.backoff import FIRST_S, MAX_S, Backoff


def test_waits_grow_to_their_limit_and_begin_anew() -> None:
    """Twice as long each time; a success ends that."""
    backoff = Backoff(draw=lambda low, high: high)
    waits = [backoff.next_s() for _ in range(12)]

    assert waits[0] == FIRST_S
    assert waits[-1] == MAX_S
    assert all(later == min(2 * earlier, MAX_S) for earlier, later in pairwise(waits))
    backoff.reset()
    assert backoff.next_s() == FIRST_S


def test_no_two_wait_the_same() -> None:
    """A server that comes back is not met by everybody at once."""
    waits = [Backoff(first_s=8.0).next_s() for _ in range(50)]

    assert all(4.0 <= wait <= 8.0 for wait in waits)
    assert len(set(waits)) > 1
