"""Run the three steps in one process over one log: backtest, and the oracle for every distributed run."""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.alert import Alert
from schemas.attributed import PACKET_VERSION, AttributedPacket
from schemas.cascade import CascadeVitals
from schemas.contribution import ContributionPacket
from schemas.rejection import Late, Rejection
from schemas.vitals import Vitals
from streams.attribution.matcher import Registry
from streams.steps.attribute import Arrival, AttributeSettings, AttributeStep
from streams.steps.follow import FollowStep
from streams.steps.ledger import Ledger
from streams.steps.watch import WatchStep


class Outcome(NamedTuple):
    """What one advance brought, everything in stamp order; alerts with the tick (epoch ms) that raised them."""

    vitals: list[Vitals]
    cascades: list[CascadeVitals]
    alerts: list[tuple[int, Alert]]
    rejections: list[Rejection]
    late: list[Late]


class Pipeline:
    """The three steps on one partition each."""

    def __init__(
        self,
        registry: Registry,
        *,
        channel: str = "log",
        settings: AttributeSettings = AttributeSettings(),
    ) -> None:
        self.attribute = AttributeStep(registry, channel=channel, settings=settings)
        self.follow = FollowStep(registry, origins=1, changes_ms=settings.changes_ms)
        self.watch = WatchStep(registry, origins=1)

    @property
    def ledger(self) -> Ledger:
        """What became of the input so far."""
        return self.attribute.ledger

    def advance(self, arrivals: Sequence[Arrival], *, next_offset: int) -> Outcome:
        """Take a batch of records of the log through all three steps."""
        told = self.attribute.advance(arrivals, next_offset=next_offset)
        attributed = AttributedPacket(PACKET_VERSION, 0, told.after, told.upto, tuple(told.items))
        added = self.follow.advance([(0, attributed)], next_offset=next_offset)
        contributions = ContributionPacket(PACKET_VERSION, 0, added.after, added.upto, tuple(added.items))
        seen = self.watch.advance([(0, contributions)], next_offset=next_offset)
        return Outcome(seen.vitals, seen.cascades, seen.alerts, told.rejections, told.late)
