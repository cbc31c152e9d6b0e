"""Bytewax counting the signals of each conversation in windows of a minute: a windowed count and nothing else."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.signal import Signal, conversation_of
from tests.benchmarks.peers.meter import Meter

WINDOW = timedelta(seconds=60)
LATENESS = timedelta(seconds=10)
ALIGNED = datetime(2020, 1, 1, tzinfo=UTC)


def main(kafka: str, channel: str, expected: int, _folder: str) -> None:
    """Count until the channel ends, and close the windows; nothing is kept in a folder."""
    # Here, because whoever only looks through the modules need not have it.
    import bytewax.connectors.kafka.operators as kafka_operators
    import bytewax.operators as op
    import bytewax.operators.windowing as windowing
    from bytewax.dataflow import Dataflow
    from bytewax.testing import TestingSink, run_main

    meter, decode = Meter(expected), msgspec.json.Decoder(Signal).decode

    def decoded(record: Any) -> Signal | None:
        if not record.key:
            return None
        meter.see()
        return decode(record.value)

    flow = Dataflow("count")
    read = kafka_operators.input("read", flow, brokers=[kafka], topics=[channel], tail=False)
    signals = op.filter_map("decode", read.oks, decoded)
    clock = windowing.EventClock(lambda one: datetime.fromtimestamp(one.at / 1_000, UTC), LATENESS)
    windower = windowing.TumblingWindower(WINDOW, ALIGNED)
    counts = windowing.count_window("count", signals, clock, windower, conversation_of)
    op.output("told", counts.down, TestingSink([]))
    run_main(flow)
    meter.end()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
