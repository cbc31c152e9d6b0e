"""A season file is read whole or refused with the place of what is wrong."""

from pathlib import Path

import pytest

from agents.seasons.season import DEFAULT_SEASON, SeasonError, load_season, parse_season, shipped_seasons
from streams.attribution.seeds_file import parse_seeds
from tests.agents.seasons.small_season import TEXT, small_season

HOUR_MS = 3_600_000


def test_a_season_knows_its_topic_its_phases_and_its_end() -> None:
    """Instants are those of the start plus the hours of the phases."""
    season = small_season()
    start_ms = 1_777_852_800_000  # date -ud 2026-05-04 +%s, in milliseconds

    assert (season.brand, season.topic, season.tags) == ("meadow", "wildflowers", ("LetItGrow", "week"))
    assert season.accounts == ("b1", "b2")
    assert [(at_ms, phase.name) for at_ms, phase in season.phases_ms()] == [
        (start_ms, "quiet"),
        (start_ms + 2 * HOUR_MS, "growth"),
        (start_ms + 4 * HOUR_MS, "campaign"),
    ]
    assert season.end_ms == start_ms + 5 * HOUR_MS


def test_the_seeds_of_a_season_are_a_seeds_file() -> None:
    """What is simulated can be backtested with the season's own seeds."""
    season = small_season()

    assert parse_seeds(season.seeds_text, where="seeds.yaml") == season.seeds


def test_the_default_season_lasts_about_four_days() -> None:
    """The season that comes along is found by its name, and its length is part of what it promises."""
    season = load_season(DEFAULT_SEASON)

    assert season.end_ms - season.start_ms == 96 * HOUR_MS
    assert season == load_season()


def test_a_season_is_read_from_a_path(tmp_path: Path) -> None:
    """Anybody can write one."""
    path = tmp_path / "mine.yaml"
    path.write_text(TEXT, encoding="utf-8")

    assert load_season(str(path)) == small_season()._replace(name="mine")


def test_a_season_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    """The text names what comes along."""
    path = str(tmp_path / "none.yaml")

    with pytest.raises(SeasonError) as caught:
        load_season(path)

    assert str(caught.value) == (
        f"{path}: expected a season file at `$`, got No such file or directory; "
        f"give the path of a season file, or one of: {', '.join(shipped_seasons())}"
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("hours: 1,", "hours: 0,", "expected `float` > 0.0 at `$.phases[2].hours`"),
        ("hours: 1,", "hours: long,", "expected `float` at `$.phases[2].hours`, got `str`"),
        ("reach: 1}", "reach: 2}", "expected `float` <= 1.0 at `$.phases[2].reach`"),
        ("reach: 1}", "raech: 1}", "got Object contains unknown field `raech`"),
        ("state: seeded", "state: outgrown", "got Invalid enum value 'outgrown'"),
        ("network: garden", "", "got Object missing required field `network`"),
        (
            "network: garden",
            "network: forum",
            "expected accounts of the brand on `forum` at `$.seeds.brands[0].accounts`",
        ),
        ("2026-05-04T00:00:00Z", "2026-05-04T00:00:00", "expected an instant with its zone at `$.start`"),
        ("2026-05-04T00:00:00Z", "1999-12-31T00:00:00Z", "expected a season between 2000 and 9999 at `$.start`"),
        ("tags: [LetItGrow, week], ", "", "expected at least one tag at `$.seeds.brands[0].topics[0].seeds.tags`"),
        ("id: meadow", "id: Meadow!", "at `$.seeds.brands[0].id`, got `Meadow!`"),
        ("followers: 20", "followers: 61", "expected at most as many as `community` at `$.people.followers`, got 61"),
        ("fr: [ça pousse]", "es: [hola]", "expected sentences in `fr` at `$.talk`, got none"),
        ("tags: [coffee, rain]", "tags: []", "expected at least one language and one background tag at `$`"),
        ("seeds:\n", "seed:\n", "expected a mapping with `seeds` at `$`"),
        ("seeds:\n", "seeds: [\n", "got a syntax error"),
    ],
)
def test_what_is_wrong_in_a_season_is_told_with_its_place(old: str, new: str, said: str) -> None:
    """One line: the file, the place, what was expected and what came."""
    with pytest.raises(SeasonError) as caught:
        small_season(old=old, new=new)

    assert said in str(caught.value)
    assert str(caught.value).startswith("small.yaml: expected ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", shipped_seasons())
def test_every_season_that_comes_along_can_be_read(name: str) -> None:
    """Whatever it extends, and with its own parameters."""
    season = load_season(name)

    assert (season.name, season.brand, season.topic) == (name, "meadow", "wildflowers")


def test_a_parameter_that_is_set_goes_before_the_declared_one() -> None:
    """An evaluation sweeps a season by it."""
    drifts = [
        phase.circle.drift
        for settings in ({}, {"drift": 0.25})
        for _, phase in load_season("escape", settings).phases_ms()
        if phase.name == "away" and phase.circle
    ]

    assert drifts == [0.6, 0.25]


def test_a_season_that_extends_another_keeps_what_it_does_not_say() -> None:
    """A trap is a quiet season and a few lines."""
    text = "extends: quiet\nparameters: {hours: 5}\npeople: {neighbours: 7}"
    season = parse_season(text, where="mine.yaml", name="mine")

    assert season.end_ms - season.start_ms == 5 * HOUR_MS
    assert season.plan.people.neighbours == 7
    assert season.plan.people.community == load_season("quiet").plan.people.community


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: nothing", "expected one of: bot_flood, "),
        ("extends: 5", "at `$.extends`, got `5`; name a season"),
        ("extends: quiet\nparameters: {hours: 0}", "expected `float` > 0.0 at `$.phases[0].hours`"),
        (
            "extends: quiet\npeople: {community: 300}",
            "expected at most as many as `$.people.community`",
        ),
        ("extends: escape\nemergent_tags: []", "expected `emergent_tags` at `$` where talk drifts at `$.phases[3]"),
        ("extends: quiet\nphases: $none", "expected a declared parameter at `$.phases`, got $none"),
        ("- a", "expected a mapping with `seeds` at `$`"),
    ],
)
def test_what_is_wrong_in_an_extension_is_told_with_its_place(text: str, said: str) -> None:
    """The line names the file that was asked for."""
    with pytest.raises(SeasonError) as caught:
        parse_season(text, where="mine.yaml", name="mine")

    assert said in str(caught.value)
    assert str(caught.value).startswith("mine.yaml: expected ")


def test_a_setting_that_the_season_does_not_know_is_refused_with_those_that_it_does() -> None:
    """A misspelt parameter must not leave the season as it was."""
    with pytest.raises(SeasonError, match="the parameters of this season are: hours, small_talk") as caught:
        load_season("quiet", {"drfit": 0.5})

    assert str(caught.value).startswith("quiet: expected a parameter of the season at `$.parameters`, got drfit")
