"""Tests of `schemas.rules`."""

import msgspec
import pytest

from schemas.rules import HOUR_MS, BurstRules, Rules


def test_the_defaults_lie_in_their_own_ranges() -> None:
    """Ranges are only checked where something is decoded, so a default could contradict them unseen."""
    assert msgspec.json.decode(msgspec.json.encode(Rules()), type=Rules) == Rules()


def test_the_defaults_are_those_of_the_definitions() -> None:
    """The published thresholds of outgrown (MEASURES.md §§4, 10) are what runs when nothing is overridden."""
    outgrown = Rules().outgrown

    assert (outgrown.ratio_enter, outgrown.ratio_exit) == (2.0, 1.3)
    assert (outgrown.share_enter, outgrown.share_exit) == (0.55, 0.45)
    assert (outgrown.audience_factor, outgrown.z_enter) == (1.5, 3.0)
    assert (outgrown.actors_min, outgrown.signals_min, outgrown.top_actor_share_max) == (50, 100, 0.25)
    assert outgrown.top_cascade_share_max == 0.5
    assert (outgrown.cold_actors_min, outgrown.cold_signals_min) == (250, 500)
    assert (outgrown.for_ms, outgrown.keep_ms) == (7_200_000, 21_600_000)


@pytest.mark.parametrize(
    "wrong", [b'{"scale": 0}', b'{"tick_ms": 10}', b'{"outgrown": {"share_enter": 2}}', b'{"outgrwn": {}}']
)
def test_what_is_out_of_range_or_unknown_does_not_decode(wrong: bytes) -> None:
    """The shape itself refuses what no rules file may say."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=Rules)


def test_rules_can_be_keys() -> None:
    """What is computed from rules is remembered by them."""
    assert len({Rules(): 1, Rules(scale=1.0): 2, Rules(scale=0.5): 3}) == 2


def test_the_defaults_of_a_burst_are_those_of_the_definitions() -> None:
    """The published numbers (MEASURES.md §3) are what runs when nothing is overridden."""
    rules = BurstRules()

    assert (rules.z_enter, rules.z_exit, rules.signals_min, rules.actors_min) == (5.0, 2.0, 20, 10)
    assert (rules.cold_signals_min, rules.cold_actors_min) == (500, 100)
    assert (rules.for_ms, rules.keep_ms, rules.cooldown_ms) == (600_000, 3_600_000, 21_600_000)


def test_the_defaults_of_an_escape_are_those_of_the_definitions() -> None:
    """The published numbers (MEASURES.md §§4, 8) are what runs when nothing is overridden."""
    rules = Rules().escaped

    assert (rules.divergence_enter, rules.divergence_exit, rules.log_p_max) == (0.25, 0.12, -13.8)
    assert (rules.drift_enter, rules.drift_exit) == (0.2, 0.1)
    assert (rules.uses_min, rules.topics_min, rules.actors_min) == (60, 1, 25)
    assert (rules.for_ms, rules.keep_ms) == (HOUR_MS, 6 * HOUR_MS)


@pytest.mark.parametrize("wrong", [b'{"z_enter": -1}', b'{"signals_min": 1.5}', b'{"cooldown": 1}'])
def test_what_is_out_of_range_or_unknown_does_not_decode_as_a_burst(wrong: bytes) -> None:
    """The shape itself refuses what no rules file may say."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(wrong, type=BurstRules)
