"""Tests of the conditions of states and of viral cascades, at and around every threshold."""
