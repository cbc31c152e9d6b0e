"""Tests of what a topic keeps of its cascades: the largest, what has ended, and what goes on after a restart."""
