"""Stand in for a consumer group of one worker in the tests of runners."""

from agents.attribute_signals import AttributeShell
from agents.lane import Batch, Fenced
from agents.metrics import Metrics
from agents.runner import Runner
from schemas.channels import SIGNALS, TABLE_ATTRIBUTE
from tests.agents.lane.trial import SETTINGS, log, registry
from tests.agents.memory_kafka import MemoryKafka, MemoryPort

BEGIN, END = log()[0].offset, log()[-1].offset + 1


class FencedPort(MemoryPort):
    """A port that knows whether its generation is still the group's."""

    def __init__(self, group: "Group", generation: int) -> None:
        super().__init__(group.kafka)
        self.group = group
        self.generation = generation

    def fence(self) -> None:
        """Raise where the group has moved on."""
        super().fence()
        if self.group.now != self.generation:
            raise Fenced(f"expected generation {self.generation} of the group, got {self.group.now}")


class Group:
    """A consumer group of one worker, whose generation and partitions the test decides about."""

    def __init__(self) -> None:
        self.kafka = MemoryKafka()
        self.now: int | None = 1
        self.owned = True
        self.first_held = BEGIN
        self.ends_at = END
        self.mark = lambda: 0
        self.id_of_channel = "AAAAAAAAAAAAAAAAAAAAAQ"
        self.rewound: list[int] = []
        self.ports: list[FencedPort] = []

    def generation(self) -> int | None:
        """Return the generation that the test has set."""
        return self.now

    def owns(self, channel: str, partition: int) -> bool:
        """Return what the test has set."""
        return self.owned

    def port(self, generation: int) -> FencedPort:
        """Return a port, and remember it."""
        self.ports.append(FencedPort(self, generation))
        return self.ports[-1]

    async def channel_id(self, channel: str) -> str:
        """Return the id that the test has set."""
        return self.id_of_channel

    async def rewind(self, channel: str, partition: int, offset: int) -> None:
        """Note what was asked for again."""
        self.rewound.append(offset)

    async def earliest(self, channel: str, partition: int) -> int:
        """Return the first offset that Kafka still holds."""
        return self.first_held

    async def end(self, channel: str, partition: int) -> int:
        """Return the end that the test has set."""
        return self.ends_at


def runner_of(group: Group) -> Runner:
    """Make the runner of the first agent."""
    return Runner(
        settings=SETTINGS,
        group=group,
        metrics=Metrics(version="0"),
        source=SIGNALS,
        table=TABLE_ATTRIBUTE,
        table_name="conversations",
        make_shell=lambda partition: AttributeShell(SETTINGS, registry, partition),
    )


def after(offset: int) -> Batch:
    """Return what the log holds from an offset on."""
    return Batch([record for record in log() if record.offset >= offset], END)


def gapless(pieces: list[Batch]) -> list[Batch]:
    """Let each batch end where the next one begins, as if the log had no holes."""
    ends = [batch.records[0].offset for batch in pieces[1:]] + [END]
    return [batch._replace(next_offset=end) for batch, end in zip(pieces, ends, strict=True)]
