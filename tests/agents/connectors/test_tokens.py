"""Check that a token is one word, and is never shown."""

from pathlib import Path

import pytest

from agents.connectors.errors import ConnectorError
from agents.connectors.tokens import read_token

VARIABLE = "OVERGROWTH_INTAKE_TOKEN"


def test_a_file_goes_before_the_variable_and_nothing_is_none(tmp_path: Path) -> None:
    """Editors end a file with a line end, which is no part of the token."""
    path = tmp_path / "token"
    path.write_text("from-file\n")

    assert read_token(str(path), VARIABLE, {VARIABLE: "from-variable"}) == "from-file"
    assert read_token(None, VARIABLE, {VARIABLE: "from-variable"}) == "from-variable"
    assert read_token(None, VARIABLE, {}) is None


@pytest.mark.parametrize("held", ["", " \n", "two words", "é", "line\nline"])
def test_what_cannot_be_a_token_is_refused_without_being_shown(tmp_path: Path, held: str) -> None:
    """An empty file must not open the door, and a header holds one word of ASCII."""
    path = tmp_path / "token"
    path.write_text(held)

    with pytest.raises(ConnectorError, match="token: expected one word in") as caught:
        read_token(str(path), VARIABLE, {})
    assert "words" not in str(caught.value).removeprefix("token: expected one word")
    with pytest.raises(ConnectorError, match="expected a file with one"):
        read_token(str(tmp_path / "nowhere"), VARIABLE, {})
