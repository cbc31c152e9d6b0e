"""Tests of meaning and time."""
