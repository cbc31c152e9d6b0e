"""Check that what was compiled of other sources is refused, and that nothing is asked of who compiled nothing."""

import os
from pathlib import Path

import pytest

from agents.compiled_core import StaleError, built, label, require_current

BEGUN_S = 1_800_000_000


def checkout(root: Path, *, compiled: bool = True, edited: tuple[str, ...] = ()) -> Path:
    """Return a folder with sources as old as what was compiled of them, but for those edited a second later."""
    names = ["schemas/signal.py", "streams/steps/attribute.py", "streams/steps/watch.py", "agents/cli.py"]
    if compiled:
        names.append("streams/compiled__mypyc.cpython-311-x86_64-linux-gnu.so")
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        at_s = BEGUN_S + (name in edited)
        os.utime(path, (at_s, at_s))
    return root


def test_what_was_compiled_of_these_sources_is_taken(tmp_path: Path) -> None:
    """It has the time at which compiling began, so a source of that time was read."""
    assert built(checkout(tmp_path)) is not None
    assert label(tmp_path) == "+compiled"
    require_current(tmp_path)


@pytest.mark.parametrize("edited", ["schemas/signal.py", "streams/steps/watch.py"])
def test_an_edit_after_compiling_is_refused_and_named(edited: str, tmp_path: Path) -> None:
    """Otherwise somebody edits a file and nothing happens."""
    with pytest.raises(StaleError, match=rf"but {edited} changed since; run `make compiled` again, or `make interpr"):
        require_current(checkout(tmp_path, edited=(edited,)))


def test_several_edits_are_counted(tmp_path: Path) -> None:
    """One name says where to look, and how many more there are."""
    with pytest.raises(StaleError, match=r"streams/steps/attribute\.py and 1 more changed"):
        require_current(checkout(tmp_path, edited=("streams/steps/watch.py", "streams/steps/attribute.py")))


def test_an_edit_of_what_is_never_compiled_is_none(tmp_path: Path) -> None:
    """Agents run as Python, whatever the core does."""
    require_current(checkout(tmp_path, edited=("agents/cli.py",)))


def test_without_anything_compiled_every_edit_is_fine(tmp_path: Path) -> None:
    """That is how nearly everybody works."""
    assert built(checkout(tmp_path, compiled=False, edited=("streams/steps/watch.py",))) is None
    assert label(tmp_path) == ""
    require_current(tmp_path)
