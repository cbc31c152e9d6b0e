"""Check what numbers and names look like in a sentence."""

import pytest

from streams.lifecycle import wording


@pytest.mark.parametrize(
    ("share", "text"), [(0.999, "more than 99 %"), (1.0, "100 %"), (0.001, "less than 1 %"), (0.0, "0 %")]
)
def test_nearly_all_is_not_called_all(share: float, text: str) -> None:
    """Rounding must not turn a few into none."""
    assert wording.percent(share) == text


def test_a_name_from_the_network_does_no_harm_in_a_sentence() -> None:
    """Tags come from anybody: a terminal's escape codes are replaced, and a long one is cut."""
    said = wording.tagged("\x1b[31m" + "x" * 60_000)

    assert said.isprintable()
    assert len(said) <= wording.TAG_CHARACTERS_SAID + 1


@pytest.mark.parametrize(
    ("at_ms", "text"), [(1_341_389_520_000, "4 July 2012, 08:12 UTC"), (1_341_389_527_000, "4 July 2012, 08:12:07 UTC")]
)
def test_seconds_are_said_where_there_are_any(at_ms: int, text: str) -> None:
    """Ticks are on whole minutes, unless a season is scaled."""
    assert wording.moment(at_ms) == text
