"""What every measure that remembers anything must keep: promises as functions, and drivers that know how to ask.

A measure is found by walking `streams.measures`: any public class with `changed_rows`. One that is fed with `add`
(actors, or counts by actor), moved with `roll` and asked with `read` needs nothing here; another kind needs a driver in
`DRIVERS`.
"""

import copy
import importlib
import inspect
import pkgutil
import typing
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

import streams.measures
from schemas.measure_rows import ActorCapRow, BaselineRow
from schemas.rows import ROW_BYTES_MAX
from schemas.rules import EngagementRules
from schemas.signal import KINDS
from streams.measures.baseline import Baseline
from streams.measures.engagement import ActorCap, weights_of
from tests.checks.cohort_drivers import COHORT_DRIVERS
from tests.checks.drift_drivers import DRIFT_DRIVERS
from tests.checks.member_drivers import MEMBER_DRIVERS
from tests.checks.virality_drivers import VIRALITY_DRIVERS

Run = list[Any]


class Driver(Protocol):
    """How one measure is fed and asked. A run is a list of steps; each step belongs to a later time than the last."""

    def new(self) -> Any:
        """Return a measure that has seen nothing."""

    def runs(self) -> SearchStrategy[Run]:
        """Return runs that reach every corner of the measure: crowds, silence, expiry."""

    def feed(self, measure: Any, step: Any) -> object:
        """Feed one step, bring the measure to its end and return all that it says then."""

    def batch(self, run: Run) -> object:
        """Return what the last `feed` of a run must have returned, computed in one go."""

    def apart(self, step: Any) -> list[Any]:
        """Return the same step told in other ways: in another order, or in other pieces."""

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return a measure made of encoded rows, as they stood after the step `last`."""


ACTORS = [f"actor-{number}" for number in range(700)]
GAPS = st.one_of(st.integers(1, 3), st.sampled_from([4, 5, 6, 55, 61, 299, 300, 1_440, 10_079, 10_080, 25_000]))


class WindowedDriver:
    """Drives whatever rolls: a step is (panes since the last one, what is added to the pane, piece by piece)."""

    lengths: typing.ClassVar[dict[str, int]] = {"one": 1, "5m": 5, "1h": 60, "24h": 1_440, "7d": 10_080}

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.adds_counts = "Mapping" in str(argument_type(kind.add, 2))  # type: ignore[attr-defined]
        self.asks_signals = "signals" in inspect.signature(kind.read).parameters  # type: ignore[attr-defined]
        (self.row_type,) = typing.get_args(argument_type(kind.restore, 1))  # type: ignore[attr-defined]

    def new(self) -> Any:
        """Return a measure that has seen nothing."""
        return self.kind(self.lengths)

    def runs(self) -> SearchStrategy[Run]:
        """Return runs over minutes, days and weeks, in which few or many act in a pane."""
        few = st.lists(st.sampled_from(ACTORS[:9]), max_size=6)
        many = st.tuples(st.integers(0, 300), st.integers(1, 400)).map(lambda span: ACTORS[span[0] : sum(span)])
        pieces: SearchStrategy[Any] = st.one_of(few, few, many)
        if self.adds_counts:
            pieces = pieces.map(lambda actors: {actor: 1 + len(actor) % 3 for actor in actors})
        return st.lists(st.tuples(GAPS, st.lists(pieces, min_size=1, max_size=3)), min_size=1, max_size=12)

    def feed(self, measure: Any, step: Any) -> object:
        """Add the pieces of a pane and roll over it."""
        pane = measure.end - 1 + step[0]
        for piece in step[1]:
            measure.add(pane, piece)
        measure.roll(pane + 1)
        return self._readings(measure)

    def _readings(self, measure: Any) -> object:
        signals = (1_000,) if self.asks_signals else ()
        return [measure.is_empty()] + [measure.read(window, *signals) for window in self.lengths]

    def batch(self, run: Run) -> object:
        """Add all panes first, then roll once over all of them."""
        measure, pane = self.new(), -1
        for gap, pieces in run:
            pane += gap
            for piece in pieces:
                measure.add(pane, piece)
        measure.roll(pane + 1)
        return self._readings(measure)

    def apart(self, step: Any) -> list[Any]:
        """Return the pieces backwards, in one, and one by one."""
        gap, pieces = step
        if self.adds_counts:
            whole: Any = sum((Counter(piece) for piece in pieces), Counter[str]())
            singles: list[Any] = [{actor: count} for actor, count in whole.items()]
        else:
            whole = [actor for piece in pieces for actor in piece]
            singles = [[actor] for actor in reversed(whole)]
        return [(gap, pieces[::-1]), (gap, [whole]), (gap, singles)]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return a measure that rows made, at the end that the other one had."""
        measure = self.new()
        measure.restore([msgspec.msgpack.decode(row, type=self.row_type) for row in rows.values()], last.end)
        return measure


class BaselineDriver:
    """Drives a baseline: a step is (hours since the last one, count, whether it fires)."""

    def new(self) -> Baseline:
        """Return a baseline that has seen nothing."""
        return Baseline()

    def runs(self) -> SearchStrategy[Run]:
        """Return runs with a daily rhythm under them, with holes, bursts and silence of weeks."""
        step = st.tuples(st.sampled_from([1, 1, 1, 2, 24, 167, 800]), st.integers(0, 400), st.booleans())
        return st.lists(step, min_size=1, max_size=40)

    def feed(self, measure: Baseline, step: Any) -> object:
        """Observe an hour and read the next one and the same hour of the next week."""
        self._observe(measure, step)
        return self._readings(measure)

    @staticmethod
    def _observe(measure: Baseline, step: Any) -> None:
        measure.observe(hour=measure.last + step[0], count=step[1], firing=step[2])

    @staticmethod
    def _readings(measure: Baseline) -> object:
        return [
            measure.read(hour=measure.last + ahead, count=90, learning_hours=3, weekly_after_hours=168)
            for ahead in (1, 2, 168)
        ]

    def batch(self, run: Run) -> object:
        """Observe all hours without asking in between."""
        measure = self.new()
        for step in run:
            self._observe(measure, step)
        return self._readings(measure)

    def apart(self, step: Any) -> list[Any]:
        """An hour is observed once, as a whole."""
        return [step]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Baseline:
        """Return a baseline that its row made."""
        measure = self.new()
        measure.restore([msgspec.msgpack.decode(row, type=BaselineRow) for row in rows.values()])
        return measure


class ActorCapDriver:
    """Drives the actors' caps: a step is a list of acts (ms since the last act, actor, topic, kind)."""

    weights = weights_of(EngagementRules(actor_cap=2.3), hour_ms=1_000)

    def new(self) -> Any:
        """Return a cap that nobody has spent of, with what the runs need to know besides."""
        return _CapRun(ActorCap())

    def runs(self) -> SearchStrategy[Run]:
        """Return runs in which some stay below the cap and some go far over it, in one hour and over many."""
        act = st.tuples(
            st.sampled_from([0, 0, 10, 300, 1_500]), st.sampled_from("xyz"), st.sampled_from("st"), st.integers(0, 5)
        )
        return st.lists(st.lists(act, min_size=1, max_size=12), min_size=1, max_size=8)

    def feed(self, measure: Any, step: Any) -> object:
        """Let the acts happen and return what each actor counts in each hour so far."""
        for gap_ms, actor, topic, kind in step:
            measure.at_ms += gap_ms
            units = measure.cap.units(actor=actor, topic=topic, kind=kind, at_ms=measure.at_ms, weights=self.weights)
            measure.counted[actor, topic, measure.at_ms // self.weights.hour_ms] += units
        measure.cap.expire(measure.at_ms)
        return dict(measure.counted)

    def batch(self, run: Run) -> object:
        """Add up everything by actor, topic and hour, and cut each sum at the cap."""
        sums, at_ms = Counter[tuple[str, str, int]](), 0
        for gap_ms, actor, topic, kind in (act for step in run for act in step):
            at_ms += gap_ms
            weight = 1_000 * getattr(EngagementRules(), KINDS[kind])
            sums[actor, topic, at_ms // 1_000] += round(weight)
        return {key: min(units, 2_300) for key, units in sums.items()}

    def apart(self, step: Any) -> list[Any]:
        """Acts come in the order of stamps, one by one."""
        return [step]

    def restored(self, rows: Mapping[Any, bytes], *, last: Any) -> Any:
        """Return a cap that rows made, beside what the run knew."""
        measure = _CapRun(ActorCap(), at_ms=last.at_ms, counted=Counter(last.counted))
        measure.cap.restore((actor, msgspec.msgpack.decode(row, type=ActorCapRow)) for actor, row in rows.items())
        return measure


class _CapRun:
    """A cap and what came out of it, because a cap is asked and fed in one."""

    def __init__(self, cap: ActorCap, at_ms: int = 0, counted: Counter[tuple[str, str, int]] | None = None) -> None:
        self.cap, self.at_ms = cap, at_ms
        self.counted = Counter[tuple[str, str, int]]() if counted is None else counted

    def changed_rows(self) -> Any:
        """Return what the cap has to tell."""
        return self.cap.changed_rows()


DRIVERS: dict[type, Driver] = {
    Baseline: BaselineDriver(),
    ActorCap: ActorCapDriver(),
    **VIRALITY_DRIVERS,
    **DRIFT_DRIVERS,
    **MEMBER_DRIVERS,
    **COHORT_DRIVERS,
}


def argument_type(function: Any, position: int) -> Any:
    """Return the annotated type of an argument of a method, `self` being at position 0."""
    name = list(inspect.signature(function).parameters)[position]
    return typing.get_type_hints(function)[name]


def find_measures() -> list[type]:
    """Return the classes of `streams.measures` that remember something worth a row."""
    modules = [
        importlib.import_module(f"streams.measures.{found.name}")
        for found in pkgutil.iter_modules(streams.measures.__path__)
    ]
    return [
        kind
        for module in modules
        for name, kind in sorted(vars(module).items())
        if inspect.isclass(kind)
        and kind.__module__ == module.__name__
        and not name.startswith("_")
        and hasattr(kind, "changed_rows")
    ]


def driver_of(kind: type) -> Driver:
    """Return the driver of a measure; raise LookupError where it has another shape than all others and no driver."""
    if kind in DRIVERS:
        return DRIVERS[kind]
    if all(hasattr(kind, verb) for verb in ("add", "roll", "read", "restore")):
        return WindowedDriver(kind)
    raise LookupError(f"{kind.__module__}.{kind.__name__} has neither add, roll, read, restore nor a driver: add one")


# --- the promises -----------------------------------------------------------------------------------------------------


def check_input_is_left_alone(driver: Driver, run: Run) -> None:
    """What is fed belongs to the caller."""
    before = copy.deepcopy(run)
    measure = driver.new()
    for step in run:
        driver.feed(measure, step)

    assert before == run


def check_pieces_merge_in_any_order(driver: Driver, run: Run) -> None:
    """Within a step neither the order nor the grouping of what is fed changes what is said (commutes, associates)."""
    for number, step in enumerate(run):
        for other in driver.apart(step):
            one, two = driver.new(), driver.new()
            for earlier in run[:number]:
                driver.feed(one, earlier)
                driver.feed(two, earlier)

            assert driver.feed(one, step) == driver.feed(two, other)


def check_incremental_equals_batch(driver: Driver, run: Run) -> None:
    """What is said after feeding step by step is what a computation in one go says."""
    measure = driver.new()
    said = [driver.feed(measure, step) for step in run]

    assert driver.batch(run) == said[-1]


def check_state_survives_rows(driver: Driver, run: Run, *, told_after: Iterable[int], stopped_after: int) -> None:
    """A measure made anew of its rows, told at any times, says and tells from there on what the old one does."""
    old, stored = driver.new(), dict[Any, bytes]()
    told = {*told_after, stopped_after}
    for number, step in enumerate(run[: stopped_after + 1]):
        driver.feed(old, step)
        if number in told:
            store(stored, old.changed_rows())
    new, stored_by_new = driver.restored(stored, last=old), dict(stored)
    for step in run[stopped_after + 1 :]:
        assert driver.feed(old, step) == driver.feed(new, step)

        store(stored, old.changed_rows())
        store(stored_by_new, new.changed_rows())

        # Which rows there are must be the same; their bytes need not, as a sketch remembers in which order it was fed.
        assert stored.keys() == stored_by_new.keys()


def store(stored: dict[Any, bytes], rows: Iterable[tuple[Any, Any]]) -> None:
    """Keep rows as a table does: the latest of each key, encoded; None deletes, and only what is there."""
    for key, row in rows:
        if row is None:
            assert key in stored, f"a row ended that never was: {key}"
            del stored[key]
            continue
        stored[key] = msgspec.msgpack.encode(row)
        assert len(stored[key]) <= ROW_BYTES_MAX
