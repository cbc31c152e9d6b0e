"""Backtests: a log and its seeds through the whole computation, once, or once for each of several rules."""

from agents.backtesting.running import Job, Told, load_registry, read_overrides, run, tell

__all__ = ["Job", "Told", "load_registry", "read_overrides", "run", "tell"]
