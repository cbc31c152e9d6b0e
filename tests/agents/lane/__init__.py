"""Tests of agents/lane.py with the first step in it: lanes that are cut off anywhere."""
