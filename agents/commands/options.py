"""Flags that several commands share: which Kafka, which namespace, and instants of event time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

from agents.log_source import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
BEGINNING = "beginning"
BEGINNING_MS = 0
"""What is in force from the beginning is in force from here on: no signal is older (`schemas.signal.AT_MS_MIN`)."""

SWEEP_MAX = 100

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

kafka_option = click.option(
    "--kafka", metavar="HOST:PORT", default=None, help="Kafka's address, several with commas; OVERGROWTH_KAFKA."
)
partitions_option = click.option(
    "--partitions",
    type=click.IntRange(1, 1024),
    default=None,
    help="Partitions of channels that are created; OVERGROWTH_PARTITIONS.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def namespace_option(said: str) -> Callable[[Decorated], Decorated]:
    """Return the flag --namespace; `said` tells what holds without it."""
    return click.option(
        "--namespace", metavar="NAME", default=None, help=f"Namespace of the channels; OVERGROWTH_NAMESPACE. {said}"
    )


class Instant(click.ParamType):
    """An instant as an RFC 3339 time with its zone, taken to epoch milliseconds.

    >>> Instant().convert("2012-07-04T08:00:00.5+02:00", None, None)
    1341381600500
    """

    name = "time"

    def __init__(self, *, or_beginning: bool = False) -> None:
        self._or_beginning = or_beginning

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return epoch milliseconds, or end with the exit code for wrong use."""
        if isinstance(value, int):
            return value
        if self._or_beginning and value == BEGINNING:
            return BEGINNING_MS
        also = f", or `{BEGINNING}`" if self._or_beginning else ""
        expected = f"expected a time such as 2012-07-04T08:00:00Z{also}"
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{expected}, got {value!r}", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{expected}, got {value!r} without its zone; add Z for UTC, or +02:00", param, ctx)
        return (instant - _EPOCH) // timedelta(milliseconds=1)


class PartitionOffset(click.ParamType):
    """A partition and an offset in it.

    >>> PartitionOffset().convert("3:1200", None, None)
    (3, 1200)
    """

    name = "P:N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Return both, or end with the exit code for wrong use."""
        if isinstance(value, tuple):
            return value
        partition, _, offset = value.partition(":")
        if not (partition.isdecimal() and offset.isdecimal()):
            self.fail(f"expected a partition and an offset such as 0:1200, got {value!r}", param, ctx)
        return int(partition), int(offset)


def span_options(command: Decorated) -> Decorated:
    """Give a command the flags that say what of a log is meant."""
    for option in (
        click.option(
            "--from-offset",
            "offsets",
            type=PartitionOffset(),
            multiple=True,
            help="Of a channel: read this partition from this offset on; may be repeated.",
        ),
        click.option("--to", "to_ms", type=Instant(), default=None, help="Only what happened before this time."),
        click.option(
            "--from", "from_ms", type=Instant(), default=None, help="Only what happened at or after this time."
        ),
    ):
        command = option(command)
    return command


def span_of(from_ms: int | None, to_ms: int | None, offsets: tuple[tuple[int, int], ...]) -> Span:
    """Return the span that the flags name; raises UsageError where it can hold nothing."""
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        came = f"{said_instant(from_ms)} and {said_instant(to_ms)}"
        raise click.UsageError(f"expected --from before --to, got {came}")
    if from_ms is not None and offsets:
        raise click.UsageError("expected one of --from and --from-offset, got both; leave one out")
    if len(dict(offsets)) < len(offsets):
        raise click.UsageError("expected --from-offset once for each partition, got one twice; leave one out")
    return Span(from_ms, to_ms, tuple(sorted(offsets)))


def said_late(log: str, late: int, *, lateness_ms: int) -> str:
    """Return what to know of a log that is not in the order of time.

    >>> said_late("week.gz", 12, lateness_ms=10_000)[:74]
    'week.gz: expected the order of event time, to within 10 s, got 12 signals '
    """
    return (
        f"{log}: expected the order of event time, to within {lateness_ms / 1000:g} s, got {late:,} signals that come "
        "later than that and are set aside; sort the log by time if they are to count"
    )


def said_duration(seconds: float) -> str:
    """Return a duration as a person reads it, with two units at most.

    >>> [said_duration(seconds) for seconds in (4.4, 125, 7_380, 180_000)]
    ['4 s', '2 min 5 s', '2 h 3 min', '2 d 2 h']
    """
    left = round(seconds)
    for unit_s, unit, below_s, below in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if left >= unit_s:
            return f"{left // unit_s} {unit} {left % unit_s // below_s} {below}"
    return f"{left} s"


def said_instant(at_ms: int) -> str:
    """Return epoch milliseconds as a person reads them, to the second.

    >>> said_instant(1341388799999)
    '2012-07-04 07:59:59 UTC'
    """
    try:
        return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%d %H:%M:%S UTC")
    except OverflowError:
        # No calendar of ours reaches there, but a record of others may.
        return f"{at_ms} ms"


def swept(text: str) -> tuple[str, tuple[float, ...]]:
    """Return the name and the values of a sweep `name=from..to/step`, both ends included; raises UsageError.

    >>> swept("drift=0.1..0.3/0.1")
    ('drift', (0.1, 0.2, 0.3))
    """
    name, _, span = text.partition("=")
    ends, _, stride = span.partition("/")
    low_text, _, high_text = ends.partition("..")
    try:
        low, high, step = Decimal(low_text), Decimal(high_text), Decimal(stride)
        count = int((high - low) / step) + 1
    except (InvalidOperation, ArithmeticError, ValueError, OverflowError):
        count = 0
    if not name or not 1 <= count <= SWEEP_MAX:
        expected = f"expected NAME=FROM..TO/STEP with 1 to {SWEEP_MAX} values for --sweep"
        raise click.UsageError(f"{expected}, got {text!r}; write, for example, drift=0.1..0.9/0.1")
    return name, tuple(float(low + step * number) for number in range(count))
