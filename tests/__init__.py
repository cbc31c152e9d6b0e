"""Mirrors of the source, one to one; beside them tidy, conformance checks, simulation, integration, benchmarks."""
