"""What an evaluation came to can be read on a terminal and without one."""

import io

from rich.console import Console

from agents.evaluation.figures import Evaluation, Run, evaluation_of
from agents.evaluation.report import MISTAKES_SHOWN, lines_of, show
from agents.evaluation.scoring import STATES, Hit, Score, Span, Timing, Told
from schemas.rules import DAY_MS, HOUR_MS


def told(fired_ms: int, state: str = "outgrown", said: str = "It has been outgrown.", **more: str) -> Told:
    """Return an episode."""
    return Told(f"e{fired_ms}", state, fired_ms, fired_ms, 9 * DAY_MS, more.get("outcome"), said)


def evaluated(*, false: int = 1) -> Evaluation:
    """Return an evaluation of a story with one hit, and of a quiet season with so many false alerts."""
    hit = Hit(Span("outgrown", DAY_MS, 3 * DAY_MS), told(DAY_MS + 2 * HOUR_MS))
    back = Hit(Span("returned", DAY_MS, 3 * DAY_MS, "faded"), told(DAY_MS, "returned", outcome="returned"))
    scores = {
        "outgrown": Score("outgrown", Timing(2 * HOUR_MS), hits=(hit,)),
        "returned": Score("returned", Timing(), hits=(back,), missed=(Span("returned", 0, 1, "faded"),)),
    }
    mistakes = tuple(told(DAY_MS + at * HOUR_MS, said="[red]x[/red] " * 40) for at in range(false))
    runs = [
        Run("escape", "story", 1, 100, 0, 9 * DAY_MS, scores),
        Run("quiet", "quiet", 1, 100, 0, 15 * DAY_MS, {"outgrown": Score("outgrown", Timing(), false=mistakes)}),
    ]
    return evaluation_of(runs, seeds=[1], rules={}, states=STATES)


def printed(evaluation: Evaluation, *, is_terminal: bool = False) -> str:
    """Return what is printed."""
    out = io.StringIO()
    show(evaluation, Console(file=out, highlight=False, force_terminal=is_terminal, width=160))
    return out.getvalue()


def test_without_a_terminal_the_tables_are_plain_text() -> None:
    """A log file has no use for frames and colours."""
    text = printed(evaluated())

    assert text.isascii() or "…" in text
    assert "\x1b" not in text
    # Wilson's intervals of 1 of 1 and 1 of 2, by hand: 1/(1 + 3.8415), and 1/2 -+ 0.4055.
    outgrown = next(line for line in text.splitlines() if line.startswith("outgrown"))
    assert " ".join(outgrown.split()) == (
        "outgrown 1 1 1 0 1.000 [0.207, 1.000] 0.500 [0.095, 0.905] 1.25 2.0 h / 2.0 h 0 min / 0 min"
    )


def test_a_terminal_gets_the_same_figures() -> None:
    """In a frame, and with the words that say what they are."""
    text = printed(evaluated(), is_terminal=True)

    assert "true: planted, and for long enough to be told" in text
    assert "In a story there are states to be found" in text
    assert "0.500 [0.095, 0.905]" in printed(evaluated(), is_terminal=True)


def test_each_season_is_a_line() -> None:
    """With what was found of what was true, and what was false."""
    lines = {line.split()[0]: line.split() for line in printed(evaluated()).splitlines() if line[:1].strip()}
    quiet = next(line for line in printed(evaluated()).splitlines() if line.startswith("quiet "))

    assert lines["escape"][1:6] == ["story", "1", "1", "of", "1"]
    assert quiet.split()[1:5] == ["quiet", "1", "1", "false"]
    assert quiet.split()[-1] == "2.00"


def test_below_the_tables_stand_outcomes_rates_and_mistakes() -> None:
    """A mistake names the season, the seed and the time, so that it can be grown again."""
    lines = list(lines_of(evaluated()))

    assert lines[0] == "returned, faded: told as 1 returned; 1 not told"
    assert lines[1] == "quiet seasons: 1 alerts in 15 topic-days, 2.00 a topic-month"
    assert lines[2] == "mistakes: 3"
    assert lines[3] == "  escape, seed 1: missed returned on day 1 at 00:00 h"
    assert lines[4] == "  escape, seed 1: outcome returned on day 2 at 00:00 h: returned instead of faded"
    assert lines[5].startswith("  quiet, seed 1: false outgrown on day 2 at 00:00 h: [red]x[/red] ")
    assert lines[5].endswith("…")


def test_many_mistakes_are_cut_and_shown_as_they_are() -> None:
    """What people wrote is no markup of ours."""
    lines = list(lines_of(evaluated(false=MISTAKES_SHOWN + 5)))

    assert lines[2] == f"mistakes: {MISTAKES_SHOWN + 7}, the first {MISTAKES_SHOWN}:"
    assert len(lines) == 3 + MISTAKES_SHOWN
    assert "[red]x[/red]" in printed(evaluated())
