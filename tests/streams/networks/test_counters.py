"""Counts become signals: each like and share that a count has grown by is told once, in whatever order counts come."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import AT_MS_MIN, Signal
from streams.networks.counters import SIGNALS_MAX, Counters, Counts, Grown, counted

AT_MS = AT_MS_MIN + 1_000
POST = Signal("s:1", "mastodon", "reply", AT_MS, "rosa", source="m:g", post="p", parent="q", root="r", root_actor="ivo")

counts = st.builds(Counts, likes=st.integers(0, 30), shares=st.integers(0, 30))


def grown(counters: Counters, now: Counts, post: Signal = POST) -> list[Signal]:
    """Return what a snapshot of a post tells."""
    told = counters.look(post.post or "", now)
    return [] if told is None else counted(post, told, at_ms=AT_MS)


def test_what_the_first_snapshot_counts_is_no_news() -> None:
    """When it happened nobody knows; it may be years ago."""
    assert grown(Counters(), Counts(likes=900, shares=80)) == []


def test_a_counted_share_is_one_of_the_post_by_a_stranger() -> None:
    """It hangs where the post hangs, and says that it was only counted."""
    told = Grown(Counts(likes=0, shares=3), Counts(likes=1, shares=4))

    assert counted(POST, told, at_ms=AT_MS + 5) == [
        Signal(
            id="p#like:1",
            network="mastodon",
            kind="like",
            at=AT_MS + 5,
            actor="p#like:1",
            source="m:g",
            post="p",
            parent_actor="rosa",
            flags=("counted",),
        ),
        Signal(
            id="p#share:4",
            network="mastodon",
            kind="share",
            at=AT_MS + 5,
            actor="p#share:4",
            source="m:g",
            post="p",
            parent="p",
            root="r",
            parent_actor="rosa",
            root_actor="ivo",
            flags=("counted",),
        ),
    ]


@given(snapshots=st.lists(counts, min_size=1, max_size=12))
def test_every_count_above_the_first_is_told_once(snapshots: list[Counts]) -> None:
    """Whatever falls and rises again, the names told are those of the numbers from the first to the largest count."""
    counters = Counters()
    told = [signal.id for snapshot in snapshots for signal in grown(counters, snapshot)]

    first = snapshots[0]
    likes = range(first.likes + 1, max(snapshot.likes for snapshot in snapshots) + 1)
    shares = range(first.shares + 1, max(snapshot.shares for snapshot in snapshots) + 1)
    assert sorted(told) == sorted([f"p#like:{n}" for n in likes] + [f"p#share:{n}" for n in shares])


def test_a_leap_is_told_bit_by_bit_and_whole() -> None:
    """One snapshot must not become a flood, and nothing of it may be lost."""
    counters, leap = Counters(), Counts(likes=SIGNALS_MAX + 5, shares=7)
    grown(counters, Counts())
    told = [[signal.id for signal in grown(counters, leap)] for _ in range(3)]

    assert [len(ids) for ids in told] == [SIGNALS_MAX, 12, 0]
    assert len({*told[0], *told[1]}) == SIGNALS_MAX + 12


def test_the_post_that_was_not_looked_at_for_longest_is_forgotten() -> None:
    """Memory is bounded; a forgotten post begins anew and tells nothing twice by itself."""
    counters = Counters(posts_max=2)
    for name in ("a", "b", "a", "c"):
        counters.look(name, Counts(likes=1))
    assert [bool(counters.look(name, Counts(likes=2))) for name in ("a", "b")] == [True, False]
    assert len(counters) == 2


@given(counts, counts)
def test_what_counters_tell_can_be_told_and_nothing_else_can(before: Counts, now: Counts) -> None:
    """A record that says it grew by too much, or fell, is nobody's who counts."""
    counters = Counters()
    counters.look("p", before)
    told = counters.look("p", now)

    assert told is None or told.is_lawful
    assert Grown(before, now).is_lawful == (now.likes >= before.likes and now.shares >= before.shares)
    assert not Grown(Counts(), Counts(likes=SIGNALS_MAX, shares=1)).is_lawful
    assert not Grown(Counts(likes=-2), Counts(likes=-1)).is_lawful
