"""A worker, other systems and the floor on the same channel, one after the other in every round.

The log lies on the channel before anything reads it. All rates are signals per second of the readers' processor time,
so that a busy machine weighs little; those by the clock say so. The figures of a worker run from its first signal to
the checkpoint behind the last, those of the others to the last record seen.
"""

from tests.benchmarks import firehose
from tests.benchmarks.channel import Took, scratch, start_stack
from tests.benchmarks.firehose_channel import Absent, FirehoseChannel
from tests.benchmarks.report import Figure, Goal, Round

MIX_SIGNALS = 80_000
ALL_SIGNALS = 20_000
FAUST_MIX_SIGNALS = 10_000
FAUST_ALL_SIGNALS = 3_000
PEER_SIGNALS = 20_000

MIX_PER_S_MIN, ALL_PER_S_MIN = 60_000, 20_000
FLOOR_RATIO_MIN, FAUST_RATIO_MIN = 0.5, 10.0
FLOOR = "the floor: getmany + decode"
UNIT = "signals/s"
PEERS = {"Quix Streams": "quix", "Bytewax": "bytewax_flow"}


def begin(*, quick: bool) -> Round:
    """Start a Kafka and make the logs."""
    tenth = 5 if quick else 1
    stack, folder = start_stack(), scratch()
    mix = FirehoseChannel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=MIX_SIGNALS // tenth)
    everything = FirehoseChannel(stack, folder, on_topic=1.0, signals=ALL_SIGNALS // tenth)
    third = FirehoseChannel(stack, folder, on_topic=0.3, signals=ALL_SIGNALS // tenth)
    faust_mix = FirehoseChannel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=FAUST_MIX_SIGNALS // tenth)
    faust_everything = FirehoseChannel(stack, folder, on_topic=1.0, signals=FAUST_ALL_SIGNALS // tenth)
    peers = FirehoseChannel(stack, folder, on_topic=firehose.ON_TOPIC_OF_MIX, signals=PEER_SIGNALS // tenth)

    def take_round() -> list[Figure]:
        below, worker = mix.floor_and_worker()
        worker_all, worker_third = everything.worked(), third.worked()
        figures = [
            Figure(FLOOR, below.per_cpu_s, UNIT),
            Figure("worker, mix", worker.per_cpu_s, UNIT, floor=FLOOR, goal=Goal(MIX_PER_S_MIN, at_least=True)),
            Figure("worker, all on topic", worker_all.per_cpu_s, UNIT, floor=FLOOR, goal=_at_least(ALL_PER_S_MIN)),
            _again("worker, mix, of the floor", worker, FLOOR, FLOOR_RATIO_MIN),
            Figure("a worker with 30 % on topic", worker_third.per_cpu_s, UNIT),
            Figure("worker, mix, by the clock", worker.per_wall_s, UNIT),
        ]
        for what, channel, ours in (("mix", faust_mix, worker), ("all on topic", faust_everything, worker_all)):
            name = f"plain Faust, {what}"
            figures += _beside(name, channel.told_by("plain_faust"), f"worker, {what}", ours, FAUST_RATIO_MIN)
        for name, program in PEERS.items():
            figures += _beside(f"{name}, windowed count", peers.told_by(program), "worker, mix", worker, 1.0)
        return figures

    return take_round


def _at_least(limit: float) -> Goal:
    return Goal(limit, at_least=True)


def _again(name: str, took: Took, floor: str, ratio_min: float) -> Figure:
    return Figure(name, took.per_cpu_s, UNIT, floor=floor, goal=Goal(ratio_min, at_least=True, of_ratio=True))


def _beside(name: str, told: Took | Absent, our_name: str, ours: Took, ratio_min: float) -> list[Figure]:
    """Return a peer's figure and ours beside it; where it told nothing, a figure that says why."""
    if isinstance(told, Absent):
        return [Figure(f"{name}: {told.why}", 0.0, UNIT)]
    return [Figure(name, told.per_cpu_s, UNIT, floor=FLOOR), _again(f"{our_name}, of {name}", ours, name, ratio_min)]
