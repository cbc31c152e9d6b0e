"""Make alerts by hand for the tests that compare and explain them."""

from schemas.alert import Alert, CascadeEvidence, Condition, Evidence, Span, Status
from schemas.rules import HOUR_MS
from streams.lifecycle.alerts import rfc3339

START_MS = 1_777_852_800_000


def alert(
    hours: float,
    *,
    state: str = "outgrown",
    status: Status = "firing",
    episode: str = "e1",
    ratio: float = 3.0,
    severity: int = 4,
    root: str | None = None,
    topic: str = "roses",
) -> Alert:
    """Return an alert that is told at an hour, with one condition."""
    at = rfc3339(START_MS + round(hours * HOUR_MS))
    cascades = () if root is None else (CascadeEvidence(root, size=60, depth=3),)
    return Alert(
        id=f"{episode}.{status}.{hours:g}",
        episode=episode,
        brand="nursery",
        topic=topic,
        state=state,
        status=status,
        severity=severity,
        at=at,
        since=at,
        summary=f"{topic} is {state}",
        conditions=(Condition("outgrowth_ratio", ratio, 2.0, ratio >= 2.0),),
        evidence=Evidence(cascades=cascades),
        rules="r",
        span=Span(at, at, 10),
    )
