"""Read a season file: how a brand's topic and the community around it are planned to live for a few days."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import msgspec
import yaml

from schemas.rules import HOUR_MS
from schemas.seeds import SeedsFile
from schemas.signal import AT_MS_MAX, AT_MS_MIN
from streams.attribution.seeds_file import SeedsError, parse_seeds
from streams.documents import DocumentError, read_document, shown

DEFAULT_SEASON = "english_garden"
_FOLDER = Path(__file__).parent
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Rate = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1_000_000)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SeasonError(DocumentError):
    """A season file that cannot be used: one line with the place, what was expected, what came, and what to do."""


class People(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who lives in the season: numbers of people, and how unequal they are (sigma of a log-normal distribution).

    `followers` of the community follow the brand; `neighbours` never touch the topic.
    """

    community: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]
    followers: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    neighbours: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)]
    inequality: Annotated[float, msgspec.Meta(ge=0, le=3)]
    languages: dict[Name, Positive]


class Rhythm(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How what people do of their own accord rises and falls with the hour of the day (UTC): 1 ± depth."""

    peak_hour: Annotated[float, msgspec.Meta(ge=0, lt=24)]
    depth: Fraction


class Delay(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How long it takes people to react: a log-normal distribution by its median and sigma."""

    median_minutes: Annotated[float, msgspec.Meta(gt=0, le=1_440)]
    sigma: Annotated[float, msgspec.Meta(ge=0, le=3)]


class Background(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Talk about other things: posts of people's own accord, and how many signals each reaction sets off in turn."""

    posts_per_hour: Rate
    reproduction: Annotated[float, msgspec.Meta(ge=0, lt=1)]
    community_share: Fraction
    tags: tuple[Name, ...]


class Phase(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of the season: the state that it plants, and how lively brand and community are in it.

    Brand posts and reactions to them are seeded talk; `reach` of the reactions come from the whole community, the rest
    from the brand's followers. Of their own accord people post the topic's tag `adopted_per_hour` times, and each
    reaction to that sets off `reproduction` more, fewer as attention is used up.
    """

    name: Name
    hours: Annotated[float, msgspec.Meta(gt=0, le=8_784)]
    state: Literal["seeded", "growing"]
    why: Name
    brand_posts_per_hour: Rate
    reactions_per_post: Annotated[float, msgspec.Meta(ge=0, le=100_000)]
    adopted_per_hour: Rate
    reproduction: Annotated[float, msgspec.Meta(ge=0, le=10)]
    reach: Fraction = 0.0


class Plan(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A season file. `attention_per_hour` is how many adopted signals in an hour leave nobody to react to them.

    `community_tags` come up in adopted talk beside the topic's own; `talk` and `small_talk` are sentences by language.
    """

    start: datetime
    network: Name
    people: People
    rhythm: Rhythm
    delay: Delay
    attention_per_hour: Positive
    background: Background
    phases: Annotated[tuple[Phase, ...], msgspec.Meta(min_length=1)]
    talk: dict[Name, tuple[Name, ...]]
    small_talk: dict[Name, tuple[Name, ...]]
    community_tags: tuple[Name, ...] = ()
    source: Name = "season"


class Season(NamedTuple):
    """A plan with the seeds that it is about; `seeds_text` is a seeds file of its own.

    The season is that of the first topic of the first brand.
    """

    name: str
    plan: Plan
    seeds: SeedsFile
    seeds_text: str
    accounts: tuple[str, ...]

    @property
    def brand(self) -> str:
        """The id of the brand."""
        return self.seeds.brands[0].id

    @property
    def topic(self) -> str:
        """The id of the topic, without its brand."""
        return self.seeds.brands[0].topics[0].id

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that the brand seeds."""
        return self.seeds.brands[0].topics[0].seeds.tags

    @property
    def links(self) -> tuple[str, ...]:
        """The domains and prefixes that the brand seeds."""
        return self.seeds.brands[0].topics[0].seeds.links

    @property
    def start_ms(self) -> int:
        """The instant at which the season starts."""
        return (self.plan.start - _EPOCH) // timedelta(milliseconds=1)

    def phases_ms(self) -> tuple[tuple[int, Phase], ...]:
        """Return each phase with the instant at which it begins."""
        begins, at_ms = [], self.start_ms
        for phase in self.plan.phases:
            begins.append((at_ms, phase))
            at_ms += round(phase.hours * HOUR_MS)
        return tuple(begins)

    @property
    def end_ms(self) -> int:
        """The instant at which the season ends, excluded."""
        begin_ms, last = self.phases_ms()[-1]
        return begin_ms + round(last.hours * HOUR_MS)


def load_season(path_or_name: str = DEFAULT_SEASON) -> Season:
    """Return the season of a file, or one that comes with Overgrowth by its name; raises SeasonError.

    >>> season = load_season("english_garden")
    >>> season.brand, season.topic
    ('meadow', 'wildflowers')
    """
    shipped = sorted(path.stem for path in _FOLDER.glob("*.yaml"))
    path = _FOLDER / f"{path_or_name}.yaml" if path_or_name in shipped else Path(path_or_name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        got = getattr(error, "strerror", None) or "bytes that are not UTF-8"
        do = f"give the path of a season file, or one of: {', '.join(shipped)}"
        raise SeasonError(expected="a season file", got=str(got), place="$", do=do, where=path_or_name) from None
    return parse_season(text, where=path_or_name, name=path.stem)


def parse_season(text: str, *, where: str, name: str) -> Season:
    """Return what a season file says; `where` names it in errors, which are SeasonError."""
    try:
        document = read_document(text)
        if not isinstance(document, dict) or not isinstance(document.get("seeds"), dict):
            do = "write `seeds:` with the content of a seeds file, and the plan beside it"
            raise DocumentError(expected="a mapping with `seeds`", got=shown(document), place="$", do=do)
        seeds_text = yaml.safe_dump(document.pop("seeds"), sort_keys=False, allow_unicode=True)
        seeds = parse_seeds(seeds_text, where=where)
        plan = _plan(document)
        _check_plan(plan, seeds)
    except SeedsError as error:
        place = "$.seeds" + error.place.removeprefix("$") if error.place.startswith("$") else error.place
        raise SeasonError(expected=error.expected, got=error.got, place=place, do=error.do, where=where) from None
    except DocumentError as error:
        raise SeasonError.of(error, where=where) from None
    return Season(name, plan, seeds, seeds_text, seeds.brands[0].accounts[plan.network])


def _plan(document: dict[str, object]) -> Plan:
    try:
        return msgspec.convert(document, Plan)
    except msgspec.ValidationError as error:
        said, _, place = str(error).partition(" - at ")
        what, _, got = said.removeprefix("Expected ").partition(", got ")
        is_expectation = said.startswith("Expected ")
        raise DocumentError(
            expected=what if is_expectation else "a season's plan",
            got=(got or "another value") if is_expectation else said,
            place=place.strip("`") or "$",
            do="correct it there; the season that comes with Overgrowth shows every field",
        ) from None


def _check_plan(plan: Plan, seeds: SeedsFile) -> None:
    """Refuse a plan that no season could be grown from."""
    brand = seeds.brands[0]

    def refuse(expected: str, got: str, place: str, do: str) -> DocumentError:
        return DocumentError(expected=expected, got=got, place=place, do=do)

    if plan.start.tzinfo is None:
        raise refuse("an instant with its zone", plan.start.isoformat(), "$.start", "add Z for UTC, or +02:00")
    hours = sum(phase.hours for phase in plan.phases)
    begin_ms = (plan.start - _EPOCH) // timedelta(milliseconds=1)
    if begin_ms < AT_MS_MIN or begin_ms + hours * HOUR_MS > AT_MS_MAX:
        raise refuse("a season between 2000 and 9999", plan.start.isoformat(), "$.start", "choose another start")
    if not brand.accounts.get(plan.network):
        do = "give the brand an account there"
        raise refuse(f"accounts of the brand on `{plan.network}`", "none", "$.seeds.brands[0].accounts", do)
    if not brand.topics[0].seeds.tags:
        do = "give the topic a tag that the community can adopt"
        raise refuse("at least one tag", "none", "$.seeds.brands[0].topics[0].seeds.tags", do)
    if plan.people.followers > plan.people.community:
        got = str(plan.people.followers)
        raise refuse(
            "at most as many as `community`", got, "$.people.followers", "make one larger or the other smaller"
        )
    for kind, sentences in (("talk", plan.talk), ("small_talk", plan.small_talk)):
        for language in plan.people.languages:
            if not sentences.get(language):
                raise refuse(f"sentences in `{language}`", "none", f"$.{kind}", "write some, or leave the language out")
    if not plan.people.languages or not plan.background.tags:
        raise refuse("at least one language and one background tag", "none", "$", "add one")
