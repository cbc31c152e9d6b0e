"""Shape of what tables remember: the envelope of every row, checkpoints, clocks, topics and recent ids.

Rows are wire: every struct starts with nothing that an older reader could misread, new fields come last with a default,
and a table written with another `ROW_VERSION` is refused, never guessed.
"""

import msgspec

from schemas.attributed import Position
from schemas.burst_rows import BurstRow
from schemas.lifecycle_rows import LifecycleRow

ROW_VERSION = 3
ROW_BYTES_MAX = 64 * 1024


class StoredRow(msgspec.Struct, array_like=True, gc=False):
    """One record of a changelog: a row as the checkpoint (`epoch`, `seq`) left it; `value` is None where it ended.

    It counts only if that checkpoint was completed (`CheckpointRow`). Under the key `0!owner` it is the claim of an
    owner, with its epoch alone: no checkpoint of a lower epoch counts behind it.
    """

    version: int
    epoch: int
    seq: int
    value: bytes | None


class SourceRow(msgspec.Struct, array_like=True, gc=False):
    """What is known of one source in one partition (`streams.eventtime.clock`)."""

    largest_ms: int
    spoke_ms: int
    ended: int


class SourceClockRow(msgspec.Struct, array_like=True):
    """The watermark of one partition and the sources behind it."""

    watermark_ms: int = 0
    logged_ms: int = 0
    sources: dict[str, SourceRow] = {}


class EpochSpan(msgspec.Struct, array_like=True, gc=False):
    """The checkpoints that one owner of a partition completed: those after `after_seq`, up to the next owner's."""

    epoch: int
    after_seq: int


class CheckpointRow(msgspec.Struct, array_like=True):
    """The last row of every checkpoint: with it, the rows that were written before it count.

    `offset` is the first input offset that the rows do not cover, `frontier` the position up to which everything was
    applied, `context` what the reader of the input knew at `offset`. `partitions` and `origins` are the numbers of
    partitions that the state was built for: with others it is refused. `epochs` tells which owners' rows count.
    """

    version: int
    step: str
    epoch: int
    seq: int
    offset: int
    frontier: Position
    context: bytes
    partitions: int
    origins: int
    epochs: tuple[EpochSpan, ...]
    channel_id: str = ""


class RecentIdsRow(msgspec.Struct, array_like=True):
    """Signal ids seen lately, with their event times."""

    ids: tuple[str, ...]
    at_ms: tuple[int, ...]


class TopicRow(msgspec.Struct, array_like=True):
    """The head of one topic's state: its pane length, when it was first seen, and where its ticks have come to.

    `next_tick_ms` is 0 while the topic sleeps. `end` is the pane before which its windows end. `hour_ms` is how long an
    hour lasts, shorter where a season is scaled. `peak` are the most signals of an hour since it slept last. Tags
    are counted in panes of `drift_pane_ms`, `drift_before` of which make the past. `last_ms` is when it was heard of
    last.
    """

    pane_ms: int
    first_pane: int
    end: int
    next_tick_ms: int
    lifecycle: LifecycleRow
    told: bytes = b""
    hour_ms: int = 3_600_000
    peak: int = 0
    peak_at_ms: int = 0
    burst: BurstRow = BurstRow()
    drift_pane_ms: int = 1_800_000
    drift_before: int = 336
    last_ms: int = 0


class OpenPaneRow(msgspec.Struct, array_like=True):
    """What came into the pane that no tick has closed yet: sums, and for each actor sixteen times its signals, plus 1
    if it took part in what the community began, 2 if in what the brand began, 4 for a member and 8 for a core member.
    """

    vector: tuple[int, ...]
    actors: dict[str, int]


class KnownCascadeRow(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """What a topic remembers of a cascade as evidence, with the tick of its last reading."""

    at: int
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


class TopicCascadesRow(msgspec.Struct, array_like=True):
    """The cascades that a topic remembers as evidence, by root."""

    cascades: dict[str, KnownCascadeRow]
