"""Say in plain lines why an alert was raised: its life, its conditions over time, and what they were read from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from schemas.alert import Alert, Condition
from schemas.vitals import Measures, Vitals, WindowVitals
from streams.lifecycle.alerts import rfc3339

MEASURE_NAMES: tuple[str, ...] = Measures.__struct_fields__
ROWS_MAX = 12
"""How many instants the conditions are shown at, evenly over the time that is known."""


def number_of(condition: Condition) -> float | None:
    """Return the number that a condition compares with its threshold: the value, or an end of its interval.

    >>> number_of(Condition("endogenous_share", 0.8, 0.55, True, low=0.7, bound="low"))
    0.7
    """
    return {"value": condition.value, "low": condition.low, "high": condition.high}[condition.bound]


def said(number: float | None) -> str:
    """Return a number as it is read: four digits, `unknown` where it was not to be had.

    >>> said(0.81239), said(None), said(14881.0)
    ('0.8124', 'unknown', '14881')
    """
    if number is None:
        return "unknown"
    return f"{number:.0f}" if abs(number) >= 10_000 else f"{number:.4g}"


def explain(alert: Alert, revisions: Sequence[Alert], vitals: Iterable[Vitals] = ()) -> Iterator[str]:
    """Yield the lines that explain an alert.

    `revisions` are all alerts of its episode that are known, in their order; `vitals` those of its topic, if they are
    known: then the measures that decided are shown over time.
    """
    yield f"{alert.brand}/{alert.topic}: {alert.state} {alert.status}, severity {alert.severity}, at {alert.at}"
    yield f"alert {alert.id}, rules {alert.rules}" + (f", outcome {alert.outcome}" if alert.outcome else "")
    yield ""
    yield alert.summary
    yield from _life(alert, revisions)
    yield from _conditions(alert)
    yield from _over_time(alert, revisions, vitals)
    yield from _windows(alert.evidence.windows)
    yield from _where(alert)
    span = alert.span
    yield ""
    yield f"It rests on {span.signals:,} signals from {span.from_} to {span.to}; the baseline was {_baseline(alert)}."


def _life(alert: Alert, revisions: Sequence[Alert]) -> Iterator[str]:
    if len(revisions) < 2:
        return
    yield ""
    yield "Its life:"
    for one in revisions:
        mark = ">" if one.id == alert.id else " "
        yield f"{mark} {one.at:<24} {one.status:<10} severity {one.severity:>2}  since {one.since}"


def _conditions(alert: Alert) -> Iterator[str]:
    if not alert.conditions:
        return
    yield ""
    yield "Why:"
    for condition in alert.conditions:
        interval = ""
        if condition.low is not None or condition.high is not None:
            interval = f"  interval {said(condition.low)} to {said(condition.high)}"
        which = "" if condition.bound == "value" else f" ({condition.bound} end)"
        mark = "+" if condition.holds else "-"
        compared = f"{said(number_of(condition)):>9} {condition.relation} {said(condition.threshold)}{which}"
        role = "  (a guard: enough to judge by)" if condition.guard else ""
        role += f"  (one of {condition.any_of!r} is enough)" if condition.any_of else ""
        yield f"{mark} {condition.name:<24} {compared}{interval}{role}"


def _over_time(alert: Alert, revisions: Sequence[Alert], vitals: Iterable[Vitals]) -> Iterator[str]:
    """Yield the conditions at several instants: from the vitals where they are known, else from the revisions."""
    names = list(dict.fromkeys(condition.name for condition in alert.conditions))
    rows: list[tuple[str, Mapping[str, float | None]]]
    measured = [name for name in names if name in MEASURE_NAMES]
    ticks = list(vitals)
    if ticks and measured:
        names = measured
        rows = [(rfc3339(tick.at), msgspec.structs.asdict(tick.measures)) for tick in ticks]
    else:
        rows = [(one.at, {condition.name: number_of(condition) for condition in one.conditions}) for one in revisions]
    if len(rows) < 2 or not names:
        return
    yield ""
    yield "Over time:"
    widths = [max(len(name), 9) for name in names]
    yield f"  {'':<24} " + "  ".join(f"{name:>{width}}" for name, width in zip(names, widths, strict=True))
    for at, numbers in _evenly(rows):
        cells = [f"{said(numbers.get(name)):>{width}}" for name, width in zip(names, widths, strict=True)]
        yield f"  {at:<24} " + "  ".join(cells)


def _evenly(
    rows: Sequence[tuple[str, Mapping[str, float | None]]],
) -> list[tuple[str, Mapping[str, float | None]]]:
    """Return at most `ROWS_MAX` of some rows, the first and the last among them."""
    if len(rows) <= ROWS_MAX:
        return list(rows)
    return [rows[number * (len(rows) - 1) // (ROWS_MAX - 1)] for number in range(ROWS_MAX)]


def _windows(windows: Mapping[str, WindowVitals]) -> Iterator[str]:
    if not windows:
        return
    yield ""
    yield "Windows:"
    for name, window in windows.items():
        lineages = ", ".join(f"{count:,} {lineage}" for lineage, count in window.by_lineage.items() if count)
        yield f"  {name:<4} {window.signals:>8,} signals by {window.actors:,} accounts  ({lineages})"


def _where(alert: Alert) -> Iterator[str]:
    evidence = alert.evidence
    if evidence.emergent:
        yield ""
        yield "Where the community went:"
        for topic in evidence.emergent:
            seen = f"{topic.actors:,} accounts in {topic.cascades:,} cascades"
            note = ", everybody talks of it" if topic.exogenous else ""
            yield f"  {topic.name:<28} {seen}, {said(topic.lift)} times as often as before (G2 {said(topic.g2)}){note}"
    if evidence.resonance is not None:
        found = evidence.resonance
        yield ""
        yield f"What members said from {found.since} to {found.until}, while they were elsewhere:"
        yield f"  novelty     {said(found.novelty_bits):>8} bits beside the week before (1: nothing was the same)"
        yield f"  transience  {said(found.transience_bits):>8} bits beside what they said until {found.heard_until}"
        yield f"  resonance   {said(found.resonance_bits):>8} bits, the one less the other: above 0 it lasted"
    if evidence.cascades:
        yield ""
        yield "Largest cascades:"
        for cascade in evidence.cascades:
            forecast = "" if cascade.forecast is None else f", heading for {cascade.forecast:,.0f} shares"
            yield f"  {cascade.root:<28} {cascade.size:,} posts and shares, {cascade.depth} deep{forecast}"
    if evidence.flags:
        yield ""
        yield f"Flags: {', '.join(evidence.flags)}"


def _baseline(alert: Alert) -> str:
    return alert.evidence.baseline.replace("_", " ")
