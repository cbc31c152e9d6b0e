"""Every network format is registered and keeps the rules that hold for all."""

import importlib
import pkgutil
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import streams.networks
from streams.networks import NETWORKS, NetworkFormat
from tests.checks import network_checks
from tests.checks.network_checks import good_payloads

every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda network: network.name)

NASTY = [
    b"",
    b"null",
    b"\x00",
    b"\xff",
    b"{",
    b"[" * 40,
    b'"',
    b"\\u0000",
    b"NaN",
    b"1e999",
    b"-",
    b" ",
    b"\n",
    b"9" * 30,
]


@st.composite
def mutated(draw: st.DrawFn, payloads: list[bytes]) -> bytes:
    """Draw a good payload with up to four pieces of it replaced, repeated or taken out."""
    payload = draw(st.sampled_from(payloads))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(payload)))
        end = draw(st.integers(start, min(len(payload), start + 12)))
        piece = draw(st.one_of(st.binary(max_size=4), st.sampled_from(NASTY), st.just(payload[start:end] * 2)))
        payload = payload[:start] + piece + payload[end:]
    return payload


def test_each_module_of_the_package_that_normalises_is_registered() -> None:
    """A new network is found by its row in the registry, so a file without a row would never be used or checked."""
    names = [info.name for info in pkgutil.iter_modules(streams.networks.__path__)]
    modules = [importlib.import_module(f"streams.networks.{name}") for name in names]

    assert sorted(module.NAME for module in modules if hasattr(module, "normalize")) == sorted(NETWORKS)
    assert [name for name, network in NETWORKS.items() if name != network.name] == []


@every_network
@pytest.mark.parametrize(
    "check",
    [network_checks.check_samples_are_accepted_and_recognised, network_checks.check_samples_belong_to_one_format],
    ids=lambda check: check.__name__,
)
def test_the_samples_conform(network: NetworkFormat, check: Callable[[NetworkFormat], None]) -> None:
    """A format's own samples are accepted, and claimed by no other format."""
    check(network)


@every_network
@given(payload=st.one_of(st.none(), st.binary(max_size=200), st.sampled_from(NASTY)))
def test_random_bytes_have_one_lawful_outcome(network: NetworkFormat, payload: bytes | None) -> None:
    """Whatever a channel carries, a format answers with a value, the same each time."""
    network_checks.check_any_bytes_have_one_lawful_outcome(network, payload)


@every_network
@given(data=st.data())
def test_mutated_samples_have_one_lawful_outcome(network: NetworkFormat, data: st.DataObject) -> None:
    """Nearly right payloads reach the checks that random bytes never come to."""
    payload = data.draw(mutated(good_payloads(network)))

    network_checks.check_any_bytes_have_one_lawful_outcome(network, payload)


@every_network
@pytest.mark.parametrize(
    "piece", [b"{", b"[", b'"', b'"\\', b'\\"', b'{"a":', b"[{", b"9", b"\xf0", b"\x00", b" ", b"{}["]
)
def test_long_monotonous_payloads_have_one_lawful_outcome(network: NetworkFormat, piece: bytes) -> None:
    """Repetition is what breaks parsers: each piece is repeated up to the size limit and past it."""
    for size_bytes in (64 * 1024, 64 * 1024 + 1):
        payload = (piece * (size_bytes // len(piece) + 1))[:size_bytes]

        network_checks.check_any_bytes_have_one_lawful_outcome(network, payload)
