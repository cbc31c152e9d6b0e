"""The open pane of a topic: bounded whatever comes, and exact but for what a crowd hides of single actors."""

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.attributed import ADOPTED, BRAND, LINEAGES, SEEDED, WILD
from schemas.contribution import Contribution, Retraction
from schemas.rows import ROW_BYTES_MAX, OpenPaneRow
from schemas.rules import EngagementRules
from schemas.signal import KINDS
from streams.lifecycle.rules import build_rules
from streams.measures.engagement import ActorCap, weights_of
from streams.steps.pane import COUNTED_AT, LINEAGE_AT, OPEN_BYTES_MAX, UNITS_AT, OpenPane
from streams.steps.topic import Topic
from tests.streams.steps.logs import EAGER_RULES, MINUTE_MS, START_MS, in_bytes, remember

ID_BYTES = 512
"""The longest id that gets in (`streams.networks.native`)."""
CROWD = 1_800
"""More actors than one pane keeps, with ids of 32 bytes."""
EAGER = build_rules(EAGER_RULES)
POST = KINDS.index("post")


def act(actor: str, *, kind: int = 0, lineage: int = ADOPTED, units: int = 1000, number: int = 0,
        root: str = "r") -> Contribution:  # fmt: skip
    """Return a contribution, so many milliseconds after the start as its number says."""
    return Contribution(START_MS + number, f"s{number:05}", "b/t", actor, kind, lineage, units, root, "n")


acts = st.builds(
    act,
    st.sampled_from(["ana", "bo", "cy", "dé"]),
    kind=st.integers(0, len(KINDS) - 1),
    lineage=st.integers(0, len(LINEAGES) - 1),
    units=st.integers(0, 1500),
)


@given(st.lists(acts, max_size=30), st.data())
def test_what_is_taken_back_leaves_the_sums_and_the_counts_and_not_who_was_there(
    given_acts: list[Contribution], data: st.DataObject
) -> None:
    """The sums are those of the rest; whoever did nothing else has a count of nothing, and is shown all the same."""
    pane, rest = OpenPane(), OpenPane()
    gone = data.draw(st.sets(st.integers(0, len(given_acts))))
    for one in given_acts:
        pane.add(one)
    for number, one in enumerate(given_acts):
        if number in gone:
            pane.take_back(
                Retraction(one.at, one.id, one.topic, one.actor, one.kind, one.lineage, one.units, one.at, one.root)
            )
        else:
            rest.add(one)
    assert pane.vector == rest.vector
    assert {actor: count for actor, count in pane.counts().items() if count} == rest.counts()
    assert set(pane.counts()) == {one.actor for one in given_acts}


@given(st.lists(acts, max_size=30))
def test_sums_and_actors_equal_a_count_over_everything(given_acts: list[Contribution]) -> None:
    """By kind, by lineage, in thousandths of engagement, by actor, and who took part in whose beginnings."""
    pane = OpenPane()
    for one in given_acts:
        pane.add(one)

    for index in range(len(KINDS)):
        assert pane.vector[index] == sum(one.kind == index for one in given_acts)
    for index in range(len(LINEAGES)):
        of_lineage = [one.units for one in given_acts if one.lineage == index]
        assert (pane.vector[LINEAGE_AT + index], pane.vector[UNITS_AT + index]) == (len(of_lineage), sum(of_lineage))
    assert pane.vector[COUNTED_AT] == sum(one.units > 0 and one.lineage in (SEEDED, ADOPTED) for one in given_acts)
    assert pane.counts() == Counter(one.actor for one in given_acts)
    assert set(pane.endogenous()) == {one.actor for one in given_acts if one.lineage in (ADOPTED, WILD)}
    assert set(pane.seeded()) == {one.actor for one in given_acts if one.lineage == SEEDED}


def test_what_is_beyond_a_cap_and_what_the_brand_says_is_not_counted_for_growth() -> None:
    """Of twelve posts within an hour and a cap of five, each worth one, five count, of each actor; none of the brand's.

    All are signals of the pane all the same.
    """
    cap, weights = ActorCap(), weights_of(EngagementRules(post=1.0, actor_cap=5.0), hour_ms=60 * MINUTE_MS)
    pane = OpenPane()
    for number in range(12):
        for actor, lineage in (("bot", ADOPTED), ("fan", SEEDED), ("brand", BRAND)):
            units = cap.units(actor=actor, topic="b/t", kind=POST, at_ms=START_MS + number, weights=weights)
            pane.add(act(actor, kind=POST, lineage=lineage, units=units, number=number))

    assert pane.vector[COUNTED_AT] == 5 + 5
    assert sum(pane.vector[: len(KINDS)]) == 36


def test_what_still_counts_in_part_is_counted_for_growth() -> None:
    """Growth is of signals, not of their weight: the one that uses up a cap is within it."""
    pane = OpenPane()
    for units in (1000, 1, 0):
        pane.add(act("ana", units=units))

    assert pane.vector[COUNTED_AT] == 2


@given(st.lists(acts, max_size=30), st.integers(0, 30))
def test_a_pane_from_its_row_goes_on_the_same(given_acts: list[Contribution], kept_after: int) -> None:
    """A restart in the middle of a pane forgets nothing, and the row says when there is something to write."""
    whole = OpenPane()
    for one in given_acts[:kept_after]:
        whole.add(one)
    restored = OpenPane()
    restored.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(whole.row()), type=OpenPaneRow))
    assert not restored.has_changed
    for one in given_acts[kept_after:]:
        whole.add(one)
        restored.add(one)
        assert restored.has_changed

    assert msgspec.msgpack.encode(restored.row()) == msgspec.msgpack.encode(whole.row())
    assert restored.is_crowded == whole.is_crowded


@given(st.integers(0, 2**32), st.sampled_from(["a", "ü", "\N{SEEDLING}"]))
@settings(max_examples=9)
def test_however_many_act_the_row_stays_small_and_nobody_loses_much(seed: int, letter: str) -> None:
    """With k of the longest ids kept, a count is short by at most one in k + 1 of the signals, and never too large."""
    random = Random(seed)
    names = [f"{letter * ((ID_BYTES - 4) // len(letter.encode()))}{number:04}" for number in range(400)]
    exact: Counter[str] = Counter()
    pane = OpenPane()
    thinned = 0
    fewest = len(names)
    for number in range(1_200):
        actor = random.choice(names[:4] if random.random() < 0.3 else names)
        exact[actor] += 1
        pane.add(act(actor, number=number))
        if pane.is_crowded:
            fewest = min(fewest, len(pane.counts()))
            pane.thin_out()
            thinned += 1
        assert number % 20 or len(msgspec.msgpack.encode(pane.row())) <= ROW_BYTES_MAX

    assert thinned > 3, "a pane that was never crowded shows nothing"
    assert fewest > OPEN_BYTES_MAX // (2 * ID_BYTES)
    counts = pane.counts()
    for actor, count in exact.items():
        assert count - exact.total() / (fewest // 2 + 1) <= counts.get(actor, 0) <= count


def test_who_was_shown_before_the_pane_was_thinned_out_is_not_shown_again() -> None:
    """Whoever stays keeps the rest of its signals, but the marks are those since then."""
    pane = OpenPane()
    for actor in ("ana", "ana", "ana", "bo"):
        pane.add(act(actor))
    pane.thin_out()
    assert pane.counts() == {"ana": 2}
    assert (list(pane.endogenous()), list(pane.seeded())) == ([], [])
    pane.add(act("ana", lineage=SEEDED))
    pane.add(act("cy", lineage=BRAND))
    assert pane.counts() == {"ana": 3, "cy": 1}
    assert (list(pane.endogenous()), list(pane.seeded())) == ([], ["ana"])


def test_the_next_pane_begins_empty() -> None:
    """What was given to the measures is not counted again, and that has to be written."""
    pane = OpenPane()
    pane.add(act("ana"))
    pane.has_changed = False
    pane.clear()
    assert (any(pane.vector), pane.counts(), pane.has_changed) == (False, {}, True)


def crowd(*, panes: int) -> list[Contribution]:
    """Return signals of more actors than an open pane keeps, in each of some panes, and of one busy actor."""
    made = []
    for pane in range(panes):
        for number in range(CROWD):
            at = pane * MINUTE_MS + 10 * number
            made.append(
                act(
                    f"{pane}-{number}".rjust(ID_BYTES // 16, "x"),
                    number=at,
                    lineage=number % 3,
                    root=f"r{number % 7}",
                )
            )
            made.append(act("busy", number=at, root="r1"))
    return made


@pytest.mark.parametrize("kept_at", [0, 2_400, 2_600, 3_601, 6_900])
def test_a_checkpoint_in_a_crowded_pane_loses_nothing(kept_at: int) -> None:
    """Within the first pane or a later one, before it is thinned out or behind: the same vitals from the rows on."""
    whole, rows = Topic("b/t", pane_ms=MINUTE_MS), dict[str, bytes]()
    restored: Topic | None = None
    for number, one in enumerate(crowd(panes=2)):
        for topic in (whole, restored):
            if topic is not None:
                if topic.next_tick_ms is not None and topic.next_tick_ms <= one.at:
                    topic.tick(EAGER)
                topic.add(one)
        if number == kept_at:
            remember(rows, whole.changed_rows())
            assert max(map(len, rows.values())) <= ROW_BYTES_MAX
            restored = Topic.from_rows("b/t", ((key.partition("|")[0], value) for key, value in rows.items()))
    assert restored is not None

    last, of_restored = whole.tick(EAGER).vitals, restored.tick(EAGER).vitals
    assert in_bytes([last]) == in_bytes([of_restored])
    assert last is not None
    window = last.windows["1h"]
    actors = 2 * CROWD
    assert window.signals == 2 * actors
    assert window.actors == pytest.approx(actors + 1, rel=0.07), "four standard errors of the estimate"
    assert 0.5 - 2 / CROWD <= window.top_actor_share <= 0.5
