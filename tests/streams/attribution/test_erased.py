"""Who was erased is known for a while, by a number; the steps together are checked in tests/streams/steps."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.erasure_rows import ErasedActorRow
from schemas.signal import Erasure, Signal
from streams.attribution.erased import ErasedActors, erased_name

instants = st.integers(0, 40)


@given(st.lists(st.tuples(st.sampled_from("abc"), instants)), st.sampled_from("abc"), instants, instants)
def test_who_is_refused_follows_from_the_last_erasure_alone(
    made: list[tuple[str, int]], actor: str, at_ms: int, cut: int
) -> None:
    """Against a plain list of all erasures; through rows at any place, and forgetting at any time, the same."""
    made.sort(key=lambda pair: pair[1])
    erased = ErasedActors(span_ms=10)
    rows: dict[str, ErasedActorRow | None] = {}
    for number, (name, erased_ms) in enumerate(made):
        if number == cut:
            rows.update(erased.changed_rows())
            erased = ErasedActors(span_ms=10)
            erased.restore((key, row) for key, row in rows.items() if row is not None)
        erased.erase(Erasure(name, "n", erased_ms))
    last_ms = max((erased_ms for name, erased_ms in made if name == actor), default=None)
    signal = Signal("s", "n", "post", at_ms, actor)

    assert erased.refuses(signal) == (last_ms is not None and at_ms - last_ms <= 10)


def test_rows_end_when_their_time_is_over_and_never_name_anybody() -> None:
    """Looked at once a day of event time."""
    erased = ErasedActors(span_ms=1_000)
    erased.erase(Erasure("ana", "n", 5))
    (before,) = erased.changed_rows()
    erased.expire(2 * 86_400_000)

    assert before[0] == erased_name("n", "ana")
    assert "ana" not in before[0]
    assert list(erased.changed_rows()) == [(before[0], None)]
    assert len(erased) == 0


def test_an_erasure_is_new_once() -> None:
    """Partitions hear of one several times."""
    erased = ErasedActors(span_ms=1_000)

    assert [erased.erase(Erasure("ana", "n", at_ms)) is None for at_ms in (5, 5, 4, 6)] == [False, True, True, False]
