"""Tests of `schemas.burst_rules`."""

import msgspec
import pytest

from schemas.burst_rules import BurstRules


def test_the_defaults_lie_in_their_own_ranges() -> None:
    """Ranges are only checked where something is decoded, so a default could contradict them unseen."""
    assert msgspec.json.decode(msgspec.json.encode(BurstRules()), type=BurstRules) == BurstRules()


def test_the_defaults_are_those_of_the_definitions() -> None:
    """The published numbers (MEASURES.md §3) are what runs when nothing is overridden."""
    rules = BurstRules()

    assert (rules.z_enter, rules.z_exit, rules.signals_min, rules.actors_min) == (5.0, 2.0, 20, 10)
    assert (rules.cold_signals_min, rules.cold_actors_min) == (500, 100)
    assert (rules.for_ms, rules.keep_ms, rules.cooldown_ms) == (600_000, 3_600_000, 21_600_000)


@pytest.mark.parametrize("wrong", [b'{"z_enter": -1}', b'{"signals_min": 1.5}', b'{"cooldown": 1}'])
def test_what_is_out_of_range_or_unknown_does_not_decode(wrong: bytes) -> None:
    """The shape itself refuses what no rules file may say."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=BurstRules)
