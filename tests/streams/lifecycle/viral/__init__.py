"""Tests of viral cascades: single episodes, which cascades are watched, and random lives."""
