"""The read model against real servers: Valkey from the wheel, and Debian's redis-server where it is installed."""

import asyncio
import itertools
import logging
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.client import PubSub

from agents import views as views_module
from agents.metrics import Metrics, RedisOperation
from agents.stack.ports import free_ports
from agents.stack.valkey import ValkeyServer
from agents.views import TTL_S, Views, ViewsBatch, ViewsError, ViewsUnavailable, Written, backoff_delays_s, revision_of
from schemas.alert import Alert, Status
from schemas.channels import DAY_MS
from schemas.vitals import Vitals
from tests.agents.sample_views import (
    TOPIC,
    a_cascade,
    a_vitals,
    an_alert,
    batch,
    client,
    everything,
    opened,
    write,
)


def read(server: ValkeyServer, topic: str = TOPIC) -> tuple[Vitals | None, list[Alert], list[Alert]]:
    """Return what readers see: the latest vitals, the open episodes, the last alerts."""

    async def scenario() -> tuple[Vitals | None, list[Alert], list[Alert]]:
        async with opened(server.url) as views:
            return await views.latest_vitals(topic), await views.open_episodes(topic), await views.alerts(10_000)

    return asyncio.run(scenario())


class WatchedMetrics(Metrics):
    """Metrics that tell a test when a second failure was counted, so that an attempt was repeated."""

    def __init__(self) -> None:
        super().__init__(version="test")
        self.failures = 0
        self.failed_again = asyncio.Event()

    def count_redis_error(self, operation: RedisOperation) -> None:
        """Count, and tell."""
        super().count_redis_error(operation)
        self.failures += 1
        if self.failures == 2:
            self.failed_again.set()


def test_what_was_written_is_read_back(redis_server: ValkeyServer) -> None:
    """Each reader of the command line finds its view; an unknown name finds nothing."""
    first, second = an_alert("e1", 1), an_alert("e2", 1, topic="cern/lhc")

    async def scenario() -> None:
        async with opened(redis_server.url) as views:
            written = await views.write(batch(a_vitals(60_000), first, second))
            assert Written(vitals=1, alerts=2, store_was_empty=True) == written
            assert a_vitals(60_000) == await views.latest_vitals(TOPIC)
            assert [first] == await views.open_episodes(TOPIC)
            assert [first, second] == await views.alerts(5)
            assert [second] == await views.alerts(1)
            assert await views.alerts(0) == []
            assert second == await views.alert("e2.1")
            assert await views.alert("e2.2") is None
            assert await views.latest_vitals("cern/none") is None
            assert await views.open_episodes("cern/none") == []

    asyncio.run(scenario())


def test_an_empty_batch_asks_nothing_of_redis() -> None:
    """Nothing to write succeeds even where Redis is away."""
    [port] = free_ports(1)

    async def scenario() -> Written:
        async with opened(f"redis://127.0.0.1:{port}/0") as views:
            return await views.write(ViewsBatch())

    assert Written() == asyncio.run(scenario())


@pytest.mark.parametrize("ticks", list(itertools.permutations([1_000, 2_000, 3_000])))
def test_older_vitals_never_overwrite_newer_ones(redis_server: ValkeyServer, ticks: tuple[int, ...]) -> None:
    """Whatever order the ticks come in, in one batch or in several, the newest stays."""
    write(redis_server, batch(*map(a_vitals, ticks)))

    assert a_vitals(3_000) == read(redis_server)[0]

    write(redis_server, *(batch(a_vitals(at + 3_000)) for at in ticks))

    assert a_vitals(6_000) == read(redis_server)[0]


@pytest.mark.parametrize("status", ["resolved", "superseded", "expired"])
def test_an_ended_episode_is_no_longer_open_and_stays_so(redis_server: ValkeyServer, status: Status) -> None:
    """The end removes it, and a revision from before the end that comes late does not bring it back."""
    write(redis_server, batch(an_alert("e", 1)), batch(an_alert("e", 3, status)), batch(an_alert("e", 2, "updated")))

    _, open_episodes, alerts = read(redis_server)

    assert open_episodes == []
    assert [alert.id for alert in alerts] == ["e.1", "e.3", "e.2"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(data=st.data())
def test_views_depend_on_the_set_of_records_alone(redis_server: ValkeyServer, data: st.DataObject) -> None:
    """Each record decides by its own stamp, so batches may be cut, mixed and repeated: the same views come out."""
    statuses: list[Status] = ["firing", "updated", "resolved"]
    revisions = data.draw(st.lists(st.sampled_from(statuses), max_size=5), label="revisions")
    alerts = [an_alert("e", revision, status) for revision, status in enumerate(revisions, start=1)]
    shapes: list[Vitals | Alert] = [*alerts, an_alert("f", 1), *map(a_vitals, range(1, 4))]
    arrivals = data.draw(st.lists(st.sampled_from(shapes), max_size=6), label="early") + data.draw(
        st.permutations(shapes), label="all"
    )
    cuts = sorted(data.draw(st.sets(st.integers(0, len(arrivals)), max_size=4), label="cuts"))
    with client(redis_server) as outside:
        outside.flushall()

    write(redis_server, *(batch(*arrivals[a:b]) for a, b in itertools.pairwise([0, *cuts, len(arrivals)])))
    vitals, open_episodes, history = read(redis_server)

    still_open = alerts[-1:] if revisions and revisions[-1] != "resolved" else []
    assert a_vitals(3) == vitals
    assert [*still_open, an_alert("f", 1)] == open_episodes
    assert list(dict.fromkeys(shape.id for shape in arrivals if isinstance(shape, Alert))) == [a.id for a in history]


def test_a_batch_that_comes_again_changes_nothing_and_publishes_nothing(redis_server: ValkeyServer) -> None:
    """After a crash the last batch is written again: no key, no time of expiry, no subscriber may notice."""
    shapes: list[Vitals | Alert] = [a_vitals(1), an_alert("e", 1), an_alert("e", 2, "resolved"), an_alert("f", 1)]
    with client(redis_server) as outside, PubSub(outside.connection_pool, ignore_subscribe_messages=True) as subscriber:
        next_message: Callable[..., Any] = subscriber.get_message  # carries no annotations
        subscriber.subscribe("overgrowth:alerts")
        write(redis_server, batch(*shapes))
        before = everything(redis_server)

        again = write(redis_server, batch(*shapes), batch(*reversed(shapes)))

        outside.publish("overgrowth:alerts", "the end")
        messages = (next_message(timeout=None) for _ in itertools.count())
        texts = (message["data"] for message in messages if message is not None)
        heard = list(itertools.takewhile(lambda text: text != "the end", texts))
        assert [Written(), Written()] == again
        assert before == everything(redis_server)
        assert shapes[1:] == [msgspec.json.decode(text, type=Alert) for text in heard]


def test_the_stream_of_alerts_is_capped(redis_server: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last alerts stay, old ones go; a batch of more commands than a transaction takes is written as a whole."""
    monkeypatch.setattr(views_module, "STREAM_LENGTH_MAX", 100)
    alerts = [an_alert(f"e{number}", 1, topic=f"cern/{number}") for number in range(1_100)]

    [written] = write(redis_server, batch(*alerts))
    _, _, history = read(redis_server)

    assert len(alerts) == written.alerts
    # MAXLEN with ~ removes whole nodes of 100 entries only.
    assert 100 <= len(history) <= 200
    assert alerts[-len(history) :] == history


def test_every_view_of_a_topic_expires(redis_server: ValkeyServer) -> None:
    """A topic that nobody writes any more leaves nothing behind but the mark of the layout."""
    write(redis_server, batch(a_vitals(1), a_cascade("r", 1), an_alert("e", 1), an_alert("f", 1, "resolved")))

    with client(redis_server) as outside:
        ttls_s = {key: outside.ttl(key) for key in outside.scan_iter()}

    assert ttls_s.pop("overgrowth:layout") == -1
    assert len(ttls_s) == 8 + 3
    assert all(TTL_S - 60 <= ttl_s <= TTL_S for ttl_s in ttls_s.values())


def test_a_forgotten_topic_leaves_no_trace_and_others_stay(redis_server: ValkeyServer) -> None:
    """No key and no value names it, in the stream neither."""
    vitals, alert = a_vitals(1, "cern/lhc"), an_alert("k", 1, topic="cern/lhc")
    write(redis_server, batch(vitals, a_cascade("k", 1, topic="cern/lhc"), alert))
    before = everything(redis_server)
    write(redis_server, batch(a_vitals(1), an_alert("e", 1), an_alert("e", 2), an_alert("with space.x", 1)))
    write(redis_server, batch(a_cascade("live", 1), a_cascade("over", 1, 2, "ended")))

    async def scenario() -> int:
        async with opened(redis_server.url) as views:
            return await views.forget_topic(TOPIC) + await views.forget_topic("cern/none")

    # One vitals, one hash of episodes, a ranking of cascades and the hash of their vitals, three alerts.
    assert asyncio.run(scenario()) == 7
    assert (vitals, [alert], [alert]) == read(redis_server, "cern/lhc")
    assert (None, [], [alert]) == read(redis_server)
    assert before.keys() == everything(redis_server).keys()


def test_namespaces_do_not_meet(redis_server: ValkeyServer) -> None:
    """A replay writes beside the live views, not over them, and all its keys and its channel carry its name."""
    write(redis_server, batch(a_vitals(1), a_cascade("r", 1), an_alert("e", 1)))
    live = everything(redis_server)

    [replayed] = write(redis_server, batch(a_vitals(2), a_cascade("r", 1), an_alert("e", 1)), namespace="replay")

    assert Written(vitals=1, alerts=1, store_was_empty=True, cascades=1) == replayed
    assert (a_vitals(1), [an_alert("e", 1)], [an_alert("e", 1)]) == read(redis_server)
    added = everything(redis_server).keys() - live.keys()
    assert len(live) == len(added)
    assert all(key.startswith("overgrowth:replay:") for key in added)


def test_redis_away_is_told_in_one_line_and_counted() -> None:
    """Whoever reads it knows where, what failed, and what to do; each operation has its own counter."""
    [port] = free_ports(1)
    metrics = Metrics(version="test")

    async def scenario() -> str:
        async with opened(f"redis://:secret@127.0.0.1:{port}/0", metrics=metrics) as views:
            for call in (views.alerts(), views.forget_topic(TOPIC)):
                with pytest.raises(ViewsUnavailable):
                    await call
            with pytest.raises(ViewsUnavailable) as caught:
                await views.write(batch(a_vitals(1)))
            return str(caught.value)

    text = asyncio.run(scenario())

    assert text.startswith(f"redis at 127.0.0.1:{port}: write failed: ")
    assert text.endswith("; start it, or set another with OVERGROWTH_REDIS")
    assert "\n" not in text
    assert "secret" not in text
    for operation in ("write", "read", "forget"):
        assert f'overgrowth_redis_errors_total{{operation="{operation}"}} 1.0' in metrics.render().decode()


def test_a_write_outlives_its_redis(redis_server: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    """It dies and comes back empty: the batch is tried until it is in; the log says once that it went and came."""
    caplog.set_level(logging.INFO, logger="agents.views")

    async def scenario() -> Written | None:
        metrics, stopped = WatchedMetrics(), asyncio.Event()
        async with opened(redis_server.url, metrics=metrics) as views:
            await views.write(batch(a_vitals(1)))
            redis_server.kill()
            writing = asyncio.create_task(views.write_until_done(batch(a_vitals(2), an_alert("e", 1)), stopped=stopped))
            await metrics.failed_again.wait()
            await asyncio.to_thread(redis_server.start)
            return await writing

    assert Written(vitals=1, alerts=1, store_was_empty=True) == asyncio.run(scenario())
    assert (a_vitals(2), [an_alert("e", 1)], [an_alert("e", 1)]) == read(redis_server)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_write_that_redis_refuses_is_tried_again(redis_server: ValkeyServer) -> None:
    """A full Redis answers, with an error: that is no reason to stop, and it may have room again."""

    async def scenario() -> Written | None:
        metrics, stopped = WatchedMetrics(), asyncio.Event()
        async with opened(redis_server.url, metrics=metrics) as views:
            with client(redis_server) as outside:
                outside.config_set("maxmemory", 1)
                try:
                    writing = asyncio.create_task(views.write_until_done(batch(an_alert("e", 1)), stopped=stopped))
                    await metrics.failed_again.wait()
                finally:
                    outside.config_set("maxmemory", 0)
            return await writing

    assert Written(alerts=1, store_was_empty=True) == asyncio.run(scenario())
    assert [an_alert("e", 1)] == read(redis_server)[2]


def test_a_stopped_writer_gives_up() -> None:
    """A worker that drains must not wait for Redis; what was not written comes again from the channel."""
    [port] = free_ports(1)

    async def scenario() -> Written | None:
        metrics, stopped = WatchedMetrics(), asyncio.Event()
        async with opened(f"redis://127.0.0.1:{port}/0", metrics=metrics) as views:
            writing = asyncio.create_task(views.write_until_done(batch(a_vitals(1)), stopped=stopped))
            await metrics.failed_again.wait()
            stopped.set()
            return await writing

    assert asyncio.run(scenario()) is None


def test_after_a_flush_the_next_batch_says_so_and_everything_is_new(redis_server: ValkeyServer) -> None:
    """Only the first batch after a flush tells it, so the views are filled again once."""
    shapes = batch(a_vitals(1), an_alert("e", 1))
    assert [written.store_was_empty for written in write(redis_server, shapes, shapes)] == [True, False]
    with client(redis_server) as outside:
        outside.flushall()
        outside.script_flush()

    assert [Written(1, 1, store_was_empty=True), Written()] == write(redis_server, shapes, shapes)


def test_values_of_somebody_else_are_told_or_replaced(redis_server: ValkeyServer) -> None:
    """A reader names the key that holds no view; a writer replaces what is no vitals, and refuses another type."""
    with client(redis_server) as outside:
        outside.mset({f"overgrowth:vitals:{TOPIC}": b'{"brand": "\xff"}', "overgrowth:episodes:cern/lhc": "no hash"})

    async def scenario() -> None:
        async with opened(redis_server.url) as views:
            with pytest.raises(ViewsError, match=r"redis key overgrowth:vitals:cern/higgs: expected vitals as JSON, "):
                await views.latest_vitals(TOPIC)
            with pytest.raises(ViewsUnavailable, match="WRONGTYPE"):
                await views.write(batch(an_alert("e", 1, topic="cern/lhc")))
            assert await views.alerts() == []
            await views.write(batch(a_vitals(1)))
            assert a_vitals(1) == await views.latest_vitals(TOPIC)

    asyncio.run(scenario())


def test_a_user_with_these_rights_alone_can_do_everything(redis_server: ValkeyServer) -> None:
    """An installation that gives the worker no more than this, on its own keys and channels, loses nothing."""
    reading = "+get +hgetall +hmget +xrevrange +zrange +zscore +zcard +exists"
    writing = "+set +del +expire +hset +hdel +xadd +xdel +zadd +zrem +zremrangebyscore +publish"
    calling = "+select +multi +exec +evalsha +script|exists +script|load"
    with client(redis_server) as outside:
        outside.acl_setuser(
            "worker",
            enabled=True,
            reset=True,
            passwords="+secret",
            categories=["-@all"],
            commands=f"{reading} {writing} {calling}".split(),
            keys=["overgrowth:*"],
            channels=["overgrowth:*"],
        )
        outside.script_flush()

    async def scenario() -> None:
        async with opened(f"redis://worker:secret@127.0.0.1:{redis_server.port}/0") as views:
            await views.write(batch(a_vitals(1), an_alert("e", 1), an_alert("f", 1, "resolved")))
            # The second vitals make those of a second cascade old, which is then dropped; a third one has ended.
            await views.write(
                batch(a_cascade("old", 1), a_cascade("r", DAY_MS + 2), a_cascade("x", DAY_MS, 2, "ended"))
            )
            assert [a_cascade("r", DAY_MS + 2)] == await views.live_cascades(TOPIC)
            assert a_vitals(1) == await views.latest_vitals(TOPIC)
            assert [an_alert("e", 1)] == await views.open_episodes(TOPIC)
            assert len(await views.alerts()) == 2
            await views.forget_topic(TOPIC)

    asyncio.run(scenario())


@pytest.mark.parametrize("url", ["http://127.0.0.1:6379", "redis://127.0.0.1:secret/0", ""])
def test_a_wrong_url_is_refused_without_repeating_it(url: str) -> None:
    """It may hold a password, so the text says only what was expected and where to correct it."""
    with pytest.raises(ViewsError) as caught:
        Views(url)

    assert str(caught.value).startswith("redis URL: expected redis://host:port/db, ")
    assert str(caught.value).endswith("correct OVERGROWTH_REDIS")
    assert "secret" not in str(caught.value)


def test_attempts_come_half_as_often_each_time_up_to_a_bound() -> None:
    """A Redis that comes back after a second is noticed at once, one that stays away is not hammered."""
    delays_s = backoff_delays_s(first_s=0.25, max_s=1.5)

    assert list(itertools.islice(delays_s, 5)) == [0.25, 0.5, 1.0, 1.5, 1.5]


@pytest.mark.parametrize(
    ("alert_id", "revision"),
    [("e.0", 0), ("a.b.12", 12), ("e", 0), ("7", 0), ("e.", 0), ("e.-1", 0), ("e.²", 0), ("e." + "9" * 400, 0)],
)
def test_an_id_without_a_revision_replaces_nothing(alert_id: str, revision: int) -> None:
    """What stands on the channel may be anything; an odd id must not stop the views."""
    assert revision == revision_of(alert_id)
