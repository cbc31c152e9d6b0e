"""Check the flags that several commands share."""

from datetime import UTC, datetime, timedelta, timezone

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from agents.commands.options import BEGINNING_MS, Instant, said_instant
from schemas.signal import AT_MS_MIN

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def run(*arguments: str) -> Result:
    """Run a command that takes an instant and says it in epoch milliseconds."""

    @click.command()
    @click.option("--at", type=Instant())
    @click.option("--since", type=Instant(or_beginning=True))
    def command(at: int | None, since: int | None) -> None:
        click.echo(f"{at} {since}")

    return CliRunner().invoke(command, list(arguments))


@given(
    st.integers(AT_MS_MIN, 4_102_444_800_000),
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_time_in_any_zone_is_taken_to_the_millisecond(at_ms: int, zone: timezone) -> None:
    """The same instant is written differently around the world."""
    text = (EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone).isoformat()

    assert Instant().convert(text, None, None) == at_ms


@pytest.mark.parametrize("text", ["2012-07-04T08:00:00", "2012-07-04", "soon", "1341388800000", "beginning"])
def test_what_names_no_instant_is_wrong_use(text: str) -> None:
    """A time without its zone could mean any of 27 hours."""
    result = run("--at", text)

    assert result.exit_code == 2
    assert f"expected a time such as 2012-07-04T08:00:00Z, got '{text}'" in result.stderr


def test_the_beginning_can_be_named_where_it_makes_sense() -> None:
    """It lies before every signal that is accepted."""
    assert run("--since", "beginning").stdout == f"None {BEGINNING_MS}\n"
    assert BEGINNING_MS < AT_MS_MIN


def test_an_instant_beyond_the_calendar_is_still_said() -> None:
    """A record of others may hold any number."""
    assert said_instant(1_341_388_800_000) == "2012-07-04 08:00:00 UTC"
    assert said_instant(2**62) == f"{2**62} ms"
