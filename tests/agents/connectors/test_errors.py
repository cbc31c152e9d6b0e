"""Check which refusals are for good."""

import pytest

from agents.connectors.errors import SAID_CHARS_MAX, FeedCut, refusal_of


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (200, False)]
)
def test_what_says_that_the_request_is_wrong_is_final(status: int, final: bool) -> None:
    """A server that is busy or broken may be well later; a wrong token stays wrong."""
    cut = refusal_of(status, "said so")

    assert (cut.reason, cut.final, str(cut)) == ("refused", final, f"HTTP {status}: said so")


def test_what_a_server_says_is_one_short_line_of_the_log() -> None:
    """It could write lines that look like ours, or colour the terminal."""
    said = str(FeedCut("error_frame", "too slow\r\n[2026] ERROR all is lost\x1b[2J\u2028\u202e" + "x" * 10_000))

    assert said.isprintable()
    assert said.startswith("too slow  [2026] ERROR all is lost [2J  ")
    assert len(said) == SAID_CHARS_MAX
