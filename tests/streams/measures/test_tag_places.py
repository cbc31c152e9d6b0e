"""Of every tag it is known in how many cascades it was used lately, and how much the rest of the network uses it."""

from hashlib import blake2b
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.drift_rows import TagPlacesRow
from schemas.rows import ROW_BYTES_MAX
from streams.measures.tag_places import CASCADES_MAX, SHARDS_MAX, Place, TagPlaces

PANES = 6
TAGS = ("#wild", "#sun", "#日")

Use = tuple[int, str, str, int, int, int]
"""In which pane, the tag, the root, the shard, its users and its actors."""

uses = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 1, 2, 5, 6, 7, 30]),
        st.sampled_from(TAGS),
        st.integers(0, 9).map(lambda n: f"root{n}"),
        st.integers(-1, 14),
        st.integers(0, 50),
        st.integers(50, 99),
    ),
    max_size=60,
).map(lambda steps: [(sum(gap for gap, *_ in steps[: n + 1]), *step[1:]) for n, step in enumerate(steps)])


class Table:
    """What is stored of places: encoded rows, the latest of each pane."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}

    def take(self, places: TagPlaces) -> None:
        """Store what changed; a row that ends must be there."""
        for pane, row in places.changed_rows():
            if row is None:
                del self.rows[pane]
            else:
                self.rows[pane] = msgspec.msgpack.encode(row)

    def restored(self, end: int) -> TagPlaces:
        """Return places that go on from what is stored."""
        places = TagPlaces(panes=PANES)
        places.restore([msgspec.msgpack.decode(row, type=TagPlacesRow) for row in self.rows.values()], end)
        return places


def note(places: TagPlaces, use: Use) -> None:
    """Note one use."""
    pane, tag, root, shard, users, actors = use
    places.add(pane, tag, root=root, shard=shard, users=users, actors=actors)


def by_definition(log: list[Use], tag: str, *, end: int) -> Place:
    """Return where a tag was used in the panes from six before an end on, by looking at everything."""
    roots, told = set[str](), dict[int, tuple[int, int]]()
    for pane in range(end - PANES, end + 1):
        here = [use for use in log if use[:2] == (pane, tag)]
        in_pane = {root: blake2b(root.encode(), digest_size=8).digest()[::-1] for _, _, root, *_ in here}
        roots |= set(sorted(in_pane, key=lambda root: in_pane[root])[:4])
        last = {shard: (users, actors) for *_, shard, users, actors in here if shard >= 0}
        told |= {shard: last[shard] for shard in sorted(last)[:8]}
    return Place(len(roots), sum(users for users, _ in told.values()), sum(actors for _, actors in told.values()))


@given(uses)
def test_places_equal_a_count_over_everything(log: list[Use]) -> None:
    """Of each pane the four roots and eight shards with the smallest numbers, of a shard what it told last."""
    places = TagPlaces(panes=PANES)
    for number, use in enumerate(log):
        places.roll(use[0])
        note(places, use)
        for tag in TAGS:
            assert places.read(tag) == by_definition(log[: number + 1], tag, end=use[0])


@given(uses, st.randoms(use_true_random=False))
def test_order_within_a_pane_does_not_matter(log: list[Use], random: Random) -> None:
    """But for what one shard says of one tag, which grows as the pane runs: there the last counts."""
    fixed = [(pane, tag, root, shard, shard + 1, 100 + pane) for pane, tag, root, shard, *_ in log]
    stored = []
    for told in (fixed, sorted(random.sample(fixed, len(fixed)), key=lambda use: use[0])):
        places, table = TagPlaces(panes=PANES), Table()
        for use in told:
            note(places, use)
        table.take(places)
        stored.append(table.rows)

    assert stored[0] == stored[1]


@given(uses, st.integers(0, 60), st.lists(st.integers(0, 60)))
def test_places_from_their_rows_go_on_the_same(log: list[Use], stopped_after: int, told_after: list[int]) -> None:
    """A restart in the middle of a pane, with rows told at any times before, leaves readings and rows as they are."""
    old, stored, end = TagPlaces(panes=PANES), Table(), 0
    for number, use in enumerate(log[:stopped_after]):
        end = use[0]
        old.roll(end)
        note(old, use)
        if number in told_after:
            stored.take(old)
    stored.take(old)
    new, stored_by_new = stored.restored(end), Table()
    stored_by_new.rows |= stored.rows
    for use in log[stopped_after:]:
        for places, table in ((old, stored), (new, stored_by_new)):
            places.roll(use[0])
            note(places, use)
            table.take(places)
        assert [old.read(tag) for tag in TAGS] == [new.read(tag) for tag in TAGS]
        assert stored.rows == stored_by_new.rows


def test_what_a_shard_told_last_counts() -> None:
    """Within a pane and from pane to pane: its users are those of its own last hours already."""
    places = TagPlaces(panes=PANES)
    for pane, users, actors in ((0, 5, 50), (0, 7, 70), (3, 2, 60)):
        places.add(pane, "#wild", root="r", shard=3, users=users, actors=actors)
    read = places.read("#wild")
    places.roll(7)

    assert read == Place(1, 2, 60)
    assert places.read("#wild") == Place(1, 2, 60)


def test_a_use_of_an_unknown_shard_tells_of_a_cascade_only() -> None:
    """What is said within a conversation of the topic does not bring what the others talk about."""
    places = TagPlaces(panes=PANES)
    places.add(0, "#wild", root="r")

    assert places.read("#wild") == Place(1, 0, 0)
    assert places.read("#sun") == Place(0, 0, 0)


def test_a_window_is_six_whole_panes_and_the_one_that_runs() -> None:
    """A use of the pane 1 is there as long as the window ends before a pane up to 7."""
    places = TagPlaces(panes=PANES)
    places.add(1, "#wild", root="r", shard=1, users=1, actors=9)
    seen = []
    for end in (1, 2, 7, 8):
        places.roll(end)
        seen.append(places.read("#wild").cascades)

    assert seen == [1, 1, 1, 0]


def test_some_cascades_and_shards_of_a_tag_are_kept() -> None:
    """A thousand cascades need not be told from four, nor the network from eight fair samples of it."""
    places = TagPlaces(panes=PANES)
    for number in range(1_000):
        places.add(0, "#wild", root=f"root{number}", shard=63 - number % 64, users=number % 64, actors=100)

    # The shards 0 to 7, of which 63 to 56 use it.
    assert places.read("#wild") == Place(CASCADES_MAX, sum(range(56, 64)), 100 * SHARDS_MAX)


def test_fullest_pane_fits_into_a_record() -> None:
    """Tags of 100 characters, whatever their script, roots of 512 bytes, and shards of many people."""
    for letter in ("x", "日", "😀"):
        places, table = TagPlaces(panes=PANES), Table()
        for number in range(2_000):
            for place in range(SHARDS_MAX + 1):
                places.add(
                    0,
                    f"#{number:04}" + letter * 95,
                    root=f"{number}-{place}".ljust(512, "r"),
                    shard=56 + place,
                    users=2**32,
                    actors=2**62,
                )
        table.take(places)

        assert ROW_BYTES_MAX // 2 < len(table.rows[0]) <= ROW_BYTES_MAX


def test_shortest_tags_fit_into_a_record_too() -> None:
    """Where tags are short, what is kept beside them fills the row."""
    places, table = TagPlaces(panes=PANES), Table()
    for number in range(2_000):
        for place in range(SHARDS_MAX):
            places.add(0, chr(0x4E00 + number), root=f"{place}", shard=place, users=2**62, actors=2**62)
    table.take(places)

    assert ROW_BYTES_MAX // 2 < len(table.rows[0]) <= ROW_BYTES_MAX


def test_a_full_pane_goes_on_with_the_tags_that_it_has() -> None:
    """Further tags wait for the next pane, also behind a restart."""
    old, table = TagPlaces(panes=PANES), Table()
    for number in range(1_000):
        old.add(0, f"#{number:03}", root="r", shard=1, users=1, actors=9)
    table.take(old)
    for places in (old, table.restored(0)):
        places.add(0, "#late", root="r", shard=1, users=1, actors=9)
        places.add(0, "#000", root="q", shard=2, users=1, actors=9)
        late = places.read("#late")
        places.add(1, "#late", root="r", shard=1, users=1, actors=9)

        assert late == Place(0, 0, 0)
        assert places.read("#000") == Place(2, 2, 18)
        assert places.read("#late") == Place(1, 1, 9)


def test_closed_panes_and_steps_backwards_are_refused() -> None:
    """Both are errors of the caller."""
    places = TagPlaces(panes=PANES)
    places.roll(5)

    with pytest.raises(ValueError, match="expected a pane from 5 on, got 4"):
        places.add(4, "#wild", root="r")
    with pytest.raises(ValueError, match="expected an end from pane 5 on, got 4"):
        places.roll(4)
