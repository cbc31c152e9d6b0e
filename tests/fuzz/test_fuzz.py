"""Claims about everything that decodes: damaged bytes have an outcome, whatever they are."""

import pytest

from schemas.signal import Signal
from streams.networks.native import normalize
from streams.networks.refusal import Refusal
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.targets import Target, all_targets, two_decoders

PAYLOADS = 12_000

pytestmark = pytest.mark.slow


def test_no_decoder_raises_and_each_payload_is_accounted_for() -> None:
    """Every target takes its share, some of it is read and some refused, and two decoders never disagree."""
    targets = all_targets()
    fuzzed = fuzz(targets, payloads=PAYLOADS, seed=7)

    assert fuzzed.crashes == []
    assert fuzzed.payloads == PAYLOADS
    assert {name for name, _ in fuzzed.outcomes} == {target.name for target in targets}
    assert fuzzed.outcomes["native by two decoders", "both read the same"] > 100
    assert fuzzed.outcomes["native by two decoders", "both refuse the JSON"] > 100


def test_a_number_of_no_double_under_an_unknown_key_is_no_disagreement() -> None:
    """It is JSON; orjson refuses it because it holds every number, we because we were asked for it, or not at all."""
    signal = b'{"id":"t:1","network":"t","kind":"post","at":1781179212345,"actor":"a","%s":1e999}'

    assert two_decoders(signal % b"unknown") == "only orjson refuses a number of no double"
    assert isinstance(normalize(signal % b"unknown"), Signal)
    assert isinstance(normalize(signal % b"followers"), Refusal)


def test_a_decoder_that_raises_is_found_with_its_payload() -> None:
    """The fuzzer can fail: a target that cannot stand zeros is caught, and the bytes are kept."""

    def hates_zeros(payload: bytes) -> str:
        if b"0" in payload:
            raise ZeroDivisionError
        return "read"

    fuzzed = fuzz([Target("hater", [b'{"a":100}'], hates_zeros)], payloads=50, seed=1)

    assert fuzzed.outcomes["hater", "CRASH"] > 0
    assert b"0" in fuzzed.crashes[0].payload
    assert "ZeroDivisionError" in fuzzed.crashes[0].trace
    assert fuzzed.payloads == 50
