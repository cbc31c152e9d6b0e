"""What must hold for every network format, whatever bytes it is given."""

from pathlib import Path

import msgspec
import yaml

from schemas.rejection import REASONS, Place, Reason
from schemas.signal import AT_MS_MAX, AT_MS_MIN, KINDS, Erasure, Heartbeat, Signal
from streams.networks import NETWORKS, NetworkFormat
from streams.networks.refusal import DETAIL_CHARS_MAX, Refusal, rejection

ARRIVED_MS = 1_781_179_215_000
"""When the payloads are taken to have come in."""

FIXTURES = Path(__file__).parent.parent / "fixtures" / "networks"


class Golden(msgspec.Struct, forbid_unknown_fields=True):
    """A payload and what it means: signals in their order, an erasure, or the reason and the text of its refusal."""

    case: str
    payload: str
    signals: list[Signal] | None = None
    erasure: Erasure | None = None
    refusal: Reason | None = None
    detail: str | None = None
    arrived_ms: int | None = None


def golden_cases(name: str) -> list[Golden]:
    """Return the pairs of payloads and meanings that were written for a format."""
    return msgspec.convert(yaml.safe_load((FIXTURES / name / "golden.yaml").read_text()), list[Golden])


def check_golden(network: NetworkFormat, golden: Golden) -> None:
    """A payload means what stands beside it, and whatever it is, its outcome is lawful."""
    payload = golden.payload.encode()
    outcome = network.normalize(payload, golden.arrived_ms)

    if golden.erasure is not None:
        assert outcome == (golden.erasure,)
    elif golden.signals is None:
        assert golden.refusal is not None
        assert outcome == Refusal(golden.refusal, golden.detail or "")
    else:
        assert outcome == tuple(golden.signals)
    check_any_bytes_have_one_lawful_outcome(network, payload)


def good_payloads(network: NetworkFormat) -> list[bytes]:
    """Return the sample payloads of a format: the lines of its fixture, all of which it must accept."""
    return (FIXTURES / network.name / "good.txt").read_bytes().splitlines()


def check_samples_are_accepted_and_recognised(network: NetworkFormat) -> None:
    """Each sample payload becomes a signal or a heartbeat, and at least one of each format's is a signal."""
    payloads = good_payloads(network)
    outcomes = [network.normalize(payload, ARRIVED_MS) for payload in payloads]

    assert [outcome for outcome in outcomes if isinstance(outcome, Refusal)] == []
    assert any(isinstance(one, Signal) for outcome in outcomes if not isinstance(outcome, Refusal) for one in outcome)
    assert all(network.recognises(payload) for payload in payloads)


def check_samples_belong_to_one_format(network: NetworkFormat) -> None:
    """No other format claims a sample payload, so a log's format can be told from its first lines."""
    for payload in good_payloads(network):
        assert [other.name for other in NETWORKS.values() if other.recognises(payload)] == [network.name]


def check_any_bytes_have_one_lawful_outcome(network: NetworkFormat, payload: bytes | None) -> None:
    """Nothing raises, normalising gives the same twice, and gives lawful signals and heartbeats or a refusal."""
    if payload is not None:
        assert network.recognises(payload) in (True, False)
    for arrived_ms in (None, ARRIVED_MS):
        outcome = network.normalize(payload, arrived_ms)

        assert network.normalize(payload, arrived_ms) == outcome
        if isinstance(outcome, Refusal):
            check_refusal_is_lawful(outcome, payload)
        else:
            for one in outcome:
                check_accepted_is_lawful(one)


def check_accepted_is_lawful(outcome: Signal | Heartbeat | Erasure) -> None:
    """What is accepted has its required fields in range, and as JSON it reads back as itself."""
    assert AT_MS_MIN <= outcome.at <= AT_MS_MAX
    if isinstance(outcome, Signal):
        assert outcome.id
        assert outcome.network
        assert outcome.actor
        assert outcome.kind in KINDS
    strings = [
        item for value in msgspec.structs.astuple(outcome) for item in (value if type(value) is tuple else [value])
    ]
    assert not any("\0" in string for string in strings if isinstance(string, str))
    encoded = msgspec.json.encode(outcome)
    assert msgspec.json.decode(encoded, type=type(outcome)) == outcome
    assert NETWORKS["native"].normalize(encoded, None) == (outcome,)


def check_refusal_is_lawful(refusal: Refusal, payload: bytes | None) -> None:
    """A refusal names a known reason in one short line, and makes a rejection that can be written and read."""
    assert refusal.reason in REASONS
    assert 0 < len(refusal.detail) <= DETAIL_CHARS_MAX
    assert refusal.detail.isprintable()
    made = rejection(refusal, payload, Place("social.signals", partition=1, offset=2))
    assert msgspec.json.decode(msgspec.json.encode(made), type=type(made)) == made
