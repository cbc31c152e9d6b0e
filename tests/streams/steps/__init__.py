"""Tests of the three steps: order, what a restart keeps, and that partitions change nothing."""
