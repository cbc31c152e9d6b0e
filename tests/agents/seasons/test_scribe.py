"""The scribe writes signals that hang together as a network's connector would send them."""

import random

import pytest

from agents.seasons import scribe as scribe_module
from agents.seasons.people import Person
from agents.seasons.scribe import Scribe
from agents.seasons.season import SeasonError
from schemas.signal import conversation_of, node_of
from tests.agents.seasons.small_season import small_season

ANNE, BERT, CLEO = (Person(name, "en", 5) for name in ("anne", "bert", "cleo"))
AT_MS = 1_777_852_800_000


def new_scribe() -> Scribe:
    """Return a scribe at the beginning of the small season."""
    return Scribe(small_season(), random.Random(1))


def test_a_conversation_begins_with_a_post_that_is_its_root() -> None:
    """The root names itself and its author."""
    signal, seen = new_scribe().conversation(AT_MS, ANNE, ("tag",), "adopted", links=("https://a.example",))

    assert (signal.id, signal.kind, signal.at, signal.actor) == ("garden:0000001", "post", AT_MS, "anne")
    assert (signal.post, signal.root, signal.parent, signal.root_actor) == ("g1", "g1", None, "anne")
    assert (signal.network, signal.source, signal.links) == ("garden", "season", ("https://a.example",))
    assert (seen.node, seen.root, seen.author, seen.sharer) == ("g1", "g1", "anne", "anne")


def test_a_share_of_a_share_points_at_the_share_and_is_of_the_post() -> None:
    """Diffusion runs from node to node, while the post that is spread stays the same, with its tags."""
    scribe = new_scribe()
    _, post = scribe.conversation(AT_MS, ANNE, ("tag",), "adopted")
    first, shared = scribe.reaction(AT_MS + 1, "share", BERT, post)
    second, _ = scribe.reaction(AT_MS + 2, "share", CLEO, shared)

    assert (first.post, first.parent, first.parent_actor, first.tags) == ("g1", "g1", "anne", ("tag",))
    assert (second.post, second.parent, second.parent_actor) == ("g1", node_of(first), "bert")
    assert conversation_of(second) == "g1"


@pytest.mark.parametrize("kind", ["reply", "quote"])
def test_an_answer_to_a_share_is_an_answer_to_the_post(kind: str) -> None:
    """Replies and quotes are posts of their own below what they answer."""
    scribe = new_scribe()
    _, post = scribe.conversation(AT_MS, ANNE, ("tag",), "adopted")
    _, shared = scribe.reaction(AT_MS + 1, "share", BERT, post)
    signal, seen = scribe.reaction(AT_MS + 2, "reply" if kind == "reply" else "quote", CLEO, shared)

    assert (signal.post, signal.parent, signal.parent_actor, signal.root) == ("g2", "g1", "anne", "g1")
    assert signal.mentions == (("anne",) if kind == "reply" else ())
    assert (seen.post, seen.author, seen.node, seen.root_author) == ("g2", "cleo", "g2", "anne")


def test_a_like_is_of_the_post_and_makes_none() -> None:
    """It says nothing of its own."""
    scribe = new_scribe()
    _, post = scribe.conversation(AT_MS, ANNE, ("tag",), "adopted")
    signal, _ = scribe.reaction(AT_MS + 1, "like", BERT, post)

    assert (signal.post, signal.parent, signal.text, signal.tags) == ("g1", "g1", None, ())


def test_a_season_that_would_run_out_of_numbers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With more digits the order of ids as text would no longer be their order as numbers."""
    monkeypatch.setattr(scribe_module, "SIGNALS_MAX", 1)
    scribe = new_scribe()
    scribe.conversation(AT_MS, ANNE, (), None)

    with pytest.raises(SeasonError, match="small: expected a season of at most 1 signals"):
        scribe.conversation(AT_MS, ANNE, (), None)
