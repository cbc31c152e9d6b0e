"""The brand and the topic that the inputs of the benchmarks are on, under the rules that nobody changed."""

from schemas.seeds import Seeds, TopicRecord, TopicVersion
from schemas.signal import Kind, Signal
from streams.attribution.matcher import Registry

START_MS = 1_700_000_000_000
NETWORK = "net"
TAG = "garden"


def registry() -> Registry:
    """Return one brand with one topic, marked by a tag."""
    version = TopicVersion(effective_from_ms=0, accounts={NETWORK: ("acme",)}, seeds=Seeds(tags=(TAG,)))
    return Registry([TopicRecord("acme", "garden", (version,))])


def root_of(name: str, *, at_ms: int) -> Signal:
    """Return the post of somebody who uses the tag: the root of a conversation of this name."""
    actor = f"by:{name}"
    return Signal(f"act:{name}", NETWORK, "post", at_ms, actor, source=NETWORK, followers=5_000, tags=(TAG,), post=name)


def answer_to(
    parent: str, *, root: str, name: str, at_ms: int, kind: Kind = "reply", followers: int | None = None
) -> Signal:
    """Return a reply to, or a share of, a post or share; others name it by `name`."""
    signal = Signal(f"act:{name}", NETWORK, kind, at_ms, f"by:{name}", source=NETWORK, post=name, followers=followers)
    signal.parent, signal.root = parent, root
    if kind == "share":
        signal.id, signal.post = name, parent
    return signal
