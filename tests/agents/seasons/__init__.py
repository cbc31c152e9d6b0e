"""Tests of the simulated seasons."""
