"""Simulated seasons of social life.

`season` reads what is planned, `people` are who lives in it, `scribe` writes down what they do, `grower` lives it, and
`truth` says what was planted.
"""

from agents.seasons.delivery import deliver
from agents.seasons.grower import grow, grow_planted
from agents.seasons.scribe import Planted
from agents.seasons.season import DEFAULT_SEASON, Season, SeasonError, load_season, shipped_seasons
from agents.seasons.truth import TruthKeeper, TruthState

__all__ = [
    "DEFAULT_SEASON",
    "Planted",
    "deliver",
    "Season",
    "SeasonError",
    "TruthKeeper",
    "TruthState",
    "grow",
    "grow_planted",
    "load_season",
    "shipped_seasons",
]
