"""Make every run repeatable, and say where the data is that is too large to be committed."""

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

PROJECT_ROOT = Path(__file__).resolve().parent.parent

# The normal run must give the same verdict twice, on a fast machine and on a loaded one: examples are derived from the
# test itself, and nothing is judged by the time that it took.
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
# HYPOTHESIS_PROFILE=search looks for new counterexamples, and tells how to reproduce what it finds.
settings.register_profile("search", settings.get_profile("ci"), derandomize=False, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Return the folder that holds pyproject.toml."""
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real logs that lies beside the project, or skip where there is none."""
    folder = PROJECT_ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no ../shared/data beside the project: the tests on real logs need it")
    return folder


@pytest.fixture
def tls_cut_short() -> Iterator[None]:
    """Collect here the connections whose TLS was still being ended when their loop was closed.

    Clients do not wait for that, so otherwise a warning of it fails whatever other test runs when they are collected.
    """
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
