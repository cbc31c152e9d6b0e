"""Tests of agents/runner.py about what outlives a generation of the group."""
