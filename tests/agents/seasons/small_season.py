"""A season small enough to be grown in many tests: two hours of quiet, two of growth, one of a campaign."""

from agents.seasons.season import Season, parse_season

TEXT = """
start: 2026-05-04T00:00:00Z
network: garden
seeds:
  brands:
    - id: meadow
      accounts: {garden: [b1, b2]}
      topics: [{id: wildflowers, seeds: {tags: [LetItGrow, week], links: [meadow.example]}}]
people: {community: 60, followers: 20, neighbours: 50, inequality: 0.5, languages: {en: 2, fr: 1}}
rhythm: {peak_hour: 18, depth: 0.5}
delay: {median_minutes: 5, sigma: 0.8}
attention_per_hour: 400
background: {posts_per_hour: 40, reproduction: 0.3, community_share: 0.1, tags: [coffee, rain]}
community_tags: [verge]
phases:
  - {name: quiet, hours: 2, state: seeded, why: the brand speaks, brand_posts_per_hour: 2, reactions_per_post: 8,
     adopted_per_hour: 2, reproduction: 0.1}
  - {name: growth, hours: 2, state: growing, why: the community speaks, brand_posts_per_hour: 1, reactions_per_post: 2,
     adopted_per_hour: 60, reproduction: 1.2}
  - {name: campaign, hours: 1, state: growing, why: the brand is loud, brand_posts_per_hour: 30, reactions_per_post: 40,
     adopted_per_hour: 0, reproduction: 0, reach: 1}
talk: {en: [it grows], fr: [ça pousse]}
small_talk: {en: [hello], fr: [bonjour]}
"""


def small_season(**replaced: str) -> Season:
    """Return the small season, with pieces of its text replaced: `old` by `new` where both are given."""
    text = TEXT
    if replaced:
        assert replaced["old"] in TEXT, replaced["old"]
        text = TEXT.replace(replaced["old"], replaced["new"])
    return parse_season(text, where="small.yaml", name="small")
