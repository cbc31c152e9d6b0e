"""Put the report of a backtest together: one HTML file without anything beside it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, select_autoescape

from agents.reporting.charts import Band, Mark, Threshold, TimeAxis, engagement, measure, tree
from agents.reporting.story import LINEAGES, Emerged, Story, TopicStory
from agents.reporting.trees import Tree
from schemas.alert import Alert, ResonanceEvidence
from schemas.cascade import CascadeVitals
from schemas.rules import Rules
from streams.eventtime.instants import instant_ms
from streams.lifecycle.alerts import rfc3339
from streams.lifecycle.comparison import episodes_of
from streams.lifecycle.explanation import number_of, said
from streams.lifecycle.wording import moment, tagged
from streams.steps.ledger import Ledger

TITLES = {
    "outgrowth_ratio": "Outgrowth ratio: engagement of the community to that which the brand set off, over a day",
    "drift_share": "Drift share: the part of active members who talk elsewhere",
    "tag_divergence_bits": "Tag divergence: how far the members' tags are from the brand's, in bits",
}
OUTCOMES = ("applied", "late", "rejected", "duplicate", "heartbeat", "ignored")


class Told(NamedTuple):
    """An episode in the list of a topic: its number, the alert that raised it, when it ended, and of a return what
    is known by its last alert of the talk elsewhere: whether it was new, and whether it lasted.
    """

    number: int
    raised: Alert
    ended: str
    resonance: ResonanceEvidence | None


class Drawn(NamedTuple):
    """A cascade with its tree."""

    vitals: CascadeVitals
    svg: str | None
    beyond: int


class Section(NamedTuple):
    """Everything of one topic."""

    name: str
    time_line: str
    measures: list[tuple[str, str]]
    alerts: list[Told]
    emerged: list[Emerged]
    actors_max: int
    cascades: list[Drawn]
    states: list[tuple[str, str]]


def render(story: Story, *, log: str, ledger: Ledger, rules: Mapping[str, Rules], trees: Mapping[str, Tree]) -> str:
    """Return the report as HTML: `rules` are those of each topic as declared, `trees` the cascades by their roots."""
    environment = Environment(loader=PackageLoader("agents.reporting", "."), autoescape=select_autoescape(default=True))
    environment.filters.update(said=said, number_of=number_of, tagged=tagged, moment=_moment)
    sections: list[Section] = []
    for topic in story.in_order():
        # Numbered through, so that each number names one place in the file.
        first = 1 + sum(len(section.alerts) for section in sections)
        sections.append(_section(topic, rules.get(topic.name, Rules()), trees, first))
    counts = {name: getattr(ledger, name) for name in OUTCOMES if getattr(ledger, name)}
    values: dict[str, Any] = {
        "log": log,
        "read": ledger.read,
        "counts": counts,
        "sections": sections,
        "lineages": LINEAGES,
        "on_topic": ledger.on_topic,
    }
    return environment.get_template("report.html.j2").render(values)


def _section(topic: TopicStory, rules: Rules, trees: Mapping[str, Tree], first: int) -> Section:
    samples = topic.held()
    axis = TimeAxis(samples[0].at_ms, samples[-1].at_ms) if samples else TimeAxis(0, 0)
    told = _told(topic.alerts, first)
    marks = [Mark(instant_ms(one.raised.at), one.number, one.raised.state, one.raised.summary) for one in told]
    thresholds = {
        "outgrowth_ratio": _pair(rules.outgrown.ratio_enter, rules.outgrown.ratio_exit),
        "drift_share": _pair(rules.escaped.drift_enter, rules.escaped.drift_exit),
        "tag_divergence_bits": _pair(rules.escaped.divergence_enter, rules.escaped.divergence_exit),
    }
    drawn = [(title, measure(axis, samples, name, thresholds[name])) for name, title in TITLES.items()]
    emerged = topic.emerged()
    return Section(
        topic.name,
        engagement(axis, samples, _bands(topic, axis.to_ms), marks),
        [(title, svg) for title, svg in drawn if svg is not None],
        told,
        emerged,
        max((one.evidence.actors for one in emerged), default=1),
        [_drawn(cascade, trees.get(cascade.root)) for cascade in topic.largest()],
        [(rfc3339(at_ms), state) for at_ms, state in topic.states],
    )


def _moment(instant: str) -> str:
    """Return an instant of an alert as its sentence would say it."""
    return moment(instant_ms(instant))


def _told(alerts: Sequence[Alert], first: int) -> list[Told]:
    # By the last alert of each return, for what is heard later tells more; other alerts of those days know it as well.
    heard = {
        alert.episode: alert.evidence.resonance
        for alert in alerts
        if alert.state == "returned" and alert.evidence.resonance is not None
    }
    return [
        Told(
            number,
            episode.raised,
            "" if episode.ended_ms is None else rfc3339(episode.ended_ms),
            heard.get(episode.raised.episode),
        )
        for number, episode in enumerate(episodes_of(alerts), start=first)
    ]


def _bands(topic: TopicStory, to_ms: int) -> list[Band]:
    ends = [at_ms for at_ms, _ in topic.states[1:]] + [to_ms]
    return [Band(at_ms, end_ms, state) for (at_ms, state), end_ms in zip(topic.states, ends, strict=True)]


def _pair(enter: float, leave: float) -> tuple[Threshold, Threshold]:
    return Threshold(enter, f"enter {enter:g}"), Threshold(leave, f"leave {leave:g}")


def _drawn(cascade: CascadeVitals, planted: Tree | None) -> Drawn:
    if planted is None:
        return Drawn(cascade, None, 0)
    return Drawn(cascade, tree(planted), planted.beyond)
