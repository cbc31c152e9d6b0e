"""What Mastodon tells: each payload means what stands beside it in the golden corpus."""

import json

import pytest

from schemas.signal import Signal
from streams.networks import NETWORKS, activitypub
from streams.networks.mastodon import NAME, normalize
from tests.checks.network_checks import Golden, check_golden, golden_cases

STATUS = {
    "id": "11",
    "uri": "https://garden.example/users/rosa/statuses/11",
    "created_at": "2026-06-11T12:00:12.000Z",
    "visibility": "public",
    "account": {"id": "1", "acct": "rosa", "url": "https://garden.example/@rosa"},
}


def told(payload: dict[str, object]) -> Signal:
    """Return the one signal that a payload must be."""
    outcome = normalize(json.dumps(payload).encode(), None)
    assert isinstance(outcome, tuple), outcome
    (signal,) = outcome
    return signal


@pytest.mark.parametrize("golden", golden_cases(NAME), ids=lambda golden: golden.case)
def test_a_payload_means_what_stands_beside_it(golden: Golden) -> None:
    """The corpus holds every event and every edge that the network has."""
    check_golden(NETWORKS[NAME], golden)


def test_a_post_has_one_name_from_whichever_instance_and_interface_it_comes() -> None:
    """Local ids differ from instance to instance, so that nothing counts twice only the global name may count."""
    at_home = told({"instance": "garden.example", "event": "update", "payload": json.dumps(STATUS)})
    account = {"id": "501", "acct": "rosa@garden.example", "url": "https://garden.example/@rosa"}
    elsewhere = STATUS | {"id": "9004", "account": account}
    abroad = told({"instance": "wood.example", "event": "update", "payload": json.dumps(elsewhere)})
    note = {"type": "Note", "id": STATUS["uri"], "attributedTo": "https://garden.example/users/rosa"}
    delivered = activitypub.normalize(json.dumps(note | {"published": STATUS["created_at"]}).encode(), None)

    assert (at_home.id, at_home.actor, at_home.at) == (abroad.id, abroad.actor, abroad.at)
    assert isinstance(delivered, tuple)
    assert [one.id for one in delivered if isinstance(one, Signal)] == [at_home.id]


def test_replies_to_one_unknown_post_meet_and_those_of_two_instances_do_not() -> None:
    """A local id means another post on another instance."""
    answers = [
        told({"instance": instance, "event": "update", "payload": json.dumps(STATUS | {"in_reply_to_id": parent})})
        for instance, parent in (("a.example", "7"), ("a.example", "7"), ("b.example", "7"), ("a.example", "8"))
    ]

    assert [answer.parent for answer in answers] == [
        "mastodon:a.example/7",
        "mastodon:a.example/7",
        "mastodon:b.example/7",
        "mastodon:a.example/8",
    ]
