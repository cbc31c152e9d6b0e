"""Whose a conversation is: what signals say of authors that were never seen, and what the root itself says."""

from typing import Any

import msgspec
import pytest

from schemas.attributed import LINEAGES
from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Signal
from streams.attribution.conversations import Conversations
from streams.attribution.matcher import Matcher, Registry

START_MS = 1_341_388_800_000
HIGGS, LHC = "cern/higgs", "cern/lhc"


def record(topic: str, *versions: TopicVersion) -> TopicRecord:
    """Return a topic of the brand cern."""
    return TopicRecord(brand="cern", topic=topic, versions=versions)


def version(from_ms: int, *accounts: str, valid_to_ms: int | None = None) -> TopicVersion:
    """Return what is in force from some milliseconds after the start on."""
    return TopicVersion(START_MS + from_ms, accounts={"n": accounts}, seeds=Seeds(), valid_to_ms=valid_to_ms)


REGISTRY = Registry([record("higgs", version(0, "cern")), record("lhc", version(0, "cern"))])


def act(kind: Kind, name: str, on: str | None = None, *, by: str = "somebody", at: int = 0, **fields: Any) -> Signal:
    """Return a signal `name`, on the post `on`, `at` ms after the start."""
    made = Signal(id=name, network="n", kind=kind, at=START_MS + at, actor=by, parent=on)
    return msgspec.structs.replace(made, **{"post": on if kind in ("share", "like") else name, **fields})


class Run:
    """Conversations under the seeds that are in force at the time of each signal."""

    def __init__(self, registry: Registry = REGISTRY) -> None:
        self.registry = registry
        self.conversations = Conversations(span_ms=1_000_000)

    def read(self, signal: Signal, *own: str, root: str = "r") -> list[tuple[str, str, int]]:
        """Apply a signal that carries the topics `own`; return (topic, lineage, distance) of those that it is on."""
        matcher: Matcher = self.registry.at(signal.at)
        links = self.conversations.apply(signal, root=root, own=own, matcher=matcher, registry=self.registry)
        return [(link.topic, LINEAGES[link.lineage], link.distance) for link in links or ()]


@pytest.fixture
def run() -> Run:
    """Return an empty run."""
    return Run()


def test_the_root_itself_takes_back_what_was_said_of_its_author(run: Run) -> None:
    """A signal that names the brand as the root's author is corrected by the root: nothing is seeded any more."""
    assert run.read(act("reply", "a", "r", root_actor="cern"), HIGGS) == [(HIGGS, "seeded", 1)]
    assert run.read(act("post", "r", by="somebody"), HIGGS) == [(HIGGS, "adopted", -1)]
    assert run.read(act("reply", "b", "r")) == [(HIGGS, "adopted", -1)]


def test_an_answer_to_the_root_names_its_author_as_its_parents(run: Run) -> None:
    """Where the root is the parent, `parent_actor` says as much as `root_actor`; of another post it says nothing."""
    assert run.read(act("reply", "a", "r", parent_actor="cern"), HIGGS) == [(HIGGS, "seeded", 1)]
    assert run.read(act("share", "b", None, post="q", parent_actor="cern"), HIGGS, root="q") == [(HIGGS, "seeded", 1)]
    deeper = act("reply", "c", "x", parent_actor="cern", root="s")
    assert run.read(deeper, HIGGS, root="s") == [(HIGGS, "adopted", 1)]


def test_the_distance_to_a_brands_post_that_was_never_seen_is_known_by_its_author(run: Run) -> None:
    """In somebody's conversation the brand's answer was missed, but whoever answers that one says whose it was."""
    run.read(act("post", "r"), HIGGS)
    assert run.read(act("reply", "a", "missed", parent_actor="cern", root="r")) == [(HIGGS, "adopted", 1)]
    assert run.read(act("reply", "b", "a", root="r")) == [(HIGGS, "adopted", 2)]
    assert run.read(act("reply", "c", "missed", parent_actor="somebody", root="r")) == [(HIGGS, "adopted", -1)]


def test_what_was_seeded_stays_seeded_when_its_topic_ends() -> None:
    """A topic that joins a conversation after another has ended does not turn the other's signals into adopted ones."""
    registry = Registry(
        [record("higgs", version(0, "cern", valid_to_ms=START_MS + 10)), record("lhc", version(0, "cern"))]
    )
    run = Run(registry)
    run.read(act("post", "r", by="cern"), HIGGS)
    assert run.read(act("reply", "a", "r", at=1)) == [(HIGGS, "seeded", 1)]
    told = run.read(act("reply", "b", "r", at=20), LHC)
    assert (HIGGS, "seeded", 1) in told


def test_a_root_told_twice_is_what_it_was_the_first_time(run: Run) -> None:
    """A second signal for the root's post, without its seeds, takes the topic from nobody."""
    run.read(act("post", "r", by="cern"), HIGGS)
    run.read(act("post", "again", by="cern", post="r"))
    assert run.read(act("reply", "a", "r")) == [(HIGGS, "seeded", 1)]
