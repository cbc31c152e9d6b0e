"""Check that the version is the installed package's."""

import re

from agents.version import VERSION


def test_the_version_is_one() -> None:
    """It goes into metrics, so it must be there and look like one."""
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", VERSION)
