"""Make readings for the tests of the lifecycle: one per mood that a topic can be in."""

from typing import Any

from schemas.alert import EmergentEvidence
from schemas.cascade import CascadeVitals
from schemas.rules import MINUTE_MS
from schemas.vitals import Measures, WindowVitals
from streams.lifecycle.conditions import Reading

START_MS = 1_341_360_000_000
"""2012-07-04T00:00:00Z."""


def at_minute(minutes: int) -> int:
    """Return the instant so many minutes after the start."""
    return START_MS + minutes * MINUTE_MS


def window(signals: int, *, actors: int = 0, adopted: int = 0, top_actor_share: float = 0.01) -> WindowVitals:
    """Return a window whose signals are shares, `adopted` of them adopted and the rest seeded."""
    return WindowVitals(
        signals=signals,
        by_kind={"share": signals},
        by_lineage={"seeded": signals - adopted, "adopted": adopted},
        engagement=float(signals),
        actors=actors,
        top_actor_share=top_actor_share,
    )


def reading(
    at_ms: int,
    *,
    recent: int = 10,
    signals: int = 2_000,
    actors: int = 1_000,
    top_actor_share: float = 0.01,
    **more: Any,
) -> Reading:
    """Return a reading of a seeded topic with an ordinary audience; what is given replaces what is ordinary.

    Beside what is named, that may be anything of a `Reading`, and any of the `Measures`.
    """
    ordinary: dict[str, Any] = {
        "outgrowth_ratio": 0.5,
        "endogenous_share": 0.3,
        "endogenous_share_low": 0.28,
        "baseline": "hour_of_week",
        "baseline_expected": 1_000.0,
        "baseline_z": 0.0,
    }
    known = {"is_awaited": True} | {name: value for name, value in more.items() if name in Reading.__struct_fields__}
    measures = ordinary | {name: value for name, value in more.items() if name not in known}
    return Reading(
        at_ms=at_ms,
        windows={
            "5m": window(recent, actors=min(recent, actors)),
            "1h": window(recent, actors=min(recent, actors)),
            "24h": window(signals, actors=actors, adopted=signals // 2, top_actor_share=top_actor_share),
            "7d": window(signals, actors=actors),
        },
        measures=Measures(**measures),
        **known,
    )


MOODS: dict[str, dict[str, Any]] = {
    "silent": {
        "recent": 0,
        "signals": 0,
        "actors": 0,
        "outgrowth_ratio": None,
        "endogenous_share": None,
        "endogenous_share_low": None,
    },
    "few": {"recent": 2, "signals": 2, "actors": 2},
    "seeded": {},
    "wavering": {"baseline_z": 2.0},
    "growing": {"baseline_z": 4.0},
    "growing fast": {"baseline_z": 9.0, "doubling_time_s": 3_000.0},
    "undecided": {
        "outgrowth_ratio": 1.6,
        "endogenous_share": 0.5,
        "endogenous_share_low": 0.48,
        "baseline_z": 2.0,
    },
    "outgrown": {
        "outgrowth_ratio": 3.0,
        "outgrowth_ratio_low": 2.8,
        "outgrowth_ratio_high": 3.2,
        "actor_outgrowth_ratio": 2.5,
        "endogenous_share": 0.75,
        "endogenous_share_low": 0.72,
        "baseline_z": 6.0,
        "actors": 4_000,
        "signals": 9_000,
    },
    "outgrown far": {
        "outgrowth_ratio": 9.8,
        "endogenous_share": 0.91,
        "endogenous_share_low": 0.9,
        "baseline_z": 12.0,
        "actors": 40_000,
        "signals": 90_000,
    },
}
"""What differs from an ordinary reading, by the name of a mood."""


PLACES = (
    EmergentEvidence("nomowmay", lift=41.0, g2=310.5, actors=120, cascades=14),
    EmergentEvidence("bees", lift=12.5, g2=88.25, actors=48, cascades=6),
)
"""Where the members of these tests talk when they are elsewhere."""
ELSEWHERE: dict[str, Any] = {
    "baseline_z": 4.0,
    "drift_share": 0.54,
    "drift_share_low": 0.47,
    "tag_divergence_bits": 0.31,
    "tag_divergence_log_p": -80.0,
    "emergent_topics": 2,
    "emergent_actors": 120,
    "emergent": PLACES,
}
HERE: dict[str, Any] = {
    "drift_share": 0.04,
    "drift_share_low": 0.02,
    "tag_divergence_bits": 0.01,
    "tag_divergence_log_p": -0.3,
}
BACK: dict[str, Any] = HERE | {
    "return_rate": 0.64,
    "return_rate_low": 0.58,
    "cohort": 140,
    "prolific_ratio": 1.4,
    "prolific_ratio_low": 1.25,
    "diversity_ratio": 1.3,
    "diversity_ratio_low": 1.15,
}

AWAY_MOODS: dict[str, dict[str, Any]] = {
    "elsewhere": ELSEWHERE,
    "elsewhere, outgrown": MOODS["outgrown"] | {name: one for name, one in ELSEWHERE.items() if name != "baseline_z"},
    "elsewhere, seeded": ELSEWHERE | {"baseline_z": 0.0},
    "half elsewhere": ELSEWHERE | {"drift_share": 0.12, "drift_share_low": 0.11, "tag_divergence_bits": 0.15},
    "here": HERE,
    "here, growing": HERE | {"baseline_z": 4.0},
    "asleep": {"recent": 0},
    "over": HERE | {"is_awaited": False},
    "back": BACK | {"outcome": "returned-richer"},
    "faded": MOODS["silent"] | BACK | {"return_rate": 0.04, "return_rate_low": 0.02, "outcome": "faded"},
}
"""The same for a topic whose community may be elsewhere."""


def mood(name: str, at_ms: int, **more: Any) -> Reading:
    """Return a reading of a topic in one of `MOODS` or `AWAY_MOODS`."""
    return reading(at_ms, **(MOODS | AWAY_MOODS)[name] | more)


CASCADE_MOODS: dict[str, dict[str, Any]] = {
    "quiet": {},
    "small": {"size": 49},
    "unknown": {
        "infectiousness": None,
        "low": None,
        "high": None,
        "reproduction": None,
        "forecast": None,
        "forecast_low": None,
        "forecast_high": None,
        "forecast_percentile": None,
    },
    "spreading": {
        "infectiousness": 0.013,
        "low": 0.0102,
        "high": 0.017,
        "reproduction": 1.3,
        "forecast": None,
        "forecast_low": None,
        "forecast_high": None,
        "forecast_percentile": None,
    },
    "large": {
        "infectiousness": 0.009,
        "low": 0.0083,
        "high": 0.0098,
        "reproduction": 0.9,
        "forecast": 8_800.0,
        "forecast_low": 6_900.0,
        "forecast_high": 12_000.0,
        "forecast_percentile": 0.97,
    },
    "larger": {
        "infectiousness": 0.0093,
        "low": 0.0084,
        "high": 0.0103,
        "reproduction": 0.93,
        "forecast": 21_000.0,
        "forecast_low": 15_000.0,
        "forecast_high": None,
        "forecast_percentile": 0.99,
    },
    "unsure": {
        "infectiousness": 0.0085,
        "low": 0.0072,
        "high": 0.0098,
        "reproduction": 0.85,
        "forecast": 8_800.0,
        "forecast_low": 6_900.0,
        "forecast_high": 12_000.0,
        "forecast_percentile": 0.99,
    },
    "spent": {"forecast": 9_100.0, "forecast_low": 9_000.0, "forecast_high": 9_200.0, "forecast_percentile": 0.99},
    "ended": {"flags": ("ended",)},
}
"""What differs from a cascade that nobody would call viral, by the name of a mood."""


def vitals(name: str, at_ms: int, *, root: str = "post-1", **more: Any) -> CascadeVitals:
    """Return the vitals of a cascade in one of `CASCADE_MOODS`; n* is 100, so reproduction is 100 x infectiousness."""
    quiet: dict[str, Any] = {
        "size": 1_204,
        "depth": 5,
        "breadth": 610,
        "structural_virality": 2.5,
        "infectiousness": 0.005,
        "low": 0.004,
        "high": 0.006,
        "forecast": 1_400.0,
        "forecast_low": 1_350.0,
        "forecast_high": 1_500.0,
        "reproduction": 0.5,
        "edge": "star",
        "began_at": START_MS,
        "shares": 1_100,
        "forecast_percentile": 0.5,
    }
    found = quiet | CASCADE_MOODS[name] | more
    return CascadeVitals(at=at_ms, root=root, brand="cern", topic="higgs", network="snap", **found)
