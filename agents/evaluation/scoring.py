"""Compare the alerts of one season with its truth: what was found and when, what was missed, and what was made up.

A pure function of both (`score`); all times are epoch milliseconds of event time.
"""

from bisect import insort
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from agents.seasons.truth import NONE, TruthState
from schemas.alert import Alert
from schemas.rules import HOUR_MS, Rules
from streams.eventtime.instants import instant_ms

EARLY_MS = 6 * HOUR_MS
"""An alert that comes earlier than so long before its state is true has not foreseen it: it is false."""

STATES = ("outgrown", "escaped", "returned")
"""The states that a season is asked for."""
GROWING = "growing"
NOTICES = ("burst", "viral")
"""What is told beside the states. The truth knows nothing of it, so that it is wrong only where nothing happens."""
ALL_STATES = (GROWING, *STATES, *NOTICES)

MOMENTS = frozenset({"returned"})
"""States that are told as a moment: their episode need not last into the true span."""

IMPLIED_BY: dict[str, tuple[str, ...]] = {
    "growing": ("outgrown", "escaped", "returning", "returned"),
    "outgrown": ("escaped", "returning"),
}
"""States during which another one is neither asked for nor wrong: who has escaped has outgrown the brand as well."""


class Timing(NamedTuple):
    """How long the conditions of a state must hold, and how long a state outlives them."""

    for_ms: int = 0
    keep_ms: int = 0


class Span(NamedTuple):
    """A state is true, or tolerated, from `begin_ms` to before `end_ms`; a return has an outcome."""

    state: str
    begin_ms: int
    end_ms: int
    outcome: str | None = None


class Told(NamedTuple):
    """One episode as its alerts told it: fired, since when its conditions had held, and over at `ended_ms`."""

    episode: str
    state: str
    since_ms: int
    fired_ms: int
    ended_ms: int
    outcome: str | None
    summary: str


class Hit(NamedTuple):
    """A true span and the first episode that told it."""

    span: Span
    told: Told

    @property
    def delay_ms(self) -> int:
        """How long after it became true it was told; negative where it was told before."""
        return self.told.fired_ms - self.span.begin_ms


class Score(NamedTuple):
    """What became of one state in one season.

    `repeats` told a true span that was told already, `tolerated` what was neither asked for nor wrong, and `false`
    what was neither true nor tolerated.
    """

    state: str
    timing: Timing
    hits: tuple[Hit, ...] = ()
    missed: tuple[Span, ...] = ()
    false: tuple[Told, ...] = ()
    repeats: tuple[Told, ...] = ()
    tolerated: tuple[Told, ...] = ()


def timings_of(rules: Rules) -> dict[str, Timing]:
    """Return the timing of each state under rules that are scaled already.

    >>> timings_of(Rules())["outgrown"]
    Timing(for_ms=7200000, keep_ms=21600000)
    """
    groups = {state: getattr(rules, state) for state in ALL_STATES}
    # A return is told once those who came back have been watched for a while, which is its `for`.
    return {
        state: Timing(getattr(group, "for_ms", getattr(group, "hold_ms", 0)), getattr(group, "keep_ms", 0))
        for state, group in groups.items()
    }


# --- what was told, and what is true ----------------------------------------------------------------------------------


def episodes_of(alerts: Iterable[Alert], *, end_ms: int) -> list[Told]:
    """Return the episodes of some alerts, in the order in which they fired; what is open at the end lasts to it."""
    found: dict[str, Told] = {}
    for alert in alerts:
        at_ms, known = instant_ms(alert.at), found.get(alert.episode)
        if known is None:
            since_ms = min(at_ms, instant_ms(alert.since))
            found[alert.episode] = Told(
                alert.episode, alert.state, since_ms, at_ms, max(at_ms, end_ms), alert.outcome, alert.summary
            )
        elif alert.status not in ("firing", "updated"):
            found[alert.episode] = known._replace(ended_ms=at_ms)
    return sorted(found.values(), key=lambda told: (told.fired_ms, told.episode))


def true_spans(truth: Sequence[TruthState], state: str, *, end_ms: int, keep_ms: int = 0) -> list[Span]:
    """Return when a state is true. An interruption that its `keep` bridges is none.

    >>> from agents.seasons.truth import TruthState
    >>> lived = [TruthState(at, "b", "t", state, "") for at, state in ((0, "seeded"), (5, "outgrown"), (9, "growing"))]
    >>> true_spans(lived, "outgrown", end_ms=20)
    [Span(state='outgrown', begin_ms=5, end_ms=9, outcome=None)]
    """
    changes = sorted((entry for entry in truth if entry.state != NONE), key=lambda entry: entry.at)
    spans: list[Span] = []
    for entry, until_ms in zip(changes, [entry.at for entry in changes[1:]] + [end_ms], strict=True):
        if entry.state != state:
            continue
        if spans and entry.at - spans[-1].end_ms <= keep_ms:
            spans[-1] = spans[-1]._replace(end_ms=until_ms)
        else:
            spans.append(Span(state, entry.at, until_ms, entry.outcome))
    return spans


def tolerated_spans(truth: Sequence[TruthState], state: str, *, end_ms: int) -> list[Span]:
    """Return when a state is neither asked for nor wrong: where the truth says so, or another one implies it."""
    changes_ms: list[int] = []
    for entry in truth:
        if entry.state != NONE:
            insort(changes_ms, entry.at)
    spans = []
    for entry in truth:
        if state in entry.tolerated or entry.state in IMPLIED_BY.get(state, ()):
            until_ms = entry.until
            if until_ms is None:
                until_ms = next((at_ms for at_ms in changes_ms if at_ms > entry.at), end_ms)
            spans.append(Span(state, entry.at, until_ms))
    return spans


# --- comparing them ---------------------------------------------------------------------------------------------------


def score(
    truth: Sequence[TruthState],
    alerts: Iterable[Alert],
    *,
    end_ms: int,
    timings: Mapping[str, Timing],
    early_ms: int = EARLY_MS,
) -> dict[str, Score]:
    """Return the score of every state of one topic, over a season that ends at `end_ms`.

    A true span is found by the first episode of its state that tells it: one whose conditions began to hold before the
    span ended, that fired at most `early_ms` before the span begins, and that lasts into it. Each episode finds one
    span at most. Another that tells the same span repeats it; any other is false, unless its state was tolerated at a
    time between `since` and its firing. A span shorter than the state's `for` is tolerated, not asked for.
    """
    told = episodes_of(alerts, end_ms=end_ms)
    return {
        state: _score_state(
            state,
            [one for one in told if one.state == state],
            truth,
            end_ms=end_ms,
            timing=timings.get(state, Timing()),
            early_ms=early_ms,
        )
        for state in ALL_STATES
    }


def _score_state(
    state: str, told: list[Told], truth: Sequence[TruthState], *, end_ms: int, timing: Timing, early_ms: int
) -> Score:
    lived = true_spans(truth, state, end_ms=end_ms, keep_ms=timing.keep_ms)
    # What is over before its conditions could hold long enough cannot be asked for, and is not wrong either.
    spans = [span for span in lived if state in MOMENTS or span.end_ms - span.begin_ms >= timing.for_ms]
    tolerated = tolerated_spans(truth, state, end_ms=end_ms) + [span for span in lived if span not in spans]
    left, hits, missed = list(told), [], []
    for span in spans:
        first = next((one for one in left if tells(one, span, early_ms=early_ms)), None)
        if first is None:
            missed.append(span)
        else:
            left.remove(first)
            hits.append(Hit(span, first))
    by_kind: dict[str, list[Told]] = {"repeats": [], "tolerated": [], "false": []}
    for one in left:
        if any(tells(one, span, early_ms=early_ms) for span in spans):
            by_kind["repeats"].append(one)
        elif any(one.since_ms < span.end_ms and one.fired_ms >= span.begin_ms for span in tolerated):
            by_kind["tolerated"].append(one)
        else:
            by_kind["false"].append(one)
    return Score(
        state,
        timing,
        tuple(hits),
        tuple(missed),
        false=tuple(by_kind["false"]),
        repeats=tuple(by_kind["repeats"]),
        tolerated=tuple(by_kind["tolerated"]),
    )


def tells(told: Told, span: Span, *, early_ms: int = EARLY_MS) -> bool:
    """Say whether an episode tells a true span: its evidence is of it, or comes a little early and lasts into it."""
    lasts = told.state in MOMENTS or told.ended_ms >= span.begin_ms
    return lasts and told.since_ms < span.end_ms and told.fired_ms >= span.begin_ms - early_ms
