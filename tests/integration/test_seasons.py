"""Claims about whole seasons whose truth is known: a community leaves and comes back; a bot is no news."""

import pytest

from agents.evaluation.running import live, registry_of
from agents.seasons import load_season
from schemas.alert import Alert
from schemas.rules import HOUR_MS
from streams.lifecycle.alerts import rfc3339

pytestmark = [pytest.mark.slow, pytest.mark.integration]

TOLD = ("outgrown", "escaped", "returned")


def fired(alerts: list[Alert]) -> list[tuple[str, str | None]]:
    """Return the states of the lifecycle that fired, in their order, with their outcomes."""
    return [(one.state, one.outcome) for one in alerts if one.status == "firing" and one.state in TOLD]


def test_a_community_outgrows_escapes_and_returns_richer() -> None:
    """Three in five leave for new tags: that is told within four hours, with the map, and so is their return."""
    season = load_season("escape", {"quiet_hours": 60, "away_hours": 12, "home_hours": 46})
    lived = live(season, 7, registry_of(season, {}))
    assert fired(lived.alerts) == [("outgrown", None), ("escaped", None), ("returned", "returned-richer")]
    truth = {state.state: state.at for state in lived.truth}
    escaped = next(one for one in lived.alerts if one.state == "escaped")
    assert rfc3339(truth["escaped"]) < escaped.at <= rfc3339(truth["escaped"] + 4 * HOUR_MS)
    planted = {"guerrillagarden", "seedbomb", "crackplants", "nightplanting", "rewildourstreet", "concretegarden"}
    assert {topic.name for topic in escaped.evidence.emergent if not topic.exogenous} <= planted
    assert escaped.evidence.emergent


def test_quiet_days_raise_nothing_and_a_bot_is_no_news() -> None:
    """Four days of small talk raise no alert; one account that posts ten thousand times then changes no state."""
    season = load_season("bot_flood", {"hours": 132})
    alerts = live(season, 7, registry_of(season, {})).alerts
    bot_ms = next(round(trap.hour * HOUR_MS) for trap in season.plan.traps)
    assert [one.summary for one in alerts if one.at < rfc3339(season.start_ms + bot_ms)] == []
    assert {one.state for one in alerts} <= {"burst"}
