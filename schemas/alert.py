"""Shape of an alert: one revision of an episode, told with its conditions and its evidence."""

from typing import Literal

import msgspec

from schemas.vitals import WindowVitals

Status = Literal["firing", "updated", "resolved", "superseded", "expired"]
Relation = Literal[">=", "<=", ">", "<"]
OUTCOMES: tuple[str, ...] = ("returned-richer", "returned", "faded", "settled-elsewhere")
Bound = Literal["value", "low", "high"]
Join = Literal["tag", "reply"]


class Condition(msgspec.Struct, frozen=True):
    """One condition of a state: the value and its interval, the threshold, and whether it holds.

    `relation` is how the number must stand to the threshold for the condition to hold, and `bound` says which number
    is meant: the value, or an end of its interval. A null value was not to be had. Conditions that share an `any_of`
    are alternatives: a state is entered or left when every other condition holds and at least one of each `any_of`.
    A `guard` says that there is enough to judge by, not how much there is, so it counts for nothing in the severity.
    """

    # Defaults are written, not omitted: msgspec tells a default string by identity, so equal conditions could differ
    # in their bytes.

    name: str
    value: float | None
    threshold: float
    holds: bool
    low: float | None = None
    high: float | None = None
    relation: Relation = ">="
    bound: Bound = "value"
    any_of: str | None = None
    guard: bool = False


class CascadeEvidence(msgspec.Struct):
    """A cascade that the alert names: root post, size (posts and shares, root included), shape and what it will become.

    The names and units are those of `schemas.cascade.CascadeVitals`.
    """

    root: str
    size: int
    depth: int
    breadth: int = 0
    structural_virality: float | None = None
    infectiousness: float | None = None
    low: float | None = None
    high: float | None = None
    forecast: float | None = None
    forecast_low: float | None = None
    forecast_high: float | None = None
    reproduction: float | None = None
    edge: str = ""


class EmergentEvidence(msgspec.Struct):
    """A topic that emerged from the community: where its talk went."""

    name: str
    lift: float
    g2: float
    actors: int
    cascades: int = 0
    exogenous: bool = False


class CommunityEvidence(msgspec.Struct):
    """A part of the community: those who came to the topic by one cascade; a `root` that is forgotten is null."""

    root: str | None
    actors: int


class BreadthEvidence(msgspec.Struct):
    """How broad an escape is: over which parts of the community those are spread who use what emerged.

    A part are those who were first seen on the topic in one cascade; `actors` are those of whom that is known (a
    sample, of many), in so many `parts`. `hill` is e^entropy, as many parts as there would be if all were alike;
    `concentration` is the share of the largest (MEASURES.md §4). `communities` are the five largest.
    """

    entropy_nats: float
    hill: float
    concentration: float
    parts: int
    actors: int
    communities: tuple[CommunityEvidence, ...] = ()


class JoinEvidence(msgspec.Struct):
    """The brand went where its community had gone: at `at`, `how` is `tag` (one that emerged) or `reply`.

    `tag` is the one that it used, `root` the conversation. `joins` counts all of them; `lift` is how many times as
    active members were in the day after the first as in the day before, with its 95 % interval; null until then.
    """

    at: str
    how: Join
    tag: str | None
    root: str
    joins: int
    lift: float | None = None
    lift_low: float | None = None
    lift_high: float | None = None


class ResonanceEvidence(msgspec.Struct):
    """What members talked about from `since` to `until`, while they were elsewhere: was it new, and did it last?

    In bits, from 0 where tags are used alike to 1 where none is the same, less what chance makes of it. `novelty_bits`
    is beside the seven days before; `transience_bits` beside what they said afterwards, up to `heard_until`, seven days
    at most; null where too little was said. `resonance_bits` is novelty less transience: above 0 where what came after
    is closer to the talk elsewhere than what had been before, so that it lasted (MEASURES.md §4).
    """

    since: str
    until: str
    heard_until: str
    novelty_bits: float | None
    transience_bits: float | None
    resonance_bits: float | None


class Evidence(msgspec.Struct):
    """What the conditions were read from, bounded: at most five of each."""

    emergent: tuple[EmergentEvidence, ...] = ()
    cascades: tuple[CascadeEvidence, ...] = ()
    windows: dict[str, WindowVitals] = msgspec.field(default_factory=dict)
    baseline: str = "learning"
    flags: tuple[str, ...] = ()
    breadth: BreadthEvidence | None = None
    join: JoinEvidence | None = None
    resonance: ResonanceEvidence | None = None


class Span(msgspec.Struct, rename={"from_": "from"}):
    """The span of event time that the decision rests on, as RFC 3339 times, and how many signals lie in it."""

    from_: str
    to: str
    signals: int


class Alert(msgspec.Struct):
    """One revision of an episode, the data of a CloudEvent (WIRE.md §§0, 6); a function of the signals alone.

    `at` is the tick of the decision, `since` the tick from which on the conditions of the state held. `severity` goes
    from 1 to 10 (`streams.lifecycle.alerts.severity_of`). `rules` is the hash of the rules that decided. `outcome` says
    of `returned` how: one of `OUTCOMES`.
    """

    id: str
    episode: str
    brand: str
    topic: str
    state: str
    status: Status
    severity: int
    at: str
    since: str
    summary: str
    conditions: tuple[Condition, ...]
    evidence: Evidence
    rules: str
    span: Span
    outcome: str | None = None
