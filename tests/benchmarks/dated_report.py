"""Write what a run found as a dated report: JSON for machines and `--check`, Markdown for people, in one folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.capacity import HEADINGS as CAPACITY_HEADINGS
from tests.benchmarks.capacity import rows_of
from tests.benchmarks.contract import CONTRACT_HEADINGS, against
from tests.benchmarks.report import HEADINGS, Line, as_json, cells, circumstances

PROSE = Path(__file__).with_name("report_prose.md")
"""What figures do not say by themselves: how to read them, what a signal costs where, what limits."""
CAPACITY = (
    "The model of `docs/capacity.md`, fitted to this run, at figures that it was not fitted to. "
    "`python -m tests.benchmarks.capacity` prints the constants of a report for `overgrowth capacity --costs`."
)


def write(folder: Path, lines: Sequence[Line], *, runs: int, quick: bool, begun: Mapping[str, str]) -> list[Path]:
    """Write `DATE.json` and `DATE.md` into a folder and return their paths; `begun` are circumstances at the beginning.

    A report of the same day is replaced.
    """
    now = circumstances(runs=runs, quick=quick)
    folder.mkdir(parents=True, exist_ok=True)
    json_path, text_path = (folder / f"{now['date']}.{suffix}" for suffix in ("json", "md"))
    json_path.write_text(as_json(lines, runs=runs, quick=quick) + "\n", encoding="utf-8")
    told = {**begun, "load": f"{begun['load']} at the beginning, {now['load']} at the end"}
    text_path.write_text(as_markdown(lines, told, data=json_path.name), encoding="utf-8")
    return [json_path, text_path]


def as_markdown(lines: Sequence[Line], told: Mapping[str, str], *, data: str) -> str:
    """Return the report as text: circumstances, the contract line by line, the prose, and all figures."""
    where = f"Every value of every round is in `{data}`."
    date, *others = told.values()
    circumstance = ", ".join(f"{name} {value}" for name, value in zip(list(told)[1:], others, strict=True))
    contract = _table(CONTRACT_HEADINGS, against(lines))
    judged = [row for row in against(lines) if row[4]]
    reached = sum(row[4] == "yes" for row in judged)
    figures = _table(HEADINGS, [cells(line) for line in lines])
    capacity = rows_of(lines)
    parts = [PROSE.read_text(encoding="utf-8").strip()]
    if capacity:
        parts += [
            "## Capacity: what the model says and what was measured",
            CAPACITY,
            _table(CAPACITY_HEADINGS, capacity),
        ]
    return "\n\n".join(
        [
            f"# Benchmarks, {date}",
            f"{circumstance[:1].upper()}{circumstance[1:]}. Medians over rounds; ratios within a round. {where}",
            "## Against DESIGN.md §10, line by line",
            f"{reached} of {len(judged)} lines reached.",
            contract,
            *parts,
            "## All figures",
            figures,
            "",
        ]
    )


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    told = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in told)
