"""Whole behaviour: real logs, real processes, real servers."""
