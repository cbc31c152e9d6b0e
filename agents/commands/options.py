"""Flags that several commands share: which Kafka, which namespace, and instants of event time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

import click

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
