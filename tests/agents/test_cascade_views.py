"""Claims about the ranking of live cascades, on real servers: who is in it, in which order, and for how long."""

import asyncio
import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import cascade_views
from agents.cascade_views import CASCADES_MAX, SILENT_MS, WaitingCascades
from agents.stack.valkey import ValkeyServer
from agents.views import ViewsBatch, ViewsError, Written
from schemas.cascade import CascadeVitals
from tests.agents.sample_views import TOPIC, a_cascade, batch, client, everything, opened, write

RANKING, VITALS, TICKS = (f"overgrowth:{view}:{TOPIC}" for view in ("cascades", "cascade-vitals", "cascade-ticks"))
HOUR_MS = 3_600_000


def ranked(server: ValkeyServer, last: int = 20, topic: str = TOPIC) -> list[CascadeVitals]:
    """Return the live cascades that readers see."""

    async def scenario() -> list[CascadeVitals]:
        async with opened(server.url) as views:
            return await views.live_cascades(topic, last)

    return asyncio.run(scenario())


def members(server: ValkeyServer) -> tuple[set[str], set[str]]:
    """Return the roots in the ranking and those with vitals, which must be the same."""
    with client(server) as outside:
        return set(outside.zrange(RANKING, 0, -1)), set(outside.hgetall(VITALS))


def expected_ranking(shapes: Sequence[CascadeVitals]) -> list[CascadeVitals]:
    """Return what should be ranked once all these are known: each cascade's newest, if it is live and recent."""
    newest_at = max((shape.at for shape in shapes), default=0)
    ranking = []
    for root in {shape.root for shape in shapes}:
        newest = max((shape for shape in shapes if shape.root == root), key=lambda shape: shape.at)
        if "ended" not in newest.flags and newest_at - newest.at <= 24 * HOUR_MS:
            ranking.append(newest)
    return sorted(ranking, key=lambda shape: (-shape.size, shape.root))


def test_the_largest_cascades_come_first(redis_server: ValkeyServer) -> None:
    """By size, those of one size by root; `last` says how many; another topic is another ranking."""
    shapes = [a_cascade(root, 1, size) for root, size in [("b", 9), ("d", 70), ("ä", 9), ("a", 9), ("c", 100)]]
    other = a_cascade("b", 5, 3, topic="cern/lhc")

    assert [Written(cascades=6, store_was_empty=True)] == write(redis_server, batch(*shapes, other))
    b, d, umlaut, a, c = shapes
    assert [c, d, a, b, umlaut] == ranked(redis_server)
    assert [c, d, a] == ranked(redis_server, 3)
    assert ranked(redis_server, 0) == []
    assert [other] == ranked(redis_server, topic="cern/lhc")
    assert ranked(redis_server, topic="cern/none") == []
    with client(redis_server) as outside:
        assert outside.zscore(RANKING, "d") == 70


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(data=st.data())
def test_the_ranking_depends_on_the_set_of_records_alone(redis_server: ValkeyServer, data: st.DataObject) -> None:
    """Records may come in any order, again, and cut into any batches: the newest of each cascade decides."""
    a_record = st.builds(
        lambda root, hour, size, flags: a_cascade(root, hour * HOUR_MS, size, *flags),
        st.sampled_from("abc"),
        st.integers(0, 50),
        st.integers(2, 4),
        st.sampled_from([(), ("truncated",), ("ended",), ("root_missing", "ended")]),
    )
    shapes = data.draw(st.lists(a_record, max_size=10, unique_by=lambda shape: (shape.root, shape.at)), label="set")
    early = data.draw(st.lists(st.sampled_from(shapes), max_size=5) if shapes else st.just([]), label="early")
    arrivals = early + data.draw(st.permutations(shapes), label="all")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arrivals)), max_size=4), label="cuts"))
    with client(redis_server) as outside:
        outside.flushall()

    write(redis_server, *(batch(*arrivals[a:b]) for a, b in itertools.pairwise([0, *cuts, len(arrivals)])))

    expected = expected_ranking(shapes)
    assert expected == ranked(redis_server)
    roots = {shape.root for shape in expected}
    assert (roots, roots) == members(redis_server)


def test_a_record_that_comes_again_changes_nothing(redis_server: ValkeyServer) -> None:
    """No vitals, no cascade that has ended and no time of expiry come back with it."""
    shapes = [a_cascade("a", 1, 5), a_cascade("a", 2, 6), a_cascade("b", 1, 9), a_cascade("b", 2, 9, "ended")]
    assert [Written(cascades=4, store_was_empty=True)] == write(redis_server, batch(*shapes))
    before = everything(redis_server)

    again = write(redis_server, *(batch(shape) for shape in shapes), batch(*reversed(shapes)))

    assert [Written()] * 5 == again
    assert before == everything(redis_server)
    assert [shapes[1]] == ranked(redis_server)


def test_a_cascade_that_goes_on_after_its_end_is_live_again(redis_server: ValkeyServer) -> None:
    """Somebody may share it a week later; only what is newer than its end says so."""
    revived = a_cascade("a", 3, 7)

    write(redis_server, batch(a_cascade("a", 2, 6, "ended")), batch(a_cascade("a", 1, 5)), batch(revived))

    assert [revived] == ranked(redis_server)


def test_a_cascade_is_dropped_after_a_day_of_silence_in_event_time(redis_server: ValkeyServer) -> None:
    """At exactly a day it is still there; one millisecond more, by whichever cascade of its topic, and it is gone."""
    silent, other = a_cascade("silent", 1_000, 99), a_cascade("other", 1_000 + SILENT_MS, 2)
    write(redis_server, batch(silent, other, a_cascade("elsewhere", 9 * SILENT_MS, topic="cern/lhc")))
    assert [silent, other] == ranked(redis_server)

    write(redis_server, batch(a_cascade("over", 1_001 + SILENT_MS, 2, "ended")))

    assert [other] == ranked(redis_server)
    assert [Written()] == write(redis_server, batch(silent))
    assert ({"other"}, {"other"}) == members(redis_server)
    with client(redis_server) as outside:
        assert outside.zrange(TICKS, 0, -1) == ["other", "over"]


def test_of_too_many_the_smallest_are_dropped(redis_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several of one size, those that readers see last; room that an end leaves is for those that come."""
    monkeypatch.setattr(cascade_views, "CASCADES_MAX", 3)
    sizes = {"a": 5, "b": 2, "c": 5, "d": 5, "e": 7, "f": 4}

    write(redis_server, batch(*(a_cascade(root, 1, size) for root, size in sizes.items())))

    assert [shape.root for shape in ranked(redis_server)] == ["e", "a", "c"]
    assert (set("eac"), set("eac")) == members(redis_server)

    write(redis_server, batch(a_cascade("e", 2, 7, "ended")), batch(a_cascade("b", 2, 3), a_cascade("f", 2, 4)))

    assert [shape.root for shape in ranked(redis_server)] == ["a", "c", "f"]


def test_a_thousand_cascades_are_ranked(redis_server: ValkeyServer) -> None:
    """More commands than one transaction takes are written as a whole."""
    shapes = [a_cascade(f"r{size}", 1, size) for size in range(2, CASCADES_MAX + 7)]

    write(redis_server, batch(*shapes))

    assert shapes[:-1001:-1] == ranked(redis_server, 5_000)
    assert len(members(redis_server)[1]) == 1_000


def test_what_is_remembered_of_cascades_is_bounded(redis_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is not ranked the oldest are forgotten; what is ranked can still tell older vitals from newer ones."""
    monkeypatch.setattr(cascade_views, "CASCADES_MAX", 3)
    monkeypatch.setattr(cascade_views, "TICKS_MAX", 10)
    large = [a_cascade(root, at, 50) for at, root in enumerate("abc", 10)]
    write(redis_server, batch(*large))

    for number in range(100):
        write(redis_server, batch(a_cascade(f"small{number}", 100 + number, 2, *["ended"] * (number % 2))))
        with client(redis_server) as outside:
            assert outside.zcard(TICKS) <= 10

    assert [Written()] == write(redis_server, batch(a_cascade("a", 9, 60), large[1]))
    assert large == ranked(redis_server)


def test_a_ranking_whose_ticks_were_evicted_begins_anew(redis_server: ValkeyServer) -> None:
    """Nothing else would tell that its cascades have been silent for long."""
    write(redis_server, batch(a_cascade("old", 1, 50)))
    with client(redis_server) as outside:
        outside.delete(TICKS)

    write(redis_server, batch(a_cascade("new", 5 * SILENT_MS)))

    assert [a_cascade("new", 5 * SILENT_MS)] == ranked(redis_server)
    assert ({"new"}, {"new"}) == members(redis_server)


def test_a_reader_leaves_out_what_is_gone_and_tells_what_is_not_ours(redis_server: ValkeyServer) -> None:
    """Between two looks a cascade may be dropped; a value of somebody else names its key."""
    kept = a_cascade("kept", 1)
    write(redis_server, batch(kept, a_cascade("gone", 1)))
    with client(redis_server) as outside:
        outside.hdel(VITALS, "gone")
        assert [kept] == ranked(redis_server)
        outside.hset(VITALS, "gone", "{}")

    with pytest.raises(ViewsError, match=f"redis key {VITALS}: expected vitals of a cascade as JSON, got: .*; delete "):
        ranked(redis_server)


def waiting_for(*shapes: CascadeVitals) -> WaitingCascades:
    """Keep these, in order."""
    waiting = WaitingCascades()
    for shape in shapes:
        waiting.keep(shape, msgspec.json.encode(shape))
    return waiting


def taken(waiting: WaitingCascades) -> list[CascadeVitals]:
    """Take what waits, without its JSON."""
    return [shape for shape, _ in waiting.take()]


@pytest.mark.parametrize("ats", list(itertools.permutations([1, 2, 3])))
def test_the_newest_of_each_cascade_and_topic_waits(ats: Sequence[int]) -> None:
    """In whatever order they come; what was taken, forgotten or silent for a day waits no longer."""
    others = [a_cascade("a", 9, topic="cern/lhc"), a_cascade("b", 9, topic="cern/gone"), a_cascade("s", 3 - SILENT_MS)]
    waiting = waiting_for(*(a_cascade("a", at, at + 1) for at in ats), *others, a_cascade("z", 2 - SILENT_MS))
    waiting.forget("cern/gone")

    assert [(shape, msgspec.json.encode(shape)) for shape in (a_cascade("a", 3, 4), others[2], others[0])] == list(
        waiting.take()
    )
    assert waiting.take() == ()


def test_of_what_comes_again_the_last_waits() -> None:
    """A step that did a tick once more stands behind its first try."""
    assert [a_cascade("a", 1, 5)] == taken(waiting_for(a_cascade("a", 1, 4), a_cascade("a", 1, 5)))


@given(sizes=st.lists(st.integers(2, 30), max_size=40), ends=st.sets(st.integers(0, 39)))
def test_what_is_left_out_would_not_be_ranked(sizes: list[int], ends: set[int]) -> None:
    """However many wait, the largest live ones are among those that are written, and no cascade of ours has a copy."""
    shapes = [a_cascade(f"r{n:02}", n, size, *["ended"] * (n in ends)) for n, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cascade_views, "CASCADES_MAX", 3)
        kept = taken(waiting_for(*shapes))

    assert len(kept) <= 9
    assert expected_ranking(shapes)[:3] == expected_ranking(kept)[:3]
    assert len({shape.root for shape in kept}) == len(kept)
    assert all(shape in shapes for shape in kept)


def test_nothing_waits_after_a_clear() -> None:
    """The next owner of the partition reads it again."""
    waiting = waiting_for(a_cascade("a", 1))
    waiting.clear()
    assert taken(waiting) == []
    assert not ViewsBatch(cascades=waiting.take()).cascades
