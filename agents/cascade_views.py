"""Say how the read model ranks live cascades: keys, the Lua script that writes them, and what waits to be written.

Keys of one topic, behind the prefix that `agents.views` explains; its scripts are run there:

    cascades:<brand>/<topic>         sorted set of root -> size, of live cascades: the largest `CASCADES_MAX`
    cascade-vitals:<brand>/<topic>   hash of root -> JSON of its newest vitals, with the same members
    cascade-ticks:<brand>/<topic>    sorted set of root -> tick of its newest vitals, also of what ended or was dropped

A cascade is live until it has ended, or was silent for `SILENT_MS` of event time while others of its topic were not.
"""

from collections.abc import Iterable

from schemas.cascade import ENDED, FLAG_NAMES, CascadeVitals
from schemas.channels import DAY_MS

CASCADES_MAX = 1_000
"""How many cascades of a topic are ranked; the smallest are dropped."""
SILENT_MS = DAY_MS
TICKS_MAX = 10_000
"""How many ticks of a topic are remembered, about: beyond it the oldest of what is not ranked are forgotten."""

_ENDED_NAME = dict(FLAG_NAMES)[ENDED]

_Topic = dict[str, tuple[CascadeVitals, bytes]]
"""Root -> newest vitals, with the JSON that they were read from."""

# Vitals that are older than what is known of their cascade, or that others have left behind, change nothing. The tick
# comes last, because a script that stops at an error half way is run again as a whole.
WRITE_CASCADE = """
local ranking, vitals, ticks = KEYS[1], KEYS[2], KEYS[3]
local root, at, size, ended, json = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local silent_ms, ranked_max, ticks_max, ttl_s = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9]
local function drop(member)
  redis.call('ZREM', ranking, member)
  redis.call('HDEL', vitals, member)
end
local newest = tonumber(redis.call('ZRANGE', ticks, -1, -1, 'WITHSCORES')[2] or '')
if not newest then
  -- Nothing would ever tell that these are old, where a full Redis evicted their ticks alone.
  redis.call('DEL', ranking, vitals)
  newest = at
end
local known = tonumber(redis.call('ZSCORE', ticks, root) or '')
if (known and at <= known) or at < newest - silent_ms then return 0 end
if ended == '1' then
  drop(root)
else
  redis.call('HSET', vitals, root, json)
  redis.call('ZADD', ranking, size, root)
  if redis.call('ZCARD', ranking) > ranked_max then
    -- Of several that are the smallest, the one that readers see last.
    local least = redis.call('ZRANGE', ranking, 0, 0, 'WITHSCORES')[2]
    drop(redis.call('ZRANGE', ranking, least, least, 'BYSCORE', 'REV', 'LIMIT', 0, 1)[1])
  end
end
local before = '(' .. string.format('%.0f', math.max(newest, at) - silent_ms)
for _, silent in ipairs(redis.call('ZRANGE', ticks, '-inf', before, 'BYSCORE')) do
  if silent ~= root then drop(silent) end
end
redis.call('ZREMRANGEBYSCORE', ticks, '-inf', before)
if redis.call('ZCARD', ticks) >= ticks_max then
  for _, oldest in ipairs(redis.call('ZRANGE', ticks, 0, 2 * ranked_max - 1)) do
    if not redis.call('ZSCORE', ranking, oldest) then redis.call('ZREM', ticks, oldest) end
  end
end
redis.call('ZADD', ticks, ARGV[2], root)
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ttl_s) end
return 1
"""


def cascade_views(topic: str) -> tuple[str, str, str]:
    """Return the keys of a topic (`brand/topic`) without prefix, in the order in which the script takes them.

    >>> cascade_views("cern/higgs")
    ('cascades:cern/higgs', 'cascade-vitals:cern/higgs', 'cascade-ticks:cern/higgs')
    """
    return f"cascades:{topic}", f"cascade-vitals:{topic}", f"cascade-ticks:{topic}"


def topic_of(vitals: CascadeVitals) -> str:
    """Return the topic (`brand/topic`) that the vitals of a cascade are about."""
    return f"{vitals.brand}/{vitals.topic}"


def is_live(vitals: CascadeVitals) -> bool:
    """Say whether a cascade goes on, as far as its own vitals tell."""
    return _ENDED_NAME not in vitals.flags


def cascade_arguments(vitals: CascadeVitals, json: bytes, *, ttl_s: int) -> list[str | int | bytes]:
    """Return what `WRITE_CASCADE` takes besides the keys; `ttl_s` is how long the topic stays after it was written."""
    own: list[str | int | bytes] = [vitals.root, vitals.at, vitals.size, int(not is_live(vitals)), json]
    return [*own, SILENT_MS, CASCADES_MAX, TICKS_MAX, ttl_s]


def largest_first(cascades: Iterable[CascadeVitals]) -> list[CascadeVitals]:
    """Return cascades in the order of the ranking: by size, those of one size by root."""
    return sorted(cascades, key=lambda vitals: (-vitals.size, vitals.root))


class WaitingCascades:
    """Keeps the newest vitals of each cascade until they are written, of each topic a bounded number.

    Redis may be away for days, and new cascades never stop coming. Where too many of a topic wait, those are left out
    that the ranking would drop, and the smallest of those that ended: they stay ranked until they are `SILENT_MS` old.
    """

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}

    def keep(self, vitals: CascadeVitals, json: bytes) -> None:
        """Keep vitals unless newer ones of the cascade are there: what is sent again comes behind them."""
        topic = self._topics.setdefault(topic_of(vitals), {})
        if vitals.root not in topic or topic[vitals.root][0].at <= vitals.at:
            topic[vitals.root] = (vitals, json)
        # To two thirds at most, so that it does not come again soon.
        if len(topic) > 3 * CASCADES_MAX:
            self._topics[topic_of(vitals)] = _largest(_recent(topic))

    def forget(self, topic: str) -> None:
        """Leave out everything about a topic (`brand/topic`)."""
        self._topics.pop(topic, None)

    def clear(self) -> None:
        """Leave out everything."""
        self._topics.clear()

    def take(self) -> tuple[tuple[CascadeVitals, bytes], ...]:
        """Return what waits, without what was silent for too long; what comes from now on waits anew."""
        topics, self._topics = self._topics, {}
        return tuple(waiting for topic in topics.values() for waiting in _recent(topic).values())


def _recent(topic: _Topic) -> _Topic:
    newest = max((vitals.at for vitals, _ in topic.values()), default=0)
    return {root: waiting for root, waiting in topic.items() if waiting[0].at >= newest - SILENT_MS}


def _largest(topic: _Topic) -> _Topic:
    """Return the largest cascades, as many as are ranked, and as many of those that ended."""
    ranked = largest_first(vitals for vitals, _ in topic.values())
    live = [vitals.root for vitals in ranked if is_live(vitals)]
    ended = [vitals.root for vitals in ranked if not is_live(vitals)]
    return {root: topic[root] for root in live[:CASCADES_MAX] + ended[:CASCADES_MAX]}
