"""Bounds of signals: what another network allows and our own shape does not is cut, forgotten or refused."""

import pytest

from schemas.signal import AT_MS_MIN, FLAG_TAGS_TRUNCATED, Signal
from streams.networks.bounds import FLAG_SELF_PARENT, FOLLOWERS_MAX, bounded
from streams.networks.payload import ID_BYTES_MAX, TAGS_MAX
from streams.networks.refusal import Refusal

LONG_PAYLOAD = b"x" * 2_000
IDS = ("id", "actor", "post", "parent", "root", "parent_actor", "root_actor")


def signal_with(**fields: object) -> Signal:
    """Return a signal with these fields set."""
    signal = Signal(id="t:1", network="t", kind="reply", at=AT_MS_MIN, actor="a", post="1", parent="0")
    for name, value in fields.items():
        setattr(signal, name, value)
    return signal


def kept(signal: Signal, payload: bytes = LONG_PAYLOAD) -> Signal:
    """Return what a signal is within the bounds."""
    outcome = bounded(signal, payload, format_name="t")
    assert isinstance(outcome, Signal), outcome
    return outcome


def refused(signal: Signal) -> str:
    """Return why a signal is refused."""
    outcome = bounded(signal, LONG_PAYLOAD, format_name="t")
    assert isinstance(outcome, Refusal), outcome
    assert outcome.reason == "malformed"
    return outcome.detail


@pytest.mark.parametrize("name", IDS)
def test_an_id_has_at_most_512_bytes(name: str) -> None:
    """Each of them may become the key of a state row, and a letter may take several bytes."""
    for text in ("x" * ID_BYTES_MAX, "é" * (ID_BYTES_MAX // 2)):
        assert getattr(kept(signal_with(**{name: text})), name) == text
        assert refused(signal_with(**{name: text + "y"})) == (
            f"t payload: Expected at most 512 bytes, got 513 bytes - at `{name} of the signal`"
        )


@pytest.mark.parametrize("name", ["id", "network", "actor"])
def test_what_a_signal_needs_is_not_empty(name: str) -> None:
    """Nor is it made of nothing but NULs, which are taken out."""
    expected = f"t payload: Expected a non-empty `str`, got an empty one - at `{name}` of the signal"

    assert refused(signal_with(**{name: ""})) == expected
    outcome = bounded(signal_with(**{name: "\0"}), b'"\\u0000"', format_name="t")
    assert isinstance(outcome, Refusal)
    assert outcome.detail == expected


def test_nul_is_taken_out_of_all_strings() -> None:
    """Ids, texts and lists alike."""
    signal = kept(signal_with(post="1\0", tags=("\0a",), text="b\0c"), b'"\\u0000"')

    assert (signal.post, signal.tags, signal.text) == ("1", ("a",), "bc")


def test_the_first_tags_are_kept_and_the_cut_is_flagged() -> None:
    """More than fifty are not written by hand."""
    tags = tuple(f"t{number}" for number in range(TAGS_MAX + 1))

    assert (kept(signal_with(tags=tags)).tags, kept(signal_with(tags=tags)).flags) == (
        tags[:TAGS_MAX],
        (FLAG_TAGS_TRUNCATED,),
    )
    assert kept(signal_with(tags=tags[:TAGS_MAX])).flags == ()


@pytest.mark.parametrize(
    ("followers", "expected"), [(0, 0), (FOLLOWERS_MAX, FOLLOWERS_MAX), (-1, None), (FOLLOWERS_MAX + 1, None)]
)
def test_a_number_of_followers_that_cannot_be_is_not_known(followers: int, expected: int | None) -> None:
    """An act is not lost for what is known of its actor."""
    assert kept(signal_with(followers=followers)).followers == expected


def test_a_post_is_no_parent_of_itself() -> None:
    """The edge is refused, the event is kept and flagged, on the conversation that it names."""
    signal = kept(signal_with(parent="1", parent_actor="a", root="0"))

    assert (signal.parent, signal.parent_actor, signal.root, signal.flags) == (None, None, "0", (FLAG_SELF_PARENT,))


def test_a_share_is_about_its_parent() -> None:
    """Its post is not its own but the one that it spreads."""
    signal = kept(signal_with(kind="share", post="0"))

    assert (signal.parent, signal.flags) == ("0", ())
