"""Mirrors of the source, one to one; beside them tidy, conformance checks, simulation, integration, benchmarks."""

from agents.compiled_core import require_current

# Whatever runs from here would judge what was compiled, not the sources.
require_current()
