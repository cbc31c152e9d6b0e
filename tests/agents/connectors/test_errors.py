"""Check which refusals are for good."""

import pytest

from agents.connectors.errors import refusal_of


@pytest.mark.parametrize(
    ("status", "final"), [(400, True), (401, True), (404, True), (408, False), (429, False), (500, False), (200, False)]
)
def test_what_says_that_the_request_is_wrong_is_final(status: int, final: bool) -> None:
    """A server that is busy or broken may be well later; a wrong token stays wrong."""
    cut = refusal_of(status, "said so")

    assert (cut.reason, cut.final, str(cut)) == ("refused", final, f"HTTP {status}: said so")
