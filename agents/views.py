"""Write and read the read model in Redis: latest vitals, live cascades, open episodes, alerts, and pub/sub.

Redis decides: small Lua scripts compare a stamp before they write, so a batch that comes again, or late, changes
nothing and publishes nothing. All keys begin with `overgrowth:`, then `<namespace>:` where there is one. It takes one
Redis or Valkey from 6.2 on, no cluster:

    vitals:<brand>/<topic>     JSON of the newest vitals
    episodes:<brand>/<topic>   hash of episode id -> JSON of its newest alert, while it is open
    alert:<id>                 JSON of one alert
    alerts                     stream (id, topic, alert), and the pub/sub channel of the same name: new alerts as JSON
    revision:<episode>         number of the newest revision seen, also after the episode was closed
    index:<brand>/<topic>      sorted set of "<stream entry> <alert id>", to forget a topic by
    cascade...:<brand>/<topic> live cascades by size (`agents.cascade_views`)
    layout                     version of all this; where it is missing, the store is new or was flushed
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import RedisError

from agents.access import why_redis_refused
from agents.cascade_views import WRITE_CASCADE, cascade_arguments, cascade_views, largest_first, topic_of
from agents.metrics import Metrics, RedisOperation
from schemas.alert import Alert
from schemas.cascade import CascadeVitals
from schemas.vitals import Vitals

logger = logging.getLogger(__name__)

_Shape = TypeVar("_Shape", Vitals, Alert, CascadeVitals)
_NAMES = {Vitals: "vitals", Alert: "alert", CascadeVitals: "vitals of a cascade"}
_Call = tuple[AsyncScript, list[str], list[str | int | bytes]]

LAYOUT_VERSION = 1
TTL_S = 30 * 24 * 3600
"""How long views of a topic stay after they were last written, as long as the channel of alerts keeps its history."""
STREAM_LENGTH_MAX = 10_000
TRANSACTION_COMMANDS_MAX = 500
CONNECT_TIMEOUT_S = 2.0
ANSWER_TIMEOUT_S = 5.0
OPEN_STATUSES = ("firing", "updated")
REVISION_DIGITS_MAX = 15
"""A larger number is no revision of ours, and Lua's numbers would not hold it exactly."""

# A value that is not JSON with a time is nothing of ours, so it may be overwritten.
WRITE_VITALS = """
local held = redis.call('GET', KEYS[1])
if held then
  local ok, vitals = pcall(cjson.decode, held)
  local at = ok and type(vitals) == 'table' and tonumber(vitals['at'])
  if at and at >= tonumber(ARGV[1]) then return 0 end
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

# Steps that may be repeated come first, and the mark of having seen the alert right after its stream entry: a script
# that stops at an error half way is run again as a whole.
WRITE_ALERT = """
local alert_key, stream, episodes, revision_key, index = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local id, topic, episode, revision, open = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local json, ttl_s, length_max, channel = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9]
if redis.call('EXISTS', alert_key) == 1 then return 0 end
if revision > (tonumber(redis.call('GET', revision_key) or '') or -1) then
  if open == '1' then redis.call('HSET', episodes, episode, json) else redis.call('HDEL', episodes, episode) end
  redis.call('EXPIRE', episodes, ttl_s)
  redis.call('SET', revision_key, ARGV[4], 'EX', ttl_s)
end
local entry = redis.call('XADD', stream, 'MAXLEN', '~', length_max, '*', 'id', id, 'topic', topic, 'alert', json)
redis.call('SET', alert_key, json, 'EX', ttl_s)
redis.call('EXPIRE', stream, ttl_s)
local now_ms = tonumber(string.match(entry, '^%d+'))
redis.call('ZADD', index, now_ms, entry .. ' ' .. id)
redis.call('ZREMRANGEBYSCORE', index, '-inf', '(' .. string.format('%d', now_ms - ttl_s * 1000))
redis.call('EXPIRE', index, ttl_s)
redis.call('PUBLISH', channel, json)
return 1
"""

FORGET_TOPIC = """
local vitals, episodes, index, stream, prefix = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[1]
local cascades, cascade_vitals, cascade_ticks = KEYS[5], KEYS[6], KEYS[7]
local forgotten = redis.call('DEL', vitals, episodes, cascades, cascade_vitals)
redis.call('DEL', cascade_ticks)
for _, member in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  local entry, id = string.match(member, '^(%S+) (.*)$')
  redis.call('XDEL', stream, entry)
  forgotten = forgotten + redis.call('DEL', prefix .. 'alert:' .. id)
  redis.call('DEL', prefix .. 'revision:' .. (string.match(id, '^(.*)%.[^.]*$') or id))
end
redis.call('DEL', index)
return forgotten
"""


class ViewsError(Exception):
    """Something about the read model is not as expected; the text is one line."""


class ViewsUnavailable(ViewsError):
    """Redis is away or refuses; the same call may succeed later."""


@dataclass(frozen=True)
class ViewsBatch:
    """What to write: each shape with the JSON bytes that it was read from, which are what readers get."""

    vitals: Sequence[tuple[Vitals, bytes]] = ()
    alerts: Sequence[tuple[Alert, bytes]] = ()
    cascades: Sequence[tuple[CascadeVitals, bytes]] = ()


@dataclass(frozen=True)
class Written:
    """What a batch changed; a cascade that ended is a change, too.

    `store_was_empty` tells that nothing was there before: a new Redis, or one that was flushed, which the compacted
    channels can fill again.
    """

    vitals: int = 0
    alerts: int = 0
    store_was_empty: bool = False
    cascades: int = 0


def backoff_delays_s(*, first_s: float, max_s: float) -> Iterator[float]:
    """Yield how long to wait before each further attempt: twice as long each time, up to `max_s`.

    >>> delays = backoff_delays_s(first_s=0.5, max_s=3.0)
    >>> [next(delays) for _ in range(5)]
    [0.5, 1.0, 2.0, 3.0, 3.0]
    """
    delay_s = first_s
    while True:
        yield min(delay_s, max_s)
        delay_s = min(delay_s * 2, max_s)


def revision_of(alert_id: str) -> int:
    """Return the revision in `<episode>.<revision>`; 0, which replaces no other, where there is none.

    >>> revision_of("a1.17"), revision_of("a1")
    (17, 0)
    """
    _, dot, digits = alert_id.rpartition(".")
    is_revision = bool(dot) and digits.isascii() and digits.isdecimal() and len(digits) <= REVISION_DIGITS_MAX
    return int(digits) if is_revision else 0


class Views:
    """The read model under one namespace; the empty one is the live installation.

    Nothing is connected until it is used. `options` are those of the client beside the URL (`agents.access`); `metrics`
    counts what fails. The delays are those of `write_until_done`.
    """

    def __init__(
        self,
        redis_url: str,
        namespace: str = "",
        *,
        options: Mapping[str, Any] | None = None,
        metrics: Metrics | None = None,
        backoff_first_s: float = 0.1,
        backoff_max_s: float = 5.0,
    ) -> None:
        try:
            self._redis = Redis.from_url(
                redis_url,
                **(options or {}),
                # The newer protocol brings nothing here, and commands at connecting that an older Redis refuses.
                protocol=2,
                socket_connect_timeout=CONNECT_TIMEOUT_S,
                socket_timeout=ANSWER_TIMEOUT_S,
                # Attempts are repeated by `write_until_done`, where they can be stopped and are counted.
                retry=Retry(NoBackoff(), 0),
            )
        except ValueError:
            # Neither the URL nor redis-py's words about it, which quote it: it may hold a password.
            raise ViewsError(
                "redis URL: expected redis://host:port/db, rediss://host:port/db or unix://path, got none of these; "
                "correct OVERGROWTH_REDIS"
            ) from None
        target = self._redis.connection_pool.connection_kwargs
        self._place = target.get("path") or f"{target.get('host', 'localhost')}:{target.get('port', 6379)}"
        self._prefix = f"overgrowth:{namespace}:" if namespace else "overgrowth:"
        self._metrics = metrics
        self._backoff_s = (backoff_first_s, backoff_max_s)
        self._write_vitals = self._redis.register_script(WRITE_VITALS)
        self._write_alert = self._redis.register_script(WRITE_ALERT)
        self._write_cascade = self._redis.register_script(WRITE_CASCADE)
        self._forget_topic = self._redis.register_script(FORGET_TOPIC)

    @property
    def alerts_channel(self) -> str:
        """The pub/sub channel of new alerts, which is also the key of the stream of the last ones."""
        return self._key("alerts")

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def check(self) -> None:
        """Raise `ViewsError` where Redis answers and does not let us in; where it is away, say nothing.

        What is away may come back; a wrong secret stays wrong, and whoever starts a worker is there to hear of it.
        """
        try:
            await self._redis.exists(self._key("layout"))
        except RedisError as error:
            if (reason := why_redis_refused(error)) is not None:
                raise ViewsError(f"redis at {self._place}: {reason}") from None

    # --- writing ------------------------------------------------------------------------------------------------------

    async def write(self, batch: ViewsBatch) -> Written:
        """Write a batch, in transactions of at most `TRANSACTION_COMMANDS_MAX`; raise `ViewsUnavailable`.

        Any part of a batch may be written again, in any order: only what is newer than what is there changes anything.
        """
        newest: dict[str, tuple[Vitals, bytes]] = {}
        for vitals, json in batch.vitals:
            topic = f"{vitals.brand}/{vitals.topic}"
            if topic not in newest or newest[topic][0].at < vitals.at:
                newest[topic] = (vitals, json)
        calls = [self._vitals_call(topic, vitals, json) for topic, (vitals, json) in newest.items()]
        count_vitals = len(calls)
        calls += [self._cascade_call(vitals, json) for vitals, json in batch.cascades]
        count_both = len(calls)
        calls += [self._alert_call(alert, json) for alert, json in batch.alerts]
        if not calls:
            return Written()
        changed: list[int] = []
        was_empty = False
        async with self._told_as("write"):
            for start in range(0, len(calls), TRANSACTION_COMMANDS_MAX):
                # Left as a context, it gives its connection back even where the scripts could not be looked up.
                async with self._redis.pipeline(transaction=True) as transaction:
                    transaction.set(self._key("layout"), LAYOUT_VERSION, nx=True)
                    for script, keys, arguments in calls[start : start + TRANSACTION_COMMANDS_MAX]:
                        await script(keys, arguments, client=transaction)
                    marked, *results = await transaction.execute()
                was_empty = was_empty or bool(marked)
                changed += results
        return Written(
            vitals=sum(changed[:count_vitals]),
            cascades=sum(changed[count_vitals:count_both]),
            alerts=sum(changed[count_both:]),
            store_was_empty=was_empty,
        )

    async def write_until_done(self, batch: ViewsBatch, *, stopped: asyncio.Event) -> Written | None:
        """Write a batch, again and again until it is written; None where `stopped` came first.

        The first failure and the return of Redis are logged, every failure is counted.
        """
        first_s, max_s = self._backoff_s
        delays_s = backoff_delays_s(first_s=first_s, max_s=max_s)
        is_away = False
        while not stopped.is_set():
            try:
                written = await self.write(batch)
            except ViewsUnavailable as error:
                if not is_away:
                    logger.warning("%s", error)
                is_away = True
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stopped.wait(), next(delays_s))
                continue
            if is_away:
                logger.info("redis at %s takes writes again: the views catch up", self._place)
            return written
        return None

    async def forget_topic(self, topic: str) -> int:
        """Remove everything about a topic (`brand/topic`), and return how many views that were.

        It does not prevent that old records which are read again bring views back; so it comes after the topic's
        records are gone, or in their order.
        """
        views = (f"vitals:{topic}", f"episodes:{topic}", f"index:{topic}", "alerts", *cascade_views(topic))
        async with self._told_as("forget"):
            return int(await self._forget_topic([self._key(view) for view in views], [self._prefix]))

    def _vitals_call(self, topic: str, vitals: Vitals, json: bytes) -> _Call:
        return self._write_vitals, [self._key(f"vitals:{topic}")], [vitals.at, json, TTL_S]

    def _cascade_call(self, vitals: CascadeVitals, json: bytes) -> _Call:
        return self._write_cascade, self._cascade_keys(topic_of(vitals)), cascade_arguments(vitals, json, ttl_s=TTL_S)

    def _alert_call(self, alert: Alert, json: bytes) -> _Call:
        topic = f"{alert.brand}/{alert.topic}"
        views = (f"alert:{alert.id}", "alerts", f"episodes:{topic}", f"revision:{alert.episode}", f"index:{topic}")
        is_open = int(alert.status in OPEN_STATUSES)
        order: list[str | int | bytes] = [alert.id, topic, alert.episode, revision_of(alert.id), is_open]
        return (
            self._write_alert,
            [self._key(view) for view in views],
            [*order, json, TTL_S, STREAM_LENGTH_MAX, self.alerts_channel],
        )

    # --- reading ------------------------------------------------------------------------------------------------------

    async def latest_vitals(self, topic: str) -> Vitals | None:
        """Return the newest vitals of a topic (`brand/topic`)."""
        key = self._key(f"vitals:{topic}")
        async with self._told_as("read"):
            json = await self._redis.get(key)
        return None if json is None else _decode(json, Vitals, key)

    async def live_cascades(self, topic: str, last: int = 20) -> list[CascadeVitals]:
        """Return the largest live cascades of a topic (`brand/topic`), the largest first, those of one size by root."""
        ranking, key, _ = self._cascade_keys(topic)
        if last < 1:
            return []
        async with self._told_as("read"):
            # All of them, because Redis takes those of one size from the other end.
            sizes: Any = await self._redis.zrange(ranking, 0, -1, withscores=True)
            roots = [root for root, _ in sorted(sizes, key=lambda ranked: (-ranked[1], ranked[0]))[:last]]
            values = await self._redis.hmget(key, roots) if roots else []
        # One may have been dropped since it was found in the ranking.
        return largest_first(_decode(json, CascadeVitals, key) for json in values if json is not None)

    async def open_episodes(self, topic: str) -> list[Alert]:
        """Return the newest alert of each open episode of a topic (`brand/topic`), the oldest episode first."""
        key = self._key(f"episodes:{topic}")
        async with self._told_as("read"):
            fields = await self._redis.hgetall(key)
        alerts = [_decode(json, Alert, key) for json in fields.values()]
        return sorted(alerts, key=lambda alert: (alert.since, alert.episode))

    async def alerts(self, last: int = 20) -> list[Alert]:
        """Return the last alerts of all topics, the oldest first, as they came."""
        key = self._key("alerts")
        if last < 1:
            return []
        async with self._told_as("read"):
            entries = await self._redis.xrevrange(key, count=last)
        # Where Redis ran out of memory it may have dropped the mark of having seen an alert before the alert itself.
        newest_first = {fields.get(b"id"): fields.get(b"alert", b"") for _, fields in entries or () if fields}
        return [_decode(json, Alert, key) for json in reversed(newest_first.values())]

    async def alert(self, alert_id: str) -> Alert | None:
        """Return one alert by its id (`<episode>.<revision>`)."""
        key = self._key(f"alert:{alert_id}")
        async with self._told_as("read"):
            json = await self._redis.get(key)
        return None if json is None else _decode(json, Alert, key)

    # --- both ---------------------------------------------------------------------------------------------------------

    def _key(self, view: str) -> str:
        return self._prefix + view

    def _cascade_keys(self, topic: str) -> list[str]:
        return [self._key(view) for view in cascade_views(topic)]

    @contextlib.asynccontextmanager
    async def _told_as(self, operation: RedisOperation) -> AsyncIterator[None]:
        """Time it, count whatever Redis or the way to it raises, and raise it as `ViewsUnavailable`, in one line."""
        begun_s = time.monotonic()
        try:
            yield
        except (RedisError, OSError) as error:
            if self._metrics is not None:
                self._metrics.count_redis_error(operation)
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ViewsUnavailable(
                f"redis at {self._place}: {operation} failed: {reason}; start it, or set another with OVERGROWTH_REDIS"
            ) from error
        finally:
            if self._metrics is not None:
                self._metrics.observe_redis(operation, duration_s=time.monotonic() - begun_s)


def _decode(json: bytes | str, shape: type[_Shape], key: str) -> _Shape:
    """Return a value of the read model; raise `ViewsError` where somebody else wrote it."""
    try:
        return msgspec.json.decode(json, type=shape)
    except (ValueError, RecursionError) as error:
        name = _NAMES[shape]
        raise ViewsError(f"redis key {key}: expected {name} as JSON, got: {error}; delete the key") from error
