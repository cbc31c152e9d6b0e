"""Roots are compared with the last ones of their author, and an author is forgotten when nothing ends any more."""

import msgspec
import pytest

from schemas.cascade import ENDED, READING_ID, CascadeReading
from schemas.virality_rows import AuthorRow
from streams.steps.authors import Authors
from tests.streams.steps.logs import DAY_MS, START_MS, remember

TOPIC, OTHER = "cern/higgs", "cern/lhc"
POST, REPLY = 0, 1


def root(
    *interactions: int, at_ms: int = START_MS, actor: str = "ada", network: str = "n", kind: int = POST, flags: int = 0
) -> CascadeReading:
    """Return a reading of a cascade whose root had brought so much at each benchmark age that it has passed."""
    return CascadeReading(
        at=at_ms,
        id=READING_ID + "r",
        root="r",
        actor=actor,
        kind=kind,
        network=network,
        topics=(TOPIC,),
        began_ms=START_MS,
        size=1,
        nodes=1,
        depth=0,
        breadth=1,
        virality=None,
        edge=0,
        flags=flags,
        shares=0,
        interactions=interactions,
    )


def ended(*interactions: int, at_ms: int = START_MS, actor: str = "ada", network: str = "n") -> CascadeReading:
    """Return the last reading of such a cascade."""
    return root(*interactions, at_ms=at_ms, actor=actor, network=network, flags=ENDED)


def authors_with(roots: int, *, topic: str = TOPIC, actor: str = "ada", network: str = "n") -> Authors:
    """Return authors of whom one has had so many roots, which had brought 40, 41, … interactions at every age."""
    authors = Authors()
    for brought in range(40, 40 + roots):
        authors.score(ended(brought, 2 * brought, 3 * brought, 4 * brought, actor=actor, network=network), topic)
    return authors


def restored(authors: Authors) -> Authors:
    """Return authors that go on from rows, after these were stored and read."""
    rows: dict[str, bytes] = {}
    remember(rows, stored(authors))
    anew = Authors()
    anew.restore(msgspec.msgpack.decode(value, type=AuthorRow) for value in rows.values())
    return anew


def stored(authors: Authors) -> list[tuple[str, bytes | None]]:
    """Return what changed, as a table keeps it."""
    return [(name, None if row is None else msgspec.msgpack.encode(row)) for name, row in authors.changed_rows()]


def test_a_root_is_compared_once_twenty_of_its_author_have_ended() -> None:
    """The middle half of 40 … 59 has the mean 49.5; with 19 there is no telling what is usual."""
    assert authors_with(19).score(root(99), TOPIC) is None
    assert authors_with(20).score(root(99), TOPIC) == 2.0


def test_a_root_is_compared_at_the_last_age_that_it_has_passed() -> None:
    """At the second age the others had brought 99 on average, at the third 148.5, at the fourth 198."""
    authors = authors_with(20)
    assert authors.score(root(0, 198), TOPIC) == 2.0
    assert authors.score(root(0, 0, 297), TOPIC) == 2.0
    assert authors.score(root(0, 0, 0, 99), TOPIC) == -2.0


def test_a_root_that_goes_on_is_not_yet_in_the_history_and_never_in_its_own() -> None:
    """Only what has ended is compared with; the twentieth that ends is told nothing of the nineteen before it."""
    authors = authors_with(19)
    for _ in range(5):
        assert authors.score(root(50), TOPIC) is None
    assert authors.score(ended(59), TOPIC) is None
    assert authors.score(ended(99), TOPIC) == 2.0


@pytest.mark.parametrize(
    ("told", "topic"),
    [
        (root(99), OTHER),
        (root(99, network="m"), TOPIC),
        (root(99, kind=REPLY), TOPIC),
        (root(99, actor="bob"), TOPIC),
    ],
)
def test_topics_networks_kinds_and_actors_have_histories_of_their_own(told: CascadeReading, topic: str) -> None:
    """What is usual for a post is not for a reply, and an id means somebody else on another network."""
    authors = authors_with(20)
    assert authors.score(told, topic) is None
    assert authors.score(root(99), TOPIC) == 2.0


@pytest.mark.parametrize("told", [ended(), ended(50, actor=""), root(50, kind=-1, flags=ENDED)])
def test_a_root_that_nobody_saw_or_that_passed_no_age_is_of_no_author(told: CascadeReading) -> None:
    """There is nothing to compare it with, and it does not enter a history."""
    authors = Authors()
    assert authors.score(told, TOPIC) is None
    assert len(authors) == 0
    assert stored(authors) == []


def test_a_restart_is_not_noticed() -> None:
    """Twenty roots, with a restart after each of them, are twenty roots."""
    authors = Authors()
    rows: dict[str, bytes] = {}
    for brought in range(40, 60):
        assert authors.score(ended(brought), TOPIC) is None
        remember(rows, stored(authors))
        authors = Authors()
        authors.restore(msgspec.msgpack.decode(value, type=AuthorRow) for value in rows.values())
    assert len(rows) == 1
    assert authors.score(root(99), TOPIC) == 2.0
    assert stored(authors) == []


def test_an_author_is_forgotten_after_four_weeks_without_an_end() -> None:
    """Readings of what goes on do not count as an end; the row goes with the author."""
    authors = authors_with(20)
    rows: dict[str, bytes] = {}
    remember(rows, stored(authors))
    authors.score(root(99, at_ms=START_MS + 20 * DAY_MS), TOPIC)
    authors.expire(START_MS + 28 * DAY_MS)
    assert len(authors) == 1
    authors.expire(START_MS + 29 * DAY_MS)
    assert len(authors) == 0
    remember(rows, stored(authors))
    assert rows == {}


def test_an_author_that_comes_back_begins_anew() -> None:
    """Whoever was forgotten and ends another root before rows are told has a row, and a history of one."""
    authors = authors_with(20)
    list(authors.changed_rows())
    late_ms = START_MS + 29 * DAY_MS
    authors.expire(late_ms)
    assert authors.score(ended(99, at_ms=late_ms), TOPIC) is None
    ((_, row),) = authors.changed_rows()
    assert row is not None
    assert (row.last_ms, row.history.interactions) == (late_ms, ((99,), (), (), ()))


@pytest.mark.parametrize("expires_ms", [(), (28 * DAY_MS + 1,), (DAY_MS, 28 * DAY_MS)])
def test_when_authors_are_swept_changes_nothing_of_what_is_told(expires_ms: tuple[int, ...]) -> None:
    """They are swept between batches, and a batch may hold any number of days: four weeks are over when they are."""
    authors = authors_with(20)
    for after_ms in expires_ms:
        authors.expire(START_MS + after_ms)
    assert authors.score(root(99, at_ms=START_MS + 28 * DAY_MS + 2), TOPIC) is None


def test_a_root_within_four_weeks_of_the_last_end_is_compared() -> None:
    """The bound belongs to them, however often authors are swept."""
    authors = authors_with(20)
    authors.expire(START_MS + 28 * DAY_MS)
    assert authors.score(root(99, at_ms=START_MS + 28 * DAY_MS), TOPIC) == 2.0


def test_no_two_authors_share_a_name() -> None:
    """Whatever is in their ids: a bar in a network or an actor does not make it that of another."""
    parts = ("a", "a|b", "b|a", "b", "1|a", "3|a|b", "|", "")
    authors = Authors()
    for network in parts:
        for actor in parts[:-1]:
            authors.score(ended(len(network), actor=actor, network=network), TOPIC)
    names = [name for name, _ in authors.changed_rows()]
    assert len(names) == len(set(names)) == len(parts) * (len(parts) - 1)


def test_authors_with_bars_in_their_ids_are_told_apart_after_a_restart() -> None:
    """The row says who it is, not its name."""
    authors = restored(authors_with(20, actor="c", network="a|b"))
    assert authors.score(root(99, actor="b|c", network="a"), TOPIC) is None
    assert authors.score(root(99, actor="c", network="a|b"), TOPIC) == 2.0
