"""Tests of a topic's drift beyond what it finds: when, by definition, behind restarts, of crowds."""
