"""Bring what people did to the log: by which source, by what clock, with heartbeats, or not at all."""

from collections.abc import Iterable, Iterator

from agents.seasons.scribe import Planted
from agents.seasons.season import Season
from schemas.rules import HOUR_MS, MINUTE_MS
from schemas.signal import AT_MS_MIN, Heartbeat, Signal

SECOND_MS = 1_000


def deliver(season: Season, lived: Iterable[Planted]) -> Iterator[Signal | Heartbeat]:
    """Yield the lines of the log of a season, in the order in which they arrive.

    Without `sources` in the plan these are the signals as they were lived. With them each source also tells its
    progress every `heartbeat_s` seconds. One whose clock is ahead stamps all it brings by that clock, so that the log
    is not in the order of stamps any more; one that is dead brings nothing, and what people did meanwhile is lost.
    """
    plan = season.plan
    if not plan.sources:
        yield from (planted.signal for planted in lived)
        return
    # The clock that is furthest ahead is heard first: it moves logged time, by which the others would seem silent.
    by_clock = sorted(plan.sources, key=lambda source: -source.ahead_minutes)
    ahead_ms = {source.name: round(source.ahead_minutes * MINUTE_MS) for source in by_clock}
    dead_ms = {
        source.name: _span_ms(season, source.dead.hour, source.dead.hours) for source in plan.sources if source.dead
    }
    every_ms = round(plan.heartbeat_s * SECOND_MS)
    beat_ms = season.start_ms

    def is_heard(source: str, at_ms: int) -> bool:
        begin_ms, end_ms = dead_ms.get(source, (0, 0))
        return not begin_ms <= at_ms < end_ms

    def beats_until(at_ms: int) -> Iterator[Heartbeat]:
        nonlocal beat_ms
        while beat_ms <= at_ms:
            for name, ahead in ahead_ms.items():
                if is_heard(name, beat_ms):
                    yield Heartbeat(name, max(AT_MS_MIN, beat_ms + ahead))
            beat_ms += every_ms

    for planted in lived:
        signal = planted.signal
        yield from beats_until(signal.at)
        if is_heard(signal.source, signal.at):
            signal.at += ahead_ms.get(signal.source, 0)
            yield signal
    yield from beats_until(season.end_ms)


def _span_ms(season: Season, hour: float, hours: float) -> tuple[int, int]:
    begin_ms = season.start_ms + round(hour * HOUR_MS)
    return begin_ms, begin_ms + round(hours * HOUR_MS)
