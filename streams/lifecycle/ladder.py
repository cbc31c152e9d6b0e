"""The states of a topic as one ordered table: what leads into each, what leads out of it, where from and where to."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.alert import Condition
from schemas.rules import Rules
from schemas.vitals import State
from streams.lifecycle import conditions, escape_conditions
from streams.lifecycle.conditions import Reading

Conditions = tuple[Condition, ...]
Judge = Callable[[Reading, Rules], Conditions]

DORMANT: State = "dormant"
"""The ground below the ladder: nothing is judged there but the way up."""
ESCAPED: State = "escaped"
RETURNING: State = "returning"
RETURNED: State = "returned"
AWAY: tuple[State, ...] = (ESCAPED, RETURNING, RETURNED)
"""The states in which the community, or what became of it, is a thing apart from the topic."""


@dataclass(frozen=True)
class Exit:
    """One way out of a state: its conditions, how long they must hold, and the name of the timer that says so."""

    timer: str
    leave: Judge
    keep_ms: Callable[[Rules], int]


@dataclass(frozen=True)
class Rung:
    """One state: what leads into it for how long, the ways out of it, and whether it is told.

    Without `entered_from` a state is entered from any lower one but dormant, and a state that is left falls to the
    highest such one whose conditions hold. With it, it is entered from those alone, by conditions that hold there.
    `falls_to` is a state that follows whenever this one is left. `beside` are numbers that are told with the state but
    do not decide it. A state that is told but not `reminded` is told when it is entered and when it is left.
    """

    state: State
    enter: Judge
    for_ms: Callable[[Rules], int]
    exits: tuple[Exit, ...]
    told: bool
    entered_from: frozenset[State] | None = None
    falls_to: State | None = None
    beside: Judge | None = None
    reminded: bool = True

    @property
    def is_free(self) -> bool:
        """Whether the state is one of those that measure the topic itself, which are judged wherever it is."""
        return self.entered_from is None

    def follows(self, state: State) -> bool:
        """Say whether what leads into this state is judged in that one."""
        return self.entered_from is None or state in self.entered_from


LADDER: tuple[Rung, ...] = (
    Rung(
        state="seeded",
        enter=conditions.seeded_enter,
        for_ms=lambda rules: 0,
        exits=(Exit("seeded", conditions.seeded_leave, lambda rules: rules.seeded.silence_ms),),
        told=False,
    ),
    Rung(
        state="growing",
        enter=conditions.growing_enter,
        for_ms=lambda rules: rules.growing.for_ms,
        exits=(Exit("growing", conditions.growing_leave, lambda rules: rules.growing.keep_ms),),
        told=True,
    ),
    Rung(
        state="outgrown",
        enter=conditions.outgrown_enter,
        for_ms=lambda rules: rules.outgrown.for_ms,
        exits=(Exit("outgrown", conditions.outgrown_leave, lambda rules: rules.outgrown.keep_ms),),
        told=True,
    ),
    Rung(
        state=ESCAPED,
        enter=escape_conditions.escaped_enter,
        for_ms=lambda rules: rules.escaped.for_ms,
        exits=(
            Exit(ESCAPED, escape_conditions.escaped_leave, lambda rules: rules.escaped.keep_ms),
            Exit("escaped_silent", escape_conditions.escaped_silent, lambda rules: rules.seeded.silence_ms),
        ),
        told=True,
        # A topic that hardly anybody took up has no community that could leave it.
        entered_from=frozenset({"growing", "outgrown", RETURNING}),
        falls_to=RETURNING,
    ),
    Rung(
        state=RETURNING,
        enter=escape_conditions.never,
        for_ms=lambda rules: 0,
        exits=(Exit(RETURNING, escape_conditions.given_up, lambda rules: rules.returned.hold_ms),),
        told=False,
        entered_from=frozenset(),
    ),
    Rung(
        state=RETURNED,
        enter=escape_conditions.returned_enter,
        for_ms=lambda rules: 0,
        exits=(Exit(RETURNED, escape_conditions.passing, lambda rules: rules.returned.hold_ms),),
        told=True,
        entered_from=frozenset({RETURNING}),
        beside=escape_conditions.returned_numbers,
        reminded=False,
    ),
)
HEIGHTS: dict[State, int] = {DORMANT: -1} | {rung.state: height for height, rung in enumerate(LADDER)}
EXITS: tuple[str, ...] = tuple(way.timer for rung in LADDER for way in rung.exits)
"""The names of all timers that lead out of states, in the order of the states."""

WAYS_IN: dict[State, tuple[Rung, ...]] = {
    state: tuple(rung for rung in LADDER[1:] if height >= 0 and rung.follows(state))
    for state, height in HEIGHTS.items()
}
"""By the present state, the states whose timers run; the lowest one is entered from the ground alone."""
WAYS_OUT: dict[State, tuple[Exit, ...]] = {
    state: tuple(way for rung in LADDER[: height + 1] if rung.is_free or rung.state == state for way in rung.exits)
    for state, height in HEIGHTS.items()
}
"""By the present state, the exits whose timers run: its own, and those of the free states below."""
