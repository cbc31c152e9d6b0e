"""Archives of Twitter: both versions, every kind of post, every edge of time, and what is no act."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.signal import Signal, conversation_of
from streams.networks import NETWORKS
from streams.networks.refusal import Refusal
from streams.networks.twitter import NAME, normalize, recognises
from tests.checks.network_checks import Golden, check_golden, golden_cases

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def accepted(payload: str) -> Signal:
    """Return the one signal that a payload must be."""
    outcome = normalize(payload.encode(), None)
    assert not isinstance(outcome, Refusal), outcome
    (signal,) = outcome
    return signal


@pytest.mark.parametrize("golden", golden_cases(NAME), ids=lambda golden: golden.case)
def test_a_payload_means_what_stands_beside_it(golden: Golden) -> None:
    """The corpus was written from the published shapes, meanings worked out by hand."""
    check_golden(NETWORKS[NAME], golden)


@given(st.integers(1_142_899_200, 4_102_444_800))
def test_a_time_of_v1_1_is_read_back(second: int) -> None:
    """Whatever the language of the machine, months have English names there."""
    time = datetime.fromtimestamp(second, UTC)
    written = f"{DAYS[time.weekday()]} {MONTHS[time.month - 1]} {time:%d %H:%M:%S} +0000 {time.year}"
    signal = accepted(f'{{"id_str":"20","created_at":"{written}","user":{{"id_str":"7"}}}}')

    assert signal.at == second * 1000


def test_both_versions_of_a_post_are_the_same_signal() -> None:
    """What was archived twice, by different tools, counts once."""
    first = accepted('{"id_str":"20","created_at":"Thu Jun 11 12:00:12 +0000 2026","text":"a","user":{"id_str":"7"}}')
    second = accepted('{"data":{"id":"20","created_at":"2026-06-11T12:00:12.000Z","text":"a","author_id":"7"}}')

    assert first == second


def test_a_conversation_of_v2_is_that_of_its_first_post() -> None:
    """Replies name it, the post itself is it, and a quote is on the conversation of what it quotes."""
    post, reply, quote = (
        accepted(f'{{"data":{{"id":"{post_id}","author_id":"7","created_at":"2026-06-11T12:00:12Z",{rest}}}}}')
        for post_id, rest in (
            ("20", '"conversation_id":"20"'),
            ("21", '"conversation_id":"20","referenced_tweets":[{"type":"replied_to","id":"19"}]'),
            ("22", '"conversation_id":"22","referenced_tweets":[{"type":"quoted","id":"20"}]'),
        )
    )

    assert {conversation_of(signal) for signal in (post, reply, quote)} == {"20"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"id_str":"20"}', True),
        (b' {"data":[]}', True),
        (b'{"delete":{}}', True),
        (b"window.YTD.tweets.part0 = [", True),
        (b'{"id":"20","account":{"id_str":"7"}}', False),
        (b'{"id":"t:1","network":"t","kind":"post","at":1,"actor":"id_str"}', False),
        (b"[]", False),
        (b"id_str", False),
    ],
)
def test_a_line_is_recognised_by_its_outermost_keys(line: bytes, expected: bool) -> None:
    """Cheaply, and without looking at what lies below."""
    assert recognises(line) is expected
