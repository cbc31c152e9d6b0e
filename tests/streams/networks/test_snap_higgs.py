"""The Higgs log: each line is one act of one account on another."""

import gzip
from pathlib import Path

import pytest

from schemas.rejection import Reason
from schemas.signal import Signal, conversation_of, node_of
from streams.networks.refusal import Refusal
from streams.networks.snap_higgs import normalize


def accepted(line: bytes) -> Signal:
    """Return the signal that a line must be."""
    outcome = normalize(line)
    assert isinstance(outcome, Signal), outcome
    return outcome


def test_a_retweet_is_a_share_on_the_star_of_its_author() -> None:
    """A's retweet of B spreads B's conversation, which stands for all posts of B."""
    assert accepted(b"376989 50329 1341101181 RT") == Signal(
        id="higgs:376989:50329:1341101181:RT",
        network="twitter",
        kind="share",
        at=1341101181000,
        actor="376989",
        source="snap-higgs",
        post="@50329",
        parent="@50329",
        root="@50329",
        parent_actor="50329",
        root_actor="50329",
        edge="star",
    )


def test_a_mention_is_a_post_that_names_its_account() -> None:
    """A's mention of B is taken to be on B's conversation, and mentions B."""
    signal = accepted(b"223789 213163 1341100972 MT")

    assert (signal.kind, signal.mentions, signal.root, signal.post) == ("post", ("213163",), "@213163", None)


def test_a_reply_hangs_below_the_post_that_stands_for_its_account() -> None:
    """A's reply to B is a node of its own on B's star."""
    signal = accepted(b"223789 213163 1341100972 RE\r")

    assert (signal.kind, signal.parent, signal.parent_actor, signal.mentions) == ("reply", "@213163", "213163", ())
    assert node_of(signal) == signal.id


def test_all_acts_on_one_account_are_one_conversation() -> None:
    """The key of a line's signal is the account that was acted on, whoever acted and however."""
    lines = [b"1 7 1341100972 MT", b"2 7 1341100973 RE", b"3 7 1341100974 RT", b"7 7 1341100975 RT"]

    assert {conversation_of(accepted(line)) for line in lines} == {"@7"}


def test_an_act_of_an_account_on_itself_is_kept_on_its_own_star() -> None:
    """7,588 lines are such; the act's node is not the star's root, so no post is its own parent."""
    signal = accepted(b"88 88 1341101192 RE")

    assert (signal.actor, signal.parent_actor, signal.parent) == ("88", "88", "@88")
    assert node_of(signal) != signal.parent


@pytest.mark.parametrize(
    ("line", "reason", "detail"),
    [
        (b"", "empty", "snap-higgs payload: expected a signal, got nothing"),
        (None, "empty", "snap-higgs payload: expected a signal, got nothing"),
        (b"  \r", "empty", "got nothing"),
        (
            b"1 2 1341101181",
            "malformed",
            "expected `userA userB unix_seconds kind` with kind RT, RE or MT, got '1 2 13",
        ),
        (b"1 2 1341101181 XX", "malformed", "got '1 2 1341101181 XX'"),
        (b"1 2 1341101181 rt", "malformed", "got '1 2 1341101181 rt'"),
        (b"1 -2 1341101181 RT", "malformed", "got '1 -2"),
        (b"1 2 1341101181.5 RT", "malformed", "got '1 2"),
        (b"1" * 30 + b" 2 1341101181 RT", "malformed", "got '111"),
        (b"1 2 1341101181 RT RT", "malformed", "got '1 2"),
        (b"\xff 2 1341101181 RT", "not_utf8", "got byte 0xff at byte 0"),
        (
            b"1 2 5 RT",
            "at_out_of_range",
            "expected epoch seconds from 946684800 (2000) to 253402300799 (9999) in field",
        ),
        (b"1 2 1341101181000 RT", "at_out_of_range", "got 1341101181000, which looks like milliseconds: divide by"),
        (b"1" * 70_000, "oversize", "expected at most 65536 bytes, got 70000"),
    ],
)
def test_a_bad_line_is_refused_with_its_reason(line: bytes | None, reason: Reason, detail: str) -> None:
    """What is no line of this log is told apart by reason, with what came."""
    refusal = normalize(line)

    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert detail in refusal.detail


@pytest.mark.slow
def test_every_line_of_the_log_is_a_signal_with_an_id_of_its_own(shared_data: Path) -> None:
    """All 563,069 interactions must count: none refused, and no two taken for duplicates of each other."""
    with gzip.open(shared_data / "higgs-activity_time.txt.gz") as log:
        outcomes = [normalize(line) for line in log]

    assert len(outcomes) == 563_069
    assert len({outcome.id for outcome in outcomes if isinstance(outcome, Signal)}) == 563_069
