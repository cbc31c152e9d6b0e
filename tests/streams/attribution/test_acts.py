"""Acts are remembered for a span, in as many scopes as they are in, edited and taken back, and across a restart."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.act_rows import ActsRow
from streams.attribution import acts as module
from streams.attribution.acts import Act, RecentActs, act_number
from streams.measures.node_index import number_of

SPAN_MS = 480

# What is done at the next instant: after how long, to which number, in which scope, and whether it is taken back.
steps = st.lists(
    st.tuples(st.integers(0, 200) | st.integers(0, 2), st.integers(0, 5), st.sampled_from("rq"), st.booleans()),
    min_size=1,
    max_size=60,
)


def acts() -> RecentActs[str]:
    """Return a memory of acts whose value is their scope."""
    return RecentActs[str](span_ms=SPAN_MS, scope_of=str, value_type=str)


@given(steps, st.integers(0, 2**32), st.sampled_from((1, 3, 1_000)), st.sampled_from((2, 400)))
def test_what_is_found_equals_a_search_through_everything(
    drawn: list[tuple[int, int, str, bool]], seed: int, sealed: int, chunk: int
) -> None:
    """However acts are sealed and cut into rows, and whenever a worker crashes: the latest of each scope counts."""
    random, patched = Random(seed), (module.SEALED_ACTS, module._CHUNK_ACTS_MAX)
    module.SEALED_ACTS, module._CHUNK_ACTS_MAX = sealed, chunk
    try:
        recent, rows = acts(), dict[str, ActsRow]()
        latest: dict[tuple[int, str], Act[str]] = {}
        now_ms = 0
        for place, (after_ms, number, scope, is_taken) in enumerate(drawn):
            now_ms += after_ms
            expected = [
                act
                for (known, _), act in sorted(latest.items())
                if known == number and act.code != module.GONE and now_ms - act.at_ms <= SPAN_MS
            ]
            assert recent.find(number, now_ms=now_ms) == expected
            held = next((act for act in expected if act.value == scope), None)
            if is_taken and held:
                recent.forget(number, held, now_ms=now_ms)
                latest[number, scope] = held._replace(code=module.GONE)
            elif not is_taken:
                act = Act(now_ms, place % 16, place * 2**50, place, scope)
                recent.note(number, act, now_ms=now_ms)
                latest[number, scope] = act
            if random.random() < 0.3:
                keep(recent, rows)
                recent = acts()
                recent.restore(reversed(rows.items()))
    finally:
        module.SEALED_ACTS, module._CHUNK_ACTS_MAX = patched


def keep(recent: RecentActs[str], rows: dict[str, ActsRow]) -> None:
    """Write what changed into a table."""
    for name, row in recent.changed_rows():
        if row is None:
            # Some were told and ended between two checkpoints.
            rows.pop(name, None)
        else:
            rows[name] = row


def test_what_is_looked_through_hardly_grows_with_what_is_remembered() -> None:
    """A thousand times as many acts in one slice of time are ten parts more, not a thousand."""
    patched, module.SEALED_ACTS = module.SEALED_ACTS, 4
    try:
        recent = acts()
        for number in range(4 * 1_000):
            recent.note(number, Act(0, 0, number, 0, "r"), now_ms=0)
        assert len(recent._sealed) <= 11
        assert all(recent.find(number, now_ms=0)[0].other == number for number in range(4 * 1_000))
    finally:
        module.SEALED_ACTS = patched


def test_rows_end_with_what_nobody_can_ask_for_any_more() -> None:
    """Acts of ten spans leave the rows of little more than one."""
    recent, rows = acts(), dict[str, ActsRow]()
    for at_ms in range(0, 10 * SPAN_MS, 5):
        recent.note(at_ms, Act(at_ms, 0, 0, 0, "r"), now_ms=at_ms)
        keep(recent, rows)
    assert len(rows) <= module.BUCKETS + 3
    assert sum(len(row.marks) // 4 for row in rows.values()) >= SPAN_MS // 5


def test_an_act_has_another_number_in_every_conversation() -> None:
    """Also the root's own post, which may bear the id of its conversation."""
    names = ("a", "b", "c")
    numbers = {act_number(number_of(name), root) for name in names for root in names}
    assert len(numbers) == 9
