"""Tell an episode of a state whose conditions have held for two hours."""

from schemas.alert import Alert, CascadeEvidence, Status
from schemas.rules import HOUR_MS, Rules
from streams.lifecycle import alerts, conditions
from streams.lifecycle.alerts import severity_of
from streams.lifecycle.conditions import Reading
from streams.lifecycle.episodes import opened

CASCADES = tuple(CascadeEvidence(f"post-{n}", size=n, depth=n % 3) for n in (7, 512, 3, 40, 41, 2, 12))


def tell(
    reading: Reading,
    *,
    state: str = "outgrown",
    status: Status = "firing",
    rising: bool = False,
    neighbour: str | None = None,
) -> Alert:
    """Tell an episode whose conditions have held for two hours."""
    enter = {"outgrown": conditions.outgrown_enter, "growing": conditions.growing_enter}[state]
    found = enter(reading, Rules())
    episode = opened(
        brand="cern",
        topic="higgs",
        state=state,
        entered_ms=reading.at_ms,
        since_ms=reading.at_ms - 2 * HOUR_MS,
        severity=severity_of(found),
    )
    return alerts.build_alert(
        brand="cern",
        topic="higgs",
        episode=episode,
        status=status,
        severity=episode.severity,
        reading=reading,
        conditions=found,
        rules_hash="f" * 16,
        neighbour="outgrown" if status == "superseded" else neighbour,
        rising=rising,
    )
