"""Make readings of cascades for the tests, and let a topic take them."""

from typing import Any

import msgspec

from schemas.cascade import ENDED, READING_ID, CascadeContribution, CascadeReading, CascadeVitals, Infected
from schemas.rules import HOUR_MS, Rules
from streams.steps.cascades import TopicCascades
from tests.streams.steps.logs import START_MS

RULES = Rules()
SLOW = Infected(0.005, 0.005, 0.005, 10.0, 0.0)
"""Half a share a share, so that 30 shares and 10 to come directly are 50 in the end."""
PLAIN = CascadeReading(
    at=START_MS + HOUR_MS - 1,
    id=READING_ID + "r",
    root="r",
    actor="ada",
    kind=0,
    network="n",
    topics=("cern/higgs",),
    began_ms=START_MS,
    size=40,
    nodes=41,
    depth=3,
    breadth=20,
    virality=2.5,
    edge=0,
    flags=0,
    shares=30,
)


def reading(**fields: Any) -> CascadeReading:
    """Return a reading of a cascade of 40 posts and shares, of which 30 are shares, with other fields as they are."""
    made = msgspec.structs.replace(PLAIN, **fields)
    return msgspec.structs.replace(made, id=READING_ID + made.root)


def told(made: CascadeReading, overperforming: float | None = None) -> CascadeContribution:
    """Return a reading on its way to its topic."""
    return CascadeContribution(made.at, made.id, made.root, "cern/higgs", made, overperforming)


def take(
    cascades: TopicCascades, overperforming: float | None = None, rules: Rules = RULES, **fields: Any
) -> CascadeVitals:
    """Let a topic take a reading and return its vitals."""
    vitals = cascades.take(told(reading(**fields), overperforming), rules)
    assert vitals is not None
    return vitals


def vitals_of(overperforming: float | None = None, rules: Rules = RULES, **fields: Any) -> CascadeVitals:
    """Return the vitals of the first reading that a topic takes."""
    return take(topic_cascades(), overperforming, rules, **fields)


def topic_cascades() -> TopicCascades:
    """Return the cascades of a topic that has seen none."""
    return TopicCascades(brand="cern", topic="higgs")


def with_history(network: str = "n", count: int = 20, size: int = 40) -> TopicCascades:
    """Return a topic on which so many cascades of one size have ended on a network."""
    cascades = topic_cascades()
    for number in range(count):
        take(cascades, root=f"e{number}", network=network, size=size, flags=ENDED, at=START_MS)
    return cascades
