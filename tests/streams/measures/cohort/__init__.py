"""Tests of the cohort: against its definition, through its life, and what becomes of it."""
