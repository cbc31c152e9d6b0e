"""A file appears under its name only when it is whole."""

import gzip
from pathlib import Path

import click
import pytest

from agents.outputs import written


def test_a_file_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    """Whoever reads it never meets half of it, and no draft stays behind."""
    path = tmp_path / "alerts.ndjson"
    path.write_bytes(b"old")

    def write_half() -> None:
        with written(str(path)) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_whole_file_replaces_the_old_one(tmp_path: Path) -> None:
    """Gzipped where the name says so, with the same bytes whenever it is written."""
    packed = []
    for name in ("a.gz", "b.gz"):
        with written(str(tmp_path / name)) as file:
            file.write(b"new")
        packed.append((tmp_path / name).read_bytes())

    assert gzip.decompress(packed[0]) == b"new"
    assert packed[0] == packed[1]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """The message names the file and what to do."""
    with (
        pytest.raises(click.ClickException, match="expected a file that can be written"),
        written(str(tmp_path / "no" / "a")),
    ):
        pass
