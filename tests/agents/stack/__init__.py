"""Tests of the embedded stack, against the real servers."""
