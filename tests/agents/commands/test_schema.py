"""Check `overgrowth schema` from a user's side."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agents.cli import main
from agents.commands import schema as under_test
from agents.schema_documents import DOCUMENTS, rendered


def run(*arguments: str) -> Result:
    """Run `overgrowth schema ...`."""
    return CliRunner().invoke(main, ["schema", *arguments], prog_name="overgrowth")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_printed_as_it_is_committed(name: str) -> None:
    """What is printed can be compared with what is committed."""
    assert run(name).stdout == rendered(DOCUMENTS[name]())


def test_without_a_name_it_is_the_json_schema() -> None:
    """Most people ask what a record looks like."""
    assert json.loads(run().stdout)["$schema"].startswith("https://json-schema.org/")


def test_write_renews_every_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One command after a change of a shape, whatever it changed."""
    monkeypatch.setattr(under_test, "SNAPSHOTS", tmp_path / "snapshots")

    result = run("--write")

    assert result.exit_code == 0
    written = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "snapshots").iterdir()}
    assert written == {name: rendered(make()) for name, make in DOCUMENTS.items()}


def test_where_nothing_can_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package may lie where nobody may write."""
    (tmp_path / "snapshots").write_text("a file where a folder should be")
    monkeypatch.setattr(under_test, "SNAPSHOTS", tmp_path / "snapshots")

    result = run("--write")

    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.endswith("run this in a checkout\n")


def test_an_unknown_document_is_exit_code_2() -> None:
    """Wrong use is told apart from failure."""
    assert run("openapi").exit_code == 2
