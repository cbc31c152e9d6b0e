"""Quix Streams counting the signals of each conversation in windows of a minute: a windowed count and nothing else.

The count is by the key that the records have, so that nothing is sent anew, with its state and changelog as they are.
"""

import sys
from datetime import timedelta
from typing import Any

from tests.benchmarks.peers.meter import Meter

WINDOW = timedelta(seconds=60)
LATENESS = timedelta(seconds=10)


def main(kafka: str, channel: str, expected: int, folder: str) -> None:
    """Count until every signal was seen."""
    # Here, because whoever only looks through the modules need not have it.
    from quixstreams import Application

    meter = Meter(expected)

    def see(signal: dict[str, Any]) -> None:
        if meter.seen == expected:
            return
        meter.see()

    def told(window: dict[str, Any]) -> None:
        if meter.seen == expected:
            meter.end()

    app = Application(
        broker_address=kafka,
        consumer_group=f"{channel}-quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="ERROR",
        consumer_extra_config={"session.timeout.ms": 6_000},
    )
    signals = app.dataframe(app.topic(channel, value_deserializer="json", key_deserializer="str"))
    counts = signals[signals.apply(lambda signal: "id" in signal)].update(see)
    counts = counts.tumbling_window(WINDOW, grace_ms=LATENESS).count().current()
    counts.update(told)
    app.run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
