"""Check the ids of episodes, their revisions, and when they are told again."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.lifecycle_rows import EpisodeRow
from schemas.rules import DAY_MS, HOUR_MS, MINUTE_MS, ReminderRules
from streams.lifecycle import episodes

NAMES = st.text(min_size=1, max_size=20)


def episode(*, told_ms: int = 0, severity: int = 3) -> EpisodeRow:
    """Return an episode that was entered at 0."""
    return EpisodeRow("id", "growing", entered_ms=0, since_ms=0, revision=1, severity=severity, told_ms=told_ms)


@given(brand=NAMES, topic=NAMES, state=NAMES, entered_ms=st.integers(0, 2**45))
def test_an_episode_id_is_a_uuid_of_version_5(brand: str, topic: str, state: str, entered_ms: int) -> None:
    """Ours is computed by hand; the standard library's is the judge."""
    namespace = uuid.UUID(bytes=episodes.NAMESPACE)

    found = episodes.episode_id(brand=brand, topic=topic, state=state, entered_ms=entered_ms)

    assert found == str(uuid.uuid5(namespace, f"{brand}|{topic}|{state}|{entered_ms}"))


def test_an_episode_id_never_changes() -> None:
    """Subscribers remember ids for longer than a release lives: a new namespace would repeat every alert."""
    assert (
        episodes.episode_id(brand="cern", topic="higgs", state="outgrown", entered_ms=1_341_389_520_000)
        == "1721d24b-e463-5463-a4ce-93234fe41bb9"
    )


def test_episodes_of_several_subjects_differ_and_are_of_one_state() -> None:
    """Two cascades of a topic may go viral at one tick."""

    def make(subject: str | None) -> EpisodeRow:
        return episodes.opened(
            brand="b", topic="t", state="viral", entered_ms=90, since_ms=30, severity=4, subject=subject
        )

    assert make("post-1").id == episodes.episode_id(brand="b", topic="t", state="viral|post-1", entered_ms=90)
    assert make(None).id == episodes.episode_id(brand="b", topic="t", state="viral", entered_ms=90)
    assert {make(subject).state for subject in ("post-1", None)} == {"viral"}


def test_an_outcome_is_remembered_over_all_revisions() -> None:
    """What was said of a return once is what its end says too; an outcome that is none is refused."""
    first = episodes.opened(
        brand="b", topic="t", state="returned", entered_ms=90, since_ms=90, severity=4, outcome="faded"
    )

    assert episodes.told_again(first, at_ms=100, severity=1).outcome == "faded"
    assert episode().outcome is None
    with pytest.raises(AssertionError, match="settled-elsewhere, got gone"):
        episodes.opened(brand="b", topic="t", state="returned", entered_ms=9, since_ms=9, severity=1, outcome="gone")


def test_each_telling_is_one_revision_more_and_remembers_the_highest_severity() -> None:
    """Revisions are how a subscriber puts alerts in order, and the peak is what a rise is measured by."""
    first = episodes.opened(brand="b", topic="t", state="growing", entered_ms=90, since_ms=30, severity=4)
    second = episodes.told_again(first, at_ms=100, severity=7)
    third = episodes.told_again(second, at_ms=110, severity=2)

    assert [one.revision for one in (first, second, third)] == [1, 2, 3]
    assert [one.severity for one in (first, second, third)] == [4, 7, 7]
    assert [one.told_ms for one in (first, second, third)] == [90, 100, 110]
    assert {(one.id, one.since_ms, one.entered_ms) for one in (first, second, third)} == {(first.id, 30, 90)}


def test_only_a_severity_above_all_told_is_news() -> None:
    """A severity that flaps between 3 and 4 is told once."""
    assert not episodes.has_risen(episode(severity=4), severity=4)
    assert not episodes.has_risen(episode(severity=4), severity=5)
    assert episodes.has_risen(episode(severity=4), severity=6)


def test_reminders_follow_the_schedule() -> None:
    """30 minutes, 2 hours, 6 hours after the start, then every day (MEASURES.md §8)."""
    reminded, one = [], episode()
    for at_ms in range(MINUTE_MS, 3 * DAY_MS, MINUTE_MS):
        if episodes.reminder_is_due(one, at_ms=at_ms, reminders=ReminderRules()):
            one = episodes.told_again(one, at_ms=at_ms, severity=1)
            reminded.append(at_ms)

    assert reminded == [30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS, 30 * HOUR_MS, 54 * HOUR_MS]


def test_several_missed_reminders_are_one() -> None:
    """After a gap in the ticks nobody wants to hear the same thing three times."""
    one = episodes.told_again(episode(), at_ms=40 * HOUR_MS, severity=1)

    assert episodes.reminder_is_due(episode(), at_ms=40 * HOUR_MS, reminders=ReminderRules())
    assert not episodes.reminder_is_due(one, at_ms=41 * HOUR_MS, reminders=ReminderRules())


@pytest.mark.parametrize(
    ("reminders", "due_ms"),
    [
        (ReminderRules(after_ms=(), every_ms=100), [100, 200, 300, 400]),
        (ReminderRules(after_ms=(50,), every_ms=0), [50]),
        (ReminderRules(after_ms=(), every_ms=0), []),
        (ReminderRules(after_ms=(30, 120), every_ms=100), [30, 120, 220, 320]),
    ],
)
def test_both_parts_of_the_schedule_may_be_absent(reminders: ReminderRules, due_ms: list[int]) -> None:
    """Rules may ask for a rhythm alone, for single reminders alone, or for none."""
    assert [
        at_ms
        for at_ms in range(10, 410, 10)
        if episodes.reminder_is_due(episode(told_ms=at_ms - 10), at_ms=at_ms, reminders=reminders)
    ] == due_ms


@given(
    after_ms=st.lists(st.integers(1, 60), max_size=4, unique=True).map(sorted),
    every_ms=st.integers(1, 40),
    told_ms=st.integers(0, 300),
    gap_ms=st.integers(1, 100),
)
def test_a_reminder_is_due_when_the_written_out_schedule_says_so(
    after_ms: list[int], every_ms: int, told_ms: int, gap_ms: int
) -> None:
    """The endless part is computed by a remainder; written out as a list it must come to the same."""
    last = max(after_ms, default=0)
    schedule = after_ms + [last + n * every_ms for n in range(1, 500)]
    at_ms = told_ms + gap_ms

    due = episodes.reminder_is_due(
        episode(told_ms=told_ms), at_ms=at_ms, reminders=ReminderRules(after_ms=tuple(after_ms), every_ms=every_ms)
    )

    assert due == any(told_ms < instant <= at_ms for instant in schedule)
