"""Tests of agents/lane.py: lanes that are cut off anywhere, the order of a checkpoint, slices."""
