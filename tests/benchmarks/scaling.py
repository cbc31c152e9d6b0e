"""What a second worker brings: one and two workers on the same log, in turns, the one first and then the other.

By processor time they show what sharing costs. By the clock they show what the machine had to give: two workers and the
broker do not fit on two cores, least of all beside other work. So the processors that the workers had while they ran
are told too: what is gained by the clock is their growth times what a second of processor time still brings.
"""

import os

from tests.benchmarks import firehose
from tests.benchmarks.channel import Took, scratch, start_stack
from tests.benchmarks.firehose_channel import FirehoseChannel
from tests.benchmarks.report import Figure, Goal, Round

SIGNALS = 120_000
UNIT = "signals/s"
KEPT_MIN = 0.9
"""Of what one worker takes for each second of processor time: a second one may cost a tenth more."""


def begin(*, quick: bool) -> Round:
    """Start a Kafka and make the log."""
    stack, folder = start_stack(), scratch()
    signals = SIGNALS // 10 if quick else SIGNALS
    channel = FirehoseChannel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=signals)
    is_turned = False

    def take_round() -> list[Figure]:
        nonlocal is_turned
        load = os.getloadavg()[0]
        took: dict[int, Took] = {}
        for workers in (2, 1) if is_turned else (1, 2):
            took[workers] = channel.worked(workers=workers)
        is_turned = not is_turned
        return [Figure("load average before", load, ""), *_figures(took[1], took[2])]

    return take_round


def _figures(one: Took, two: Took) -> list[Figure]:
    kept = Goal(KEPT_MIN, at_least=True, of_ratio=True)
    return [
        Figure("1 worker, by processor time", one.per_cpu_s, UNIT),
        Figure("2 workers, by processor time", two.per_cpu_s, UNIT, floor="1 worker, by processor time", goal=kept),
        Figure("1 worker, by the clock", one.per_wall_s, UNIT),
        Figure("2 workers, by the clock", two.per_wall_s, UNIT, floor="1 worker, by the clock"),
        Figure("1 worker, processors had", one.cpu_s / one.wall_s, ""),
        Figure("2 workers, processors had", two.cpu_s / two.wall_s, "", floor="1 worker, processors had"),
        Figure("2 workers, work of the busier one", 100 * two.busiest_cpu_s / two.cpu_s, "%"),
    ]
