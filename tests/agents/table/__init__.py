"""Tests of agents/table.py: crashes and late writers as state machines, single cases, the records themselves."""
