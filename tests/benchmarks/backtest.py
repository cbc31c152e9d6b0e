"""How many signals a second the whole computation takes, beside only decoding the same lines.

Over a season, and over the firehose that workers are measured with (`firehose.py`): the mix, and all on topic.
"""

import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from time import process_time
from typing import NamedTuple

import msgspec

from agents.backtesting import run
from agents.seasons import deliver, grow_planted, load_season
from schemas.seeds import TopicRecord
from schemas.signal import Heartbeat, Signal
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import topic_records
from tests.benchmarks import firehose
from tests.benchmarks.report import Figure, Goal, Round

SEASON = "english_garden"
SEED = 1
SIGNALS_PER_SECOND_MIN = 100_000
QUICK_LINES = 3_500
MIX_SIGNALS = 50_000
ALL_SIGNALS = 20_000

FLOOR = "decoding alone (msgspec)"


class _Log(NamedTuple):
    """What is run through the computation: the topics, the lines of all signals, and the file that holds them."""

    topics: list[TopicRecord]
    signals: list[bytes]
    content: bytes


def begin(*, quick: bool) -> Round:
    """Grow a season of a brand's topic and a firehose, and write down what arrives of them."""
    season = load_season(SEASON)
    arriving = deliver(season, grow_planted(season, SEED))
    told = list(islice(arriving, QUICK_LINES) if quick else arriving)
    mix_signals, all_signals = (QUICK_LINES, QUICK_LINES) if quick else (MIX_SIGNALS, ALL_SIGNALS)
    mix = firehose.signals(mix_signals, on_topic=firehose.ON_TOPIC_OF_MIX)
    logs = {
        "season": _log_of(topic_records(season.seeds, effective_from_ms=0), told),
        "mix": _log_of(firehose.topics(), mix),
        "all on topic": _log_of(firehose.topics(), firehose.signals(all_signals, on_topic=1.0)),
    }
    return lambda: [figure for name, log in logs.items() for figure in _figures(name, log)]


def _log_of(topics: Iterable[TopicRecord], told: Sequence[Signal | Heartbeat]) -> _Log:
    to_json = msgspec.json.Encoder().encode
    lines = [to_json(entry) for entry in told]
    signals = [line for line, entry in zip(lines, told, strict=True) if isinstance(entry, Signal)]
    return _Log(list(topics), signals, b"".join(line + b"\n" for line in lines))


def _figures(name: str, log: _Log) -> list[Figure]:
    decode = msgspec.json.Decoder(Signal).decode
    begun_s = process_time()
    for line in log.signals:
        decode(line)
    floor_s = process_time() - begun_s
    registry = Registry(log.topics)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.ndjson"
        path.write_bytes(log.content)
        begun_s = process_time()
        ((pipeline, _),) = deque(run(registry, str(path)), maxlen=1)
        pipeline_s = process_time() - begun_s
    on_topic = 100 * pipeline.ledger.on_topic / len(log.signals)
    goal, floor = Goal(SIGNALS_PER_SECOND_MIN, at_least=True), f"{name}, {FLOOR}"
    return [
        Figure(f"{name}, signals on a topic", on_topic, "%"),
        Figure(floor, len(log.signals) / floor_s, "signals/s"),
        Figure(f"{name}, the whole computation", len(log.signals) / pipeline_s, "signals/s", floor=floor, goal=goal),
    ]
