"""The report stands by itself, lets no text out of its place, and can be read on a phone."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from agents.reporting import Story, plant, render
from schemas.alert import EmergentEvidence, ResonanceEvidence
from schemas.rules import Rules
from schemas.signal import Signal
from streams.backtest import entries
from streams.steps.ledger import Ledger
from streams.steps.pipeline import Outcome
from tests.agents.reporting.test_story import START_MS, cascade, vitals
from tests.streams.lifecycle.told import alert

NASTY = "<img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Collects start tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take a start tag."""
        self.found.append((tag, dict(attrs)))


def report() -> str:
    """Return a report with two topics, alerts, a map and a tree, all with nasty names."""
    raised = alert(1, root=NASTY)
    raised.evidence.emergent = (EmergentEvidence(NASTY, 4.0, 20.0, 12),)
    raised.summary = f"The community went to {NASTY}"
    ended = alert(3, status="resolved")
    returned = alert(2, topic="tulips", episode="e2", state="returned")
    begin, end = "2026-05-01T00:00:00.000Z", "2026-05-02T00:00:00.000Z"
    # Whatever is told in these days knows it, but it is said of the return alone.
    for one in (ended, returned):
        one.evidence.resonance = ResonanceEvidence(begin, end, end, 0.5, None, None)
    story = Story()
    ticks = [vitals(minute, minute % 50, state="growing" if minute > 90 else "seeded") for minute in range(240)]
    others = [vitals(0, topic="tulips")]
    told = [(0, raised), (0, ended), (0, returned)]
    story.hear(Outcome(ticks + others, [cascade(NASTY, 3)], told, [], []))
    reply = Signal("a", "garden", "reply", START_MS, "ana", post="a", parent=NASTY, root=NASTY)
    trees = plant(entries([reply]), [NASTY])
    ledger = Ledger(read=1_234, applied=1_230, late=4)
    return render(story, log=NASTY, ledger=ledger, rules={"nursery/roses": Rules()}, trees=trees)


def test_other_peoples_words_are_only_words() -> None:
    """No element of the page comes from a tag, an id, a summary or a file's name, and nothing is fetched."""
    parser = Elements()
    page = report()
    parser.feed(page)

    assert {tag for tag, _ in parser.found}.isdisjoint({"img", "script", "link", "iframe", "object"})
    assert not any(name.startswith("on") for _, attributes in parser.found for name in attributes)
    links = [attributes["href"] for tag, attributes in parser.found if tag == "a"]
    assert links
    assert all(link is not None and link.startswith("#") for link in links)
    assert "url(" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;") >= 4


def test_each_number_on_the_time_line_leads_to_its_episode() -> None:
    """Across all topics no anchor is missing and none is there twice."""
    page = report()

    anchors = re.findall(r'id="(alert-\d+|topic-\d+)"', page)
    assert len(anchors) == len(set(anchors))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(anchors)
    assert {"alert-1", "alert-2", "topic-1", "topic-2"} <= set(anchors)


def test_what_was_told_can_be_read() -> None:
    """The numbers of the log, the episodes with their ends, and the map of where people went."""
    page = report()

    assert "1,234 records read" in page
    assert "4 late" in page
    assert "4 May 2026, 03:00 UTC" in page
    assert "12&nbsp;accounts" in page
    assert "enter 2" in page
    assert "1 May 2026, 00:00 UTC to 2 May 2026, 00:00 UTC" in page
    assert page.count("Talk elsewhere from") == 1
    assert re.search(r"novelty 0\.5, transience unknown, resonance\s+unknown bits", page)


def test_a_log_that_touches_no_topic_says_so() -> None:
    """An empty page would look like a fault."""
    assert "No signal touched a topic" in render(Story(), log="log", ledger=Ledger(), rules={}, trees={})


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_shows_it_without_scrolling_sideways(tmp_path: Path, width: int) -> None:
    """In a real browser every chart has a size, and only charts may be wider than a phone."""
    path = tmp_path / "report.html"
    # The measuring is the test's: the report itself runs nothing. A frame has the width of a phone; a window may not.
    measured = """<script>addEventListener("load", () => {
      const page = document.documentElement, charts = [...document.querySelectorAll("svg")];
      document.title = ["measured", page.scrollWidth - page.clientWidth, charts.length,
        charts.filter(chart => chart.getBoundingClientRect().height > 20).length].join(" ")})</script>"""
    path.write_text(report().replace("</body>", f"{measured}</body>"), encoding="utf-8")
    profile = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    command = ["chromium", *profile, f"--window-size={width},900", "--dump-dom", path.as_uri()]

    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    found = re.search(r"<title>measured (-?\d+) (\d+) (\d+)</title>", shown)
    assert found is not None, shown[:300]
    overflow, charts, visible = map(int, found.groups())
    assert overflow <= 0
    assert charts == visible >= 4
