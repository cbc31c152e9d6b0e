"""Make lives of cascades for the tests, and live them minute by minute."""

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.alert import Alert
from schemas.cascade import CascadeVitals
from schemas.lifecycle_rows import ViralRow
from schemas.rules import Rules
from streams.lifecycle.viral import ViralWatch
from tests.streams.lifecycle.readings import at_minute, mood, vitals

RULES = Rules()
HASH = "f" * 16
WEEK_MINUTES = 7 * 24 * 60
FOR = 10
KEEP = 60

Life = Mapping[int, tuple[CascadeVitals, ...]]
"""Which vitals come before the tick of a minute."""


def watch(rows: Iterable[ViralRow] = ()) -> ViralWatch:
    """Return the watch of one topic."""
    return ViralWatch(brand="cern", topic="higgs", rows=rows)


def spell(name: str, *minutes: int, root: str = "post-1", **more: Any) -> dict[int, tuple[CascadeVitals, ...]]:
    """Return vitals of one cascade in one mood at these minutes."""
    return {minute: (vitals(name, at_minute(minute), root=root, **more),) for minute in minutes}


def live(one: ViralWatch, life: Life, *, minutes: Iterable[int], stale: Iterable[int] = ()) -> list[tuple[int, Alert]]:
    """Judge every minute; return what was told, with its minute."""
    told, silent = [], set(stale)
    for minute in minutes:
        for found in life.get(minute, ()):
            one.take(found, RULES)
        reading = mood("seeded", at_minute(minute), stale=minute in silent)
        told += [(minute, alert) for alert in one.judge(reading, RULES, HASH)]
    return told


def lived(life: Life, *, until: int, stale: Iterable[int] = ()) -> list[tuple[int, str]]:
    """Return when what was told of a life, from the minute 1 on."""
    return [(minute, alert.status) for minute, alert in live(watch(), life, minutes=range(1, until), stale=stale)]
