"""Shape of a cascade's virality at one tick: as it travels between our agents, and as `social.cascades` carries it."""

import msgspec

EDGES: tuple[str, ...] = ("observed", "inferred", "star")
"""How an edge is known: told by the network; guessed; or from a network that names the root alone. Least sure last."""

READING_ID = "\U0010ffff"
"""Ids of readings start with it, so that in the total order they come behind every signal of their millisecond."""

TRUNCATED, ROOT_MISSING, ENDED = 1, 2, 4
"""Flags of a reading: nodes beyond the cap were only counted; nobody has seen the root; silent for so long that it has
ended, which is told once."""
FLAG_NAMES: tuple[tuple[int, str], ...] = ((TRUNCATED, "truncated"), (ROOT_MISSING, "root_missing"), (ENDED, "ended"))
FLAG_IMPUTED = "followers_imputed"
"""Some followers were guessed."""
FLAG_GUESSED = "followers_guessed"
"""Most of them were."""


class Infected(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Infectiousness with its 90 % interval (MEASURES.md §6).

    `direct` is how many further shares those will bring who were exposed already, the numerator of the forecast;
    `imputed_ratio` says for what part of the shares, root included, the followers were guessed.
    """

    value: float
    low: float
    high: float
    direct: float
    imputed_ratio: float


class Pace(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How fast a cascade grows: nodes in the last `span_ms`, in the span before it, and the most in any `unit_ms`.

    The span is an hour, shorter while the cascade is younger than two of them; the unit is five minutes.
    """

    recent: int
    before: int
    span_ms: int
    unit_ms: int
    peak: int
    peak_at_ms: int


class CascadeReading(msgspec.Struct, array_like=True, gc=False, tag=1):
    """How one cascade stood at a tick: what the conversations of a partition tell the steps behind them.

    `at` is the last millisecond that the tick covers, so the tick is `at` + 1. `actor` is who wrote the root ("" where
    nobody told) and `kind` the root's index into `schemas.signal.KINDS`, -1 where it was not seen. `size` counts posts
    and shares, root included; `nodes`, `depth`, `breadth` and `virality` are of the tree (`CascadeShape`). `edge` is an
    index into `EDGES`. `interactions` is what the root had brought at each benchmark age that it has passed.
    """

    at: int
    id: str
    root: str
    actor: str
    kind: int
    network: str
    topics: tuple[str, ...]
    began_ms: int
    size: int
    nodes: int
    depth: int
    breadth: int
    virality: float | None
    edge: int
    flags: int
    shares: int
    infected: Infected | None = None
    pace: Pace | None = None
    interactions: tuple[int, ...] = ()


class CascadeContribution(msgspec.Struct, array_like=True, gc=False, tag=1):
    """A reading on its way to one of its topics; `overperforming` is how the root does among the last of its author."""

    at: int
    id: str
    root: str
    topic: str
    reading: CascadeReading
    overperforming: float | None = None


class CascadeVitals(msgspec.Struct):
    """Virality of one cascade in one topic at the tick `at` (epoch ms), which covers the signals before it.

    `size` counts the posts and shares of the cascade, root included. `low` and `high` are the 90 % interval of
    `infectiousness`, null below five shares; `forecast` is the final number of shares, null while the cascade is
    supercritical and where most followers were guessed; its interval follows from that of the infectiousness.
    `reproduction` is how many further shares each share brings. `velocity` counts nodes an hour, `acceleration` its
    change an hour. Percentiles go from 0 to 1, among the cascades of the topic and network that have ended: of about
    the same size for structural virality, all for the forecast.
    """

    at: int
    root: str
    brand: str
    topic: str
    network: str
    size: int
    depth: int
    breadth: int
    structural_virality: float | None
    infectiousness: float | None
    low: float | None
    high: float | None
    forecast: float | None
    forecast_low: float | None
    forecast_high: float | None
    reproduction: float | None
    edge: str
    began_at: int
    shares: int
    velocity: float | None = None
    acceleration: float | None = None
    peak_velocity: float | None = None
    peak_at: int | None = None
    doubling_time_s: float | None = None
    virality_percentile: float | None = None
    forecast_percentile: float | None = None
    overperforming: float | None = None
    flags: tuple[str, ...] = ()
