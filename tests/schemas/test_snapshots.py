"""Keep the committed documents of the wire contract equal to what the shapes say: their diff is the review."""

import pytest

from agents.commands.schema import SNAPSHOTS
from agents.schema_documents import DOCUMENTS, rendered


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_snapshot_is_what_the_shapes_say(name: str) -> None:
    """A change of a shape is a change of the contract; it must be seen, and so committed, as one."""
    committed = (SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8")

    assert committed == rendered(DOCUMENTS[name]()), "a shape changed: run `overgrowth schema --write`, read the diff"


def test_every_snapshot_has_a_document() -> None:
    """A file that nothing writes any more would go on saying what was true once."""
    assert {path.name for path in SNAPSHOTS.iterdir()} == {f"{name}.json" for name in DOCUMENTS}
