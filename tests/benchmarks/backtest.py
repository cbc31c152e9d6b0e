"""How many signals a second the whole computation takes over a season, beside only decoding the same lines."""

import tempfile
from collections import deque
from itertools import islice
from pathlib import Path
from time import process_time

import msgspec

from agents.backtesting import run
from agents.seasons import deliver, grow_planted, load_season
from schemas.signal import Signal
from streams.attribution.matcher import Registry
from streams.attribution.seeds_file import topic_records
from tests.benchmarks.report import Figure, Goal, Round

SEASON = "english_garden"
SEED = 1
SIGNALS_PER_SECOND_MIN = 100_000
QUICK_LINES = 3_500

FLOOR = "decoding alone (msgspec)"


def begin(*, quick: bool) -> Round:
    """Grow a season of a brand's topic, and write down what arrives of it."""
    season = load_season(SEASON)
    arriving = deliver(season, grow_planted(season, SEED))
    told = list(islice(arriving, QUICK_LINES) if quick else arriving)
    to_json = msgspec.json.Encoder().encode
    signals = [to_json(entry) for entry in told if isinstance(entry, Signal)]
    log = b"".join(to_json(entry) + b"\n" for entry in told)

    def take_round() -> list[Figure]:
        decode = msgspec.json.Decoder(Signal).decode
        begun_s = process_time()
        for line in signals:
            decode(line)
        floor_s = process_time() - begun_s
        registry = Registry(topic_records(season.seeds, effective_from_ms=0))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "season.ndjson"
            path.write_bytes(log)
            begun_s = process_time()
            ((pipeline, _),) = deque(run(registry, str(path)), maxlen=1)
            pipeline_s = process_time() - begun_s
        on_topic = 100 * pipeline.ledger.on_topic / len(signals)
        goal = Goal(SIGNALS_PER_SECOND_MIN, at_least=True)
        return [
            Figure("signals on the topic", on_topic, "%"),
            Figure(FLOOR, len(signals) / floor_s, "signals/s"),
            Figure("the whole computation", len(signals) / pipeline_s, "signals/s", floor=FLOOR, goal=goal),
        ]

    return take_round
