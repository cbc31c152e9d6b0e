"""Shape of what tables remember of the measures: counts, sketches and actors by pane, baselines, actors' spent caps.

Rows of `streams.eventtime.windows` and `streams.measures`; their version lies in the envelope (`schemas.rows`). Each
stays below `schemas.rows.ROW_BYTES_MAX`.
"""

import msgspec


class CountsRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The vectors of those of 60 neighbouring panes in which something happened (`RollingCounts`)."""

    panes: tuple[int, ...]
    vectors: tuple[tuple[int, ...], ...]


class AudienceRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Sketches of who was there (`Audience`): entry `indexes[i]` is a slice of `grain` panes, seen as `sketches[i]`.

    A sketch is an HLL_8 sketch with 2^12 registers in the compact format of DataSketches.
    """

    grain: int
    indexes: tuple[int, ...]
    sketches: tuple[bytes, ...]


class ConcentrationRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The busiest actors of those of 15 neighbouring panes in which something happened (`Concentration`).

    `actors[i]` packs, for each actor of `panes[i]`, 8 bytes that stand for its id and its count in 4 (little-endian).
    """

    panes: tuple[int, ...]
    actors: tuple[bytes, ...]


class BaselineRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Six weeks of an hourly count (`Baseline`), from the hour `first` on; None where nothing was observed.

    `residuals` are in millionths and belong to the last of the hours, as many as there are.
    """

    first: int
    counts: tuple[int | None, ...]
    residuals: tuple[int | None, ...]


class SpentRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What one actor has spent in one topic of its cap for the hour with this index; hours are `hour_ms` long."""

    topic: str
    hour_ms: int
    hour: int
    units: int


class ActorCapRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What one actor has spent of its hourly caps (`ActorCap`); the actor is in the key of the row."""

    spent: tuple[SpentRow, ...]
