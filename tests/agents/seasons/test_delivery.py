"""What people did reaches the log by sources, whose clocks may be wrong and which may die."""

from collections import defaultdict

import pytest

from agents.seasons import Season, deliver, grow, grow_planted, load_season
from schemas.rules import HOUR_MS, MINUTE_MS
from schemas.signal import Heartbeat, Signal
from tests.agents.seasons.small_season import small_season


def season_of(sources: str) -> Season:
    """Return the small season, brought in by these sources."""
    return small_season(old="network: garden", new=f"network: garden\nheartbeat_s: 50\nsources: [{sources}]")


def delivered(season: Season) -> list[Signal | Heartbeat]:
    """Return the log of a season."""
    return list(deliver(season, grow_planted(season, 3)))


def test_without_sources_the_log_is_what_was_lived() -> None:
    """In stamp order, and without heartbeats."""
    assert delivered(small_season()) == list(grow(small_season(), 3))


def test_each_source_brings_its_share_of_the_people_and_always_the_same() -> None:
    """Of about 110 people 70 % and 30 %, within five standard errors."""
    people: dict[str, set[str]] = defaultdict(set)
    for line in delivered(season_of("{name: east, share: 7}, {name: west, share: 3}")):
        if isinstance(line, Signal):
            people[line.source].add(line.actor)
    total = len(people["east"]) + len(people["west"])

    assert not people["east"] & people["west"]
    assert abs(len(people["east"]) / total - 0.7) < 5 * (0.7 * 0.3 / total) ** 0.5


def test_a_source_tells_its_progress_so_often_that_it_is_never_taken_for_silent() -> None:
    """Every 50 seconds, before what it brings afterwards, to the end of the season."""
    season = season_of("{name: east, share: 1}, {name: west, share: 1}")
    log = delivered(season)
    for source in ("east", "west"):
        beats = [line.at for line in log if isinstance(line, Heartbeat) and line.heartbeat == source]
        assert beats == list(range(season.start_ms, season.end_ms + 1, 50_000))
    at_ms = [line.at for line in log]
    assert at_ms == sorted(at_ms)


def test_a_clock_that_is_ahead_stamps_all_of_its_source_and_nothing_else() -> None:
    """The order of the log stays that in which things were done."""
    season = season_of("{name: east, share: 1}, {name: west, share: 1, ahead_minutes: 4}")
    lived = [signal.at for signal in grow(season, 3)]
    log = [line for line in delivered(season) if isinstance(line, Signal)]

    assert [line.at - (4 * MINUTE_MS if line.source == "west" else 0) for line in log] == lived
    assert any(line.source == "west" for line in log)


def test_a_dead_source_brings_neither_signals_nor_heartbeats_until_it_is_back() -> None:
    """What was done meanwhile is lost; the other source goes on."""
    season = season_of("{name: east, share: 1}, {name: west, share: 1, dead: {hour: 1, hours: 2}}")
    log = delivered(season)
    lived = list(grow(season, 3))

    def is_dead(at_ms: int) -> bool:
        return season.start_ms + HOUR_MS <= at_ms < season.start_ms + 3 * HOUR_MS

    assert [line for line in log if isinstance(line, Signal)] == [
        signal for signal in lived if signal.source == "east" or not is_dead(signal.at)
    ]
    beats = [line for line in log if isinstance(line, Heartbeat) and is_dead(line.at)]
    assert {beat.heartbeat for beat in beats} == {"east"}


@pytest.mark.parametrize(("name", "sources"), [("clock_skew", 2), ("dead_source", 2), ("escape", 0)])
def test_the_traps_of_delivery_have_their_sources(name: str, sources: int) -> None:
    """The others need none."""
    assert len(load_season(name).plan.sources) == sources
