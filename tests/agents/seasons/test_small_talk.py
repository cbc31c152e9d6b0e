"""Talk about other things has trends of its own, and leaves the topic alone."""

from collections import defaultdict

from agents.seasons import grow_planted, load_season
from schemas.rules import HOUR_MS


def test_a_trend_is_a_tag_in_as_many_posts_as_planned_within_its_hours() -> None:
    """Those that do not end before the season does are cut off by its end."""
    season = load_season("quiet", {"hours": 96})
    trends = season.plan.background.trends
    assert trends is not None
    posts: dict[str, list[int]] = defaultdict(list)
    for signal, lineage, _ in grow_planted(season, 5):
        for tag in signal.tags:
            if tag.startswith("trend") and signal.kind == "post":
                assert lineage is None
                posts[tag].append(signal.at)
    ended = [at_ms for at_ms in posts.values() if at_ms[0] + trends.hours * HOUR_MS < season.end_ms]

    assert len(ended) >= 2
    assert all(len(at_ms) == trends.posts for at_ms in ended)
    assert all(at_ms[-1] - at_ms[0] <= trends.hours * HOUR_MS for at_ms in posts.values())
