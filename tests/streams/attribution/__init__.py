"""Tests of attribution: seeds, matching, duplicates, conversations."""
