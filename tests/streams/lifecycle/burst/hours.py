"""Make readings of an hour, by how many signals it has and how unusual that is."""

import msgspec

from schemas.alert import CascadeEvidence
from schemas.vitals import WindowVitals
from streams.lifecycle.conditions import Reading
from streams.measures.baseline import BaselineReading
from tests.streams.lifecycle.readings import at_minute, reading

LEARNING = BaselineReading("learning", None, None)


def usual(z: float, *, expected: float = 80.0) -> BaselineReading:
    """Return what a grown baseline says of an hour that is so many standard deviations up."""
    return BaselineReading("hour_of_week", expected, z)


def hour(
    minute: int,
    *,
    signals: int = 300,
    actors: int = 120,
    wild: int = 0,
    adopted: int = 0,
    top_actor_share: float = 0.01,
    cascades: tuple[CascadeEvidence, ...] = (),
    stale: bool = False,
) -> Reading:
    """Return a reading with so many on-topic signals in the hour before that minute, and `wild` ones beside them."""
    ordinary = reading(at_minute(minute), stale=stale, cascades=cascades)
    window = WindowVitals(
        signals=signals + wild,
        by_kind={"share": signals + wild},
        by_lineage={"brand": 1, "seeded": signals - 1 - adopted, "adopted": adopted, "wild": wild},
        engagement=float(signals),
        actors=actors,
        top_actor_share=top_actor_share,
    )
    return msgspec.structs.replace(ordinary, windows=ordinary.windows | {"1h": window})
