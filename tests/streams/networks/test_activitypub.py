"""Activities of the fediverse: each payload means what stands beside it in the golden corpus."""

import json

import pytest

from streams.networks import NETWORKS
from streams.networks.activitypub import NAME, normalize
from streams.networks.refusal import Refusal
from tests.checks.network_checks import Golden, check_golden, golden_cases


@pytest.mark.parametrize("golden", golden_cases(NAME), ids=lambda golden: golden.case)
def test_a_payload_means_what_stands_beside_it(golden: Golden) -> None:
    """The corpus holds every act and every edge that the network has."""
    check_golden(NETWORKS[NAME], golden)


def test_a_private_account_of_a_public_act_is_never_read() -> None:
    """Whatever is addressed to people, and not to the public, leaves no trace, not even a refusal."""
    for audience in ([], "https://a.example/rosa", [{"id": "https://a.example/rosa"}], ["https://a.example/followers"]):
        note = {"type": "Note", "id": "https://a.example/1", "content": "psst", "to": audience}
        for activity in (note, {"type": "Create", "object": note}, {"type": "Update", "object": note}):
            assert normalize(json.dumps(activity | {"actor": "https://a.example/ivo"}).encode(), None) == ()


def test_groups_in_groups_are_read_one_level_deep() -> None:
    """A chain of activities about activities must not be followed as far as somebody likes."""
    inner = {
        "type": "Create",
        "actor": "https://a.example/ivo",
        "object": {"type": "Note", "id": "https://a.example/1"},
    }
    twice = {"type": "Announce", "actor": "https://a.example/g", "object": {"type": "Announce", "object": inner}}

    outcome = normalize(json.dumps(twice).encode(), 1_781_179_215_000)

    assert isinstance(outcome, Refusal)
    assert outcome.detail.endswith("at `$.object`")
