"""What is undone leaves the windows of its topics, through all three steps."""

from collections.abc import Sequence
from random import Random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.signal import KINDS, Signal
from streams.steps.pipeline import Pipeline
from tests.streams.steps.logs import MINUTE_MS, Entry, arrivals, ends, random_log, registry

REGISTRY = registry(scale=1 / 24)

seeds = st.integers(0, 2**32)


@given(seeds)
@settings(max_examples=12)
def test_what_is_undone_leaves_the_windows_as_if_it_had_never_been(seed: int) -> None:
    """Beside who was there: sums by kind and lineage, engagement and the busiest actor's share are what they were."""
    random = Random(seed)
    log = random_log(random, signals=80)
    made = [entry for entry in log if isinstance(entry, Signal) and entry.post]
    acts: list[Signal] = []
    for number in range(20):
        on = random.choice(made[: len(made) // 2])
        kind = random.choice(KINDS[1:5])
        root, name = on.root or on.post, f"extra{number}"
        at_ms = min(made[-1].at - 1, on.at + random.randrange(5 * MINUTE_MS))
        post = f"p{name}" if kind in ("reply", "quote") else on.post
        acts.append(Signal(name, "n", kind, at_ms, name, source="left", post=post, parent=on.post, root=root))
    # As networks tell it: in full, or only by the id; and twice.
    bare = {"root": None, "parent": None, "post": None}
    forms: tuple[dict[str, None], ...] = ({}, bare)
    undos = [
        msgspec.structs.replace(act, op="undo", at=random.randint(act.at, made[-1].at - 1), **random.choice(forms))
        for act in acts
    ]
    both = sorted([*made, *acts, *undos, *undos], key=lambda signal: signal.at)
    end = Signal("end", "n", "post", made[-1].at + 2 * MINUTE_MS, "ana", source="left", tags=("higgs", "lhc", "boom"))

    found, expected = last_windows([*both, end]), last_windows([*made, end])
    assert found == expected
    assert len(expected) == 3


def last_windows(signals: Sequence[Signal]) -> dict[str, bytes]:
    """Return what the windows of each topic hold in the end, without how many were there."""
    log: list[Entry] = [*signals, *ends(signals[-1].at)]
    held: dict[str, bytes] = {}
    for vitals in Pipeline(REGISTRY).advance(arrivals(log), next_offset=len(log)).vitals:
        windows = {name: msgspec.structs.replace(window, actors=0) for name, window in vitals.windows.items()}
        if vitals.at > signals[-1].at:
            held.setdefault(vitals.topic, msgspec.json.encode(windows))
    return held
