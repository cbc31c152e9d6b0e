"""Say what an evaluation came to: tables for a person, plain where no terminal is."""

from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agents.evaluation.figures import NOT_TOLD, Delay, Evaluation, SeasonFigures, Share, StateFigures, Wrong
from agents.evaluation.scoring import GROWING, NOTICES, STATES
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS

MISTAKES_SHOWN = 20
PLAIN_WIDTH = 150
SAID_CHARACTERS_MAX = 90
NOTHING = "-"
LEGEND_OF_STATES = (
    "true: planted, and for long enough to be told. found: told, of these. false: told, but not true; a month: for a",
    "topic and 30 days of all seasons. again: told a second time while true. delay: event time from when it is true to",
    "its alert. beyond `for`: the delay without the time for which the rules want it to hold (below 0: told earlier).",
)
LEGEND_OF_SEASONS = (
    "In a story there are states to be found, a trap only looks like one, in a quiet season nothing happens. 2 of 2:",
    "found of true. 1 false: told, but not true. -: neither. Bursts and viral posts are told beside the states; only",
    "in a quiet season are they false, and there alerts of any kind are counted a month (a topic and 30 days).",
)


def said_delay(delay_ms: int) -> str:
    """Return a delay in minutes, from two hours on in hours.

    >>> said_delay(-90_000), said_delay(45 * 60_000), said_delay(150 * 60_000)
    ('-2 min', '45 min', '2.5 h')
    """
    if abs(delay_ms) < 2 * HOUR_MS:
        return f"{round(delay_ms / MINUTE_MS)} min"
    return f"{delay_ms / HOUR_MS:.1f} h"


def said_share(share: Share) -> str:
    """Return a share with its interval.

    >>> said_share(Share.of(30, 50)), said_share(Share.of(0, 0))
    ('0.600 [0.462, 0.724]', '-')
    """
    return NOTHING if share.value is None else f"{share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"


def _said_delays(delay: Delay | None) -> str:
    return NOTHING if delay is None else f"{said_delay(delay.median_ms)} / {said_delay(delay.p90_ms)}"


def show(evaluation: Evaluation, console: Console) -> None:
    """Print the tables of an evaluation."""
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(_states_table(evaluation.states.values(), console))
    for line in LEGEND_OF_STATES:
        console.print(Text(line), soft_wrap=True)
    console.print()
    console.print(_seasons_table(evaluation.seasons, console))
    for line in LEGEND_OF_SEASONS:
        console.print(Text(line), soft_wrap=True)
    console.print()
    for line in lines_of(evaluation):
        console.print(Text(line), soft_wrap=True)


def _table(title: str, console: Console, columns: Sequence[str]) -> Table:
    frame = box.SIMPLE_HEAD if console.is_terminal else None
    table = Table(title=title, title_justify="left", title_style="bold", box=frame, pad_edge=False)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right")
    return table


def _states_table(states: Iterable[StateFigures], console: Console) -> Table:
    columns = ("state", "true", "found", "false", "again", "recall [95 %]", "precision [95 %]", "false a month")
    table = _table("States", console, (*columns, "delay median / p90", "beyond `for`"))
    for one in states:
        table.add_row(
            one.state,
            *(str(count) for count in (one.true, one.found, one.false, one.repeats)),
            said_share(one.recall),
            said_share(one.precision),
            NOTHING if one.false_per_month is None else f"{one.false_per_month:.2f}",
            _said_delays(one.delay),
            _said_delays(one.beyond_for),
        )
    return table


def _seasons_table(seasons: Sequence[SeasonFigures], console: Console) -> Table:
    columns = ["season", "kind", "runs", *STATES]
    table = _table("Seasons", console, (*columns, f"{GROWING}, false", *NOTICES, "alerts a month"))
    for season in seasons:
        rate = NOTHING if season.alerts_per_month is None else f"{season.alerts_per_month:.2f}"
        table.add_row(
            season.label,
            season.kind,
            str(season.runs),
            *(_found(season.states[state]) for state in STATES),
            str(season.wrong[GROWING]),
            *(str(season.noticed[state]) for state in NOTICES),
            rate,
        )
    return table


def _found(figures: StateFigures) -> str:
    """Return how many were found of how many, and how many were told that were none."""
    asked = [f"{figures.found} of {figures.true}"] if figures.true else []
    return " + ".join([*asked, *([f"{figures.false} false"] if figures.false else [])]) or NOTHING


def lines_of(evaluation: Evaluation) -> Iterator[str]:
    """Yield what goes below the tables: returns by outcome, quiet seasons, and the first mistakes."""
    for state in evaluation.states.values():
        for true, told in (state.outcomes or {}).items():
            said = ", ".join(f"{count} {outcome}" for outcome, count in told.items() if outcome != NOT_TOLD)
            missed = told.get(NOT_TOLD, 0)
            yield f"{state.state}, {true}: told as {said or 'nothing'}" + (f"; {missed} not told" if missed else "")
    if evaluation.quiet_alerts_per_month is not None:
        days = evaluation.quiet_months * 30
        rate = f"{evaluation.quiet_alerts_per_month:.2f} a topic-month"
        yield f"quiet seasons: {evaluation.quiet_alerts} alerts in {days:.0f} topic-days, {rate}"
    mistakes = evaluation.mistakes
    if mistakes:
        yield f"mistakes: {len(mistakes)}" + (
            f", the first {MISTAKES_SHOWN}:" if len(mistakes) > MISTAKES_SHOWN else ""
        )
    starts = {season.label: season.start_ms for season in evaluation.seasons}
    for wrong in mistakes[:MISTAKES_SHOWN]:
        yield "  " + said_mistake(wrong, start_ms=starts[wrong.label])


def said_mistake(wrong: Wrong, *, start_ms: int) -> str:
    """Return one mistake in a line, its time as day and hour of the season that begins at `start_ms`.

    >>> said_mistake(Wrong("quiet", 7, "false", "outgrown", 93_600_000, "It is."), start_ms=0)
    'quiet, seed 7: false outgrown on day 2 at 02:00 h: It is.'
    """
    day, rest_ms = divmod(wrong.at - start_ms, DAY_MS)
    clock = f"{rest_ms // HOUR_MS:02d}:{rest_ms % HOUR_MS // MINUTE_MS:02d} h"
    said = wrong.said if len(wrong.said) <= SAID_CHARACTERS_MAX else wrong.said[: SAID_CHARACTERS_MAX - 1] + "…"
    what = f"{wrong.what} {wrong.state} on day {day + 1} at {clock}"
    return f"{wrong.label}, seed {wrong.seed}: {what}" + (f": {said}" if said else "")
