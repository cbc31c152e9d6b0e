"""Tests of the states: single moves, and random lives."""
