"""Jobs are done in this process or in others, each once, and what fails is raised here."""

import pytest

from agents.parallel import in_processes

LENGTHS = {0: 1, 1: 3, 2: 0, 3: 2}
WORDS = ["a", "bcd", "", "ef"]


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_each_job_is_done_once_under_its_number(workers: int) -> None:
    """However many processes there are, results belong to their jobs."""
    done = list(in_processes(len, WORDS, workers=workers))

    assert dict(done) == LENGTHS
    assert len(done) == len(WORDS)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_job_raises_is_raised_here(workers: int) -> None:
    """A failure in another process is not lost."""
    with pytest.raises(ValueError, match="invalid literal"):
        list(in_processes(int, ["1", "two"], workers=workers))
