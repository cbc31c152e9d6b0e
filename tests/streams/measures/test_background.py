"""The background is what the rest of a shard said in the last panes, as of the begin of the one that runs."""

from random import Random
from unittest import mock

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.drift_rows import TagActorsRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures import tag_actors
from streams.measures.background import WINDOW_PANES, Background

PANE_MS = 1_000
TAGS = ("#rain", "#sun", "#wind")
SHARDS = (0, 7, 63)

Said = tuple[int, int, str, tuple[str, ...]]
"""When, in which shard, who, with which tags."""

said = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 300, 999, 1_000, 2_500, 6_000, 7_001]),
        st.sampled_from(SHARDS),
        st.sampled_from(["ana", "bo", "cy", "dé"]),
        st.lists(st.sampled_from(TAGS), max_size=3).map(tuple),
    ),
    max_size=40,
).map(lambda steps: [(sum(gap for gap, *_ in steps[: n + 1]), *step[1:]) for n, step in enumerate(steps)])


class Table:
    """What is stored of a background: encoded rows, the latest of each name."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def take(self, background: Background) -> None:
        """Store what changed; a row that ends must be there."""
        for name, row in background.changed_rows():
            if row is None:
                del self.rows[name]
            else:
                self.rows[name] = msgspec.msgpack.encode(row)

    def restored(self, *, at_ms: int, pane_ms: int = PANE_MS) -> Background:
        """Return a background that goes on from what is stored."""
        background = Background(pane_ms=pane_ms)
        held = [(name, msgspec.msgpack.decode(row, type=TagActorsRow)) for name, row in self.rows.items()]
        background.restore(held, at_ms=at_ms)
        return background


def by_definition(log: list[Said], shard: int, *, at_ms: int) -> tuple[tuple[int, ...], int]:
    """Return who used each tag, and any, in the six whole panes before that of an instant, by looking at everything."""
    end = at_ms // PANE_MS
    uses = [
        (actor, tags)
        for said_ms, there, actor, tags in log
        if there == shard and end - 6 <= said_ms // PANE_MS < end and tags
    ]
    return tuple(len({actor for actor, tags in uses if tag in tags}) for tag in TAGS), len({actor for actor, _ in uses})


def feed(background: Background, said_now: Said) -> None:
    """Let something be said."""
    at_ms, shard, actor, tags = said_now
    background.add(shard, actor, tags, at_ms=at_ms)


@given(said, st.integers(0, 9_000))
def test_a_reading_equals_a_count_over_the_whole_panes_before(log: list[Said], later_ms: int) -> None:
    """Each actor once per tag, whoever used any tag once; who said something without tags is not among them."""
    background = Background(pane_ms=PANE_MS)
    for number, one in enumerate(log):
        feed(background, one)

        assert background.read(one[1], TAGS, at_ms=one[0]) == by_definition(log[: number + 1], one[1], at_ms=one[0])
    at_ms = (log[-1][0] if log else 0) + later_ms
    for shard in SHARDS:
        assert background.read(shard, TAGS, at_ms=at_ms) == by_definition(log, shard, at_ms=at_ms)


def test_what_is_said_is_read_from_the_next_pane_on_for_six_panes() -> None:
    """Said within the pane 1, seen while the panes 2 to 7 run."""
    background = Background(pane_ms=PANE_MS)
    background.add(7, "ana", ["#rain"], at_ms=1_999)
    seen = [background.read(7, ["#rain"], at_ms=at_ms) for at_ms in (1_999, 2_000, 7_999, 8_000)]

    assert WINDOW_PANES == 6
    assert seen == [((0,), 0), ((1,), 1), ((1,), 1), ((0,), 0)]


def test_a_shard_knows_nothing_of_the_others() -> None:
    """Readings must not differ with the number of partitions, and a partition has whole shards."""
    background = Background(pane_ms=PANE_MS)
    background.add(7, "ana", ["#rain"], at_ms=0)

    assert background.read(8, ["#rain"], at_ms=PANE_MS) == ((0,), 0)


def test_counts_come_in_the_order_of_the_tags_asked() -> None:
    """They travel without names beside the tags of a contribution."""
    background = Background(pane_ms=PANE_MS)
    for actor, tags in (("ana", ["#rain", "#sun"]), ("bo", ["#sun"])):
        background.add(7, actor, tags, at_ms=0)

    assert background.read(7, ["#sun", "#snow", "#rain", "#sun"], at_ms=PANE_MS) == ((2, 0, 1, 2), 2)


def test_a_crowd_is_told_as_the_people_seen_of_it() -> None:
    """2,000 actors with long tags do not fit into a pane: a sample tells the share, three deviations about it."""
    random, background = Random(1), Background(pane_ms=PANE_MS)
    for number in range(2_000):
        tags = ["#rain" + "x" * 100, "#some" + "x" * 100][: 1 + (random.random() < 0.5)]
        background.add(7, f"actor-{number}", tags, at_ms=0)
    (rain, some), tagged = background.read(7, ["#rain" + "x" * 100, "#some" + "x" * 100], at_ms=PANE_MS)

    assert 100 < tagged < 1_000
    assert rain == tagged
    assert some / tagged == pytest.approx(0.5, abs=3 * (0.25 / tagged) ** 0.5)


@given(said, st.integers(0, 40), st.integers(0, 7_000))
def test_a_background_from_its_rows_goes_on_the_same(log: list[Said], kept_after: int, frontier_ms: int) -> None:
    """A restart anywhere, also between two panes, changes neither what is read nor which rows there are."""
    old, stored = Background(pane_ms=PANE_MS), Table()
    for one in log[:kept_after]:
        feed(old, one)
    before_ms = log[:kept_after][-1][0] if log[:kept_after] else 0
    next_ms = log[kept_after][0] if kept_after < len(log) else before_ms + frontier_ms
    at_ms = min(next_ms, before_ms + frontier_ms)
    stored.take(old)
    new = stored.restored(at_ms=at_ms)
    stored_by_new = Table()
    stored_by_new.rows |= stored.rows
    for one in log[kept_after:]:
        for shard in SHARDS:
            assert old.read(shard, TAGS, at_ms=one[0]) == new.read(shard, TAGS, at_ms=one[0])
        feed(old, one)
        feed(new, one)
    for shard in SHARDS:
        assert old.read(shard, TAGS, at_ms=at_ms + 99_999) == new.read(shard, TAGS, at_ms=at_ms + 99_999)
    stored.take(old)
    stored_by_new.take(new)

    assert stored.rows == stored_by_new.rows


@given(said, st.randoms(use_true_random=False))
def test_order_within_a_pane_does_not_matter(log: list[Said], random: Random) -> None:
    """Who spoke first within a pane depends on nothing but chance."""
    shuffled = sorted(random.sample(log, len(log)), key=lambda one: one[0] // PANE_MS)
    tables = []
    for told in (log, shuffled):
        background, table = Background(pane_ms=PANE_MS), Table()
        for one in told:
            feed(background, one)
        table.take(background)
        tables.append(table.rows)

    assert tables[0] == tables[1]


def test_when_rows_are_told_does_not_matter() -> None:
    """Checkpoints fall anywhere; what is stored behind the last is the same."""
    stored = []
    for every in (1, 7, 60):
        random, background, table = Random(4), Background(pane_ms=PANE_MS), Table()
        for number in range(60):
            background.add(7, f"actor-{random.randrange(9)}", random.sample(TAGS, 2), at_ms=number * 211)
            if number % every == 0:
                table.take(background)
        table.take(background)
        stored.append(table.rows)

    assert stored[0] == stored[1] == stored[2]


def test_rows_are_few_and_fit_into_a_record() -> None:
    """A shard has the panes of its window and the one that runs, however much is said."""
    background, table = Background(pane_ms=PANE_MS), Table()
    for number in range(6_000):
        tags = [f"#{number % 97:03}{place}{'x' * 95}" for place in range(3)]
        background.add(7, f"actor-{number}", tags, at_ms=number * 4)
        if number % 500 == 0:
            table.take(background)
    table.take(background)

    assert sorted(table.rows) == sorted(f"{PANE_MS}|7|{pane}" for pane in range(17, 24))
    assert all(len(row) <= ROW_BYTES_MAX for row in table.rows.values())
    assert max(map(len, table.rows.values())) > ROW_BYTES_MAX // 8


def test_rows_of_panes_of_another_length_are_left_aside() -> None:
    """Rules may have changed between two runs: numbers of panes mean other instants then."""
    background, table = Background(pane_ms=PANE_MS), Table()
    background.add(7, "ana", ["#rain"], at_ms=500)
    table.take(background)

    other = table.restored(at_ms=2_000, pane_ms=500)
    assert other.read(7, ["#rain"], at_ms=2_000) == ((0,), 0)
    # They would stay for ever: nothing else ends a row of panes that nobody counts any more.
    assert list(other.changed_rows()) == [(name, None) for name in table.rows]
    assert list(other.changed_rows()) == []
    assert table.restored(at_ms=2_000).read(7, ["#rain"], at_ms=2_000) == ((1,), 1)


def test_what_came_before_the_running_pane_is_refused() -> None:
    """It is fed in the order of stamps: anything else is an error of the caller."""
    background = Background(pane_ms=PANE_MS)
    background.add(7, "ana", ["#rain"], at_ms=5_000)

    with pytest.raises(ValueError, match="expected a pane from 5 on, got 4"):
        background.add(7, "ana", ["#rain"], at_ms=4_999)


def test_a_restart_keeps_the_sample_of_a_crowd() -> None:
    """Who is in the sample follows from what was said, and must not change with a restart within a pane."""
    with mock.patch.object(tag_actors, "WINDOW_USES_MAX", 300):
        old, table = Background(pane_ms=PANE_MS), Table()
        for number in range(1_200):
            old.add(7, f"actor-{number}", [TAGS[number % 3]], at_ms=number * 5)
        table.take(old)
        new = table.restored(at_ms=5_995)
        read = [[one.read(7, TAGS, at_ms=at_ms) for at_ms in range(5_995, 14_000, 500)] for one in (old, new)]

    assert read[0] == read[1]
    assert 0 < read[0][0][1] <= 300


def test_a_shard_that_fell_silent_leaves_no_rows() -> None:
    """Rows expire in event time, whether or not their shard is heard again, and the same with a restart between."""
    background, table = Background(pane_ms=PANE_MS), Table()
    background.add(7, "ana", ("#rain",), at_ms=0)
    table.take(background)
    assert table.rows
    restored = table.restored(at_ms=0)
    for one, kept in ((background, dict(table.rows)), (restored, table.rows)):
        one.expire(2 * WINDOW_PANES * PANE_MS)
        after = Table()
        after.rows = kept
        after.take(one)
        assert not after.rows
