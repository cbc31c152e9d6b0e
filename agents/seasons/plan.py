"""Shape of a season's plan: who lives in it, how lively they are in each phase, and what disturbs them."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

# Bounds of floats are floats: of two types that are equal Python keeps the one that it met first, also in schemas/.
Rate = Annotated[float, msgspec.Meta(ge=0.0, le=1_000_000.0)]
Positive = Annotated[float, msgspec.Meta(gt=0.0, le=1_000_000.0)]
Fraction = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
Hours = Annotated[float, msgspec.Meta(gt=0.0, le=8_784.0)]
HourOfSeason = Annotated[float, msgspec.Meta(ge=0.0, le=8_784.0)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class People(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who lives in the season: numbers of people, and how unequal they are (sigma of a log-normal distribution).

    `followers` of the community follow the brand; `neighbours` never touch the topic.
    """

    community: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]
    followers: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    neighbours: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]
    inequality: Annotated[float, msgspec.Meta(ge=0.0, le=3.0)]
    languages: dict[Name, Positive]


class Rhythm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How what people do of their own accord rises and falls with the hour of the day (UTC): 1 ± depth.

    On Saturdays and Sundays (UTC) they do `weekend` times as much of it.
    """

    peak_hour: Annotated[float, msgspec.Meta(ge=0.0, lt=24.0)]
    depth: Fraction
    weekend: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 1.0


class Delay(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How long it takes people to react: a log-normal distribution by its median and sigma."""

    median_minutes: Annotated[float, msgspec.Meta(gt=0.0, le=1_440.0)]
    sigma: Annotated[float, msgspec.Meta(ge=0.0, le=3.0)]


class Trends(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Trends of the network's own: so many a day begin, each a tag of its own in so many posts over so many hours."""

    per_day: Rate
    hours: Hours
    posts: Annotated[int, msgspec.Meta(ge=1, le=100_000)]


class Background(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Talk about other things: posts of people's own accord, and how many signals each reaction sets off in turn."""

    posts_per_hour: Rate
    reproduction: Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
    community_share: Fraction
    tags: tuple[Name, ...]
    trends: Trends | None = None


class Circle(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The steady talk of a known community in a phase: the first `people` of it, each `per_day` times on average.

    `own` of what they say on the topic is of their own accord (adopted), the rest answers the brand (seeded).
    `drift` of the people take all such talk to the emergent tags, in conversations that nobody seeded (wild). `gone`
    of them say nothing of either kind any more; their small talk goes on where `gone_talk`. Who drifts or goes is
    fixed by the person: with a smaller fraction some of the same people do. `tags_beside` of the community's tags
    come beside the topic's in a post, of the first `variety` of them; `brings_home` of such posts carry an emergent
    tag as well. The brand joins what drifted `joins_per_hour` times: by an emergent tag, or by a reply there.
    """

    people: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]
    per_day: Rate
    own: Fraction
    small_talk_per_day: Rate = 0.0
    drift: Fraction = 0.0
    gone: Fraction = 0.0
    gone_talk: bool = False
    tags_beside: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 0.5
    variety: Fraction = 1.0
    brings_home: Fraction = 0.0
    joins_per_hour: Rate = 0.0


class Phase(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of the season: the state that it plants, and how lively brand and community are in it.

    Brand posts and reactions to them are seeded talk; `reach` of the reactions come from the whole community, the rest
    from the brand's followers. Of their own accord people post the topic's tag `adopted_per_hour` times, and each
    reaction to that sets off `reproduction` more, fewer as attention is used up. A `circle` is the same in a calmer
    way: known people, each with a rate of their own.
    """

    name: Name
    hours: Hours
    state: Literal["seeded", "growing"]
    why: Name
    brand_posts_per_hour: Rate
    reactions_per_post: Annotated[float, msgspec.Meta(ge=0.0, le=100_000.0)]
    adopted_per_hour: Rate = 0.0
    reproduction: Annotated[float, msgspec.Meta(ge=0.0, le=10.0)] = 0.0
    reach: Fraction = 0.0
    circle: Circle | None = None


# --- what disturbs a season, and must not be taken for more -----------------------------------------------------------


class Shock(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="shock"):
    """The whole network takes up a tag that has nothing to do with the topic; the community does so like all others."""

    name: Name
    hour: HourOfSeason
    hours: Hours
    tags: Annotated[tuple[Name, ...], msgspec.Meta(min_length=1)]
    posts: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    community_posts: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]
    tolerated: tuple[Name, ...] = ()


class Flood(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="flood"):
    """A few write much: bots or strangers who were never seen before, or the brand itself.

    Posts carry a tag of the topic where `on_topic`, and `tags` beside it.
    """

    name: Name
    by: Literal["bots", "strangers", "brand"]
    actors: Annotated[int, msgspec.Meta(ge=1, le=100_000)]
    hour: HourOfSeason
    hours: Hours
    posts: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    on_topic: bool = True
    tags: tuple[Name, ...] = ()
    tolerated: tuple[Name, ...] = ()


class Viral(msgspec.Struct, forbid_unknown_fields=True, frozen=True, tag_field="kind", tag="viral"):
    """One post of a member with the topic's tag is spread by the whole network: a huge cascade, and nothing else."""

    name: Name
    hour: HourOfSeason
    hours: Hours
    reactions: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    tolerated: tuple[Name, ...] = ()


Trap = Shock | Flood | Viral


class Silence(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A source is dead for so many hours from an hour of the season on: no signals, no heartbeats."""

    hour: HourOfSeason
    hours: Hours
    tolerated: tuple[Name, ...] = ()


class Source(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A connector that brings in what `share` of the people do, by a clock that may be ahead, or not at all."""

    name: Name
    share: Positive
    ahead_minutes: Annotated[float, msgspec.Meta(ge=-60.0, le=60.0)] = 0.0
    dead: Silence | None = None


class Plan(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A season file. `attention_per_hour` is how many adopted signals in an hour leave nobody to react to them.

    `community_tags` come up in adopted talk beside the topic's own; `emergent_tags` are where talk drifts to; `talk`
    and `small_talk` are sentences by language. Where there are `sources`, they bring the signals, with heartbeats every
    `heartbeat_s` seconds; otherwise one `source` does without.
    """

    start: datetime
    network: Name
    people: People
    rhythm: Rhythm
    delay: Delay
    background: Background
    phases: Annotated[tuple[Phase, ...], msgspec.Meta(min_length=1)]
    talk: dict[Name, tuple[Name, ...]]
    small_talk: dict[Name, tuple[Name, ...]]
    attention_per_hour: Positive = 1_000.0
    community_tags: tuple[Name, ...] = ()
    emergent_tags: tuple[Name, ...] = ()
    traps: tuple[Trap, ...] = ()
    source: Name = "season"
    sources: tuple[Source, ...] = ()
    heartbeat_s: Annotated[float, msgspec.Meta(ge=1.0, le=3_600.0)] = 55.0
